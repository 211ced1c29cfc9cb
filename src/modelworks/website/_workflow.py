"""Where a study's time goes, and when its mistakes are caught: worked out from what runs, jobs and promotions say.

Nothing is read here; `pages/workflow.py` asks the index, the queue and git.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import TypeVar

from modelworks.jobs import Job
from modelworks.report import words
from modelworks.runs import Promotion, duration

T = TypeVar("T")
# A job that failed for one of these had a mistake of the team's in it; others failed for want of a machine.
MISTAKES = frozenset({"letters", "exit"})


@dataclass(frozen=True, slots=True)
class Step:
    """A stage, or a wait of people's, with the seconds it took in each of the latest runs that say so.

    `meaning` is how a sentence says it. A wait lies between two moments of a `Passage`; a stage takes something from
    those it comes `after`.
    """

    name: str
    meaning: str
    between: tuple[str, str] | None = None
    after: tuple[str, ...] = ()
    seconds: tuple[float, ...] = ()

    @property
    def is_wait(self) -> bool:
        return self.between is not None

    @property
    def middle(self) -> float | None:
        """The median of its seconds; None where no run says any."""
        return median(self.seconds) if self.seconds else None


TO_BEGIN = (
    Step("From edit to run", "between an edit and the run of it that is put forward", ("edited", "submitted")),
    Step("Waits its turn", "before a run that was handed over begins", ("submitted", "begun")),
)
TO_APPROVE = (
    Step("Waits to be put forward", "before somebody puts a finished run forward", ("finished", "proposed")),
    Step("Waits for signatures", "before those who must sign have signed", ("proposed", "approved")),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """One run (its key) from an edit to an approval; None is what has not happened, or what nobody knows.

    `stages` has the seconds of each stage, None for one that was kept from an earlier run.
    """

    run: str
    stages: Mapping[str, float | None]
    edited: datetime | None = None
    submitted: datetime | None = None
    begun: datetime | None = None
    finished: datetime | None = None
    proposed: datetime | None = None
    approved: datetime | None = None

    @property
    def question(self) -> tuple[str, str]:
        """Study and region."""
        study, _, region, *_ = self.run.split("/")
        return study, region

    def took(self, step: Step) -> float | None:
        """Seconds that a step took; None where it was not taken, or where nobody knows."""
        return self.stages.get(step.name) if step.between is None else self.between(*step.between)

    def between(self, first: str, last: str) -> float | None:
        """Seconds from one moment to another; two machines' clocks may differ, so never less than none."""
        began, ended = getattr(self, first), getattr(self, last)
        return None if began is None or ended is None else max(0.0, (ended - began).total_seconds())


def columns(before: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Stages from the left to the right, each to the right of all that it takes something from.

    >>> columns({"fetch": (), "fit": ("fetch",), "tidy": (), "report": ("fit", "tidy")})
    [['fetch', 'tidy'], ['fit'], ['report']]
    """
    depth = dict.fromkeys(before, 0)
    # As often as there are stages and no more: what a mistake makes depend on itself has no place of its own.
    for _ in before:
        depth = {
            name: 1 + max((depth[e] for e in earlier if e in depth), default=-1) for name, earlier in before.items()
        }
    return [found for k in range(max(depth.values(), default=-1) + 1) if (found := [n for n in depth if depth[n] == k])]


def flow(before: Mapping[str, tuple[str, ...]], passages: Sequence[Passage]) -> list[list[Step]]:
    """All steps from an edit to an approval, column by column: what is waited for, and the stages between."""
    stages = [[Step(name, f"in the stage {name}", after=before[name]) for name in column] for column in columns(before)]
    steps = [*([each] for each in TO_BEGIN), *stages, *([each] for each in TO_APPROVE)]
    return [[_timed(each, passages) for each in column] for column in steps]


def _timed(step: Step, passages: Sequence[Passage]) -> Step:
    if step == TO_BEGIN[0]:
        # What is run again later without an edit did not wait since then.
        passages = list({(e.question, e.edited): e for e in sorted(passages, key=_handed_over, reverse=True)}.values())
    return replace(step, seconds=tuple(took for each in passages if (took := each.took(step)) is not None))


def _handed_over(way: Passage) -> float:
    return way.submitted.timestamp() if way.submitted is not None else math.inf


def bottleneck(steps: Iterable[Step]) -> tuple[Step, str] | None:
    """The step that takes the longest in the median, with a sentence; None where no run says anything.

    >>> fit, sign = Step("fit", "in fit", seconds=(60.0,)), Step("sign", "before a signature", seconds=(100.0, 260.0))
    >>> bottleneck([fit, sign])[1]
    'Most time goes by before a signature: 3 min, 75% of all steps together (medians of the latest runs).'
    """
    known = [(middle, each) for each in steps if (middle := each.middle) is not None]
    if not known:
        return None
    longest, slowest = max(known, key=lambda pair: pair[0])
    total = sum(middle for middle, _ in known)
    share = f", {100 * longest / total:.0f}% of all steps together" if total else ""
    return slowest, f"Most time goes by {slowest.meaning}: {spoken(longest)}{share} (medians of the latest runs)."


def spoken(seconds: float) -> str:
    """Seconds as one says them, up to days.

    >>> spoken(0.5), spoken(2.1), spoken(90), spoken(90000)
    ('under 1 s', '2.1 s', '1 min 30 s', '1 d 1 h')
    """
    if seconds < 1:
        return "under 1 s"
    return words.seconds(seconds) if seconds < 60 else duration(seconds)


# -- the two figures --------------------------------------------------------------------------------------


def first_approved(passages: Iterable[Passage]) -> list[tuple[Passage, datetime, float]]:
    """Each first result that was approved after an edit: when, and so many seconds after the edit; where that is not
    known, after submission.

    A later approval after the same edit tells how often one runs, not how long an edit takes.
    """
    first: dict[tuple[tuple[str, str], datetime], tuple[Passage, datetime, float]] = {}
    approved = [(each.approved, each) for each in passages if each.approved is not None]
    for when, each in sorted(approved, key=lambda pair: pair[0]):
        began = each.edited or each.submitted
        seconds = each.between("edited" if each.edited else "submitted", "approved")
        if began is not None and seconds is not None:
            first.setdefault((each.question, began), (each, when, seconds))
    return list(first.values())


@dataclass(frozen=True, slots=True)
class Caught:
    """How many errors were caught, and at what: the first three before a result was approved, the others after."""

    failed: int
    stopped: int
    taken_back: int
    withdrawn: int
    changed: int
    corrected: int

    @property
    def before(self) -> int:
        return self.failed + self.stopped + self.taken_back

    @property
    def after(self) -> int:
        return self.withdrawn + self.changed + self.corrected


def caught(
    failed: Iterable[Job], stopped: int, promotions: Iterable[Promotion], same_data: Callable[[str, str], bool]
) -> Caught:
    """Errors by when they were caught.

    Parameters
    ----------
    failed
        Jobs that failed.
    stopped
        How many runs were given the verdict *stop*.
    same_data
        Whether two runs (their keys) were made from the same data: what supersedes a run of its own data corrects it,
        and is no update.
    """
    found = tuple(promotions)
    withdrawn = [each for each in found if each.withdrawal is not None]
    return Caught(
        failed=sum(job.outcome.get("reason") in MISTAKES for job in failed),
        stopped=stopped,
        taken_back=sum(not each.approved for each in withdrawn),
        withdrawn=sum(bool(each.approved) for each in withdrawn),
        changed=sum(each.state == "changed" and bool(each.approved) for each in found),
        corrected=sum(bool(e.superseded_by) and same_data(e.run, e.superseded_by) for e in found),
    )


# -- the same, month by month -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Month:
    """What came to an end in a month of UTC (`2026-11`): seconds from edit to approval, and errors by when caught."""

    name: str
    took: tuple[float, ...]
    caught: Caught

    @property
    def middle(self) -> float | None:
        """The median; None where nothing was approved."""
        return median(self.took) if self.took else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was approved and no error found."""
        return not (self.took or self.caught.before or self.caught.after)


def month_of(moment: datetime) -> str:
    """The month of UTC in which a moment lies.

    >>> month_of(datetime.fromisoformat("2026-11-01T01:30:00+02:00"))
    '2026-10'
    """
    return f"{moment.astimezone(UTC):%Y-%m}"


def months_to(last: datetime, count: int) -> list[str]:
    """So many months, the last one that of a moment.

    >>> months_to(datetime(2026, 2, 1, tzinfo=UTC), 3)
    ['2025-12', '2026-01', '2026-02']
    """
    now = last.astimezone(UTC)
    every = (12 * now.year + now.month - 1 - k for k in reversed(range(count)))
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in every]


def ended(promotion: Promotion, approvals: Mapping[str, str]) -> str:
    """When a promotion was taken back, replaced or found to be changed, as far as that is known; empty for none.

    `approvals` is when the last approval came of each run. Nobody sees when a run was changed: that counts as of its
    approval.
    """
    if promotion.withdrawal is not None:
        return promotion.withdrawal.when
    if promotion.superseded_by:
        return approvals.get(promotion.superseded_by, "")
    return promotion.approved if promotion.state == "changed" else ""


def trend(
    months: Sequence[str],
    took: Iterable[tuple[str, float]],
    failed: Iterable[tuple[str, Job]],
    stopped: Mapping[str, int],
    ends: Iterable[tuple[str, Promotion]],
    same_data: Callable[[str, str], bool],
) -> list[Month]:
    """Both figures of each month, from what has its month beside it; what is of another month is left out.

    The seconds of `took` are those of `first_approved`, the others are as in `caught`.
    """
    times, jobs, promoted = _by_month(took), _by_month(failed), _by_month(ends)
    return [
        Month(
            name,
            tuple(times.get(name, ())),
            caught(jobs.get(name, ()), stopped.get(name, 0), promoted.get(name, ()), same_data),
        )
        for name in months
    ]


def _by_month(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for month, each in pairs:
        found.setdefault(month, []).append(each)
    return found


def together(months: Iterable[Month]) -> Month:
    """Several months, or several studies, as one."""
    every = list(months)
    counts = {name: sum(getattr(each.caught, name) for each in every) for name in Caught.__dataclass_fields__}
    return Month("", tuple(seconds for each in every for seconds in each.took), Caught(**counts))
