"""`python -m modelworks` is the command line."""

from modelworks.cli import main

main()
