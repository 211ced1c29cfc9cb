"""What runs take, measured aside: nobody waits for the files of ten thousand runs, and a figure says how old it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelworks.errors import ModelworksError, fail
from modelworks.runs import Usage
from modelworks.website import _storage
from modelworks.website._storage import SHARE, Storage, Stored

PATIENCE_SECONDS = 120


class Measure:
    """Gives one run more each time, when it is let; the clock goes on by ten seconds each time."""

    def __init__(self) -> None:
        self.times, self.now = 0, 0.0
        self.let = threading.Event()
        self.let.set()

    def __call__(self) -> list[Usage]:
        assert self.let.wait(PATIENCE_SECONDS)
        self.times += 1
        self.now += 10
        return [Usage("flu", self.times, 1000 * self.times)]

    def clock(self) -> float:
        return self.now


@pytest.fixture
def measure() -> Measure:
    return Measure()


@pytest.fixture
def storage(measure: Measure) -> Storage:
    return Storage(measure, clock=measure.clock)


def runs(stored: Stored | None) -> int:
    assert stored is not None
    (found,) = stored.usage
    return found.runs


def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = threading.Event()
    for _ in range(100 * PATIENCE_SECONDS):
        if holds():
            return
        end.wait(0.01)
    pytest.fail("it never came")


def test_the_first_who_looks_waits_and_is_told(storage: Storage) -> None:
    assert runs(storage.look()) == 1


def test_looks_in_a_row_share_one_measure_until_that_took_a_small_part_of_the_time(
    storage: Storage, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_storage, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    assert [runs(storage.look()) for _ in range(5)] == [1] * 5
    measure.now += 10 / SHARE
    assert [runs(storage.look()) for _ in range(5)] == [2] * 5
    assert measure.times == 2


def test_while_it_is_measured_anew_the_last_figure_is_shown_with_its_moment(storage: Storage, measure: Measure) -> None:
    first = storage.look()
    measure.let.clear()
    measure.now += 10 / SHARE
    assert storage.look() == first
    measure.let.set()
    until(lambda: runs(storage.look()) == 2)
    later = storage.look()
    assert first is not None
    assert later is not None
    assert later.when > first.when


def test_before_anything_is_measured_nothing_is_said(
    storage: Storage, measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_storage, "FIRST_SECONDS", 0.0)
    measure.let.clear()
    assert storage.look() is None
    measure.let.set()
    until(lambda: storage.look() is not None)


def test_of_many_who_look_at_once_one_measures(storage: Storage, measure: Measure) -> None:
    measure.let.clear()
    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(storage.look) for _ in range(8)]
        measure.let.set()
        assert {runs(each.result(PATIENCE_SECONDS)) for each in looks} == {1}
    assert measure.times == 1


def test_a_measure_that_fails_is_a_letter_and_the_next_look_tries_again() -> None:
    told = iter([True, False])

    def measure() -> list[Usage]:
        if next(told):
            fail("R150", "the store does not answer", hint="come again")
        return [Usage("flu", 1, 1000)]

    storage = Storage(measure)
    with pytest.raises(ModelworksError, match="R150"):
        storage.look()
    assert runs(storage.look()) == 1
