"""The feeds of a workspace: what is stood behind, all runs, and each run by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from modelworks.errors import fail
from modelworks.runs import Index, Promotion, Run, Store, Wanted, promotions
from modelworks.website.feeds._source import Entry, Feed, TableCache, entry, entry_of_row

APPROVED, ALL = "approved", "all"
# To line up ten thousand runs takes a second. So long the line is as it was, though runs came or went.
AS_IT_WAS_SECONDS = 10.0
# And so long, where the index knows of no change: of one made by hand within a run it learns when that run is read.
UNCHANGED_SECONDS = 300.0


@dataclass(frozen=True)
class _Line:
    """All runs as they were lined up at a moment, none told as approved, and the place of each."""

    feed: Feed
    places: Mapping[str, int]
    state: str | None
    since: float


@dataclass(frozen=True)
class _Told:
    """The feed of such a line with what was approved, as it was told at a moment."""

    line: _Line
    approved: Mapping[str, Entry]
    feed: Feed
    state: str | None
    since: float


class Feeds:
    """Feeds over one store, which share the tables that were read last; used by many threads at once."""

    def __init__(self, store: Store, index: Index, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._index, self._clock = store, index, clock
        self._cache = TableCache()
        self._lining_up = threading.Lock()
        self._line: _Line | None = None
        self._told: _Told | None = None

    def called(self, name: str) -> Feed:
        """The feed of what is approved, or of all runs.

        What is approved is told as it stands at this moment in both; other runs of the feed of all may have come or
        gone some seconds ago.
        """
        if name == APPROVED:
            return Feed(list(self._approved().values()), self._cache)
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

    def _approved(self) -> Mapping[str, Entry]:
        """The runs that are stood behind at this moment, the latest first, by key."""
        rows = self._index.select(Wanted(approved=True)).rows
        return {each.key: entry_of_row(each, self._store) for each in rows}

    def _everything(self) -> Feed:
        with self._index.as_now():
            state, told, now = self._index.state(), self._told, self._clock()
            if told is not None and told.state == state and now - told.since < AS_IT_WAS_SECONDS:
                return told.feed
            approved = self._approved()
            line = self._lined_up(state, approved)
        if told is None or told.line is not line or told.approved != approved:
            feed = line.feed.but_for({line.places[key]: each for key, each in approved.items() if key in line.places})
        else:
            feed = told.feed
        self._told = _Told(line, approved, feed, state, now)
        return feed

    def _lined_up(self, state: str | None, needed: Collection[str]) -> _Line:
        """All runs, as they were some seconds ago at most; those that are needed are among them."""
        known = self._line
        if known is not None and self._will_do(known, state, needed):
            return known
        lacks = known is None or not known.places.keys() >= set(needed)
        # One lines them up anew, and meanwhile the others read the line as it was.
        if not self._lining_up.acquire(blocking=lacks) and known is not None:
            return known
        try:
            made = self._line
            if made is None or not self._will_do(made, state, needed):
                entries = [entry_of_row(each, self._store, promoted=False) for each in self._index.select().rows]
                places = {each.row["key"]: place for place, each in enumerate(entries)}
                self._line = made = _Line(Feed(entries, self._cache), places, state, self._clock())
        finally:
            self._lining_up.release()
        return made

    def _will_do(self, line: _Line, state: str | None, needed: Collection[str]) -> bool:
        patience = UNCHANGED_SECONDS if state == line.state else AS_IT_WAS_SECONDS
        return self._clock() - line.since < patience and line.places.keys() >= set(needed)
