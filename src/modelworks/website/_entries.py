"""What the site says of a run and of a study, read from the runs' own records.

A record may be of an older version of ours, so nothing in it is taken for granted but the run's own key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelworks.report import words
from modelworks.runs import APPROVED, Promotion, Run

REPORT = "report.html"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A line in the list of a study's runs; `report` is where its report lies, seen from the study's page.

    `approval` says whether the team stands behind it, since when and by whom; empty where it was never put forward.
    """

    run: Run
    verdict: str | None
    answer: str
    finished: str
    commit: str
    dirty: bool
    seconds: str
    person: str
    report: str
    approval: str = ""

    @property
    def id(self) -> str:
        return self.run.id


@dataclass(frozen=True, slots=True)
class Moved:
    """A key number in the latest run and in the one before it."""

    title: str
    unit: str
    now: str
    before: str
    change: str


@dataclass(frozen=True, slots=True)
class StudyEntry:
    """A study with its runs, the latest first; `shown` is the approved one, or else the latest that was judged."""

    name: str
    title: str
    question: str
    shown: RunEntry
    runs: tuple[RunEntry, ...]
    moved: tuple[Moved, ...]


def studies(runs: Iterable[Run], promotions: Iterable[Promotion] = ()) -> list[StudyEntry]:
    """Every study that has a run, by name; `promotions` say which of them the team stands behind."""
    stands = {each.run: each for each in sorted(promotions, key=lambda each: each.round)}
    grouped: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.path.parent.name, run.id), reverse=True):
        grouped.setdefault(run.study, []).append(run)
    return [_study(name, grouped[name], stands) for name in sorted(grouped)]


def _study(name: str, runs: Sequence[Run], stands: Mapping[str, Promotion]) -> StudyEntry:
    entries = [run_entry(run, stands.get(run.key)) for run in runs]
    approved = [entry for entry in entries if entry.run.key in stands and stands[entry.run.key].state == APPROVED]
    shown = next(iter([*approved, *(entry for entry in entries if entry.verdict), entries[0]]))
    record = shown.run.record
    counted = [run for run in runs if run.record.get("quantities")]
    moved = compare(counted[0].record["quantities"], counted[1].record["quantities"]) if len(counted) > 1 else []
    return StudyEntry(
        name, str(record.get("title") or name), str(record.get("question") or ""), shown, tuple(entries), tuple(moved)
    )


def run_entry(run: Run, promotion: Promotion | None = None) -> RunEntry:
    """What a record says, in words."""
    record = run.record
    known: Mapping[str, Any] = record.get("provenance") or {}
    verdict = record.get("verdict")
    seconds = record.get("seconds")
    return RunEntry(
        run=run,
        verdict=verdict if verdict in words.VERDICTS else None,
        answer=str(record.get("answer") or ""),
        finished=words.moment(str(record.get("finished") or record.get("published") or "")),
        commit=str(known.get("commit") or "")[:7],
        dirty=bool(known.get("dirty")),
        seconds=words.seconds(float(seconds)) if isinstance(seconds, (int, float)) else "",
        person=str(known.get("person") or ""),
        report=f"{run.id}/{REPORT}" if run.file(REPORT) else "",
        approval="" if promotion is None else promotion.in_words(),
    )


def compare(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Moved]:
    """Each key number of two runs, the later first; a number that only one of them has is compared with nothing."""
    return [
        _moved(name, now.get(name) or {}, before.get(name) or {})
        for name in [*now, *(k for k in before if k not in now)]
    ]


def _moved(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Moved:
    named = now or before
    return Moved(
        title=str(named.get("title") or name),
        unit=str(named.get("unit") or ""),
        now=str(now.get("text") or "–"),
        before=str(before.get("text") or "–"),
        change=words.change(now, before),
    )
