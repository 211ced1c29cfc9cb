"""Which runs may go, what that frees, and how one comes back.

A pruned run is moved into the store's trash by one rename, and leaves its record and its recipe behind: what was
done, from which inputs, by which code, in which environment, so that it can be listed and made again. Only when the
trash is emptied are its results gone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modelworks.errors import fail, near
from modelworks.runs._assembly import LOCK, PATCH
from modelworks.runs._atomic import attempt, disk_letters, flush_folder
from modelworks.runs._cache import StageCache
from modelworks.runs._log import stamp
from modelworks.runs._marks import Standing, read_marks, standing
from modelworks.runs._run import CHECKSUMS, RECORD, Run, files_of, id_of
from modelworks.runs._store import Store

TRASH, PRUNED, WHY = ".trash", ".pruned", "pruned.json"
# Of what went in, this is data: known by its checksum, perhaps large, perhaps not to be kept.
_DATA = ("inputs/data/raw/", "inputs/data/prepared/")
GIGABYTE = 10**9


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept; whatever one of these keeps stays.

    Runs younger than `keep_days`, the `keep_latest` of each study, model and region, those with a verdict of
    `keep_verdicts` or a tag of `keep_tags`. Of the others the oldest go first, until the store is within
    `budget_gb` (10⁹ bytes); without a budget all of them go. The trash is emptied after `trash_days`.
    """

    keep_days: float = 90.0
    keep_latest: int = 3
    keep_verdicts: tuple[str, ...] = ()
    keep_tags: tuple[str, ...] = ()
    budget_gb: float | None = None
    trash_days: float = 30.0


@dataclass(frozen=True, slots=True)
class Leaving:
    """A run that would go: how many bytes only it takes, and how old it is in days."""

    run: Run
    frees: int
    age_days: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What pruning would do. `kept` counts runs by what keeps them; `bytes_before` is what all runs take."""

    leaving: tuple[Leaving, ...]
    kept: Mapping[str, int]
    bytes_before: int

    @property
    def frees(self) -> int:
        return sum(each.frees for each in self.leaving)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the runs of a study take: how many there are, and bytes; files that runs share are counted once."""

    study: str
    runs: int
    bytes: int


def plan(store: Store, policy: Policy, now: datetime) -> Plan:
    """Which runs the policy lets go, and what that frees. Nothing is touched.

    Pinned runs, and runs that another names as one it was made from, always stay.
    """
    runs = store.runs()
    stands = _standings(store)
    needed = {name for run in runs for name in _made_from(run)}
    kept: dict[str, int] = {}
    free: list[tuple[float, Run]] = []
    rank: dict[str, int] = {}
    for run in runs:  # the latest first
        place = run.key.rsplit("/", 2)[0]
        rank[place] = rank.get(place, 0) + 1
        age = _age_days(run, now)
        is_needed = bool({run.key, run.id} & needed)
        why = _reason(run, policy, stands.get(run.key, Standing()), is_needed, rank[place], age)
        if why is None:
            free.append((age, run))
        else:
            kept[why] = kept.get(why, 0) + 1
    sizes = _Sizes(run.path for run in runs)
    before = sizes.total
    leaving = []
    for age, run in sorted(free, key=lambda each: (-each[0], each[1].key)):
        if policy.budget_gb is not None and sizes.total <= policy.budget_gb * GIGABYTE:
            kept["within the budget"] = kept.get("within the budget", 0) + 1
            continue
        leaving.append(Leaving(run, sizes.without(run.path), age))
    return Plan(tuple(leaving), kept, before)


def prune(store: Store, leaving: Sequence[Leaving], cache: StageCache, *, by: str, now: datetime) -> None:
    """Move runs into the trash, each by one rename; their records and recipes stay in `.pruned`.

    Finished stages that no run is made of any more are forgotten too: they are the same files.
    """
    for each in leaving:
        _keep_recipe(store.root, each.run, by, now)
        _move(each.run.path, store.root / TRASH / each.run.key)
    used = {mark for run in store.runs() for mark in _stages_of(run)}
    cache.forget({mark for each in leaving for mark in _stages_of(each.run)} - used)


def restore(store: Store, text: str) -> Run:
    """Bring a run back from the trash, by the beginning of its id or its key.

    Raises
    ------
    ModelworksError
        R141 when it is not in the trash; R102 when several fit; R142 when its place was taken.
    """
    there = {folder.relative_to(store.root / TRASH).as_posix(): folder for folder in _folders(store.root / TRASH)}
    fitting = [key for key in there if key == text or id_of(Path(key)).startswith(text.lower())]
    if not fitting:
        known = [id_of(Path(key)) for key in there]
        gone = [key for key, _ in pruned(store) if id_of(Path(key)).startswith(text.lower()) or key == text]
        if gone:
            fail(
                "R141",
                f"the results of `{text}` are gone: the trash was emptied since it was pruned",
                hint=f"its record and recipe are in {store.root / PRUNED / gone[0]}; run the study again from there",
            )
        fail("R141", f"there is no `{text}` in the trash", hint=near(text, known) if known else "the trash is empty")
    if len(fitting) > 1:
        fail(
            "R102", f"`{text}` fits {len(fitting)} runs", hint=f"give one more digit: {'; '.join(sorted(fitting)[:6])}"
        )
    (key,) = fitting
    if (store.root / key).exists():
        fail("R142", f"the place of {key} is taken", hint="see what lies there, and move it away")
    _move(there[key], store.root / key)
    shutil.rmtree(store.root / PRUNED / key, ignore_errors=True)
    return store.open(key)


def empty_trash(store: Store, *, older_than_days: float, now: datetime) -> int:
    """Remove for good what was pruned so long ago; gives the bytes that freed."""
    freed = 0
    for key, why in list(pruned(store)):
        folder = store.root / TRASH / key
        if folder.is_dir() and now - _moment(why.get("pruned")) >= timedelta(days=older_than_days):
            # A file that has another name elsewhere stays on the disk.
            freed += sum(each.st_size for each in _files(folder) if each.st_nlink == 1)
            # Its name goes first, so that a crash half-way leaves nothing that looks like a run.
            with attempt(store.root, "emptied") as made:
                folder.rename(made.folder / "run")
            _remove_empty(folder.parent, store.root / TRASH)
    return freed


def pruned(store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and circumstances of every run that was pruned and not restored."""
    for folder in _folders(store.root / PRUNED):
        key = folder.relative_to(store.root / PRUNED).as_posix()
        # Whoever crashed between a recipe and the move it is for left the run where it was.
        if not (store.root / key).is_dir():
            yield key, json.loads((folder / WHY).read_text(encoding="utf-8"))


def usage(store: Store) -> list[Usage]:
    """What each study's runs take, the largest first; and the trash."""
    by_study: dict[str, list[Path]] = {}
    for run in store.runs():
        by_study.setdefault(run.study, []).append(run.path)
    found = [Usage(study, len(folders), _Sizes(folders).total) for study, folders in by_study.items()]
    found.sort(key=lambda each: (-each.bytes, each.study))
    trash = _folders(store.root / TRASH)
    return [*found, Usage("(trash)", len(trash), _Sizes(trash).total)] if trash else found


# -- why a run stays ---------------------------------------------------------------------------------


def _reason(run: Run, policy: Policy, stands: Standing, is_needed: bool, rank: int, age: float) -> str | None:
    """What keeps a run, or None."""
    tags = sorted({*stands.tags} & {*policy.keep_tags})
    reasons = {
        "pinned": stands.pinned,
        "another run was made from it": is_needed,
        f"tagged {tags[0]}" if tags else "tagged": bool(tags),
        f"verdict {run.record.get('verdict')}": run.record.get("verdict") in policy.keep_verdicts,
        f"one of the latest {policy.keep_latest} of its study": rank <= policy.keep_latest,
        f"younger than {policy.keep_days:g} days": age < policy.keep_days,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _standings(store: Store) -> dict[str, Standing]:
    said: dict[str, list[Any]] = {}
    for _, mark in read_marks(store.root):
        said.setdefault(mark.run, []).append(mark)
    return {run: standing(marks) for run, marks in said.items()}


def _stages_of(run: Run) -> Collection[str]:
    return dict(run.record.get("fingerprints") or {}).values()


def _made_from(run: Run) -> Iterable[str]:
    """Keys or ids of the runs this one says it was made from."""
    named = run.record.get("made_from") or []
    return [str(each) for each in named] if isinstance(named, list) else [str(named)]


def _age_days(run: Run, now: datetime) -> float:
    moment = datetime.strptime(run.path.parent.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return (now - moment).total_seconds() / 86400


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))


# -- moving ------------------------------------------------------------------------------------------


def _keep_recipe(root: Path, run: Run, by: str, now: datetime) -> None:
    """The record and what is needed to do it again, data excepted, beside the trash."""
    with attempt(root, "recipe") as made:
        for name in sorted(files_of(run.path)):
            is_recipe = name in (RECORD, LOCK, PATCH, CHECKSUMS) or name.startswith("inputs/")
            if is_recipe and not name.startswith(_DATA):
                (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(run.path / name, made.folder / name)
        told = {"key": run.key, "pruned": stamp(now), "by": by}
        (made.folder / WHY).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        made.publish(root / PRUNED / run.key)


def _move(source: Path, destination: Path) -> None:
    with disk_letters(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        source.rename(destination)
        flush_folder(destination.parent)
        _remove_empty(source.parent, source.parents[4])


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove folders that hold nothing any more, up to but not including the top."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            # Something else lies in it, or came meanwhile.
            return
        folder = folder.parent


def _folders(top: Path) -> list[Path]:
    """Folders of runs, five names below a folder."""
    found = [top] if top.is_dir() else []
    for _ in range(5):
        found = [below for above in found for below in above.iterdir() if below.is_dir()]
    return sorted(found)


class _Sizes:
    """Bytes of folders on the disk, where a file that several share is there once."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._of: dict[tuple[int, int], tuple[int, int]] = {}
        for folder in folders:
            for each in _files(folder):
                size, names = self._of.get((each.st_dev, each.st_ino), (each.st_size, 0))
                self._of[each.st_dev, each.st_ino] = (size, names + 1)

    @property
    def total(self) -> int:
        return sum(size for size, _ in self._of.values())

    def without(self, folder: Path) -> int:
        """Take a folder away; gives the bytes that were in no other."""
        freed = 0
        for each in _files(folder):
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
