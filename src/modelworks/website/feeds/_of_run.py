"""The tables of one run, from what its folder holds: the same numbers as in its report, to the last digit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modelworks.errors import fail
from modelworks.runs import Run
from modelworks.website.feeds._schema import Table

# Kind of series → the file that holds it. What was simulated is told only where nothing was projected.
_SERIES = {
    "projected": "project/outputs.parquet",
    "difference": "project/differences.parquet",
    "ratio": "project/ratios.parquet",
    "fitted": "project/fitted.parquet",
    "predictive": "project/predictive.parquet",
}
_SIMULATED = "simulate/outputs.parquet"


def table_of(run: Run, table: Table) -> pa.Table:
    """A table of one run, with the columns and types that were promised; empty where the run has nothing to say.

    Raises
    ------
    ModelworksError
        W221 where its files are not what a run's files are. A table that lacks some rows without saying so would be
        worse than none.
    """
    try:
        parts = [_shaped(part, table, run.id) for part in _READERS[table.name](run)]
    except (pa.ArrowException, KeyError, TypeError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        hint = f"`modelworks show {run.id}` says what differs; until it is mended, leave the run out: run ne '{run.id}'"
        fail("W221", f"the {table.name} of the run {run.id} can not be read: {said[0]}", hint=hint)
    return pa.concat_tables(parts) if parts else table.arrow().empty_table()


def _shaped(part: pa.Table, table: Table, run: str) -> pa.Table:
    """The promised columns of a part, in their order; what it does not have is empty."""
    columns = []
    for each in table.arrow():
        if each.name == "run":
            column = pa.array([run] * part.num_rows, pa.string())
        elif each.name in part.column_names:
            column = _typed(part.column(each.name), each.type)
        else:
            column = pa.nulls(part.num_rows, each.type)
        columns.append(column)
    return pa.table(columns, schema=table.arrow())


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in its promised type; a number that is none is empty, as no other program has a word for it."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    # Nanoseconds that are no whole microseconds come of the middle between two moments.
    return column.cast(kind, safe=not pa.types.is_timestamp(column.type))


def _file(run: Run, file: str, /, **names: str) -> Iterator[pa.Table]:
    """A table of the run's folder, with some columns under other names; nothing where it is not there."""
    path = run.file(file)
    if path is not None:
        # Half the price of `read_table`, which takes it for one of many.
        with pq.ParquetFile(path) as opened:
            table = opened.read(use_threads=False)
        yield table.rename_columns([names.get(each, each) for each in table.column_names])


def _rows(rows: list[dict[str, Any]]) -> Iterator[pa.Table]:
    if rows:
        yield pa.Table.from_pylist(rows)


def _parameters(run: Run) -> Iterator[pa.Table]:
    assumed = {row["name"]: row for part in _file(run, "tables/assumptions.parquet") for row in part.to_pylist()}
    rows = []
    for name, said in _told(run, "parameters"):
        known = assumed.get(name, {})
        rows.append(
            {
                "parameter": name,
                "unit": said.get("unit") or known.get("unit"),
                "calibrated": "low" in said,
                "value": _number(said.get("value", said.get("median"))),
                "low": _number(said.get("low")),
                "high": _number(said.get("high")),
                "assumed": known.get("value"),
                "meaning": known.get("meaning"),
                "source": known.get("source"),
            }
        )
    yield from _rows(rows)


def _quantities(run: Run) -> Iterator[pa.Table]:
    rows = []
    for name, said in _told(run, "quantities"):
        numbers = {each: _number(said.get(each)) for each in ("median", "low", "high")}
        words = {"title": said.get("title") or name, "unit": said.get("unit"), "text": said.get("text")}
        rows.append({"quantity": name, **words, **numbers})
    yield from _rows(rows)


def _told(run: Run, group: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the record says of each; an older one may say a number alone."""
    for name, said in (run.record.get(group) or {}).items():
        yield name, said if isinstance(said, Mapping) else {"value": said, "median": said}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _series(run: Run) -> Iterator[pa.Table]:
    parts = {kind: part for kind, name in _SERIES.items() for part in _file(run, name)}
    baseline = _baseline(parts)
    for kind, part in parts.items():
        yield _said(part, kind, baseline)
    if not parts:
        for part in _file(run, _SIMULATED, value="q50"):
            yield _said(part, "simulated", "")


def _said(part: pa.Table, kind: str, scenario: str) -> pa.Table:
    """A part of the series with its kind, and a scenario where it has none of its own."""
    told = {"kind": kind} if "scenario" in part.column_names else {"kind": kind, "scenario": scenario}
    for name, text in told.items():
        part = part.append_column(name, pa.array([text] * part.num_rows, pa.string()))
    return part


def _baseline(parts: Mapping[str, pa.Table]) -> str:
    """The scenario from which the others differ: the one of which no difference is told."""
    every, compared = (
        pc.unique(parts[kind]["scenario"]).to_pylist() if kind in parts else [] for kind in ("projected", "difference")
    )
    return next((name for name in every if name not in compared), "")


def _targets(run: Run) -> Iterator[pa.Table]:
    for part in _file(run, "tables/targets.parquet", name="target"):
        for name in {"first", "last"} & set(part.column_names):
            day = part.column(name).cast(pa.string()).cast(pa.date32())
            part = part.set_column(part.schema.get_field_index(name), name, day)
        yield part


_READERS: Mapping[str, Callable[[Run], Iterator[pa.Table]]] = {
    "parameters": _parameters,
    "posterior_summaries": lambda run: _file(run, "tables/posterior.parquet", name="parameter"),
    "quantities": _quantities,
    "series": _series,
    "scenarios": lambda run: _file(run, "tables/scenarios.parquet", name="scenario"),
    "targets": _targets,
}
