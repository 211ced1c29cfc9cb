"""Files that are looked at for many pages: which there are, and whether one was written since."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def yaml_files(folder: Path) -> list[str]:
    """The files of a folder that are written in YAML, in the order of their names; by texts, for many pages ask."""
    try:
        return sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.endswith(".yaml"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def lent_files(root: Path) -> list[str]:
    """Those of a repository that every study may take from."""
    return yaml_files(root / "studies" / "base")


def stamps(files: Iterable[str | Path]) -> tuple[tuple[str, int, int], ...]:
    """What tells whether any of these was written since."""
    found = []
    for file in files:
        try:
            seen = os.stat(file)
        except OSError:
            # That it is not there, or not to be had, is a state as well.
            found.append((str(file), 0, -1))
        else:
            found.append((str(file), seen.st_mtime_ns, seen.st_size))
    return tuple(found)
