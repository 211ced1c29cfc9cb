"""A store of five runs, and a feed of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from feeds_runs import START, approve, feed_of, quantiles, write_run

from modelworks.runs import Store
from modelworks.website.feeds._source import Feed


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Five runs, an hour apart, of which the second only simulated."""
    folder = tmp_path_factory.mktemp("feeds")
    hours: Iterator[int] = iter(range(1000))
    store = Store(folder / "runs", clock=lambda: START + timedelta(hours=next(hours)))
    for number in range(5):
        if number == 1:
            simulate = folder / "simulate"
            simulate.mkdir()
            one = quantiles(1, ["-"])[["output", "time", "q50"]].rename(columns={"q50": "value"})
            one.to_parquet(simulate / "outputs.parquet", index=False)
            store.publish(("tb", "tb", "majuro"), stages={"simulate": simulate}, record={"until": "simulate"})
        else:
            write_run(store, folder, number)
    approve(store, min(store.published()))
    return store


@pytest.fixture(scope="module")
def feed(store: Store) -> Feed:
    """The runs of the store, of which the first is approved."""
    return feed_of(store)
