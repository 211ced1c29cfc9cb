"""Which of two runs foretells the data better, against quadrature; and why that can not always be said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError
from modelworks.runs import Progress, Run
from modelworks.study import foretold, run_study, stages
from modelworks.study.binding._binding import bind
from modelworks.study.inquiries import _foretold
from modelworks.study.projection._reliance import sources_of

Decay = Callable[..., Path]
DAYS = "start: 2021-01-01, end: 2021-01-08, every: 1"
SETTINGS = "calibration: {sampler: %s, chains: 2, draws: 1000, warmup: 200, seed: 3}\n"
SEEN = {"2021-01-01": 92, "2021-01-02": 84, "2021-01-03": 80, "2021-01-05": 60}
VALUES = ", ".join(f"{day}: {value}" for day, value in SEEN.items())


def drawn(folder: Path, old: str = "", new: str = "", file: str = "parameters.yaml") -> Run:
    """The run of a study up to its draws, with one thing written otherwise."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
    run = run_study(folder, until="calibrate", quiet=True, cores=1).run
    assert run is not None
    return run


def left_out(median: float) -> float:
    """The log density of every value given the others, by quadrature over the rate."""
    rate = np.linspace(0.02, 0.4, 20_001)
    day = np.array([int(each[-2:]) - 1 for each in SEEN])
    expected = 1000 * (np.exp(-np.outer(day, rate)) - np.exp(-np.outer(day + 1, rate)))
    each = stats.poisson.logpmf(np.array(list(SEEN.values()))[:, None], expected)
    prior = stats.lognorm.pdf(rate, 0.2, scale=median)
    whole = np.exp(each.sum(axis=0))
    return float(sum(np.log((prior * whole).sum() / (prior * np.exp(each.sum(axis=0) - one)).sum()) for one in each))


@pytest.mark.slow
def test_the_better_run_is_that_of_quadrature(tmp_path: Path, decay: Decay) -> None:
    """A prior around the truth against one off it; the evidence says the same, and is there with both alone."""
    folder = decay(tmp_path, DAYS, values=VALUES, more=SETTINGS % "smc")
    one, other = drawn(folder), drawn(folder, "median: 0.1,", "median: 0.05,")
    found = foretold(one, other)
    assert found.total.elpd == pytest.approx(left_out(0.05) - left_out(0.1), abs=0.05)
    assert found.total.points == len(SEEN)
    assert set(found.by_target) == {"left"}
    assert found.evidence is not None
    assert found.evidence.difference < 0
    nuts = drawn(folder, "sampler: smc", "sampler: nuts", file="study.yaml")
    assert foretold(one, nuts).evidence is None


@pytest.mark.slow
def test_runs_of_other_data_are_not_held_against_each_other(tmp_path: Path, decay: Decay) -> None:
    """Their densities are of other things; the letter says which series differs."""
    folder = decay(tmp_path, DAYS, values=VALUES, more=SETTINGS.replace("1000", "60") % "nuts")
    simulated = run_study(folder, until="simulate", quiet=True).run
    one, other = drawn(folder), drawn(folder, "2021-01-03: 80", "2021-01-03: 81", file="targets.yaml")
    with pytest.raises(ModelworksError) as caught:
        foretold(one, other)
    assert caught.value.codes == ("Y541",)
    assert "the observations of left differ" in str(caught.value)
    assert simulated is not None
    with pytest.raises(ModelworksError, match="has no draws"):
        foretold(one, simulated)


def test_draws_that_came_by_a_distance_foretell_nothing_by_a_likelihood(
    tmp_path: Path, decay: Decay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking an observation out is dividing by its likelihood, which has no part in such draws."""
    folder = decay(tmp_path, DAYS, values=VALUES)
    study, asked = bind(folder), dict[str, Any]()
    posterior: Any = SimpleNamespace(
        by_distance=True,
        attributes={},
        draws=lambda _: np.full((2, 50), 0.1),
        prior=lambda _: np.full(50, 0.1),
        sample_stats_arrays=dict,
        predictive=dict,
        observed=dict,
        log_likelihood=lambda: {"left": np.zeros((100, 4))},
    )
    monkeypatch.setattr(stages, "diagnose", lambda _, **said: asked.update(said))
    stages.judge(study, posterior, Progress(quiet=True), 1)
    assert asked["log_likelihood"] == {}
    assert list(sources_of(study, posterior)) == [("prior", "rate")]
    monkeypatch.setattr(Posterior, "read", lambda _: posterior)
    run: Any = SimpleNamespace(id="a8401f", file=lambda _: folder)
    with pytest.raises(ModelworksError, match="a8401f came by a distance"):
        foretold(run, run)


def test_a_value_that_one_run_is_sure_of_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No case where none can be has the log density zero, as has a value that was not observed; the other run loses."""
    even = np.array([[-1.0, 0.0, 0.0]] * 100)
    unsure = even - [0.0, 0.5, 0.0]
    runs: list[Any] = [
        SimpleNamespace(log_likelihood=lambda each=each: {"cases": each}, attributes={}) for each in (even, unsure)
    ]
    monkeypatch.setattr(_foretold, "_posterior", lambda run: run)
    monkeypatch.setattr(_foretold, "_check_same", lambda *_: None)
    for (one, other), gain in ((runs, -0.5), (runs[::-1], 0.5)):
        total = foretold(one, other).total
        assert (total.elpd, total.points) == (pytest.approx(gain), 2)
