"""Tables as CSV and as Parquet, written as they are read: a run at a time, whatever they come to."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from modelworks.runs import FORMULA, MARK, NUMBER_IN_TEXT
from modelworks.website.feeds._moments import iso_8601
from modelworks.website.feeds._query import Query, stream
from modelworks.website.feeds._source import Feed

# Rows that are gathered before they are written: small portions make a large Parquet file.
PORTION_ROWS = 20_000


def csv(feed: Feed, query: Query) -> Iterator[bytes]:
    """CSV in UTF-8 with a head: exact numbers, times in ISO 8601 with their zone, nothing for what is not known.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    first = True
    for portion in _portions(feed, query):
        written = io.BytesIO()
        options = pyarrow.csv.WriteOptions(include_header=first, quoting_style="needed")
        pyarrow.csv.write_csv(_in_text(portion), written, options)
        yield written.getvalue()
        first = False


def parquet(feed: Feed, query: Query) -> Iterator[bytes]:
    """A Parquet file with the types that were promised; what each column means is in its metadata."""
    written = _Drain()
    with pq.ParquetWriter(written, pa.schema([query.table.arrow().field(each) for each in query.columns])) as writer:
        for portion in _portions(feed, query):
            writer.write_table(portion)
            yield written.take()
    yield written.take()


FORMS: Mapping[str, tuple[str, Callable[[Feed, Query], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", csv),
    "parquet": ("application/vnd.apache.parquet", parquet),
}


class _Drain(io.RawIOBase):
    """A file that is taken away as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        self._at += len(self._parts[-1])
        return len(self._parts[-1])

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _portions(feed: Feed, query: Query) -> Iterator[pa.Table]:
    """Rows in portions of some size; at least one, for a table without rows still has its columns."""
    gathered, rows = [query.table.arrow().empty_table().select(query.columns)], 0
    for chunk in stream(feed, query):
        gathered.append(chunk)
        rows += chunk.num_rows
        if rows >= PORTION_ROWS:
            yield pa.concat_tables(gathered)
            gathered, rows = [], 0
    if gathered:
        yield pa.concat_tables(gathered)


def _in_text(table: pa.Table) -> pa.Table:
    for number, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(number, field.name, iso_8601(table.column(number).combine_chunks()))
        elif pa.types.is_string(field.type):
            table = table.set_column(number, field.name, _without_formulas(table.column(number)))
    return table


def _without_formulas(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    is_one = pc.and_not(pc.match_substring_regex(texts, FORMULA), pc.match_substring_regex(texts, NUMBER_IN_TEXT))
    return pc.if_else(is_one, pc.binary_join_element_wise(MARK, texts, ""), texts)
