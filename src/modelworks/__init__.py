"""modelworks: from a disease model in a file to a result someone signs."""
