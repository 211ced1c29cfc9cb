"""The feeds of a workspace: what is stood behind, all runs, and each run by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from modelworks.errors import fail
from modelworks.runs import Index, Promotion, Run, Store, Wanted, promotions
from modelworks.website.feeds._source import Feed, TableCache, entry, entry_of_row

APPROVED, ALL = "approved", "all"
# To line up ten thousand runs takes a second. So long the line is as it was, though runs came or went.
AS_IT_WAS_SECONDS = 10.0
# And so long, where the index knows of no change: of one made by hand within a run it learns when that run is read.
UNCHANGED_SECONDS = 300.0


class Feeds:
    """Feeds over one store, which share the tables that were read last; used by many threads at once."""

    def __init__(self, store: Store, index: Index, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._index, self._clock = store, index, clock
        self._cache = TableCache()
        self._lining_up = threading.Lock()
        self._all: Feed | None = None
        self._since = 0.0
        self._state: str | None = None

    def called(self, name: str) -> Feed:
        """The feed of what is approved, at this moment; or of all runs, at most some seconds ago."""
        if name == APPROVED:
            rows = self._index.select(Wanted(approved=True)).rows
            return Feed([entry_of_row(each, self._store) for each in rows], self._cache)
        if name == ALL:
            return self._everything()
        fail("W217", f"there is no feed called `{name}`", hint=f"there are `{APPROVED}`, `{ALL}`, and one for each run")

    def of_run(self, run: Run) -> Feed:
        """A run by itself."""
        promotion = next((each for each in self.promotions() if each.run == run.key), None)
        return Feed([entry(run.key, run.record, self._store, promotion)], self._cache)

    def promotions(self) -> tuple[Promotion, ...]:
        """Every promotion, the latest put forward first."""
        return promotions(self._index)

    def _everything(self) -> Feed:
        known, state = self._all, self._index.state()
        patience = UNCHANGED_SECONDS if state == self._state else AS_IT_WAS_SECONDS
        if known is not None and self._clock() - self._since < patience:
            return known
        # One lines them up anew, and meanwhile the others read the line as it was.
        if not self._lining_up.acquire(blocking=known is None):
            return known or self._everything()
        try:
            rows = self._index.select().rows
            self._all = made = Feed([entry_of_row(each, self._store) for each in rows], self._cache)
            self._since, self._state = self._clock(), state
        finally:
            self._lining_up.release()
        return made
