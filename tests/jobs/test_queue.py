"""The list of jobs: nothing is taken twice, and a word under a void claim changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelworks.errors import ModelworksError
from modelworks.jobs import Capacity, Claim, Order, Queue, Resources, _queue

ROOM = Capacity(("process",), cores=1000, memory_gb=1000.0)


def order(title: str = "a job", **more: Any) -> Order:
    return Order(title, ("true",), **more)


def taken(queue: Queue, capacity: Capacity = ROOM) -> list[Claim]:
    return queue.claim(queue.enter("here"), capacity)


def titles(claims: Iterable[Claim]) -> list[str]:
    return [claim.order.title for claim in claims]


def test_jobs_begin_in_their_order_and_the_urgent_before(queue: Queue) -> None:
    queue.submit([order("first"), order("second"), order("urgent", priority=5)])
    assert titles(taken(queue)) == ["urgent", "first", "second"]


def test_a_job_is_taken_by_one_worker_alone(queue: Queue, queue_url: str) -> None:
    """Eight workers grab at the same moment, each with a connection of its own."""
    ids = queue.submit([order(str(k)) for k in range(40)])
    together = threading.Barrier(8)

    def grab(_: int) -> list[str]:
        with Queue(queue_url) as mine:
            worker = mine.enter("here")
            together.wait()
            return [
                claim.job for _ in range(8) for claim in mine.claim(worker, Capacity(("process",), 99, 99.0, (), 3))
            ]

    with ThreadPoolExecutor(8) as threads:
        grabbed = [job for some in threads.map(grab, range(8)) for job in some]
    assert sorted(grabbed) == sorted(ids)


def test_a_job_waits_for_what_it_needs_and_fails_with_it(queue: Queue) -> None:
    first, other = order("first"), order("other")
    summary = order("summary", needs=(first.id, other.id))
    report = order("report", after=(first.id, other.id))
    queue.submit([first, other, summary, report])
    one, two = taken(queue)
    queue.finish(one, "done", {})
    assert taken(queue) == []
    queue.finish(two, "failed", {"text": "the model is wrong"})
    assert queue.get(summary.id).state == "failed"
    assert other.id in queue.get(summary.id).outcome["text"]
    assert titles(taken(queue)) == ["report"]


def test_a_retried_job_brings_back_those_that_failed_for_want_of_it(queue: Queue) -> None:
    first = order("first")
    last = order("last", needs=(first.id,))
    queue.submit([first, last])
    (claim,) = taken(queue)
    queue.finish(claim, "failed", {"text": "no"})
    queue.retry(first.id)
    (claim,) = taken(queue)
    assert queue.finish(claim, "done", {})
    assert titles(taken(queue)) == ["last"]


def test_nothing_can_be_said_under_a_claim_that_was_taken_over(queue: Queue) -> None:
    """A worker was frozen, its jobs went to another, and it comes back."""
    (job,) = queue.submit([order()])
    frozen = queue.enter("frozen")
    (old,) = queue.claim(frozen, ROOM)
    (seen,) = queue.workers()
    assert queue.bury(seen)
    (new,) = queue.adopt(queue.enter("other"), ROOM)
    assert not queue.beat(frozen)
    assert not queue.note(old, handle="mine")
    assert not queue.finish(old, "failed", {})
    assert not queue.again(old, "lost", "", 0.0)
    assert queue.claim(frozen, ROOM) == []
    assert queue.finish(new, "done", {})
    assert not queue.finish(new, "failed", {})
    assert queue.get(job).state == "done"


def test_a_worker_whose_beat_went_on_is_not_given_up(queue: Queue) -> None:
    worker = queue.enter("here")
    (seen,) = queue.workers()
    queue.beat(worker)
    assert not queue.bury(seen)
    assert queue.beat(worker)


def test_a_machine_is_never_given_more_than_it_has(queue: Queue) -> None:
    """Two workers of one machine count what the other has taken; a small job goes past one that does not fit."""
    big, small = Resources(cores=3, memory_gb=1.0), Resources(cores=1, memory_gb=1.0)
    queue.submit([order("big", resources=big), order("big too", resources=big), order("small", resources=small)])
    machine = Capacity(("process",), cores=4, memory_gb=16.0)
    assert titles(taken(queue, machine)) == ["big", "small"]
    assert taken(queue, machine) == []


def test_who_has_no_room_does_not_keep_others_from_the_queue(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four workers of a machine that is full would else wait for one another, again and again, for nothing."""
    queue.submit([order("one"), order("two")])
    worker, machine = queue.enter("here"), Capacity(("process",), cores=1, memory_gb=16.0)
    changes, change = [], Queue._change
    monkeypatch.setattr(Queue, "_change", lambda self: changes.append(1) or change(self))
    assert titles(queue.claim(worker, machine)) == ["one"]
    assert len(changes) == 1
    assert queue.claim(worker, machine) == []
    assert len(changes) == 1


def test_a_claim_says_how_the_job_stands_now(queue: Queue) -> None:
    (job,) = queue.submit([order()])
    (first,) = taken(queue)
    queue.note(first, handle="x:1:2")
    queue.again(first, "lost", "", 0.0)
    worker = queue.enter("here")
    (second,) = queue.claim(worker, ROOM)
    assert (second.owner, second.handle, second.attempt) == (worker, None, 2)
    assert second.token > first.token
    assert not queue.finish(first, "done", {})
    assert queue.finish(second, "done", {})
    assert queue.get(job).attempt == 2


def test_memory_is_a_limit_too(queue: Queue) -> None:
    queue.submit([order(str(k), resources=Resources(1, 6.0)) for k in range(3)])
    assert titles(taken(queue, Capacity(("process",), cores=8, memory_gb=12.5))) == ["0", "1"]


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_wished_away(queue: Queue) -> None:
    running, waiting = queue.submit([order("running"), order("waiting")])
    worker = queue.enter("here")
    queue.claim(worker, Capacity(("process",), 1, 8.0))
    assert queue.cancel(waiting) == "cancelled"
    assert queue.cancel(running) == "running"
    assert queue.wishes(worker) == {running}


def test_a_clock_set_back_does_not_hold_a_job_for_ever(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry was put off by seconds; then the clock is set back by a year."""
    queue.submit([order()])
    (claim,) = taken(queue)
    queue.again(claim, "lost", "", 30.0)
    assert taken(queue) == []
    import time

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 365 * 86400.0)
    assert len(taken(queue)) == 1


def test_a_fan_out_is_submitted_whole_or_not_at_all(queue: Queue) -> None:
    with pytest.raises(ModelworksError, match="J102"):
        queue.submit([order("one"), order("two", needs=("nobody",))])
    assert queue.jobs() == []


def test_everything_that_happened_to_a_job_is_told_in_order(queue: Queue) -> None:
    (job,) = queue.submit([order(by="Ada")])
    (claim,) = taken(queue)
    queue.note(claim, handle="x:1:2")
    queue.again(claim, "killed", "its process was killed", 0.0)
    assert [event.what for event in queue.events(job)] == ["submitted", "started", "killed"]


@pytest.mark.parametrize("text", ["", "zz", "%"])
def test_a_job_that_is_not_there_is_a_letter(queue: Queue, text: str) -> None:
    queue.submit([order()])
    with pytest.raises(ModelworksError, match="J102"):
        queue.get(text)


def test_a_database_that_can_not_be_opened_is_a_letter(tmp_path: Any) -> None:
    (tmp_path / "queue.sqlite").write_text("this is no database, but a text that is long enough to be read as one" * 9)
    with pytest.raises(ModelworksError, match="J101"):
        Queue(f"sqlite:///{tmp_path}/queue.sqlite")


def test_the_turns_of_late_are_told_however_many_jobs_there_were(
    queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in portions on the way back, and no further than asked for."""
    monkeypatch.setattr(_queue, "PORTION", 2)
    clock = [datetime(2026, 11, 22, 12, tzinfo=UTC)]
    with Queue(queue_url, clock=lambda: clock[0]) as queue:
        for hour in range(7):
            clock[0] = datetime(2026, 11, 22, hour, tzinfo=UTC)
            first = queue.submit([order(f"at {hour}", executor="slurm" if hour == 6 else "process")])
        queue.submit([order("after", after=first)])
        clock[0] += timedelta(minutes=5)
        assert [each.job for each in taken(queue)] == queue_ids(queue, 0, 6)
        since = "2026-11-22T02:00:00+00:00"
        found = queue.turns(since, 100)
        hours = [datetime.fromisoformat(each.submitted).hour for each in found]
        assert hours == [6, 6, 5, 4, 3, 2]
        assert [(each.executor, each.state, each.needs) for each in found[:3]] == [
            ("process", "waiting", True), ("slurm", "waiting", False), ("process", "running", False),
        ]  # fmt: skip
        began = datetime.fromisoformat(found[2].started)
        assert began == clock[0]
        assert len(queue.turns(since, 3)) == 3
        assert queue.turns("2026-11-23T00:00:00+00:00", 100) == []


def queue_ids(queue: Queue, first: int, last: int) -> list[str]:
    """The ids of some jobs, in the order in which they were handed over."""
    return [each.id for each in reversed(queue.jobs())][first:last]
