"""How long jobs waited and took, in words and as bars that are held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from modelworks.jobs import Job, Turn
from modelworks.website._workflow import spoken

# What the row of all executors is called.
ALL = "all together"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that a job waited and was worked on, so far or in all, as shares of the longest that is shown."""

    words: str
    waiting: float
    working: float


def spent(jobs: Sequence[Job], now: datetime) -> dict[str, Spent]:
    """What each job spent its time with, by its id; from its first beginning on, however often it was tried."""
    seconds = {job.id: _seconds(job, now) for job in jobs}
    longest = max((sum(each) for each in seconds.values()), default=0.0) or 1.0
    return {job.id: Spent(_words(job, *seconds[job.id]), *(each / longest for each in seconds[job.id])) for job in jobs}


def usual_wait(jobs: Sequence[Job]) -> str:
    """How long those that began waited, in the median; empty where none did. What needs others waits for these."""
    began = [job for job in jobs if job.started and not job.order.needs]
    return spoken(median(_between(job.submitted, job.started) for job in began)) if began else ""


@dataclass(frozen=True, slots=True)
class Waits:
    """What an executor's jobs that came in a span waited, as far as they waited for no other job.

    Of `came` so many `began`, after `waited` seconds each; of the others, that were not cancelled, each waits for
    `waiting` seconds so far.
    """

    executor: str
    came: int
    began: int
    waited: tuple[float, ...]
    waiting: tuple[float, ...]

    @property
    def usual(self) -> str:
        """The median of those that began; empty where none did."""
        return spoken(median(self.waited)) if self.waited else ""

    @property
    def worst(self) -> str:
        """The longest of those that began."""
        return spoken(max(self.waited)) if self.waited else ""

    @property
    def now(self) -> str:
        """How many wait, and the longest of them how long."""
        return f"{len(self.waiting)}, the longest for {spoken(max(self.waiting))}" if self.waiting else ""


@dataclass(frozen=True, slots=True)
class History:
    """What jobs waited in some spans, by their names; cut short where so many came that not all were looked at."""

    spans: Mapping[str, Sequence[Waits]]
    is_cut: bool


def waits(turns: Sequence[Turn], since: datetime, now: datetime) -> list[Waits]:
    """What the jobs waited that came since a moment, by executor; of several, also altogether."""
    came = [each for each in turns if datetime.fromisoformat(each.submitted) >= since]
    by_name = {name: [each for each in came if each.executor == name] for name in sorted({e.executor for e in came})}
    found = [_waits(name, some, now) for name, some in by_name.items()]
    return found if len(found) < 2 else [*found, _waits(ALL, came, now)]


def _waits(name: str, turns: Sequence[Turn], now: datetime) -> Waits:
    own = [each for each in turns if not each.needs]
    still = [each for each in own if not each.started and each.state == "waiting"]
    return Waits(
        name,
        came=len(turns),
        began=sum(bool(each.started) for each in turns),
        waited=tuple(_between(each.submitted, each.started) for each in own if each.started),
        waiting=tuple(_between(each.submitted, now.isoformat()) for each in still),
    )


def _seconds(job: Job, now: datetime) -> tuple[float, float]:
    end = job.finished if job.is_over else now.isoformat()
    if not job.started:
        return _between(job.submitted, end), 0.0
    return _between(job.submitted, job.started), _between(job.started, end)


def _words(job: Job, waited: float, worked: float) -> str:
    if not job.started:
        return f"{'waited' if job.is_over else 'waits for'} {spoken(waited)}"
    if job.is_over:
        return f"waited {spoken(waited)}, took {spoken(worked)}"
    tried = ", and waits to be tried again" if job.state == "waiting" else ""
    return f"waited {spoken(waited)}, began {spoken(worked)} ago{tried}"


def _between(first: str, last: str) -> float:
    # Clocks of two machines may differ by a little.
    return max(0.0, (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds())
