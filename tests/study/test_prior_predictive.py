"""What the priors foresee of the data is told before anything is calibrated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from modelworks.runs import Progress
from modelworks.study import run_study
from modelworks.study.binding._binding import bind
from modelworks.study.projection._prior_predictive import foresee

Decay = Callable[..., Path]
DAYS = "start: 2021-01-01, end: 2021-02-10, every: 1"


def foreseen(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    found = foresee(bind(folder), Progress(quiet=True), 1)
    assert found is not None
    return found.expected, found.new, [str(letter) for letter in found.letters]


def test_data_that_the_priors_foresee_raise_no_word(tmp_path: Path, decay: Decay) -> None:
    """Of a thousand people a tenth leave on the first day, give or take: 90 is what one expects."""
    assert foreseen(decay(tmp_path, DAYS, values="2021-01-01: 90, 2021-01-03: 75"))[2] == []


def test_a_zero_too_many_is_told_before_it_is_calibrated_away(tmp_path: Path, decay: Decay) -> None:
    """The letter names the target, the day, what was seen and what was foreseen; and it is no error."""
    folder = decay(tmp_path, DAYS, values="2021-01-01: 90, 2021-01-02: 810, 2021-01-03: 300")
    (said,) = foreseen(folder)[2]
    assert said.startswith("T209: the priors can not foresee what the target `left` saw on 2021-01-02: 810 people")
    assert "300 draws of them range from" in said
    assert "1 other value" in said
    assert "targets.yaml, line 4" in said


def test_the_quantiles_are_those_of_the_prior(tmp_path: Path, decay: Decay) -> None:
    """Of first·(1 − exp(−rate)) with a log-normal rate every quantile is known."""
    expected, new, _ = foreseen(decay(tmp_path, DAYS))
    for name, share in (("q25", 0.25), ("q50", 0.5), ("q75", 0.75)):
        rate = stats.lognorm(0.2, scale=0.1).ppf(share)
        # Three hundred draws know a quantile to about a tenth of the distance between the quartiles.
        assert expected[name].item() == pytest.approx(1000 * -np.expm1(-rate), rel=0.05)
    # New observations scatter by chance on top.
    assert new["q975"].item() > expected["q975"].item()


@pytest.mark.slow
def test_the_pictures_are_there_before_the_calibration(study: Path) -> None:
    """`simulate` draws the priors and what they foresee; `calibrate` runs it first and says the same."""
    result = run_study(study, until="simulate", quiet=True)
    assert result.run is not None
    folder = result.run.path / "simulate"
    for name in ("priors", "prior_predictive"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 1000
    said = json.loads((folder / "prior.json").read_text(encoding="utf-8"))
    assert said["letters"] == []
    assert said["draws"] == 300


def test_the_warning_is_read_before_the_long_step(
    tmp_path: Path, decay: Decay, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the stage was finished before, and with `--quiet`."""
    folder = decay(tmp_path, DAYS, values="2021-01-02: 810")
    for _ in range(2):
        result = run_study(folder, until="simulate", quiet=True)
        assert "T209" in capsys.readouterr().err
        assert [letter["code"] for letter in result.as_dict()["warnings"]] == ["T209"]
