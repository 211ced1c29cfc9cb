"""The folder of all runs: one is published by a rename, listed, and found again by a few letters of its id."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.runs._assembly import assemble
from modelworks.runs._atomic import attempt
from modelworks.runs._log import utc_now
from modelworks.runs._run import Run, id_of, open_run

# study/model/region/time/commit7-id
DEPTH = 5
ID_DIGITS = 6
NO_COMMIT = "0000000"

_FOLDER = re.compile(rf"[0-9a-f]{{7}}-[0-9a-f]{{{ID_DIGITS}}}")


class Store:
    """A folder of runs. What is in it can be read, copied and deleted without us."""

    def __init__(self, root: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self._clock = clock

    def publish(
        self,
        key_parts: tuple[str, str, str],
        *,
        stages: Mapping[str, Path],
        record: Mapping[str, Any],
        files: Mapping[str, Path] | None = None,
        front: str = "report",
    ) -> Run:
        """Put a run together and make it visible by one rename.

        Parameters
        ----------
        key_parts : (study, model, region)
            Written in lower case with hyphens where a folder's name needs it.
        stages : mapping of stage to folder
            What each stage wrote; it becomes the folder of that name, hard-linked where the disk allows.
        record : mapping
            What is said of the run as a whole, as JSON can hold it; `provenance` goes in here.
        files : mapping of name to file
            Copied, because their owner goes on editing them; the name is a path inside the run.
        front : str
            The stage whose files lie at the top of the run, where a person looks first.

        Raises
        ------
        ModelworksError
            R104 for a part of the key without a letter or a digit, R105 when two files would have the same name,
            R120 and R121 when the disk refuses.
        """
        parts = [folder_name(part) for part in key_parts]
        now = self._clock().astimezone(UTC)
        commit = str((record.get("provenance") or {}).get("commit") or NO_COMMIT)[:7]
        with attempt(self.root, "run") as made:
            run_id = self._new_id()
            key = "/".join([*parts, f"{now:%Y%m%dT%H%M%SZ}", f"{commit}-{run_id}"])
            assemble(made.folder, key, now, stages=stages, record=record, files=files or {}, front=front)
            if not made.publish(self.root / key):
                raise RuntimeError(f"{key} exists already, although its id was new")
        return open_run(self.root / key, key)

    def runs(self, study: str | None = None) -> list[Run]:
        """The runs that can be read, the latest first; `damaged` tells of the others."""
        return self._survey(study)[0]

    def damaged(self, study: str | None = None) -> list[Letter]:
        """A letter for each run that can not be read."""
        return self._survey(study)[1]

    def find(self, text: str) -> Run:
        """The run whose id begins with the text, or whose key or folder it is.

        Raises
        ------
        ModelworksError
            R101 where there is none, R102 where there are several, R103 where it can not be read.
        """
        wanted = text.strip().rstrip("/")
        folders = {self._key(folder): folder for folder in self._folders()}
        matching = [key for key, folder in folders.items() if _answers(wanted, key, folder)]
        if not matching:
            ids = [id_of(folder) for folder in folders.values()]
            hint = near(wanted, ids) if ids else "nothing has been published here yet: modelworks run"
            fail("R101", f"no run is called `{text}`", hint=hint)
        if len(matching) > 1:
            shown = "; ".join(sorted(matching, reverse=True)[:6])
            fail("R102", f"`{text}` fits {len(matching)} runs", hint=f"give one more digit of the id: {shown}")
        return open_run(folders[matching[0]], matching[0])

    def _survey(self, study: str | None) -> tuple[list[Run], list[Letter]]:
        found: list[Run] = []
        letters: list[Letter] = []
        for folder in self._folders(None if study is None else folder_name(study)):
            try:
                found.append(open_run(folder, self._key(folder)))
            except ModelworksError as error:
                letters.extend(error.letters)
        # The time stands in the key; the id decides between two of the same second, so that the order is the same
        # on every machine.
        found.sort(key=lambda run: (run.path.parent.name, run.id), reverse=True)
        return found, letters

    def _folders(self, study: str | None = None) -> Iterator[Path]:
        """The folder of every published run; attempts and anything hidden are no runs."""
        levels = [self.root] if study is None else [self.root / study]
        for _ in range(DEPTH - (study is not None)):
            levels = [below for above in levels if above.is_dir() for below in above.iterdir()]
            levels = [each for each in levels if not each.name.startswith(".")]
        return (each for each in sorted(levels) if _FOLDER.fullmatch(each.name) and each.is_dir())

    def _key(self, folder: Path) -> str:
        return folder.relative_to(self.root).as_posix()

    def _new_id(self) -> str:
        taken = {id_of(folder) for folder in self._folders()}
        while (candidate := secrets.token_hex(ID_DIGITS // 2)) in taken:
            pass
        return candidate


def folder_name(text: str) -> str:
    """A name that every file system takes, and that is read as it is written.

    >>> folder_name("Marshall Islands"), folder_name("boarding-school"), folder_name("../x")
    ('marshall-islands', 'boarding-school', 'x')
    """
    name = re.sub(r"[^\w.]+", "-", text.strip().lower()).strip("-._")
    if not name:
        fail("R104", f"`{text}` can not be the name of a folder", hint="use letters, digits and hyphens")
    return name[:80]


def _answers(wanted: str, key: str, folder: Path) -> bool:
    """Whether a person who wrote `wanted` may have meant this run."""
    if not wanted:
        return False
    lower = wanted.lower()
    return id_of(folder).startswith(lower) or lower in (key.lower(), folder.name) or Path(wanted) == folder
