"""The solver's step is settled where the draws are, and what it does to them is part of the verdict."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from modelworks.calibration import Posterior
from modelworks.study import run_study, stages
from modelworks.study.binding._binding import bind
from modelworks.study.projection._step import shorten, step_effect

PEOPLE, FIRST, CONTACTS, RECOVERY = 1e6, 10.0, 3.0, 1.0

STUDY = """
title: A quick epidemic
question: How contagious is it?
model: sir
time: {unit: days, start: 2021-01-01, end: 2021-02-26, every: 7}
calibration: {sampler: nuts, chains: 2, draws: 150, warmup: 150, seed: 4}
"""

# Before the data a slow epidemic was believed in, for which steps of days would do.
PARAMETERS = """
contact_rate: {prior: {log_normal: {median: 1.05, sigma: 1.0}}, unit: per day, source: a test}
recovery_rate: {value: 1.0, unit: per day, source: a test}
population: {value: 1000000, unit: people, source: a test}
first_cases: {value: 10, unit: people, source: a test}
"""


def weekly() -> np.ndarray:
    """New infections of each week, by somebody else's solver."""

    def slope(_: float, here: np.ndarray) -> list[float]:
        infected = CONTACTS * here[0] * here[1] / PEOPLE
        return [-infected, infected - RECOVERY * here[1]]

    found = solve_ivp(slope, (0, 56), [PEOPLE - FIRST, FIRST], t_eval=np.arange(0, 57, 7.0), rtol=1e-10, atol=1e-8)
    return -np.diff(found.y[0])


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    folder = tmp_path / "studies" / "quick"
    folder.mkdir(parents=True)
    (tmp_path / "modelworks.toml").write_text("", encoding="utf-8")
    (tmp_path / "data").mkdir()
    values = ", ".join(f"{np.datetime64('2021-01-01') + 7 * k}: {count:.0f}" for k, count in enumerate(weekly()))
    target = f"cases: {{output: incidence, unit: people, covers: week, source: a test, values: {{{values}}},"
    (folder / "targets.yaml").write_text(f"{target} likelihood: poisson}}\n", encoding="utf-8")
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    (folder / "parameters.yaml").write_text(PARAMETERS, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_calibration_far_from_the_prior_has_steps_of_its_own(quick: Path) -> None:
    """The contact rate that made the data comes out, to within a posterior that is a thousandth of it wide."""
    result = run_study(quick, until=stages.DIAGNOSE, quiet=True)
    assert result.run is not None
    told = json.loads((result.run.path / "calibrate" / "calibration.json").read_text("utf-8"))
    draws = Posterior.read(result.run.path / "calibrate" / "posterior.nc").draws("contact_rate")
    assert abs(draws.mean() - CONTACTS) < 3 * draws.std()
    assert draws.std() < 3e-3
    assert told["solver_shift"] < 0.1
    checks = json.loads((result.run.path / "diagnose" / "diagnosis.json").read_text("utf-8"))["checks"]
    assert [each["verdict"] for each in checks if each["name"] == "solver_steps"] == ["fine"]


@pytest.mark.slow
def test_a_second_calibration_has_what_is_left_of_the_time(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no time limit of its own; where that is too little, the first draws are kept, and the verdict names them."""
    limits: list[UsedUp] = []

    class UsedUp:
        """A time limit that is over as soon as there is a second calibration."""

        def __init__(self, *_: object) -> None:
            limits.append(self)
            self.calibrations = 0

        def goes_on_in(self, _: object) -> None:
            self.calibrations += 1

        def is_over(self) -> bool:
            return self.calibrations > 1

    monkeypatch.setattr(stages, "TimeLimit", UsedUp)
    (quick / "study.yaml").write_text(STUDY.replace("seed: 4", "seed: 4, time_limit: 1 h"), encoding="utf-8")
    result = run_study(quick, until=stages.DIAGNOSE, quiet=True)
    assert [each.calibrations for each in limits] == [2]
    assert result.run is not None
    told = json.loads((result.run.path / "calibrate" / "calibration.json").read_text("utf-8"))
    assert told["draws"] == 150
    assert told["is_short"]
    assert any("no time was left" in each for each in told["warnings"])
    assert result.verdict != "fine"


def test_what_a_step_does_is_measured_and_mended(quick: Path) -> None:
    """Where the draws are, the step of the priors' middle moves the density by far more than the draws differ."""
    study = bind(quick)
    density = stages.log_density(study)
    draws = np.random.default_rng(1).normal(CONTACTS, 5e-4, size=(1, 100))
    posterior = _posterior(draws)
    before = step_effect(density, posterior)
    assert before is not None
    shorten(density.simulator.compiled, before)
    after = step_effect(density, posterior)
    assert after is not None
    assert after.shift < min(0.1, before.shift)
    assert before.matters
    assert not after.matters


def _posterior(draws: np.ndarray) -> Posterior:
    import xarray

    return Posterior({"posterior": xarray.Dataset({"contact_rate": (("chain", "draw"), draws)})}, {})
