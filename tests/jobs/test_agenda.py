"""What follows from a moment is submitted once, whoever looks and however often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from modelworks.jobs import Agenda, Order, Queue


def order(**more: str) -> Order:
    return Order("a job", ("true",), **more)


def test_a_mark_is_moved_by_the_first_alone(queue_url: str) -> None:
    def look(_: int) -> bool:
        with Queue(queue_url) as queue:
            return Agenda(queue).advance("daily", None, "Monday", [order()])

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(look, range(4))) == [False, False, False, True]
    with Queue(queue_url) as queue:
        assert len(queue.jobs()) == 1
        assert Agenda(queue).mark("daily") == "Monday"


def test_a_mark_that_moves_back_submits_nothing_a_second_time(queue: Queue) -> None:
    """A clock was wrong, and the same moment comes again."""
    agenda = Agenda(queue)
    assert agenda.advance("daily", None, "Tuesday", [order(id="aa")])
    assert agenda.advance("daily", "Tuesday", "Monday")
    assert agenda.advance("daily", "Monday", "Tuesday", [order(id="aa"), order(id="bb")])
    assert {each.id for each in queue.jobs()} == {"aa", "bb"}


def test_what_a_job_makes_is_submitted_once_however_often_it_is_tried(queue: Queue) -> None:
    (job,) = queue.submit([order()])
    agenda = Agenda(queue)
    first = agenda.hand_over(job, [order(), order()], {"data": "new"})
    assert agenda.hand_over(job, [order()], {"data": "newer"}) == first
    assert len(queue.jobs()) == 3
    assert agenda.mark("data") == "new"
