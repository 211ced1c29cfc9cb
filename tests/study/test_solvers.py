"""A study names its solver: stiff models are simulated and calibrated, and what a solver can not do is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import lognorm, poisson

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError
from modelworks.study import run_study
from modelworks.study._stale import fingerprints
from modelworks.study.binding._binding import bind

Decay = Callable[..., Path]

MONTH = "start: 2021-01-01, end: 2021-02-01, every: 1"
FEW = "calibration: {sampler: auto, chains: 4, draws: 300, warmup: 200, seed: 3}\n"


def stiff(folder: Path) -> Path:
    """The study, with a compartment on the way out that everybody leaves within a tenth of a second."""
    path = folder.parent.parent / "models" / "decay.py"
    text = path.read_text(encoding="utf-8")
    text = text.replace('["here", "gone"]', '["here", "door", "gone"]').replace('"gone": 0', '"door": 0, "gone": 0')
    arrow = 'Transition("leaving", "here", "gone", rate=rate)'
    assert arrow in text
    through = 'Transition("rising", "here", "door", rate=rate), Transition("leaving", "door", "gone", rate=1e6)'
    path.write_text(text.replace(arrow, through), encoding="utf-8")
    return folder


def test_a_stiff_study_is_told_which_line_to_write(tmp_path: Path, decay: Decay) -> None:
    """Ten million steps for a thing that is always in balance are a day's wait for nothing."""
    with pytest.raises(ModelworksError) as caught:
        run_study(stiff(decay(tmp_path, MONTH)), until="simulate", quiet=True)
    assert caught.value.codes == ("S126",)
    assert "`solver: implicit` under `time:`" in caught.value.letters[0].hint


def test_a_stiff_study_is_simulated(tmp_path: Path, decay: Decay) -> None:
    """Where the passage takes no time the model has a closed form."""
    run = run_study(stiff(decay(tmp_path, f"{MONTH}, solver: implicit")), until="simulate", quiet=True).run
    assert run is not None
    told = json.loads((run.path / "simulate" / "solver.json").read_text(encoding="utf-8"))
    assert told["solver"] == "implicit"
    assert told["error"] <= 1e-5
    outputs = pd.read_parquet(run.path / "simulate" / "outputs.parquet")
    here = outputs[outputs["output"] == "here"]["value"].to_numpy()
    np.testing.assert_allclose(here, 1000 * np.exp(-0.1 * np.arange(32)), rtol=2e-5)


@pytest.mark.slow
def test_a_stiff_study_is_calibrated(tmp_path: Path, decay: Decay) -> None:
    """By a sampler without gradients, and to the posterior that quadrature gives."""
    run = run_study(stiff(decay(tmp_path, f"{MONTH}, solver: implicit", more=FEW)), until="calibrate", quiet=True).run
    assert run is not None
    told = json.loads((run.path / "calibrate" / "calibration.json").read_text(encoding="utf-8"))
    assert told["sampler"] == "demcz"
    assert told["failed_runs"] == 0
    rates = np.linspace(0.04, 0.2, 4001)
    weight = lognorm.pdf(rates, 0.2, scale=0.1) * poisson.pmf(90, 1000 * -np.expm1(-rates))
    mean = np.average(rates, weights=weight)
    deviation = np.sqrt(np.average((rates - mean) ** 2, weights=weight))
    draws = Posterior.read(run.path / "calibrate" / "posterior.nc").draws("rate")
    assert abs(draws.mean() - mean) < 0.2 * deviation
    assert draws.std() == pytest.approx(deviation, rel=0.15)


def test_difference_equations_are_a_study_s_own_choice(tmp_path: Path, decay: Decay) -> None:
    """By steps of a day a tenth of those there leave every day, neither more nor less; there is no error to tell."""
    bound = bind(decay(tmp_path, f"{MONTH}, solver: euler, step: 1"))
    model = bound.compiled(bound.report_times)
    bound.check_sums(model)
    np.testing.assert_allclose(model.run(bound.centre())[:, 0], 1000 * 0.9 ** np.arange(32), rtol=1e-12)
    assert model.has_gradient


def test_another_solver_makes_results_stale(tmp_path: Path, decay: Decay) -> None:
    """Numbers by other equations, or other steps, are other numbers."""
    marks = [
        fingerprints(bind(decay(tmp_path, f"{MONTH}{more}")))
        for more in (
            "",
            ", solver: rk4",
            ", solver: adaptive",
            ", solver: euler, step: 1",
            ", solver: euler, step: 0.5",
        )
    ]
    assert marks[0]["calibrate"] == marks[1]["calibrate"]
    assert len({each["calibrate"] for each in marks}) == 4
    assert len({each["project"] for each in marks}) == 4


@pytest.mark.parametrize(
    ("time", "more", "code", "word"),
    [
        ("solver: implict", "", "S122", "did you mean `implicit`?"),
        ("solver: euler", "", "S120", "name it in the model's time unit"),
        ("solver: euler, step: -1", "", "S120", "above zero"),
        ("solver: adaptive, step: 1", "", "Y209", "leave it out"),
        ("solver: implicit", "calibration: {sampler: nuts}\n", "Y209", "sampler: auto"),
    ],
)
def test_what_a_solver_can_not_is_told_with_its_line(
    tmp_path: Path, decay: Decay, time: str, more: str, code: str, word: str
) -> None:
    """A misspelt word is told when the study is checked, not when the night's calibration has not begun."""
    with pytest.raises(ModelworksError) as caught:
        bind(decay(tmp_path, f"{MONTH}, {time}", more=more))
    (letter,) = caught.value.letters
    assert letter.code == code
    assert word in letter.hint
    assert letter.file is not None
    assert letter.file.endswith("study.yaml")
    assert letter.line == (5 if more else 4)
