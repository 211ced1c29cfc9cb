"""How commands speak: data goes to stdout, everything else to stderr, and each ends by naming the next one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import click

from modelworks.errors import Letter
from modelworks.logs import without_secrets

MARKS = {"fine": ("✓", "green"), "look": ("!", "yellow"), "stop": ("✗", "red")}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON to stdout.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress; only the result and mistakes.")


def _as_changes(ctx: click.Context, param: click.Parameter, said: Sequence[str]) -> tuple[str, ...]:
    """`recovery_rate=0.4` as `--change` would have it: `value recovery_rate = 0.4`."""
    pairs = [text.partition("=") for text in said]
    for text, (_, equals, _) in zip(said, pairs, strict=True):
        if not equals:
            raise click.BadParameter(f"it takes NAME=VALUE, as in recovery_rate=0.4, and not `{text}`", ctx, param)
    return tuple(f"value {name.strip()} = {value.strip()}" for name, _, value in pairs)


values_option = click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", callback=_as_changes, help="A parameter held at a value."
)


def say(text: str = "") -> None:
    """To the person, not into a pipe."""
    click.echo(text, err=True, color=_colour())


def show(text: str) -> None:
    """To stdout: the data that was asked for."""
    click.echo(text, color=_colour())


def show_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=not takes_everything(sys.stdout), default=str))


def _colour() -> bool | None:
    """No colour where it is not wanted (no-color.org) or not understood; else as the stream can show it."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def next_step(text: str) -> None:
    say(f"next: {text}")


def tell(letters: Sequence[Letter], *, as_json: bool) -> None:
    """All letters, in the order of the files they are about, and no secret in them."""
    letters = [
        replace(each, message=without_secrets(each.message), hint=without_secrets(each.hint)) for each in letters
    ]
    if as_json:
        show_json({"verdict": "stop", "mistakes": [letter.as_dict() for letter in letters]})
        return
    say_letters(letters)
    if len(letters) > 1:
        next_step(f"mend the {len(letters)} mistakes above; `modelworks explain {letters[0].code}` is about the first")
        return
    # What is wrong with the command, and not with a file, is mended by what the hint says.
    what = "mend the mistake above" if letters[0].file or not letters[0].hint else "do as the hint says"
    next_step(f"{what}; `modelworks explain {letters[0].code}` says more")


def say_letters(letters: Sequence[Letter]) -> None:
    for letter in letters:
        say(click.style(letter.code, fg="red", bold=True) + str(letter)[len(letter.code) :] + "\n")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns; the last one is cut to the width of the terminal."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(cells[k]) for cells in lines) for k in range(len(header))]
    room = max(20, shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths))
    for cells in lines:
        # A pipe gets everything; only a person's terminal has an edge.
        whole = len(cells[-1]) <= room or not sys.stdout.isatty()
        last = cells[-1] if whole else cells[-1][: room - 1] + "…"
        show("  ".join([*(c.ljust(w) for c, w in zip(cells[:-1], widths[:-1], strict=True)), last]).rstrip())


def takes_everything(stream: Any) -> bool:
    return str(getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
