"""The forecasts of a run as a file of a hub's `model-output`, as the Hubverse's documentation defines it.

Of each target, location and horizon the quantiles at the levels asked for, and samples. Samples of one number are one
trajectory over the horizons; targets are drawn together too, but bear numbers of their own, as hubs ask for whose
`compound_taskid_set` has the target in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelworks.errors import ModelworksError, disk_letter, fail
from modelworks.runs import Origin, Run, write_with_origin

if TYPE_CHECKING:
    import pandas as pd

# The names that hubs give to the day a forecast counts from, and to the day it is for.
FROM_DAY = ("reference_date", "origin_date", "forecast_date")
FOR_DAY = ("target_end_date", "target_date")
DAYS = (*FROM_DAY, *FOR_DAY)
OUTPUT_COLUMNS = ("output_type", "output_type_id", "value")
Form = Literal["csv", "parquet"]


def export_hubverse(run: Run, hub: Path, form: Form = "csv") -> Path:
    """Write the forecasts of a run into the folder `model-output` of a hub; gives the file.

    Its name is `REFERENCE_DATE-MODEL_ID.csv`, in a folder of the model's own. A file that is there is not replaced.

    Raises
    ------
    ModelworksError
        R162 where the run has no forecasts, R163 where the file is there already, Y119 where it can not be written.
    """
    asked, table = forecasts_of(run)
    folder = hub / "model-output" / asked["model_id"]
    file: Path = folder / f"{asked['reference_date']}-{asked['model_id']}.{form}"
    if file.exists():
        fail(
            "R163", f"{file} is there already", hint="remove it, or name another folder: a hub keeps what was handed in"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form == "csv":
            table.to_csv(file, index=False, lineterminator="\n")
        else:
            _typed(table).to_parquet(file, index=False)
            write_with_origin(file.read_bytes(), file, Origin.of(run, "project/forecasts.parquet"))
    except OSError as error:
        raise ModelworksError([disk_letter(error, file)]) from error
    return file


def forecasts_of(run: Run) -> tuple[dict[str, Any], pd.DataFrame]:
    """Under which names a run hands its forecasts to a hub, and all of them, one a row."""
    import pandas as pd

    settings, draws = run.file("project/forecasts.json"), run.file("project/forecasts.parquet")
    if settings is None or draws is None:
        fail(
            "R162",
            f"the run {run.id} has no forecasts for a hub",
            hint="write `hub:` into study.yaml (`model_id`, `reference_date`, `location`, `horizons`, `targets`), and "
            "run the study again",
        )
    asked = dict(json.loads(settings.read_text(encoding="utf-8")))
    rows = pd.DataFrame(list(_rows(asked, pd.read_parquet(draws))))
    # One column holds levels and numbers of samples: text takes both, in every round of a hub.
    return asked, rows[[*asked["columns"], *OUTPUT_COLUMNS]].astype({"output_type_id": "string"})


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """With days as days and horizons as 32-bit integers: the types that a hub's check derives from its tasks."""
    days = {name: table[name].map(date.fromisoformat) for name in table.columns if name in DAYS}
    kinds = {"horizon": "int32"} if "horizon" in table else {}
    return table.assign(**days).astype(kinds)


def _rows(asked: Mapping[str, Any], draws: pd.DataFrame) -> Iterator[dict[str, Any]]:
    levels, number = asked["levels"], asked["samples"]
    targets = list(dict.fromkeys(draws["target"]))
    for _, part in draws.groupby(["target", "horizon"], sort=False):
        target, horizon, day = (part[name].iloc[0] for name in ("target", "horizon", "date"))
        task = _task(asked, str(target), int(horizon), str(day)[:10])
        values = part.sort_values("draw")["value"].to_numpy(float)
        for level, value in zip(levels, np.quantile(values, levels), strict=True):
            yield {**task, "output_type": "quantile", "output_type_id": f"{level:g}", "value": float(value)}
        chosen = np.unique(np.linspace(0, len(values) - 1, min(number, len(values))).round().astype(int))
        first = 1 + targets.index(target) * len(chosen)
        for k, value in enumerate(values[chosen]):
            yield {**task, "output_type": "sample", "output_type_id": str(first + k), "value": float(value)}


def _task(asked: Mapping[str, Any], target: str, horizon: int, day: str) -> dict[str, Any]:
    """What is foretold, under every name that a hub may give its columns."""
    task: dict[str, Any] = {"target": target, "horizon": horizon, "location": asked["location"]}
    task |= dict.fromkeys(FROM_DAY, asked["reference_date"])
    return task | dict.fromkeys(FOR_DAY, day)
