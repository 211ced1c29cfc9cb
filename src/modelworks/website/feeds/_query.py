"""Which rows of a table are wanted, in which order, and where one goes on: a page at a time, in bounded memory."""

from __future__ import annotations

import base64
import binascii
import bisect
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from modelworks.errors import fail
from modelworks.website.feeds._schema import RUNS, Table
from modelworks.website.feeds._source import MOMENT, ROW, Entry, Feed, placed
from modelworks.website.feeds.expressions import Expression, Order, column_of, conditions, properties, rows_that

PAGE_ROWS = 1000
MOST_PAGE_ROWS = 10_000
# A page looks into so many runs and is then shorter, or empty: whoever reads on gets the rest.
RUNS_A_PAGE = 200
# What needs all rows at once, an order or a count, may ask so many runs.
RUNS_AT_ONCE = 2000
MOST_SKIPPED = 100_000
# So many rows are gathered before those that come first are picked.
STRETCH_ROWS = 50_000
# No moment is as late, and no run has as many rows.
BEFORE_ALL, LAST_ROW = "~", 2**62


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last row's values of what rows are ordered by, its run and its row there.

    `skip` rows are still to be left out and `left` rows still wanted (None: all).
    """

    moment: str
    row: int
    keys: tuple[Any, ...] = ()
    skip: int = 0
    left: int | None = None

    def as_text(self) -> str:
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> Place:
        """The place of a `$skiptoken`; W215 for one that is not ours."""
        try:
            said = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            place = cls(**{**said, "keys": tuple(said["keys"])})
            sound = isinstance(place.moment, str) and all(map(_counts, (place.row, place.skip, place.left or 0)))
        except (ValueError, TypeError, KeyError, binascii.Error):
            sound = False
        if not sound:
            fail("W215", "the $skiptoken is none of ours", hint="follow `@odata.nextLink` as it was given, unchanged")
        return place


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a table: `select` names columns (none: all); `top` is None where all rows are wanted."""

    table: Table
    where: Expression | None = None
    order: tuple[Order, ...] = ()
    select: tuple[str, ...] = ()
    skip: int = 0
    top: int | None = None
    after: Place | None = None

    @property
    def columns(self) -> list[str]:
        return [each.name for each in self.table.columns if not self.select or each.name in self.select]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next ones are; None at the end."""

    rows: pa.Table
    next: Place | None


def page(feed: Feed, query: Query, size: int = PAGE_ROWS) -> Page:
    """The rows asked for that come first, or next after where the last page ended."""
    return _ordered(feed, query, size) if query.order else _in_turn(feed, query, size)


def count(feed: Feed, query: Query) -> int:
    """How many rows there are, whatever page one is on."""
    if query.where is None and query.table is not RUNS:
        return sum(feed.cache.rows(each, query.table) for each in _at_once(feed, query))
    return sum(_filtered(each, query).num_rows for each in feed.chunks(query.table, _at_once(feed, query)))


def stream(feed: Feed, query: Query) -> Iterator[pa.Table]:
    """All rows, a run at a time, in the order of runs."""
    for chunk in feed.chunks(query.table, _asked_for(query, feed.entries)):
        yield _filtered(chunk, query).select(query.columns)


# -- in the order of runs --------------------------------------------------------------------------------


def _in_turn(feed: Feed, query: Query, size: int) -> Page:
    start = query.after or Place(BEFORE_ALL, -1, skip=query.skip, left=query.top)
    wanted = size if start.left is None else min(size, start.left)
    runs = _asked_for(query, feed.entries)
    # The latest come first.
    runs = runs[bisect.bisect_left(runs, True, key=lambda each: _goes_on(each, start)) :]
    looked = runs if query.table is RUNS else runs[:RUNS_A_PAGE]
    # One row more than is shown says whether there is a next page.
    chunks = enumerate(feed.chunks(query.table, looked))
    # Only in the first chunk there are rows of before.
    found = _first(
        (_filtered(chunk if number else _after(chunk, start), query) for number, chunk in chunks),
        start.skip + wanted + 1,
        query.table,
    )
    shown = found.slice(start.skip, wanted)
    left = None if start.left is None else start.left - shown.num_rows
    goes_on: Place | None = None
    if left != 0 and found.num_rows > start.skip + wanted:
        goes_on = Place(*_stand(shown), left=left)
    elif left != 0 and len(looked) < len(runs):
        goes_on = Place(looked[-1].moment, LAST_ROW, skip=max(start.skip - found.num_rows, 0), left=left)
    return Page(shown.select(query.columns), goes_on)


def _goes_on(run: Entry, start: Place) -> bool:
    """Whether a run has rows after a place."""
    return run.moment < start.moment or (run.moment == start.moment and start.row < LAST_ROW)


def _first(chunks: Iterator[pa.Table], number: int, table: Table) -> pa.Table:
    """So many rows from the beginning, or all there are; no chunk is made that is not needed."""
    parts: list[pa.Table] = []
    for chunk in chunks:
        parts.append(chunk.slice(0, number))
        number -= parts[-1].num_rows
        if number == 0:
            break
    return pa.concat_tables(parts) if parts else placed(table.arrow().empty_table(), "")


def _after(chunk: pa.Table, start: Place) -> pa.Table:
    moment, row = chunk[MOMENT], chunk[ROW]
    later = pc.and_(pc.equal(moment, start.moment), pc.greater(row, start.row))
    return chunk.filter(pc.or_(pc.less(moment, start.moment), later))


def _stand(rows: pa.Table) -> tuple[str, int]:
    """Where the last of some rows stands."""
    return rows[MOMENT][-1].as_py(), rows[ROW][-1].as_py()


# -- in an order of one's own ----------------------------------------------------------------------------


def _ordered(feed: Feed, query: Query, size: int) -> Page:
    """The first rows after a place: of each stretch only those are kept that can still be among them."""
    start = query.after or Place("", 0, skip=query.skip, left=query.top)
    if start.skip > MOST_SKIPPED:
        fail("W216", f"$skip is {start.skip:,}, of ordered rows", hint="follow `@odata.nextLink`, or filter")
    wanted = size if start.left is None else min(size, start.left)
    number = start.skip + wanted + 1
    best: pa.Table | None = None
    for chunk in feed.chunks(query.table, _at_once(feed, query)):
        rows = _with_keys(_filtered(chunk, query), query.order)
        if query.after is not None:
            rows = rows.filter(_beyond(rows, query.after, query.order))
        best = rows if best is None else pa.concat_tables([best, rows])
        if best.num_rows > 2 * number + STRETCH_ROWS:
            best = _sorted(best, query.order).slice(0, number)
    if best is None:
        return Page(query.table.arrow().empty_table().select(query.columns), None)
    best = _sorted(best, query.order)
    shown = best.slice(start.skip, wanted)
    left = None if start.left is None else start.left - shown.num_rows
    goes_on = None
    if left != 0 and best.num_rows > start.skip + wanted:
        keys = tuple(shown[name][-1].as_py() for name in _key_names(query.order))
        goes_on = Place(*_stand(shown), keys, left=left)
    return Page(shown.select(query.columns), goes_on)


def _key_names(order: Sequence[Order]) -> list[str]:
    """Two columns for each of what rows are ordered by: whether there is a value (none comes first), and the value."""
    return [f"_key{number}{part}" for number in range(len(order)) for part in ("known", "value")]


def _with_keys(rows: pa.Table, order: Sequence[Order]) -> pa.Table:
    columns = [part for each in order for part in _key(column_of(each.by, rows))]
    for name, column in zip(_key_names(order), columns, strict=True):
        rows = rows.append_column(name, column)
    return rows


def _key(values: pa.ChunkedArray | pa.Array) -> Iterator[pa.ChunkedArray | pa.Array]:
    """Values as numbers or texts that JSON can hold and that stand in the same order."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    elif pa.types.is_null(values.type) or pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    elif pa.types.is_date(values.type):
        values = values.cast(pa.int32())
    if pa.types.is_timestamp(values.type) or pa.types.is_integer(values.type):
        values = values.cast(pa.int64())
    yield pc.is_valid(values).cast(pa.int8())
    yield pc.fill_null(values, "" if pa.types.is_string(values.type) else 0)


def _directions(order: Sequence[Order]) -> list[bool]:
    """Whether each column of the keys falls, then the run's moment, then the row."""
    return [*(each.descending for each in order for _ in range(2)), True, False]


def _sorted(rows: pa.Table, order: Sequence[Order]) -> pa.Table:
    names = [*_key_names(order), MOMENT, ROW]
    words = ["descending" if falls else "ascending" for falls in _directions(order)]
    return rows.sort_by(list(zip(names, words, strict=True)))


def _beyond(rows: pa.Table, after: Place, order: Sequence[Order]) -> Any:
    """Which rows come after a place, in the order of all columns of the key together."""
    names, values = [*_key_names(order), MOMENT, ROW], [*after.keys, after.moment, after.row]
    if len(names) != len(values):
        fail(
            "W215", "the $skiptoken is of another $orderby", hint="follow `@odata.nextLink` as it was given, unchanged"
        )
    beyond, same = pa.scalar(False), pa.scalar(True)
    try:
        for name, value, falls in zip(names, values, _directions(order), strict=True):
            one = pa.scalar(value, rows.schema.field(name).type)
            further = (pc.less if falls else pc.greater)(rows[name], one)
            beyond, same = pc.or_(beyond, pc.and_(same, further)), pc.and_(same, pc.equal(rows[name], one))
    except (pa.ArrowException, TypeError):
        fail(
            "W215", "the $skiptoken is of another $orderby", hint="follow `@odata.nextLink` as it was given, unchanged"
        )
    return beyond


# -- which runs and which rows ---------------------------------------------------------------------------


def _asked_for(query: Query, entries: Sequence[Entry]) -> Sequence[Entry]:
    """The runs that can have such rows: a condition on the run alone is asked of no table."""
    of_run = [each for each in _conditions(query) if set(properties(each)) == {"run"}]
    if not of_run:
        return entries
    runs = pa.table({"run": pa.array([each.id for each in entries], pa.string()), "at": pa.array(range(len(entries)))})
    for each in of_run:
        runs = rows_that(each, runs)
    return [entries[at] for at in runs["at"].to_pylist()]


def _conditions(query: Query) -> Iterator[Expression]:
    return iter(()) if query.where is None or query.table is RUNS else conditions(query.where)


def _at_once(feed: Feed, query: Query) -> Sequence[Entry]:
    """The runs that are asked together; W216 where they are too many for that."""
    found = _asked_for(query, feed.entries)
    if query.table is not RUNS and len(found) > RUNS_AT_ONCE:
        fail(
            "W216",
            f"{len(found):,} runs would have to be read at once",
            hint="say which, as in $filter=run eq '7f3a21'; or leave out $orderby and $count, and read page by page",
        )
    return found


def _filtered(chunk: pa.Table, query: Query) -> pa.Table:
    return chunk if query.where is None else rows_that(query.where, chunk)
