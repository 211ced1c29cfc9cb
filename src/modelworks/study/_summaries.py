"""What a stage found, in a table short enough for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from modelworks.calibration import Posterior
from modelworks.diagnostics import summary
from modelworks.report import words
from modelworks.study import stages
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.own_stages._stage_outputs import QUANTITIES
from modelworks.study.own_stages._stage_study import Study
from modelworks.study.pages._pages import shown_units

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def table_of(study: Study, until: str, finished: Mapping[str, Path]) -> Table | None:
    """The header and rows that say what came of the last stage; the report says it by itself."""
    if until in study.inputs.study.stages:
        return _metrics(finished[until])
    if not isinstance(study, BoundStudy):
        return None
    if until == stages.SIMULATE:
        return _outputs(study, finished[until])
    if until == stages.CALIBRATE:
        return _posterior(study, finished[until])
    if until == stages.DIAGNOSE:
        return _checks(finished[until])
    if until == stages.PROJECT:
        return _quantities(finished[until])
    return None


def _outputs(study: BoundStudy, folder: Path) -> Table:
    import pandas as pd

    values = pd.read_parquet(folder / "outputs.parquet")
    rows: list[tuple[str, ...]] = []
    units = shown_units(study)
    for name in study.model.series:
        one = values[values["output"] == name]
        if one.empty:  # an output by strata has a column for each; its table is in the run
            continue
        series, times = one["value"].to_numpy(dtype=float), one["time"].to_numpy(dtype="datetime64[D]")
        top = int(series.argmax())
        rows.append((name, words.rounded(series[top]), str(times[top]), words.rounded(series[-1]), units[name]))
    return ("output", "highest", "on", "last", "unit"), rows


def _posterior(study: BoundStudy, folder: Path) -> Table:
    posterior = Posterior.read_once(folder / "posterior.nc")
    rows: list[tuple[str, ...]] = [
        (
            row.name,
            words.rounded(row.q50),
            f"{words.rounded(row.q025)} to {words.rounded(row.q975)}",
            study.entry(row.name).unit,
            f"{row.r_hat:.3f}",
            f"{min(row.ess_bulk, row.ess_tail):.0f}",
        )
        for row in summary({name: np.asarray(posterior.draws(name)) for name in study.free})
    ]
    return ("parameter", "median", "95% interval", "unit", "R-hat", "effective draws"), rows


def _checks(folder: Path) -> Table:
    checks = json.loads((folder / "diagnosis.json").read_text(encoding="utf-8"))["checks"]
    rows: list[tuple[str, ...]] = [(c["verdict"], c["title"], c["reason"]) for c in checks]
    return ("verdict", "question", "answer"), rows


def _metrics(folder: Path) -> Table | None:
    """The metrics of a stage of the team's own, where it has some."""
    if not (folder / QUANTITIES).is_file():
        return None
    metrics = json.loads((folder / QUANTITIES).read_text(encoding="utf-8"))
    return ("metric", "value", "unit"), [(name, each["text"], each["unit"]) for name, each in metrics.items()]


def _quantities(folder: Path) -> Table:
    quantities = json.loads((folder / "quantities.json").read_text(encoding="utf-8"))
    rows: list[tuple[str, ...]] = [(name, q["text"], q["unit"] or "", q["title"]) for name, q in quantities.items()]
    return ("quantity", "median (95% interval)", "unit", "what it is"), rows
