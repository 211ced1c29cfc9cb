"""What a hub's own check asks of a file, from its `tasks.json`; written from the Hubverse's documentation alone.

The names are those of the table of checks in the documentation of `hubValidations::validate_submission`. It is in R and
in no registry of ours, so these stand in for it: they know the hub's tasks and the file, and nothing of what wrote it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

STANDARD = ["output_type", "output_type_id", "value"]
DATES = re.compile(r"\d{4}-\d\d-\d\d")


def broken(hub: Path, file: Path, tasks: Mapping[str, Any]) -> list[str]:
    """The checks that a file of a hub fails, each with what is wrong."""
    return list(_of_place(hub, file, tasks)) or list(_of_content(file, tasks))


def _of_place(hub: Path, file: Path, tasks: Mapping[str, Any]) -> Iterator[str]:
    place = file.relative_to(hub).parts
    name = re.fullmatch(r"(\d{4}-\d\d-\d\d)-(\w+-\w+)\.(csv|parquet)", place[-1])
    if name is None:
        yield f"file_name: {place[-1]}"
        return
    if place[:-1] != ("model-output", name[2]):
        yield f"file_location: {place}"
    if name[1] not in _values(tasks["task_ids"][tasks["round_id"]]):
        yield f"round_id_valid: {name[1]}"


def _of_content(file: Path, tasks: Mapping[str, Any]) -> Iterator[str]:
    ids = tasks["task_ids"]
    if file.suffix == ".parquet":
        yield from _of_types(parquet.read_schema(file), ids)
        table = pd.read_parquet(file).astype(dict.fromkeys([*ids, "output_type_id"], "str"))
    else:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    if sorted(table) != sorted([*ids, *STANDARD]):
        yield f"colnames: {list(table)}"
        return
    if set(table[tasks["round_id"]]) != {file.name[:10]}:
        yield "match_round_id"
    for name, said in ids.items():
        wrong = set(table[name]) - set(_values(said))
        if wrong:
            yield f"valid_vals: {name} {wrong}"
    if table.duplicated([*ids, "output_type", "output_type_id"]).any():
        yield "rows_unique"
    values = pd.to_numeric(table["value"], errors="coerce")
    if values.isna().any() or (values < 0).any():
        yield "value_col_valid"
    table = table.assign(value=values)
    if not set(table["output_type"]) <= set(tasks["output_type"]):
        yield "valid_vals: output_type"
    # A day that follows from the others is needed in no combination.
    needs = {name: said["required"] for name, said in ids.items() if said.get("required")}
    for needed in itertools.product(*needs.values()):
        rows = table[(table[list(needs)] == [str(each) for each in needed]).all(axis=1)]
        yield from _of_quantiles(rows, tasks["output_type"].get("quantile"), needed)
    yield from _of_samples(table[table["output_type"] == "sample"], tasks["output_type"].get("sample"), list(ids))


def _of_types(schema: Any, ids: Mapping[str, Any]) -> Iterator[str]:
    """Days are dates and whole numbers 32-bit integers; the rest of the tasks is text, and a value a float."""
    for name, said in ids.items():
        values = [*(said.get("required") or ()), *(said.get("optional") or ())]
        are_days = all(isinstance(each, str) and DATES.fullmatch(each) for each in values)
        wanted = pa.date32() if are_days else pa.int32() if isinstance(values[0], int) else pa.string()
        if schema.field(name).type not in (wanted, pa.large_string() if wanted == pa.string() else wanted):
            yield f"col_types: {name} is {schema.field(name).type}, not {wanted}"
    if schema.field("value").type != pa.float64():
        yield "col_types: value"


def _of_quantiles(rows: pd.DataFrame, asked: Mapping[str, Any] | None, task: tuple[Any, ...]) -> Iterator[str]:
    if asked is None:
        return
    rows = rows[rows["output_type"] == "quantile"].astype({"output_type_id": float})
    if set(rows["output_type_id"]) != set(asked["output_type_id"]["required"]):
        yield f"req_vals: quantiles of {task}"
    if not rows.sort_values("output_type_id")["value"].is_monotonic_increasing:
        yield f"value_col_non_desc: {task}"


def _of_samples(rows: pd.DataFrame, asked: Mapping[str, Any] | None, ids: list[str]) -> Iterator[str]:
    """A sample has one value of each task of the compound set, and all combinations of the others."""
    if asked is None:
        return
    said = asked["output_type_id_params"]
    compound = said["compound_taskid_set"]
    others = [name for name in ids if name not in compound]
    if not rows["output_type_id"].str.fullmatch(r"[1-9]\d*").all():
        yield "valid_vals: a sample's number"
    if (rows.groupby("output_type_id")[compound].nunique() > 1).any(axis=None):
        yield "spl_compound_tid"
    spans = {frozenset(map(tuple, part[others].to_numpy())) for _, part in rows.groupby("output_type_id")}
    if len(spans) > 1:
        yield "spl_non_compound_tid"
    numbers = rows.groupby(compound)["output_type_id"].nunique()
    if not numbers.between(said["min_samples_per_task"], said["max_samples_per_task"]).all():
        yield f"spl_n: {sorted(set(numbers))}"


def _values(said: Mapping[str, Any]) -> list[str]:
    return [str(each) for each in [*(said.get("required") or ()), *(said.get("optional") or ())]]
