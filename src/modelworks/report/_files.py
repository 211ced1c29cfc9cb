"""The tables and figures of a run for other people's documents, each of which says from which run it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from modelworks.errors import ModelworksError, disk_letter, fail
from modelworks.plots import Figure
from modelworks.runs import Origin, Run, write_with_origin

FOLDERS = ("tables/", "figures/")
SPEC = ".vl.json"


def export_files(run: Run, target: Path) -> list[Path]:
    """Write the tables, the figures (PNG and SVG) and the page of a run into a new folder.

    Raises
    ------
    ModelworksError
        G205 when something is at the target already, Y119 where it can not be written.
    """
    if target.exists():
        fail("G205", f"there is something at {target} already", hint="name a folder that does not exist yet")
    written = []
    try:
        for name, source, content in _contents(run):
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_with_origin(content, path, Origin.of(run, source))
            written.append(path)
    except OSError as error:
        raise ModelworksError([disk_letter(error, target)]) from error
    return written


def _contents(run: Run) -> Iterator[tuple[str, str, bytes]]:
    """Each file's name outside, its name in the run, and what is in it."""
    for path in sorted(each for each in run.path.rglob("*") if each.is_file()):
        name = path.relative_to(run.path).as_posix()
        if name.startswith("figures/") and name.endswith(SPEC):
            spec = json.loads(path.read_text(encoding="utf-8"))
            yield name.removesuffix(SPEC) + ".svg", name, Figure(path.name, "", "", spec).svg.encode("utf-8")
        elif name.startswith(FOLDERS) or name in ("report.html", "report.md"):
            yield name, name, path.read_bytes()
