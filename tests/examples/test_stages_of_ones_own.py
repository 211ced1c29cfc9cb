"""The examples that are made of stages of their own: another program's posterior, and a classifier."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelworks.diagnostics import ess_mean
from modelworks.runs import Run
from modelworks.study import run_study
from modelworks.study.inquiries._reproduce import reproduce
from modelworks.study.own_stages._stage_outputs import read_draws

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = {"contact_rate": "beta", "recovery_rate": "gamma", "overdispersion": "phi_inv"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("team") / "examples"
    shutil.copytree(EXAMPLES, root, ignore=shutil.ignore_patterns("runs", ".modelworks", "site"))
    return root


def made(repository: Path, study: str) -> Run:
    result = run_study(repository / "studies" / study, quiet=True)
    assert result.run is not None
    return result.run


@pytest.mark.slow
@pytest.mark.needs("Rscript")
def test_the_posterior_from_r_is_that_of_stan(repository: Path, references: Path) -> None:
    """A sampler that is not ours, in a language that is not ours, judged and compared with a third."""
    run = made(repository, "boarding-school-r")
    assert run.record["verdict"] == "fine"
    assert run.record["programs"]["fit"]["Rscript"]["version"].startswith("R version")
    cases = json.loads((references / "posteriors.json").read_text(encoding="utf-8"))
    case = next(case for case in cases if "boarding school" in case["name"])
    draws = read_draws(run.path / "fit" / "draws.csv").parameters
    for name, theirs in NAMES.items():
        known = case["expected_quadrature"][theirs]
        error = draws[name].std() / np.sqrt(float(ess_mean(draws[name])))
        assert draws[name].mean() == pytest.approx(known["mean"], abs=4 * error + 0.01 * known["sd"])


@pytest.mark.slow
def test_the_classifier_is_right_as_often_as_it_says_and_is_made_again_bit_by_bit(repository: Path) -> None:
    run = made(repository, "outbreak-ml")
    table = pd.read_csv(run.path / "train" / "confusion.csv")
    right = table.loc[table["actual"] == table["predicted"], "count"].sum() / table["count"].sum()
    told = run.record["quantities"]["train.recognised"]
    assert told["median"] == pytest.approx(100 * right)
    assert told["low"] < told["median"] < told["high"]
    assert 60 < told["median"] < 85
    assert reproduce(run, here=True, quiet=True).verdict == "bit-identical"
