"""A run has one time limit, in however many parts it calibrates."""

from __future__ import annotations

import re
import struct
import threading
from pathlib import Path

import pytest

from modelworks.jobs import Pace
from modelworks.runs import Ledger
from modelworks.study import explain_job, order_study, queue_around, worker_around
from modelworks.study._stale import ledger_of
from modelworks.study.binding._binding import bind
from modelworks.study.projection._time_limit import TimeLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def limit(ledger: Ledger, run: str | None, clock: Clock) -> TimeLimit:
    found = TimeLimit(60, run, clock)
    found.goes_on_in(ledger)
    return found


def spent(file: Path, run: str | None, seconds: int) -> None:
    """A process that calibrates for so long and is then gone."""
    clock = Clock()
    with Ledger(file) as ledger:
        mine = limit(ledger, run, clock)
        for clock.now in range(1, seconds + 1):
            assert not mine.is_over()


@pytest.mark.parametrize(("run", "left"), [("a-run", 20), ("another-run", 60), (None, 60)])
def test_what_a_process_before_spent_on_the_same_run_counts(tmp_path: Path, run: str | None, left: int) -> None:
    """A job that was killed carries on its run; whoever asks for the study once more begins a run of its own."""
    file = tmp_path / "a.ledger"
    spent(file, "a-run", 40)
    clock = Clock()
    clock.now = 1000.0  # the clock of another process begins anywhere
    with Ledger(file) as ledger:
        mine = limit(ledger, run, clock)
        clock.now = 1000.0 + left - 0.5
        assert not mine.is_over()
        clock.now = 1000.0 + left + 0.5
        assert mine.is_over()


def test_a_second_calibration_goes_on_with_the_same_clock(tmp_path: Path) -> None:
    """In this process, and after a kill: each ledger then knows what was spent in all, when it was written to last."""
    spent(tmp_path / "first.ledger", "a-run", 30)
    clock = Clock()
    with Ledger(tmp_path / "first.ledger") as first, Ledger(tmp_path / "second.ledger") as second:
        mine = limit(first, "a-run", clock)
        clock.now = 10.0
        mine.goes_on_in(second)
        clock.now = 29.0
        assert not mine.is_over()
    again = Clock()
    with Ledger(tmp_path / "first.ledger") as first, Ledger(tmp_path / "second.ledger") as second:
        mine = limit(first, "a-run", again)
        mine.goes_on_in(second)
        again.now = 1.5
        assert mine.is_over()


@pytest.mark.slow
def test_who_retries_a_job_gives_it_its_time_limit_once_more(quick: Path, repository: Path) -> None:
    """With what was spent before it would fail at once, however often it is retried."""
    file = quick / "study.yaml"
    limited = re.sub(r"(?m)^calibration:\n", "calibration:\n  time_limit: 1 h\n", file.read_text(encoding="utf-8"))
    file.write_text(limited, encoding="utf-8")
    order = order_study(quick, until="calibrate")
    ledger = ledger_of(bind(Path(order.task["study"])))
    with Ledger(ledger) as spent_before:
        spent_before.keep(b"spent by " + order.task["run"].encode(), struct.pack("<d", 4000.0))
    pace = Pace(lease=2.0, backoff=0.01, poll=0.02)
    with queue_around(repository) as queue:
        queue.submit([order])
        said = []
        for _ in range(2):
            worker_around(repository, cores=4, memory_gb=8.0, pace=pace).run(threading.Event(), until_idle=True)
            said.append(queue.get(order.id).state)
            if said == ["failed"]:
                told = explain_job(repository, order.id)
                queue.retry(order.id, by="Ada")
    assert said == ["failed", "done"]
    assert "C510" in told.text
    assert "its whole time limit once more" in told.text
    assert told.next == f"modelworks retry {order.id}"
