"""How long jobs waited and took, in words and as bars that are held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from modelworks.jobs import Job
from modelworks.website._workflow import spoken


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
