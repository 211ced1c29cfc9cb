"""The two figures that a workflow is judged by, month by month: of all studies together, and of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from modelworks.jobs import Job
from modelworks.runs import Promotion, folder_name
from modelworks.website._workflow import Month, Passage, ended, first_approved, month_of, months_to, together, trend

T = TypeVar("T")
# Of a study (None where nobody says), in a month of UTC.
Rows = list[tuple[str | None, str, T]]
MONTHS = 12
ALTOGETHER = "All studies together"
# A month is drawn so wide, with the gap to the next, and so high.
WIDTH, GAP, HEIGHT = 20.0, 4.0, 48.0
Bar = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Trend:
    """The months of a study, or of all."""

    title: str
    months: tuple[Month, ...]

    @property
    def total(self) -> Month:
        """All months as one."""
        return together(self.months)

    @property
    def is_empty(self) -> bool:
        return self.total.is_empty

    def times(self) -> list[Bar]:
        """The median of each month as a bar: from the top, and its height."""
        return list(_bars([each.middle or 0.0 for each in self.months], 0.0))

    def before(self) -> list[Bar]:
        """The errors caught before an approval."""
        return list(_bars([float(each.caught.before) for each in self.months], self._most_errors))

    def after(self) -> list[Bar]:
        """Those caught after it, which stand upon the others."""
        every = _bars([float(each.caught.before + each.caught.after) for each in self.months], self._most_errors)
        return [(top, high - below) for (top, high), (_, below) in zip(every, self.before(), strict=True)]

    @property
    def _most_errors(self) -> float:
        return float(max(each.caught.before + each.caught.after for each in self.months))


def _bars(values: Sequence[float], highest: float) -> Iterator[Bar]:
    most = highest or max(values) or 1.0
    yield from ((HEIGHT * (1 - value / most), HEIGHT * value / most) for value in values)


@dataclass(frozen=True, slots=True)
class Known:
    """What the figures are counted from.

    `ways` are of those of the `promotions` that were approved; `stopped` counts runs by study and month. Of the jobs
    that `failed` there may be more, before the earliest, where they are `is_cut`. `copies` has the study of each copy
    of one in which something is assumed otherwise.
    """

    promotions: Sequence[Promotion]
    ways: Sequence[Passage]
    failed: Sequence[Job]
    is_cut: bool
    stopped: Mapping[tuple[str, str], int]
    copies: Mapping[str, str]

    def took(self) -> Rows[float]:
        """Seconds from an edit to the first result that was approved, in the month of the approval."""
        return [(self._of(way.run), month_of(when), seconds) for way, when, seconds in first_approved(self.ways)]

    def jobs(self) -> Rows[Job]:
        """Jobs that failed, in the month in which they did."""
        return [(self._of_job(each), _month(each.finished), each) for each in self.failed]

    def ends(self) -> Rows[Promotion]:
        """Promotions that were taken back, replaced or void, in the month in which they were."""
        approvals: dict[str, str] = {}
        for each in self.promotions:
            approvals[each.run] = max(each.approved, approvals.get(each.run, ""))
        told = ((each, ended(each, approvals)) for each in self.promotions)
        return [(self._of(each.run), _month(when), each) for each, when in told if when]

    def _of(self, run: str) -> str:
        study = run.partition("/")[0]
        return self.copies.get(study, study)

    def _of_job(self, job: Job) -> str | None:
        study = job.order.labels.get("study")
        return self._of(folder_name(study)) if study else None


def trends(
    known: Known, titles: Mapping[str, str], now: datetime, same_data: Callable[[str, str], bool]
) -> list[Trend]:
    """All studies together, and then each of which anything is known; `titles` are those of the studies by folder.

    The months end with the present one; they begin later where of earlier ones not all is known.
    """
    months = months_to(now, MONTHS)
    if known.is_cut:
        since = min(_month(each.finished) for each in known.failed)
        months = [each for each in months if each > since] or months[-1:]
    took, jobs, ends = known.took(), known.jobs(), known.ends()
    names = {name for rows in (took, jobs, ends) for name, *_ in rows if name} | {name for name, _ in known.stopped}

    def made(title: str, studies: Collection[str | None]) -> Trend:
        stopped: dict[str, int] = {}
        for (study, month), count in known.stopped.items():
            stopped[month] = stopped.get(month, 0) + (count if study in studies else 0)
        own = trend(months, _own(took, studies), _own(jobs, studies), stopped, _own(ends, studies), same_data)
        return Trend(title, tuple(own))

    each_one = [made(titles.get(name, name), {name}) for name in sorted(names)]
    return [made(ALTOGETHER, {*names, None}), *(each for each in each_one if not each.is_empty)]


def _own(rows: Iterable[tuple[str | None, str, T]], studies: Collection[str | None]) -> list[tuple[str, T]]:
    return [(month, each) for study, month, each in rows if study in studies]


def _month(moment: str) -> str:
    return month_of(datetime.fromisoformat(moment))
