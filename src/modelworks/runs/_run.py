"""A run: a folder that says what was done, from what, by whom, and whether it is still as it was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelworks.errors import fail
from modelworks.runs._fingerprint import file_hash

RECORD, CHECKSUMS = "run.json", "checksums.json"


@dataclass(frozen=True)
class Run:
    """One recorded execution.

    `key` is `study/model/region/time/commit7-id`, the place of the folder in its store; `id` its last six
    hexadecimal digits; `record` what `run.json` holds.
    """

    path: Path
    key: str
    id: str
    record: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def study(self) -> str:
        """The first part of the key."""
        return self.key.split("/")[0]

    def file(self, name: str) -> Path | None:
        """A file of the run by its name inside it; None where the run has no such file."""
        path = self.path / name
        return path if path.is_file() else None

    def verify(self) -> list[str]:
        """What differs from the moment the run was published: `name: differs`, `missing` or `extra`; empty if nothing.

        Raises
        ------
        ModelworksError
            R103 when the list of checksums itself can not be read.
        """
        recorded = read_json(self.path / CHECKSUMS)
        try:
            present = files_of(self.path) - {CHECKSUMS}
        except FileNotFoundError:
            # Somebody pruned the run while we looked.
            present = set()
        complaints = dict.fromkeys(recorded.keys() - present, "missing")
        complaints |= dict.fromkeys(present - recorded.keys(), "extra")
        for name in recorded.keys() & present:
            try:
                if file_hash(self.path / name) != recorded[name]:
                    complaints[name] = "differs"
            except FileNotFoundError:
                # The same, a moment later.
                complaints[name] = "missing"
        return [f"{name}: {complaint}" for name, complaint in sorted(complaints.items())]


def open_run(path: Path, key: str) -> Run:
    """The run in a folder.

    Raises
    ------
    ModelworksError
        R103 when its `run.json` is missing or damaged.
    """
    return Run(path, key, id_of(path), read_json(path / RECORD))


def id_of(path: Path) -> str:
    """The id in the name of a run's folder.

    >>> id_of(Path("store/flu/sir/england/20261121T051500Z/0f3c2ab-7f3a21"))
    '7f3a21'
    """
    return path.name.rpartition("-")[2]


def files_of(folder: Path) -> set[str]:
    """Every file in a folder and those below it, by its name from there."""
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if not each.is_dir()}


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a file of a run."""
    hint = "copy the run again from where it was published; `modelworks list` shows the runs that can be read"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fail("R103", f"the run has no {path.name}", hint=hint, file=str(path.parent))
    except (OSError, ValueError, RecursionError) as error:
        fail("R103", f"{path.name} of the run can not be read: {error}", hint=hint, file=str(path))
    if not isinstance(value, dict):
        fail("R103", f"{path.name} of the run holds a {type(value).__name__}, not a mapping", hint=hint, file=str(path))
    return value
