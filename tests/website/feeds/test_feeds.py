"""The feed of all runs is lined up anew when something has changed, and not for every page that is read of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from feeds_runs import approve

from modelworks.runs import Index, Store
from modelworks.website.feeds._feeds import ALL, AS_IT_WAS_SECONDS, UNCHANGED_SECONDS, Feeds


class Lined:
    """Feeds over a store of a run, whose clock is set by hand; `times` counts how often all runs were read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.now, self.times = Store(folder / "runs"), 0.0, 0
        self.address = f"sqlite:///{folder / 'index.sqlite'}"
        self.publish()
        self.index = Index(self.store, self.address)
        self.feeds = Feeds(self.store, self.index, clock=lambda: self.now)
        select = self.index.select

        def counted() -> object:
            self.times += 1
            return select()

        monkeypatch.setattr(self.index, "select", counted)

    def publish(self) -> None:
        self.store.publish(("flu", "sir", "here"), stages={}, record={})

    def told(self) -> list[bool]:
        """Of each run whether it is approved."""
        return [bool(each.row["approved"]) for each in self.feeds.called(ALL).entries]


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


def test_what_came_and_what_was_approved_is_there_after_some_seconds(lined: Lined) -> None:
    assert lined.told() == [False]
    lined.publish()
    lined.now += AS_IT_WAS_SECONDS
    assert lined.told() == [False, False]
    approve(lined.store, min(lined.store.published()))
    lined.now += AS_IT_WAS_SECONDS
    assert sorted(lined.told()) == [False, True]
    assert lined.times == 3


def test_what_another_process_found_first_counts_as_well(lined: Lined) -> None:
    """Then the index holds it before we look, and there is nothing left for us to change."""
    assert lined.told() == [False]
    lined.publish()
    with Index(lined.store, lined.address) as other:
        assert other.select().total == 2
    lined.now += AS_IT_WAS_SECONDS
    assert lined.told() == [False, False]
