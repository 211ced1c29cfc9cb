"""How long jobs waited and took."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from modelworks.jobs import Job, Order
from modelworks.website._job_times import spent, usual_wait

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
