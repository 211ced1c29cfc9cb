"""What the website says of a study: its question, what came out last, whether that still holds, what is under way."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelworks.errors import Letter
from modelworks.inputs import check_files
from modelworks.jobs import Job
from modelworks.report import words
from modelworks.runs import Row, Run, Store, Wanted, folder_name
from modelworks.study import stages_before
from modelworks.website._changed_entries import what_changed
from modelworks.website._files import lent_files, stamps, yaml_files
from modelworks.website._house import Workspace

# The latest runs of a study among which one is looked for that is no variant of it.
FIRST_LOOKED_AT, LOOKED_AT, MOST_LOOKS = 3, 20, 50
# A run's list of what it was made from; never read further than this.
CHECKSUMS, INPUTS = "checksums.json", "inputs/"
# What is said of a run in the settings of the repository changes no result.
_NO_INPUT = frozenset({"modelworks.toml"})


@dataclass(frozen=True, slots=True)
class Study:
    """A study's own words, with the mistakes of its files, and its stages with those that each takes something from."""

    name: str
    folder: Path
    title: str
    question: str
    letters: tuple[Letter, ...]
    stages: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A study with the run that is shown (`row`, None where there is none), why that is stale, and jobs under way.

    The run shown is the one the team stands behind, of several regions' the latest, with the others in `also`; `later`
    is then the latest run, where that is none of these and came after them.
    """

    study: Study
    row: Row | None
    stale: tuple[str, ...]
    jobs: tuple[Job, ...]
    later: Row | None = None
    also: tuple[Row, ...] = ()

    @property
    def finished(self) -> str:
        return words.moment(str(self.row.finished or "")) if self.row is not None else ""


def standings(workspace: Workspace) -> list[Standing]:
    """How every study of a workspace stands."""
    jobs = workspace.queue.jobs(("waiting", "running"))
    with workspace.index.as_now():
        approved = workspace.index.select(Wanted(approved=True)).rows
        return [standing(workspace, each, jobs, approved) for each in studies(workspace)]


def standing(workspace: Workspace, study: Study, jobs: list[Job], approved: Sequence[Row]) -> Standing:
    """How one study stands; `approved` are the runs that the team stands behind, the latest first."""
    last = latest(workspace, study.name)
    stands = [row for row in approved if row.study == folder_name(study.name)]
    row = stands[0] if stands else last
    stale = tuple(changed_since(workspace, row.key)) if row is not None else ()
    own = tuple(job for job in jobs if job.order.labels.get("study") == study.name)
    is_later = stands and last is not None and made_at(last) > made_at(stands[0])
    return Standing(study, row, stale, own, last if is_later else None, tuple(stands[1:]))


def made_at(row: Row) -> tuple[str, str]:
    """Where a run stands among all, by when it was made."""
    return row.key.split("/")[3], row.id


def resting_on(workspace: Workspace, file: str) -> list[Standing]:
    """The studies whose result that is shown was made from a file, by its name in the repository."""
    return [each for each in standings(workspace) if each.row and file in made_from(workspace, each.row.key)]


def latest(workspace: Workspace, study: str) -> Row | None:
    """The latest run with a verdict that is no variant of the study; else the latest of any kind."""
    after, own = None, None
    # Whoever tries many variants makes more of them than are looked at at once.
    for limit in (FIRST_LOOKED_AT, *[LOOKED_AT] * MOST_LOOKS):
        rows = workspace.index.select(Wanted(study=study, limit=limit, after=after)).rows
        for row in rows:
            if not is_variant(workspace, row.key):
                if row.verdict:
                    return row
                own = own or row
        if len(rows) < limit or (own is not None and limit == LOOKED_AT):
            break
        after = rows[-1].key
    return own


def approved(workspace: Workspace, study: str) -> Row | None:
    """The run of a study that the team stands behind; of several regions' the latest."""
    return next(iter(workspace.index.select(Wanted(study=study, approved=True, limit=1)).rows), None)


def is_variant(workspace: Workspace, key: str) -> bool:
    """Whether a run assumed something otherwise than its study's files."""
    return "rerun" in record(workspace, key)


def record(workspace: Workspace, key: str) -> Mapping[str, Any]:
    """What a run says of itself; a run never changes."""
    return workspace.remembered(("record", key, workspace.store.stamp(key)), lambda: workspace.store.record(key))


def studies(workspace: Workspace) -> list[Study]:
    """Every study of a workspace, by name; its files are read again when one of them changed."""
    lent = lent_files(workspace.root)
    return [_study(workspace, folder, lent) for folder in workspace.repository.studies()]


def study_of(run: Run) -> str:
    """The folder of the study that a run is of; for a variant, that which it is a variant of."""
    return str(run.record.get("study") or run.study)


def study_in(workspace: Workspace, folder: Path) -> Study:
    """The study of a folder."""
    return _study(workspace, folder, lent_files(workspace.root))


def _study(workspace: Workspace, folder: Path, lent: Sequence[str]) -> Study:
    stamp = stamps((*yaml_files(folder), *lent))
    return workspace.remembered(("study", folder, stamp), lambda: _read(folder))


def _read(folder: Path) -> Study:
    inputs, letters = check_files(folder)
    if inputs is None:
        return Study(folder.name, folder, folder.name, "", tuple(letters), {})
    asked = inputs.study
    return Study(folder.name, folder, asked.title, asked.question, tuple(letters), stages_before(inputs))


# -- what is stale ----------------------------------------------------------------------------------------


def changed_since(workspace: Workspace, key: str) -> Iterator[str]:
    """Which of the files a run was made from are other ones now, in words."""
    changed, gone = [], []
    for name, known in made_from(workspace, key).items():
        file = workspace.root / name
        if not file.is_file():
            gone.append(name)
        elif _hash(file, *_stamp(file)) != known:
            changed.extend(what_changed(workspace, key, name, _stamp(file), made_from(workspace, key)))
    yield from (f"{name} has changed since" for name in changed)
    yield from (f"{name} is no longer there" for name in gone)


def made_from(workspace: Workspace, key: str) -> Mapping[str, str]:
    """The files that a run was made from, by their names in the repository, with their checksums; read once."""
    return workspace.remembered(("made from", key), lambda: _made_from(workspace.store, key))


def _made_from(store: Store, key: str) -> dict[str, str]:
    try:
        found = json.loads(store.content(key, CHECKSUMS))
    except FileNotFoundError:
        return {}
    named = {name.removeprefix(INPUTS): known for name, known in found.items() if name.startswith(INPUTS)}
    return {name: known for name, known in named.items() if name not in _NO_INPUT}


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


@functools.lru_cache(maxsize=4096)
def _hash(file: Path, changed: int, size: int) -> str:
    """The checksum of a file as it was at that moment."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
