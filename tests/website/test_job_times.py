"""How long jobs waited and took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelworks.jobs import Job, Order, Turn
from modelworks.website._job_times import spent, usual_wait, waits

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def job(number: int, state: Any, submitted: str, started: str = "", finished: str = "", **order: Any) -> Job:
    """A job of this day, whose times are minutes past eleven."""
    times = (f"2026-11-22T11:{each}:00+00:00" if each else "" for each in (submitted, started, finished))
    made = Order(f"job {number}", ("true",), **order)
    return Job(f"j{number}", number, made.title, state, made, 1, 3, 0, "", "", {}, *times)


def test_each_part_of_a_bar_is_as_long_as_what_it_stands_for() -> None:
    jobs = [
        job(1, "done", "00", "10", "40"),
        job(2, "running", "50", "55"),
        job(3, "waiting", "58"),
        job(4, "cancelled", "00", "", "05"),
        job(5, "waiting", "40", "45"),
    ]
    found = spent(jobs, NOW)
    assert [each.words for each in found.values()] == [
        "waited 10 min, took 30 min",
        "waited 5 min, began 5 min ago",
        "waits for 2 min",
        "waited 5 min",
        "waited 5 min, began 15 min ago, and waits to be tried again",
    ]
    parts = [(round(40 * each.waiting, 6), round(40 * each.working, 6)) for each in found.values()]
    assert parts == [(10, 30), (5, 5), (2, 0), (5, 0), (5, 15)]


def test_the_usual_wait_is_of_those_that_began_and_waited_for_no_other() -> None:
    jobs = [
        job(1, "done", "00", "10", "40"), job(2, "running", "50", "54"), job(3, "waiting", "00"),
        job(4, "done", "00", "59", "59", needs=("j1",)),
    ]  # fmt: skip
    assert usual_wait(jobs) == "7 min"
    assert usual_wait(jobs[2:]) == ""
    assert spent([], NOW) == {}


def test_a_clock_that_is_behind_makes_no_negative_bar() -> None:
    assert spent([job(1, "done", "10", "09", "11")], NOW)["j1"].waiting == pytest.approx(0)


def turn(executor: str, submitted: str, started: str = "", state: Any = "done", *, needs: bool = False) -> Turn:
    """A job's turn; times as in `22T11:30`, in UTC."""
    begin, began = (f"2026-11-{each}:00+00:00" if each else "" for each in (submitted, started))
    return Turn(executor, state, begin, began, "", needs)


def test_what_jobs_waited_is_told_by_executor_and_span() -> None:
    """What waits still is in no median, or a queue that stands still would look quick; nor is who waits for others."""
    turns = [
        *(turn("slurm", "22T10:00", began) for began in ("22T10:10", "22T10:02", "22T11:00")),
        turn("slurm", "22T09:00", state="waiting"), turn("slurm", "22T11:00", state="waiting"),
        turn("slurm", "22T09:00", state="cancelled"), turn("slurm", "22T09:00", "22T11:59", needs=True),
        turn("process", "21T12:00", "21T12:01"), turn("process", "21T11:59", "21T12:03"),
    ]  # fmt: skip
    process, slurm, both = waits(turns, NOW - timedelta(days=1), NOW)
    assert (slurm.executor, slurm.came, slurm.began) == ("slurm", 7, 4)
    assert (slurm.usual, slurm.worst, slurm.now) == ("10 min", "1 h", "2, the longest for 3 h")
    # The second was handed over a minute more than a day ago.
    assert (process.came, process.usual, process.worst, process.now) == (1, "1 min", "1 min", "")
    # Of 1, 2, 10 and 60 minutes.
    assert (both.came, both.began, both.usual, both.worst) == (8, 5, "6 min", "1 h")
    assert [each.came for each in waits(turns, NOW - timedelta(days=7), NOW)] == [2, 7, 9]
    assert waits(turns[-2:], NOW - timedelta(hours=1), NOW) == []
    [none] = waits(turns[3:4], NOW - timedelta(days=1), NOW)
    assert (none.usual, none.worst, none.now) == ("", "", "1, the longest for 3 h")
