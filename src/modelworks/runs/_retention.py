"""Which runs may go, what that frees, and how one comes back.

A pruned run is moved into the store's trash at one stroke, and leaves its record and its recipe behind: what was
done, from which inputs, by which code, in which environment, so that it can be listed and made again. Only when the
trash is emptied are its results gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modelworks.errors import fail, near
from modelworks.runs._cache import StageCache
from modelworks.runs._marks import Standing, standing
from modelworks.runs._promotion import held
from modelworks.runs._run import Run, id_of
from modelworks.runs._store import Store

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
    """What the runs of a study take: how many there are, and bytes; files that runs share are counted once.

    Of the runs so many `assume` something otherwise than the study does.
    """

    study: str
    runs: int
    bytes: int
    assume: int = 0


def plan(store: Store, policy: Policy, now: datetime) -> Plan:
    """Which runs the policy lets go, and what that frees. Nothing is touched.

    Pinned runs, runs that were put forward or approved, and runs that another names as one it was made from, always
    stay.
    """
    runs = store.runs()
    stands, promoted = _standings(store), held(store)
    needed = {name for run in runs for name in _made_from(run)}
    kept: dict[str, int] = {}
    free: list[tuple[float, Run]] = []
    rank: dict[str, int] = {}
    for run in runs:  # the latest first
        place = run.key.rsplit("/", 2)[0]
        rank[place] = rank.get(place, 0) + 1
        age = _age_days(run, now)
        is_needed = bool({run.key, run.id} & needed)
        why = "put forward or approved" if run.key in promoted else None
        why = why or _reason(run, policy, stands.get(run.key, Standing()), is_needed, rank[place], age)
        if why is None:
            free.append((age, run))
        else:
            kept[why] = kept.get(why, 0) + 1
    sizes = store.sizes([run.key for run in runs])
    before = sizes.total
    leaving = []
    for age, run in sorted(free, key=lambda each: (-each[0], each[1].key)):
        if policy.budget_gb is not None and sizes.total <= policy.budget_gb * GIGABYTE:
            kept["within the budget"] = kept.get("within the budget", 0) + 1
            continue
        leaving.append(Leaving(run, sizes.without(run.key), age))
    return Plan(tuple(leaving), kept, before)


def prune(store: Store, leaving: Sequence[Leaving], cache: StageCache, *, by: str, now: datetime) -> None:
    """Move runs into the trash, each at one stroke; their records and recipes stay.

    Finished stages that no run is made of any more are forgotten too: they are the same files.
    """
    for each in leaving:
        store.discard(each.run.key, by, now)
    for key in held(store) & {each.run.key for each in leaving}:
        # Somebody put it forward since the plan was made.
        store.bring_back(key)
    used = {mark for run in store.runs() for mark in _stages_of(run)}
    cache.forget({mark for each in leaving for mark in _stages_of(each.run)} - used)


def restore(store: Store, text: str) -> Run:
    """Bring a run back from the trash, by the beginning of its id or its key.

    Raises
    ------
    ModelworksError
        R141 when it is not in the trash, R102 when several fit.
    """
    there = {str(why["key"]): is_there for why, is_there in store.discarded()}
    fitting = [key for key in there if key == text or id_of(Path(key)).startswith(text.lower())]
    waiting = [key for key in fitting if there[key]]
    if not fitting:
        known = [id_of(Path(key)) for key in there]
        fail("R141", f"there is no `{text}` in the trash", hint=near(text, known) if known else "the trash is empty")
    if len(waiting) > 1:
        shown = "; ".join(sorted(waiting)[:6])
        fail("R102", f"`{text}` fits {len(waiting)} runs", hint=f"give one more digit: {shown}")
    if not waiting or not store.bring_back(waiting[0]):
        fail(
            "R141",
            f"the results of `{text}` are gone: the trash was emptied since it was pruned",
            hint=f"its record and recipe are kept in {store.recipe_of(fitting[0])}; run the study again from there",
        )
    return store.open(waiting[0])


def empty_trash(store: Store, *, older_than_days: float, now: datetime) -> int:
    """Remove for good what was pruned so long ago; gives the bytes that freed."""
    patience = timedelta(days=older_than_days)
    old = [str(why["key"]) for why, there in store.discarded() if there and now - _moment(why["pruned"]) >= patience]
    return sum(store.erase(key) for key in old)


def pruned(store: Store) -> list[dict[str, Any]]:
    """What is said of every run that was pruned and not restored: its `key`, when it was `pruned`, and `by` whom."""
    return [why for why, _ in store.discarded()]


def usage(store: Store, copies: Mapping[str, str]) -> list[Usage]:
    """What each study's runs take, the largest first; and the trash.

    `copies` has the study that each one is a copy of in which something is assumed otherwise (`Index.copies`).
    """
    by_study: dict[str, list[str]] = {}
    for key in store.published():
        by_study.setdefault(copies.get(study := key.split("/")[0], study), []).append(key)
    found = [
        Usage(study, len(keys), store.sizes(keys).total, sum(key.split("/")[0] in copies for key in keys))
        for study, keys in by_study.items()
    ]
    found.sort(key=lambda each: (-each.bytes, each.study))
    waiting = [str(why["key"]) for why, there in store.discarded() if there]
    return [*found, Usage("(trash)", len(waiting), store.sizes(waiting, trash=True).total)] if waiting else found


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
    for _, mark in store.marks():
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
