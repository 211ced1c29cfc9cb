"""Writes `docs/reference/` and the glossary from what the package itself says: its door, commands, error codes, words.

`--check` says which pages are out of date instead of writing them.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
NOTICE = "<!-- written by tools/generate_reference.py; edit the docstring, the command or the code's page instead -->"

FAMILIES = {
    "P": "parameters",
    "D": "data",
    "T": "targets",
    "Y": "study files",
    "M": "the model's declaration",
    "S": "simulation",
    "C": "calibration",
    "G": "diagnostics and figures",
    "R": "runs, reports and the command line",
    "J": "jobs",
    "W": "the website and its feeds",
}


def page(title: str, lead: str, parts: list[str]) -> str:
    text = "\n\n".join([f"# {title}", NOTICE, lead, *(part for part in parts if part)])
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def without_quotes(text: str) -> str:
    """Annotations that are evaluated late are strings; a reader wants the type.

    >>> without_quotes("(times: 'Array', start: 'date | None' = None, method: str = 'rk4') -> 'Outputs'")
    "(times: Array, start: date | None = None, method: str = 'rk4') -> Outputs"
    """
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text).replace("<factory>", "...")
    # A function as a default would be shown with its address, which is another one each time.
    return re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", text)


def signature(name: str, thing: Any) -> str:
    """How a thing is called, one argument a line where it does not fit on one."""
    try:
        told = inspect.signature(thing)
    except (TypeError, ValueError):
        return name
    if inspect.isclass(thing):
        told = told.replace(return_annotation=inspect.Signature.empty)
    text = without_quotes(f"{name}{told}")
    if len(text) <= 100:
        return text
    returned = "" if told.return_annotation is inspect.Signature.empty else f" -> {told.return_annotation}"
    return f"{name}(\n    " + ",\n    ".join(without_quotes(each) for each in _with_star(told)) + f",\n){returned}"


def _with_star(told: inspect.Signature) -> Iterator[str]:
    """The arguments, with the bare star where the named ones begin."""
    star_is_due = not any(each.kind is each.VAR_POSITIONAL for each in told.parameters.values())
    for each in told.parameters.values():
        if each.kind is each.KEYWORD_ONLY and star_is_due:
            star_is_due = False
            yield "*"
        yield str(each)


def _is_underline(lines: list[str], index: int) -> bool:
    return index + 1 < len(lines) and bool(re.fullmatch(r"-{3,}", lines[index + 1].strip()))


def markdown_of(docstring: str) -> str:
    """A docstring as Markdown: sections in bold, arguments as a list, examples as blocks."""
    written: list[str] = []
    section = in_example = False
    lines = inspect.cleandoc(docstring).splitlines()
    for index, line in enumerate(lines):
        if in_example and not line.strip():
            written.append("```")
            in_example = False
        if not in_example and line.lstrip().startswith(">>>"):
            written += ["<!-- illustration: run as a doctest of the package -->", "```python"]
            in_example = True
        if in_example:
            written.append(line)
        elif _is_underline(lines, index):
            written += [f"**{line.strip()}**", ""]
            section = True
        elif index == 0 or not _is_underline(lines, index - 1):
            written.append(_as_item(line) if section and line[:1].strip() else line)
    return "\n".join([*written, "```"] if in_example else written)


def _as_item(line: str) -> str:
    """`times : array, shape (time,)` as the head of a list item."""
    name, _, kind = line.partition(" : ")
    return f"- `{name}`: {kind}" if kind else f"- `{name}`:"


def methods(kind: type) -> Iterator[tuple[str, object]]:
    """The public methods that a class writes itself, with a docstring of their own."""
    for name, member in vars(kind).items():
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        plain = plain.fget if isinstance(plain, property) else plain
        if not name.startswith("_") and inspect.isfunction(plain) and plain.__doc__:
            yield name, member


def method_line(owner: str, name: str, member: object) -> str:
    first = (inspect.getdoc(member) or "").splitlines()[0]
    if isinstance(member, property):
        return f"- `.{name}`: {first}"
    plain: Any = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    told = inspect.signature(plain)
    arguments = [str(each) for each in told.parameters.values() if each.name not in {"self", "cls"}]
    prefix = owner if isinstance(member, classmethod | staticmethod) else ""
    return f"- `{prefix}.{name}({without_quotes(', '.join(arguments))})`: {first}"


def entry(name: str, thing: object) -> str:
    """One exported name: how it is called, what one gets, its methods."""
    parts = [f"## {name}"]
    if callable(thing):
        parts.append(f"<!-- illustration: a signature -->\n```python\n{signature(name, thing)}\n```")
    documentation = inspect.getdoc(thing) if callable(thing) or inspect.ismodule(thing) else ""
    if documentation:
        parts.append(markdown_of(documentation))
    if inspect.isclass(thing):
        parts.append("\n".join(method_line(name, each, member) for each, member in methods(thing)))
    return "\n\n".join(part for part in parts if part)


def door() -> str:
    import modelworks

    lead = "What `import modelworks` gives, in the order of the work. Everything else is private and may change."
    # `__all__` is sorted for the linter; the table of where each name lives keeps the order of the work.
    names = [name for name in modelworks._HOME if name in modelworks.__all__]
    return page("The door", lead, [entry(name, getattr(modelworks, name)) for name in names])


def command_entry(command: Any, name: str, above: Any = None) -> Iterator[str]:
    """One command with its arguments and options, then those below it."""
    import click

    settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
    context = click.Context(command, info_name=name, parent=above, **settings)
    help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    level = context.command_path.count(" ") + 2
    yield f"{'#' * level} {context.command_path}"
    yield f"<!-- illustration: what --help says -->\n```text\n{help_text}\n```"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None and not below.hidden:
                yield from command_entry(below, each, context)


def commands() -> str:
    from modelworks.cli import line

    lead = "What each command takes. `modelworks COMMAND --help` says the same."
    return page("The command line", lead, list(command_entry(line, "modelworks")))


def error_codes() -> str:
    from modelworks.errors import explanations

    parts: list[str] = []
    for family, about in FAMILIES.items():
        found = [each for code, each in sorted(explanations().items()) if code.startswith(family)]
        if found:
            parts.append(f"## {family}: {about}")
        for each in found:
            body = f"{each.rule}\n\n*For example:* {each.example}\n\n*What to do:* {each.remedy}"
            parts.append(f"### {each.code}: {each.title}\n\n{body}")
    lead = "Every mistake that modelworks can tell you about. `modelworks explain P101` shows the same in a terminal."
    return page("Error codes", lead, parts)


def glossary() -> str:
    from modelworks.website import _glossary

    notice = "<!-- written by tools/generate_reference.py; edit src/modelworks/website/glossary.md instead -->"
    return f"# Glossary\n\n{notice}\n\n{_glossary.source()}"


PAGES = {"door.md": door, "commands.md": commands, "errors.md": error_codes, "../glossary.md": glossary}


def stale() -> dict[str, str]:
    """The pages that do not say what the package says now, each with how they differ."""
    found = {}
    for name, write in PAGES.items():
        held, now = _held(name), write()
        if held != now:
            found[name] = "\n".join(difflib.unified_diff(held.splitlines(), now.splitlines(), lineterm="", n=0))
    return found


def _held(name: str) -> str:
    file = REFERENCE / name
    return file.read_text("utf-8") if file.is_file() else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    if parser.parse_args().check:
        for name in (found := stale()):
            sys.stderr.write(f"docs/reference/{name} is out of date: run `make docs`\n")
        return 1 if found else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
