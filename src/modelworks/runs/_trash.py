"""A folder's trash: runs moved aside by one rename each, with what is left of them when it is emptied."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from modelworks.logs import stamp, utc_now
from modelworks.runs._assembly import LOCK, PATCH
from modelworks.runs._atomic import attempt, disk_letters, flush_folder, move
from modelworks.runs._run import CHECKSUMS, RECORD, files_of

TRASH, PRUNED, WHY = ".trash", ".pruned", "pruned.json"
# Of what went in, this is data: known by its checksum, perhaps large, perhaps not to be kept.
_DATA = ("inputs/data/raw/", "inputs/data/prepared/")


def is_recipe(name: str) -> bool:
    """Whether a file of a run says what was done and how to do it again; data are known by their checksums."""
    return name in (RECORD, LOCK, PATCH, CHECKSUMS) or (name.startswith("inputs/") and not name.startswith(_DATA))


def discard(root: Path, key: str, by: str, now: datetime) -> None:
    """Move a run into the trash; its record and recipe stay in `.pruned`. Of several who do so at once one does."""
    with contextlib.suppress(FileNotFoundError):
        _leave_recipe(root, root / key, key, {"key": key, "pruned": stamp(now), "by": by})
        _move(root / key, root / TRASH / key, root)


def discarded(root: Path) -> Iterator[tuple[dict[str, Any], bool]]:
    """What is said of every run that was discarded and not brought back, and whether it is still in the trash."""
    waiting, left = (_keys(root / each) for each in (TRASH, PRUNED))
    for key in sorted(waiting | left):
        # Whoever crashed between a recipe and the move it is for left the run where it was.
        if not (root / key).is_dir():
            yield _why(root, key), key in waiting


def bring_back(root: Path, key: str) -> bool:
    """Move a run from the trash to where it was; False where it was erased meanwhile.

    Its recipe stays, and is not looked at while the run is there: somebody else may discard it again, or has erased
    it just now, and whoever removed the recipe then would remove all that is left.
    """
    with contextlib.suppress(FileNotFoundError):
        _move(root / TRASH / key, root / key, root / TRASH)
    return (root / key).is_dir()


def erase(root: Path, key: str) -> int:
    """Remove a discarded run for good, but for its recipe; gives the bytes that freed, 0 where another did."""
    if not (root / PRUNED / key).is_dir():
        # Taken away by hand, or by a version of ours that removed the recipe of a run that was brought back.
        with contextlib.suppress(FileNotFoundError):
            _leave_recipe(root, root / TRASH / key, key, _why(root, key))
    freed = remove(root / TRASH / key, root)
    _remove_empty((root / TRASH / key).parent, root / TRASH)
    return freed


def _leave_recipe(root: Path, run: Path, key: str, why: dict[str, Any]) -> None:
    """Keep what says how a run was made, and why it is gone, in `.pruned`."""
    with attempt(root, "recipe") as made:
        for name in sorted(filter(is_recipe, files_of(run))):
            (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / name, made.folder / name)
        (made.folder / WHY).write_text(json.dumps(why, indent=2) + "\n", encoding="utf-8")
        if not made.publish(root / PRUNED / key):
            # Of an earlier time, when the run was brought back: the recipe is the same, and the word is new.
            (made.folder / WHY).replace(root / PRUNED / key / WHY)


def _why(root: Path, key: str) -> dict[str, Any]:
    """When a run was discarded and by whom; where nothing says so, just now, so that nobody erases it."""
    try:
        return dict(json.loads((root / PRUNED / key / WHY).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {"key": key, "pruned": stamp(utc_now()), "by": ""}


def _move(source: Path, destination: Path, top: Path) -> None:
    with disk_letters(destination):
        for each in move(source, destination):
            flush_folder(each)
        _remove_empty(source.parent, top)


def remove(folder: Path, root: Path) -> int:
    """Remove a folder that may be gone already; gives the bytes that freed."""
    # Its name goes first, so that a crash half-way leaves nothing that looks like a run.
    with attempt(root, "erased") as made:
        try:
            folder.rename(made.folder / "run")
        except FileNotFoundError:
            return 0
        # A file that has another name elsewhere stays on the disk.
        return sum(each.st_size for each in _files(made.folder) if each.st_nlink == 1)


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
    found = [top]
    for _ in range(5):
        found = [above / name for above in found for name in names_in(above)]
    return sorted(each for each in found if each.is_dir())


def names_in(folder: str | Path) -> list[str]:
    """What lies in a folder; nothing where there is none, or none any more."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _keys(top: Path) -> set[str]:
    return {folder.relative_to(top).as_posix() for folder in run_folders(top)}


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
            # A file that came since, with a run that somebody brought back, was not counted.
            size, names = self._of.get((each.st_dev, each.st_ino), (0, 0))
            if names == 0:
                continue
            if names > 1:
                self._of[each.st_dev, each.st_ino] = (size, names - 1)
            else:
                del self._of[each.st_dev, each.st_ino]
                freed += size
        return freed


def _files(folder: str | Path) -> Iterator[os.stat_result]:
    # `os.walk` takes twice as long over the files of ten thousand runs. As there, a folder that can not be listed is
    # passed over: it is gone, where another process moves the run away meanwhile.
    inside: list[os.DirEntry[str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        inside.extend(found)
    for each in inside:
        if each.is_dir(follow_symlinks=False):
            yield from _files(each.path)
        else:
            with contextlib.suppress(FileNotFoundError):
                yield each.stat(follow_symlinks=False)
