"""Runs made by hand that differ in what a comparison shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from modelworks.runs import BucketStore, Run, Store


def made_run(store: Store | BucketStore, folder: Path, number: int) -> Run:
    """A run with draws and a series, which lie the higher the larger its number is."""
    for name in ("project", "calibrate", "report/tables"):
        (folder / name).mkdir(parents=True)
    factors = {"q025": 0.8, "q25": 0.9, "q50": 1.0, "q75": 1.1, "q975": 1.2}
    days = pd.date_range("1978-01-22", periods=5)
    level = 100.0 + 10 * number
    rows = pd.DataFrame({"scenario": "baseline", "output": "in_bed", "time": days})
    bands = {quantile: factor * level for quantile, factor in factors.items()}
    rows.assign(**bands).to_parquet(folder / "project" / "outputs.parquet")
    draws = np.random.default_rng(number).normal(size=200)
    pd.DataFrame({"name": "deaths", "draw": range(200), "value": draws}).to_parquet(
        folder / "project" / "quantities.parquet"
    )
    posterior = xr.Dataset({"rate": (("chain", "draw"), draws.reshape(2, 100))})
    posterior.to_netcdf(folder / "calibrate" / "posterior.nc", group="posterior", engine="h5netcdf")
    assumed = f"name,value,unit,source\nrate,{1.5 + 0.1 * number:.1f},per day,Smith 2020\n"
    (folder / "report" / "tables" / "assumptions.csv").write_text(assumed, encoding="utf-8")
    deaths = {"median": 40.0 + number, "low": 30.0, "high": 55.0, "title": "Deaths", "unit": "people"}
    record = {
        "title": "Flu <script>alert(1)</script>",
        "quantities": {"deaths": deaths},
        "in_brief": {
            "title": "In bed (people)", "time": [f"{day:%Y-%m-%dT%H:%M}" for day in days],
            "low": [0.8 * level] * 5, "median": [level] * 5, "high": [1.2 * level] * 5,
            "seen": [0.0, None, 0.6 * level, level, 1.2 * level],
        },
        "parameters": {"rate": {"median": 0.1 * (number + 1), "low": 0.0, "high": 1.0, "unit": "per day"}},
    }  # fmt: skip
    stages = {name: folder / name for name in ("project", "calibrate", "report")}
    return store.publish(("flu", "sir", "england"), stages=stages, record=record)
