"""A folder that appears whole or not at all.

Everything is written into an attempt folder beside its destination. When it is complete and on the disk, one
rename makes it visible. A crash at any moment leaves an attempt, which nobody lists and the next one sweeps away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelworks.errors import fail
from modelworks.runs._process import attempt_name, is_abandoned

ATTEMPTS = ".attempts"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class Attempt:
    """A folder to write into; `publish` makes it visible under its final name."""

    folder: Path

    def publish(self, destination: Path) -> bool:
        """Move the finished folder to its place; False where the place was already taken, and then nothing changes.

        A rename never replaces a folder that holds anything, so of two who publish at once exactly one succeeds.
        """
        if not any(self.folder.iterdir()):
            raise ValueError(f"{destination.name} would be published empty")
        with disk_letters(destination):
            seal(self.folder)
            changed = move(self.folder, destination)
            for each in changed:
                flush_folder(each)
        return bool(changed)


@contextlib.contextmanager
def attempt(root: Path, purpose: str) -> Iterator[Attempt]:
    """An empty folder on the disk of `root`; what was not published when the block ends is removed."""
    with disk_letters(root):
        attempts = root / ATTEMPTS
        attempts.mkdir(parents=True, exist_ok=True)
        sweep(attempts)
        folder = attempts / attempt_name(purpose)
        folder.mkdir()
    try:
        # What the block may not read is its own affair, so only a full disk is ours to explain.
        with disk_letters(root, _FULL):
            yield Attempt(folder)
    finally:
        # Removing may fail on a sick disk; the exception under way is the one worth hearing.
        shutil.rmtree(folder, ignore_errors=True)


def sweep(attempts: Path) -> None:
    """Remove what crashed processes left behind."""
    for each in attempts.iterdir():
        if is_abandoned(each):
            shutil.rmtree(each, ignore_errors=True)


def seal(folder: Path) -> None:
    """Make every file read-only and wait until all of it is on the disk, and not only in memory."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            path.chmod(0o444)
            with path.open("rb") as file:
                os.fsync(file.fileno())
        flush_folder(Path(parent))


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def disk_letters(place: Path, about: frozenset[int] = _FULL | _FORBIDDEN) -> Iterator[None]:
    """Turn a full disk, or a folder we may not write to, into a letter."""
    try:
        yield
    except OSError as error:
        if error.errno not in about:
            raise
        # Of two names, as of a copy, the second is the one that was written to.
        at = error.filename2 or error.filename or str(place)
        if error.errno in _FULL:
            fail("R120", f"the disk is full: {at} was not written", hint="make room, then give the same command again")
        fail("R121", f"{at} can not be written: {error.strerror}", hint="see who owns the folder, and its permissions")


def move(folder: Path, destination: Path) -> list[Path]:
    """Rename a folder to a place that nothing has, with the folders above it.

    Gives the folders whose list of names changed by that; none where the place was taken.
    """
    while True:
        try:
            changed = _make_folders(destination.parent)
            folder.rename(destination)
        except FileNotFoundError:
            # Whoever moves the last run of a study away removes the folders above it too, perhaps just now.
            if not folder.exists():
                raise
        except OSError as error:
            if error.errno in _TAKEN:
                return []
            raise
        else:
            return changed


def _make_folders(folder: Path) -> list[Path]:
    """The folder with all above it; gives those whose list of names changes by that or by a rename into it."""
    changed = [folder]
    while not changed[-1].exists():
        changed.append(changed[-1].parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        if folder.is_file():
            raise
        # It was there when it was to be made, and gone when `mkdir` looked whether it is a folder.
        raise FileNotFoundError(error.errno, error.strerror, error.filename) from error
    return changed
