"""The tables of a page as files that other programs read; their columns keep their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelworks.report.page import (
    AssumptionRow,
    AvertedRow,
    CheckRow,
    DataRow,
    FitRow,
    ForecastRow,
    Page,
    PosteriorRow,
    QuantityRow,
    RelianceRow,
    ScenarioRow,
    StageRow,
    TargetRow,
    ThresholdRow,
)
from modelworks.runs import no_formula

if TYPE_CHECKING:
    import pandas as pd

# The table's name, which is also the page's attribute, and what one row of it is.
ROWS: dict[str, type[Any]] = {
    "quantities": QuantityRow,
    "reliance": RelianceRow,
    "posterior": PosteriorRow,
    "checks": CheckRow,
    "scenarios": ScenarioRow,
    "averted": AvertedRow,
    "thresholds": ThresholdRow,
    "targets": TargetRow,
    "forecasts": ForecastRow,
    "fits": FitRow,
    "assumptions": AssumptionRow,
    "data": DataRow,
    "stages": StageRow,
}
COLUMN_TYPES = {"str": "string", "float": "float64", "float | None": "float64", "int": "int64", "bool": "bool"}


def tables(page: Page) -> dict[str, pd.DataFrame]:
    """Every table of the page by name, also where it has no row: columns and their types are always the same."""
    return {name: _table(kind, getattr(page, name)) for name, kind in ROWS.items()}


def write_tables(page: Page, folder: Path) -> list[Path]:
    """Each table as CSV (UTF-8, exact floats) and as Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables(page).items():
        _without_formulas(table).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        table.to_parquet(folder / f"{name}.parquet", index=False)
        written += [folder / f"{name}.csv", folder / f"{name}.parquet"]
    return written


def _without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    texts = [str(name) for name, kind in table.dtypes.items() if kind == "string"]
    return table.assign(**{name: table[name].map(no_formula, na_action="ignore") for name in texts})


def _table(kind: type[Any], rows: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    values = [{name: _cell(value) for name, value in asdict(row).items()} for row in rows]
    types = {each.name: COLUMN_TYPES.get(str(each.type), "string") for each in fields(kind)}
    return pd.DataFrame(values, columns=list(types)).astype(types)


def _cell(value: Any) -> Any:
    return "; ".join(value) if isinstance(value, tuple) else value
