"""Rows as JSON, as OData writes them: times in ISO 8601 with their zone, `null` for what is not known.

A column is written as a whole by Arrow; row by row, Python would take ten times as long over a page.
"""

from __future__ import annotations

import json
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from modelworks.website.feeds._moments import iso_8601
from modelworks.website.feeds._schema import Table


def rows_as_json(table: pa.Table) -> list[str]:
    """Each row as an object of JSON; a number is written with as few digits as give it back exactly."""
    if table.num_rows == 0:
        return []
    parts: list[pa.Array | str] = []
    for number, name in enumerate(table.column_names):
        parts += [f"{',' if number else '{'}{json.dumps(name)}:", pc.fill_null(_written(table.column(name)), "null")]
    found: list[str] = pc.binary_join_element_wise(*parts, "}", "").to_pylist()
    return found


def addresses(rows: pa.Table, table: Table, root: str) -> pa.Array:
    """Where each row is found by its key, as in `…/scenarios(run='7f3a21',scenario='baseline')`."""
    parts: list[pa.Array | str] = []
    for number, name in enumerate(table.key):
        parts += [f"{',' if number else ''}{name}=", _in_an_address(rows.column(name))]
    return pc.binary_join_element_wise(f"{root}/{table.name}(", *parts, ")", "")


def _in_an_address(column: pa.ChunkedArray) -> pa.Array:
    values = column.combine_chunks()
    if pa.types.is_timestamp(values.type):
        return iso_8601(values)
    coded = values.dictionary_encode()
    texts = [quote("'" + each.replace("'", "''") + "'", safe="'") for each in coded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(coded.indices)


def _written(column: pa.ChunkedArray) -> pa.Array:
    """The values of a column as JSON, each a text."""
    values = column.combine_chunks()
    if pa.types.is_string(values.type):
        # The few texts of a column stand in many of its rows.
        coded = values.dictionary_encode()
        texts = [json.dumps(each, ensure_ascii=False) for each in coded.dictionary.to_pylist()]
        return pa.array(texts, pa.string()).take(coded.indices)
    if pa.types.is_timestamp(values.type):
        return _quoted(iso_8601(values))
    text = values.cast(pa.string())
    if pa.types.is_date(values.type):
        return _quoted(text)
    if pa.types.is_floating(values.type):
        # JSON has no word for what is not finite; OData's are texts.
        return pc.if_else(pc.is_finite(values), text, pc.if_else(pc.greater(values, 0), '"INF"', '"-INF"'))
    return text


def _quoted(text: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', text, '"', "")
