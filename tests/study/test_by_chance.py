"""A study whose solver runs by chance: calibrated by particles, and carried through the whole line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, lognorm

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError
from modelworks.study import run_study
from modelworks.study.binding._binding import bind

Decay = Callable[..., Path]

WEEK = "start: 2021-01-01, end: 2021-01-09, every: 1, solver: chain_binomial"
LEFT = [90, 97, 74, 80, 60, 66, 52]
SEEN = ", ".join(f"2021-01-0{day}: {number}" for day, number in enumerate(LEFT, start=1))
MORE = """
calibration: {chains: 2, draws: 150, warmup: 60, seed: 3}
projection: {draws: 100}
scenarios:
  baseline: {title: As it is}
  same: {title: The same again, parameters: {rate: {multiply: 1.0}}}
quantities:
  stay: {title: Mean stay, unit: days, derived: mean_stay}
"""


def exactly(folder: Path) -> Path:
    """Those who left are counted, and the count is right."""
    file = folder / "targets.yaml"
    file.write_text(file.read_text("utf-8").replace("likelihood: poisson", "likelihood: exact"), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_study_by_chance_is_calibrated_and_projected(tmp_path: Path, decay: Decay) -> None:
    """Of those here a binomial number leaves each day, so that the likelihood is in every textbook.

    The model's steps are a day long; the normal likelihood that stands between is as wide as a count is sharp.
    """
    folder = decay(tmp_path, WEEK, more=MORE, values=SEEN)
    file = folder / "targets.yaml"
    text = file.read_text("utf-8").replace("likelihood: poisson", "likelihood: {normal: {sd: 3}}")
    file.write_text(text, encoding="utf-8")
    run = run_study(folder, quiet=True).run
    assert run is not None
    told = json.loads((run.path / "calibrate" / "calibration.json").read_text("utf-8"))
    assert told["sampler"] == "pmmh"
    rates = np.linspace(0.06, 0.16, 1001)
    here = 1000 - np.concatenate([[0], np.cumsum(LEFT)[:-1]])
    leave = -np.expm1(-rates)
    # A count known to within three people moves the rate by far less than its own posterior is wide.
    logs = np.sum([binom.logpmf(n, h, leave) for n, h in zip(LEFT, here, strict=True)], axis=0)
    weights = np.exp(logs - logs.max()) * lognorm.pdf(rates, 0.2, scale=0.1)
    mean = np.average(rates, weights=weights)
    deviation = np.sqrt(np.average((rates - mean) ** 2, weights=weights))
    draws = Posterior.read(run.path / "calibrate" / "posterior.nc").draws("rate")
    assert abs(draws.mean() - mean) < 0.35 * deviation
    assert draws.std() == pytest.approx(deviation, rel=0.25)
    differences = pd.read_parquet(run.path / "project" / "differences.parquet")
    # Scenarios throw the same dice: one that changes nothing differs in nothing.
    assert (differences[["q025", "q50", "q975"]] == 0).all(axis=None)
    quantities = json.loads((run.path / "project" / "quantities.json").read_text("utf-8"))
    assert quantities["stay"]["median"] == pytest.approx(1 / mean, rel=0.1)
    outputs = pd.read_parquet(run.path / "simulate" / "outputs.parquet")
    here_now = outputs[outputs["output"] == "here"]["value"].to_numpy()
    assert (here_now == np.round(here_now)).all()
    assert np.unique(here_now).size > 5


def test_the_observation_that_no_run_can_make_is_told_by_its_date(tmp_path: Path, decay: Decay) -> None:
    """Seven hundred in a day are more than a tenth of a thousand ever is."""
    folder = exactly(decay(tmp_path, WEEK, values="2021-01-01: 90, 2021-01-02: 700"))
    with pytest.raises(ModelworksError) as raised:
        run_study(folder, until="calibrate", quiet=True)
    assert raised.value.codes == ("C505",)
    assert "of the target `left` on 2021-01-0" in str(raised.value)


@pytest.mark.parametrize(
    ("time", "more", "word"),
    [
        (WEEK, "calibration: {sampler: nuts}\n", "runs by chance"),
        (WEEK, "calibration: {sampler: smc}\n", "runs by chance"),
        (f"{WEEK}, step: -1", "", "above zero"),
        (WEEK.replace(", solver: chain_binomial", ""), "calibration: {sampler: pmmh}\n", "does not run by chance"),
    ],
)
def test_solver_and_sampler_that_do_not_go_together_are_told_with_their_line(
    tmp_path: Path, decay: Decay, time: str, more: str, word: str
) -> None:
    with pytest.raises(ModelworksError) as raised:
        bind(decay(tmp_path, time, more=more))
    assert raised.value.codes == ("Y209",)
    assert word in str(raised.value)
    assert "study.yaml" in str(raised.value)
