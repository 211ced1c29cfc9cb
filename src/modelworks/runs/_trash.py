"""A folder's trash: runs moved aside by one rename each, with what is left of them when it is emptied."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from modelworks.logs import stamp
from modelworks.runs._assembly import LOCK, PATCH
from modelworks.runs._atomic import attempt, disk_letters, flush_folder
from modelworks.runs._run import CHECKSUMS, RECORD, files_of

TRASH, PRUNED, WHY = ".trash", ".pruned", "pruned.json"
# Of what went in, this is data: known by its checksum, perhaps large, perhaps not to be kept.
_DATA = ("inputs/data/raw/", "inputs/data/prepared/")


def is_recipe(name: str) -> bool:
    """Whether a file of a run says what was done and how to do it again; data are known by their checksums."""
    return name in (RECORD, LOCK, PATCH, CHECKSUMS) or (name.startswith("inputs/") and not name.startswith(_DATA))


def discard(root: Path, key: str, by: str, now: datetime) -> None:
    """Move a run into the trash; its record and recipe stay in `.pruned`."""
    with attempt(root, "recipe") as made:
        for name in sorted(filter(is_recipe, files_of(root / key))):
            (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / key / name, made.folder / name)
        told = {"key": key, "pruned": stamp(now), "by": by}
        (made.folder / WHY).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        made.publish(root / PRUNED / key)
    _move(root / key, root / TRASH / key, root)


def discarded(root: Path) -> Iterator[tuple[dict[str, Any], bool]]:
    """What is said of every run that was discarded and not brought back, and whether it is still in the trash."""
    for folder in run_folders(root / PRUNED):
        key = folder.relative_to(root / PRUNED).as_posix()
        # Whoever crashed between a recipe and the move it is for left the run where it was.
        if not (root / key).is_dir():
            yield json.loads((folder / WHY).read_text(encoding="utf-8")), (root / TRASH / key).is_dir()


def bring_back(root: Path, key: str) -> None:
    """Move a run from the trash to where it was."""
    _move(root / TRASH / key, root / key, root / TRASH)
    shutil.rmtree(root / PRUNED / key, ignore_errors=True)


def erase(root: Path, key: str) -> int:
    """Remove a discarded run for good; gives the bytes that freed."""
    folder = root / TRASH / key
    # A file that has another name elsewhere stays on the disk.
    freed = sum(each.st_size for each in _files(folder) if each.st_nlink == 1)
    # Its name goes first, so that a crash half-way leaves nothing that looks like a run.
    with attempt(root, "erased") as made:
        folder.rename(made.folder / "run")
    _remove_empty(folder.parent, root / TRASH)
    return freed


def _move(source: Path, destination: Path, top: Path) -> None:
    with disk_letters(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        source.rename(destination)
        flush_folder(destination.parent)
        _remove_empty(source.parent, top)


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove folders that hold nothing any more, up to but not including the top."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            # Something else lies in it, or came meanwhile.
            return
        folder = folder.parent


def run_folders(top: Path) -> list[Path]:
    """Folders of runs, five names below a folder."""
    found = [top] if top.is_dir() else []
    for _ in range(5):
        found = [below for above in found for below in above.iterdir() if below.is_dir()]
    return sorted(found)


class DiskSizes:
    """Bytes of runs on the disk, where a file that several share is there once."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._of: dict[tuple[int, int], tuple[int, int]] = {}
        for folder in folders.values():
            for each in _files(folder):
                size, names = self._of.get((each.st_dev, each.st_ino), (each.st_size, 0))
                self._of[each.st_dev, each.st_ino] = (size, names + 1)

    @property
    def total(self) -> int:
        return sum(size for size, _ in self._of.values())

    def without(self, key: str) -> int:
        """Take a run away; gives the bytes that were in no other."""
        freed = 0
        for each in _files(self._folders[key]):
            size, names = self._of[each.st_dev, each.st_ino]
            if names > 1:
                self._of[each.st_dev, each.st_ino] = (size, names - 1)
            else:
                del self._of[each.st_dev, each.st_ino]
                freed += size
        return freed


def _files(folder: Path) -> Iterator[os.stat_result]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.lstat(os.path.join(parent, name))
