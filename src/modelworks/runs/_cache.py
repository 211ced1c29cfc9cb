"""Finished stages, each under the fingerprint of everything that made it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelworks.runs._atomic import attempt

_FINGERPRINT = re.compile(r"[0-9a-f]{16,128}")


class StageCache:
    """A folder of finished stages; it may be deleted at any time, and costs then only the time to do them again.

    A stage is found by its fingerprint alone, so equal inputs share it, whichever study they belong to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, fingerprint: str) -> Path | None:
        """The folder of the finished stage, or None where it has not been finished yet."""
        folder = self._folder(fingerprint)
        return folder if folder.is_dir() else None

    @contextlib.contextmanager
    def attempt(self, stage: str, fingerprint: str) -> Iterator[Path]:
        """An empty folder to write a stage into; it becomes the finished one when the block ends without an exception.

        Somebody else may finish the same stage first. Theirs is kept and ours discarded, for the same fingerprint
        means the same contents.

        Raises
        ------
        ModelworksError
            R120 when the disk is full, R121 when the folder may not be written to.
        """
        destination = self._folder(fingerprint)
        with attempt(self.root, stage) as made:
            yield made.folder
            made.publish(destination)

    def forget(self, fingerprints: Iterable[str]) -> None:
        """Remove finished stages; who asks for one again does it again."""
        for each in fingerprints:
            folder = self._folder(each)
            if folder.is_dir():
                # Renamed first, so that a half-removed stage is never taken for a finished one.
                with attempt(self.root, "forgotten") as made:
                    folder.rename(made.folder / "stage")

    def _folder(self, fingerprint: str) -> Path:
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise ValueError(f"{fingerprint!r} is not a fingerprint")
        return self.root / fingerprint
