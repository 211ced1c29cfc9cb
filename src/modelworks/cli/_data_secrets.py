"""Sensitive data at the command line: a key to them, and encrypting a file that lies in the clear."""

from __future__ import annotations

from pathlib import Path

import click

from modelworks.cli._words import next_step, say, show

KEY_FILE = "~/.config/modelworks/data-key.txt"


@click.command("key")
@click.argument("file", default=KEY_FILE)
def key_to_data(file: str) -> None:
    """Make a key to sensitive data: the secret half into FILE, the public half to stdout."""
    from modelworks.inputs import KEY_FILE_VARIABLE, new_key

    path = Path(file).expanduser()
    show(new_key(path))
    say(f"the secret half is in {path}: keep a copy where nobody else comes, and never in a repository")
    say(f"so that it is found: export {KEY_FILE_VARIABLE}={path}")
    next_step('write the public half into modelworks.toml, below [data]: recipients = ["age1…"]')


@click.command("encrypt")
@click.argument("file", type=click.Path(path_type=Path))
def encrypt_data(file: Path) -> None:
    """Encrypt a FILE of data for those whose public keys the settings have, and remove the clear one."""
    from modelworks.inputs import Repository, encrypt_file

    root = Repository.around(Path.cwd()).root
    made = encrypt_file(file.resolve(), root)
    say(f"{file.name} is now {made.name}, in the catalogue too; what git has seen in the clear stays in its history")
    next_step("write `sensitivity: sensitive` into its entry, then modelworks data check")
