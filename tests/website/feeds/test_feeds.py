"""The feed of all runs is lined up anew when something has changed, and not for every page that is read of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from feeds_runs import approve

from modelworks.runs import Index, Store, Wanted, withdraw
from modelworks.website.feeds._feeds import ALL, AS_IT_WAS_SECONDS, UNCHANGED_SECONDS, Feeds
from modelworks.website.feeds._query import Query, page
from modelworks.website.feeds._schema import RUNS


class Lined:
    """Feeds over a store of a run, whose clock is set by hand; `times` counts how often all runs were read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.now, self.times = Store(folder / "runs"), 0.0, 0
        self.address = f"sqlite:///{folder / 'index.sqlite'}"
        self.publish()
        self.index = Index(self.store, self.address)
        self.feeds = Feeds(self.store, self.index, clock=lambda: self.now)
        select = self.index.select

        def counted(wanted: Wanted | None = None) -> object:
            self.times += wanted is None
            return select(wanted)

        monkeypatch.setattr(self.index, "select", counted)

    def publish(self) -> None:
        self.store.publish(("flu", "sir", "here"), stages={}, record={})

    def told(self) -> list[bool]:
        """Of each run whether it is approved."""
        return [bool(each.row["approved"]) for each in self.feeds.called(ALL).entries]

    def rows(self) -> dict[str, tuple[bool, str | None]]:
        """What the table of runs says of each run: whether it is approved, and who signed."""
        rows = page(self.feeds.called(ALL), Query(RUNS)).rows.to_pylist()
        return {each["key"]: (each["approved"], each["approved_by"]) for each in rows}


@pytest.fixture
def lined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lined:
    return Lined(tmp_path, monkeypatch)


def test_where_nothing_changed_runs_are_not_read_again(lined: Lined) -> None:
    for _ in range(5):
        assert lined.told() == [False]
        lined.now += 2 * AS_IT_WAS_SECONDS
    assert lined.times == 1
    lined.now += UNCHANGED_SECONDS
    assert lined.told() == [False]
    assert lined.times == 2


def test_what_came_is_there_after_some_seconds(lined: Lined) -> None:
    assert lined.told() == [False]
    lined.publish()
    lined.now += AS_IT_WAS_SECONDS
    assert lined.told() == [False, False]
    assert lined.times == 2


def test_what_was_approved_or_taken_back_is_told_at_once_and_without_reading_all_runs(lined: Lined) -> None:
    """Nobody is to read a number as approved that its own page tells as withdrawn, nor the other way round."""
    lined.publish()
    assert lined.told() == [False, False]
    first, second = sorted(lined.store.published())
    approve(lined.store, first)
    assert lined.rows() == {first: (True, "Grace, Emmy"), second: (False, None)}
    approve(lined.store, second)
    assert lined.rows() == {first: (False, None), second: (True, "Grace, Emmy")}
    withdraw(lined.store, second, by="Ada", reason="wrong data")
    assert lined.rows() == {first: (False, None), second: (False, None)}
    assert lined.times == 1


def test_a_run_that_is_approved_before_it_was_lined_up_is_there_at_once(lined: Lined) -> None:
    assert lined.told() == [False]
    lined.publish()
    latest = next(key for key in lined.store.published() if key not in lined.rows())
    approve(lined.store, latest)
    assert lined.rows()[latest] == (True, "Grace, Emmy")


def test_what_another_process_found_first_counts_as_well(lined: Lined) -> None:
    """Then the index holds it before we look, and there is nothing left for us to change."""
    assert lined.told() == [False]
    lined.publish()
    with Index(lined.store, lined.address) as other:
        assert other.select().total == 2
    lined.now += AS_IT_WAS_SECONDS
    assert lined.told() == [False, False]
