"""The one series of a run that stands beside its answer in a list: of what it was fitted to first, with the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelworks.study import stages
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.pages._pages import first_output, observed_table, target_labels
from modelworks.study.projection._scenario_runs import baseline_name

if TYPE_CHECKING:
    import pandas as pd

# A picture of some 200 points across shows no more, and a record is read for every list.
MOST_POINTS = 100
DIGITS = 6


def in_brief(study: BoundStudy, finished: Mapping[str, Path]) -> dict[str, Any] | None:
    """The first target of several moments: its title with unit, moments (`time`, ISO 8601), what the model expects
    (`median`), where 95% of new observations would fall (`low`, `high`), and what was `seen`.

    Of a study without such a target the first output it draws, in the baseline, with the interval of its draws and
    nothing seen; None where it draws no single output, or nothing was projected.
    """
    import pandas as pd

    folder = finished.get(stages.PROJECT)
    if folder is None:
        return None
    expected, new = (pd.read_parquet(folder / f"{name}.parquet") for name in ("fitted", "predictive"))
    for name, label in target_labels(study).items():
        rows, bands = expected[expected["output"] == name], new[new["output"] == name]
        if rows["time"].nunique() > 1:
            seen = observed_table(study)
            told = rows.assign(q025=bands["q025"], q975=bands["q975"])
            mine = seen[seen["output"] == name]
            # Of a limit nobody knows the value.
            return _told(label, told, mine["value"].where(mine["low"] == mine["high"]).tolist())
    found = first_output(study)
    if found is None:
        return None
    name, label = found
    ribbons = pd.read_parquet(folder / "outputs.parquet")
    return _told(label, ribbons[(ribbons["output"] == name) & (ribbons["scenario"] == baseline_name(study))])


def _told(title: str, rows: pd.DataFrame, seen: Sequence[float] = ()) -> dict[str, Any]:
    """Rows of quantiles as a record has them, some where they are many; `seen` is a value for each, if any."""
    order = rows["time"].reset_index(drop=True).sort_values(kind="stable").index
    table = rows.reset_index(drop=True).assign(seen=seen or None).loc[order]
    table = table.iloc[_shown(table["q50"].tolist())]
    told = {"title": title, "time": [f"{moment:%Y-%m-%dT%H:%M}" for moment in table["time"]]}
    names = {"low": "q025", "median": "q50", "high": "q975", "seen": "seen"}
    return told | {name: [_rounded(value) for value in table[column]] for name, column in names.items()}


def _rounded(value: Any) -> float | None:
    import pandas as pd

    return None if pd.isna(value) else float(f"{value:.{DIGITS}g}")


def _shown(median: Sequence[float]) -> list[int]:
    """Which points of a series are kept, in their order: some, evenly spread, with both ends and the highest."""
    step = (len(median) - 1) // MOST_POINTS + 1
    return sorted({*range(0, len(median), step), max(range(len(median)), key=median.__getitem__), len(median) - 1})
