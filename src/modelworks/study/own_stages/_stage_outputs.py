"""What a stage of the team's own has written: read as what it was declared to be, and judged like our own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics import diagnose_draws
from modelworks.errors import ModelworksError, fail
from modelworks.inputs import StageEntry
from modelworks.report import words

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

QUANTITIES, DIAGNOSIS = "quantities.json", "diagnosis.json"
# Columns that say of a draw what no parameter does, by the names that samplers give them.
_STATISTICS = {"lp": "lp", "lp__": "lp", "log_density": "lp", "diverging": "diverging", "divergent__": "diverging"}
_CONFUSION = ("actual", "predicted", "count")
_PNG = b"\x89PNG\r\n\x1a\n"
_FEWEST_DRAWS = 4


@dataclass(frozen=True)
class Draws:
    """Draws of a sampler that is not ours, each array (chain, draw)."""

    parameters: Mapping[str, Array]
    statistics: Mapping[str, NDArray[Any]]


def check_outputs(entry: StageEntry, folder: Path) -> None:
    """Read everything that a stage has written, and leave beside it what is judged of it.

    Raises
    ------
    ModelworksError
        Y605 for a file that is not what it was declared to be.
    """
    place = entry.place("outputs")
    try:
        _check(entry, folder)
    except ModelworksError as error:
        raise ModelworksError(letter.at(*place) for letter in error.letters) from error


def _check(entry: StageEntry, folder: Path) -> None:
    name = entry.output("metrics")
    if name is not None:
        numbers = read_metrics(folder / name)
        _write(folder / QUANTITIES, {f"{entry.name}.{name}": each for name, each in numbers.items()})
    name = entry.output("posterior")
    if name is not None:
        _write(folder / DIAGNOSIS, _judged(read_draws(folder / name)))
    name = entry.output("confusion_matrix")
    if name is not None:
        read_confusion(folder / name)
    for name in entry.outputs.get("tables", ()):
        read_table(folder / name)
    for name in entry.outputs.get("figures", ()):
        check_figure(folder / name)


def _judged(draws: Draws) -> dict[str, Any]:
    found: dict[str, Any] = diagnose_draws(draws.parameters, draws.statistics).as_dict()
    return found


def read_metrics(path: Path) -> dict[str, dict[str, Any]]:
    """Numbers by name, as a run holds its quantities; a name within a name is joined by a dot.

    A number may say more of itself: `{"value": 0.93, "low": 0.9, "high": 0.95, "unit": "proportion", "title": …}`.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        _wrong(path, f"is no JSON: {error}", 'write an object of numbers, as in {"accuracy": 0.93}')
    if not isinstance(said, dict) or not said:
        _wrong(path, "holds no object of names and numbers", 'write it as in {"accuracy": 0.93}')
    return dict(_numbers(path, said, ""))


def _numbers(path: Path, said: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in said.items():
        full = f"{prefix}{name}"
        if isinstance(value, dict) and "value" not in value:
            yield from _numbers(path, value, f"{full}.")
            continue
        told = value if isinstance(value, dict) else {"value": value}
        # R writes a single number as a list of one, where nobody asks it not to.
        middle, low, high = (_single(told.get(each)) for each in ("value", "low", "high"))
        if not _is_number(middle) or not all(each is None or _is_number(each) for each in (low, high)):
            _wrong(
                path,
                f"says `{full}` is {str(value)[:40]}, which is no finite number",
                "metrics are numbers, by which runs are compared; anything else goes into another file under `files`",
            )
        text = (
            words.rounded(middle)
            if low is None or high is None
            else f"{words.rounded(middle)} ({words.rounded(low)} to {words.rounded(high)})"
        )
        yield full, {
            "title": str(told.get("title") or ""), "unit": str(told.get("unit") or ""),
            "median": float(middle), "low": low, "high": high, "text": text,
        }  # fmt: skip


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_draws(path: Path) -> Draws:
    """Draws from a table with a row for each: `chain`, `draw`, and a column of each parameter.

    Also one with the columns `parameter` and `value`, and a row for each parameter of each draw.
    """
    table = read_table(path).rename(columns=lambda name: str(name).removeprefix("."))
    hint = "write a column `chain`, a column `draw`, and one of numbers for each parameter"
    missing = [name for name in ("chain", "draw") if name not in table.columns]
    if missing:
        _wrong(path, f"has no column `{missing[0]}`", hint)
    if {"parameter", "value"} <= set(table.columns):
        if table.duplicated(["chain", "draw", "parameter"]).any():
            _wrong(path, "has a draw of a parameter twice", hint)
        table = table.pivot(index=["chain", "draw"], columns="parameter", values="value").reset_index()
    table = table.drop(columns="iteration", errors="ignore").sort_values(["chain", "draw"], kind="stable")
    if table.duplicated(["chain", "draw"]).any():
        _wrong(path, "has the same draw of a chain twice", "number the draws of each chain")
    sizes = table.groupby("chain").size()
    if sizes.nunique() != 1 or sizes.iloc[0] < _FEWEST_DRAWS:
        told = ", ".join(f"{number:,}" for number in sizes)
        _wrong(
            path,
            f"has chains of {told or 'no'} draws",
            f"every chain has the same number, {_FEWEST_DRAWS} or more",
        )
    shape = (len(sizes), int(sizes.iloc[0]))
    found: dict[str, Array] = {}
    statistics: dict[str, NDArray[Any]] = {}
    for name in table.columns.drop(["chain", "draw"]):
        values = _as_numbers(path, table, name)
        kind = _STATISTICS.get(name)
        if kind is None:
            found[str(name)] = values.reshape(shape)
        else:
            statistics[kind] = (values != 0 if kind == "diverging" else values).reshape(shape)
    if not found:
        _wrong(path, "has no column of a parameter", hint)
    return Draws(found, statistics)


def read_confusion(path: Path) -> pd.DataFrame:
    """How many of each actual class were taken for which: columns actual, predicted (text), count (from 0)."""
    table = read_table(path)
    missing = [name for name in _CONFUSION if name not in table.columns]
    hint = "write a row for each pair of classes, with the columns `actual`, `predicted` and `count`"
    if missing:
        _wrong(path, f"has no column `{missing[0]}`", hint)
    counts = _as_numbers(path, table, "count")
    if (counts < 0).any() or table.duplicated(["actual", "predicted"]).any() or table.empty:
        _wrong(path, "has a pair twice, a count below 0, or no row", hint)
    return table.assign(actual=table["actual"].astype(str), predicted=table["predicted"].astype(str), count=counts)


def _as_numbers(path: Path, table: pd.DataFrame, name: str) -> Array:
    try:
        values = table[name].to_numpy(dtype=float)
    except (TypeError, ValueError):
        _wrong(
            path,
            f"holds something in `{name}` that is no number",
            "write numbers with a point, and nothing else",
        )
    if not np.isfinite(values).all():
        _wrong(path, f"has a gap, or a number that is not finite, in `{name}`", "leave out what is not known")
    return np.asarray(values, dtype=float)


def read_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        said = str(error).strip().splitlines()
        _wrong(
            path,
            f"is no table that can be read: {said[0] if said else type(error).__name__}",
            "look at the file",
        )


def check_figure(path: Path) -> None:
    """A figure is what its name says, and whole: nothing of it lies elsewhere."""
    content = path.read_bytes()
    if path.suffix == ".png" and not content.startswith(_PNG):
        _wrong(path, "is no PNG picture", "save it as PNG, not another kind under that name")
    if path.suffix == ".svg" and b"<svg" not in content[:4000]:
        _wrong(path, "is no SVG drawing", "save it as SVG, not another kind under that name")
    if path.suffix == ".json":
        _check_vega(path, content)


def _check_vega(path: Path, content: bytes) -> None:
    import vl_convert

    try:
        spec = json.loads(content)
        if "url" in json.dumps(spec.get("data", {})):
            _wrong(path, "fetches its data", "write the data into it, so that it can be drawn without a network")
        vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    except (ValueError, AttributeError) as error:
        _wrong(path, f"is no Vega-Lite: {str(error)[:200]}", "try it in the editor at vega.github.io/editor")


def _wrong(path: Path, what: str, hint: str) -> NoReturn:
    fail("Y605", f"`{path.name}` {what}", hint=hint)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
