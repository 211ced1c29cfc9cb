"""Whatever a run says comes out of OData, CSV and Parquet as it went in, to the last bit and the last letter.

But for one: in CSV, which spreadsheets open, a text that is a formula there has an apostrophe before it.
"""

from __future__ import annotations

import csv as reader
import io
import json
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st

from modelworks.runs import no_formula
from modelworks.website.feeds._export import csv, parquet
from modelworks.website.feeds._query import Query
from modelworks.website.feeds._schema import SERIES
from modelworks.website.feeds._source import Entry, Feed, placed
from modelworks.website.feeds.odata._rows import rows_as_json

# What no text of a study's file holds: half of a letter, and the end of a text in C.
LETTERS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
TEXTS = st.none() | LETTERS | st.from_regex(r"'{0,2}[=+@\t\r\n-]?[\d.e%'-]{0,4}", fullmatch=True)
NUMBERS = st.none() | st.floats(allow_nan=False)
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))
ROWS = st.lists(st.fixed_dictionaries({"output": TEXTS, "time": MOMENTS, "q025": NUMBERS, "q50": NUMBERS}), max_size=5)


class Made:
    """A feed of one table."""

    entries: Sequence[Entry] = ()

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def chunks(self, *_: Any) -> Iterator[pa.Table]:
        yield placed(self._table, "m")


def same(a: float | None, b: float | None) -> bool:
    """The same to the last bit; a zero has a sign."""
    return a == b and (a is None or b is None or math.copysign(1, a) == math.copysign(1, b))


def number(text: Any) -> float | None:
    """A number of JSON or CSV; OData writes what has no end as a text."""
    return None if text in (None, "") else float(str(text).lower())


@given(ROWS)
@example([{"output": None, "time": datetime(2000, 1, 1), "q025": None, "q50": -0.0}])
@example([{"output": text, "time": datetime(2000, 1, 1), "q025": None, "q50": None} for text in ("\n", "+1\n", "-\n")])
def test_what_goes_in_comes_out(rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, SERIES.arrow())
    feed, query = cast(Feed, Made(table)), Query(SERIES)
    assert pq.read_table(io.BytesIO(b"".join(parquet(feed, query)))).to_pylist() == table.to_pylist()
    # `-0` is a number of JSON with a sign, which Python's integers do not have.
    by_json = [json.loads(each, parse_int=float) for each in rows_as_json(table)]
    text = b"".join(csv(feed, query)).decode("utf-8")
    by_csv = list(reader.DictReader(io.StringIO(text, newline="")))
    assert len(by_json) == len(by_csv) == len(rows)
    for row, one, other in zip(rows, by_json, by_csv, strict=True):
        assert one["output"] == row["output"]
        assert other["output"] == no_formula(row["output"] or "")
        for said in (one, other):
            assert datetime.fromisoformat(said["time"]).replace(tzinfo=None) == row["time"]
            assert all(same(number(said[name]), row[name]) for name in ("q025", "q50"))
