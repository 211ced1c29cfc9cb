"""A calibration that was killed goes on where it was, and gives what it would have given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.calibration.killed import SETTINGS, counted
from tests.calibration.test_calibrate import density
from tests.calibration.test_pmmh import density as by_chance

from modelworks.calibration import LogDensity, Settings, calibrate
from modelworks.calibration._estimate import Estimates
from modelworks.calibration.samplers import AUTO, SAMPLERS
from modelworks.runs import Ledger

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [AUTO, *SAMPLERS])
def test_killed_again_and_again_it_gives_the_same_draws(sampler: str, tmp_path: Path) -> None:
    """Each sampler by SIGKILL, in the search, the warm-up and the draws, on one core and on two.

    The last process hardly has to run the model any more.
    """
    program = [sys.executable, "-m", "tests.calibration.killed", str(tmp_path), sampler]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["same_draws"]
    assert report["same_attributes"]
    whole, continued = report["runs"]
    assert continued < whole - 0.4 * sum(report["killed_at"]) + report["failed"]


@pytest.mark.parametrize("sampler", ["demcz", pytest.param("nuts", marks=pytest.mark.slow)])
def test_more_draws_are_those_there_were_and_further_ones(sampler: str, tmp_path: Path) -> None:
    """Who asks for more later pays for what is new."""
    found, runs = [], []
    for draws in (60, 90):
        target, model = counted(sampler, None)
        with Ledger(tmp_path / "a.ledger") as ledger:
            settings = Settings(sampler, **{**SETTINGS, "draws": draws, "enough": None})
            found.append(calibrate(target, settings, None, ledger))
        runs.append(next(model.runs))
    for name in found[0].parameters:
        np.testing.assert_array_equal(found[0].draws(name), found[1].draws(name)[:, :60])
    # The runs behind predictions are made again.
    assert runs[1] < runs[0]


def test_a_calibration_with_a_memory_is_that_without(tmp_path: Path) -> None:
    settings = Settings("nuts", chains=2, draws=40, warmup=40, seed=3, cores=1)
    without = calibrate(density(), settings)
    with Ledger(tmp_path / "a.ledger") as ledger:
        remembered = calibrate(density(), settings, None, ledger)
    for name in without.parameters:
        np.testing.assert_array_equal(without.draws(name), remembered.draws(name))
    assert without.attributes == remembered.attributes


@pytest.mark.slow
def test_estimates_of_a_model_that_runs_by_chance_are_remembered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their randomness is of the sampler's key, like everything else."""
    settings = Settings("pmmh", chains=2, draws=30, warmup=30, seed=3, cores=1)
    observed = [1.0, 2.0, 4.0, 3.0, 5.0, 1.0]
    without = calibrate(by_chance(observed), settings)
    posteriors, asked = [], []
    of_model = LogDensity.estimate
    for _ in range(2):
        seeds: list[int] = []

        def estimate(self: LogDensity, *arguments: Any, into: list[int] = seeds) -> Estimates:
            into.append(arguments[-1])
            return of_model(self, *arguments)

        monkeypatch.setattr(LogDensity, "estimate", estimate)
        with Ledger(tmp_path / "a.ledger") as ledger:
            posteriors.append(calibrate(by_chance(observed), settings, None, ledger))
        asked.append(len(seeds))
    for posterior in posteriors:
        for group in ("posterior", "posterior_predictive", "sample_stats"):
            assert posterior.groups[group].equals(without.groups[group]), group
        assert posterior.attributes == without.attributes
    assert asked[1] < 0.2 * asked[0]
