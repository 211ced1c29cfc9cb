"""The way of `auto`: a first answer with its warrant, then one that is sure; and what is done where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.conftest import Gaussian

from modelworks.calibration._progress import Silence
from modelworks.calibration.samplers import Draws, guided, sampler
from modelworks.diagnostics import ess_bulk

Array = NDArray[np.float64]

NORMAL = Gaussian(np.array([1.0, -2.0, 0.5]), np.diag([0.01, 4.0, 1.0]) + 0.05)


class Listener(Silence):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def mention(self, text: str) -> None:
        self.heard.append(text)


def draw(density: Any, listener: Listener | None = None, **changes: Any) -> Draws:
    asked = {"chains": 4, "draws": 500, "warmup": 200, "cores": 1, "key": np.random.SeedSequence(2)}
    return sampler("guided")(density, progress=listener or Listener(), **{**asked, **changes})


def test_a_first_answer_is_told_at_once_and_confirmed_by_nuts() -> None:
    """On a normal both are right, so the first answer is within its error of the truth too."""
    listener = Listener()
    found = draw(NORMAL, listener)
    assert found.notes["sampler"] == "nuts"
    assert found.notes["why"].startswith("NUTS, because the model has exact gradients and a first answer")
    first = found.notes["first_answer"]
    assert first["is_warranted"]
    assert first["is_confirmed"]
    sd = np.sqrt(np.diag(NORMAL.covariance))
    error = sd / np.sqrt(first["effective_draws"])
    assert (np.abs(np.array(list(first["mean"].values())) - NORMAL.mean) < 4 * error).all()
    assert listener.heard[0].startswith("first answer (k-hat ")
    worth = min(ess_bulk(found.positions[..., k]) for k in range(3))
    flat = found.positions.reshape(-1, 3)
    assert (np.abs(flat.mean(axis=0) - NORMAL.mean) < 4 * sd / np.sqrt(worth)).all()
    np.testing.assert_allclose(flat.std(axis=0), sd, rtol=4 / np.sqrt(2 * worth))


def test_where_the_first_answer_has_no_warrant_it_is_said_and_nuts_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is shown numbers that are not to be believed; whether weights will do is told by k-hat alone."""
    monkeypatch.setattr(guided, "K_HAT", -10.0)
    listener = Listener()
    found = draw(NORMAL, listener, draws=50)
    assert found.notes["sampler"] == "nuts"
    assert "does not do here (k-hat" in found.notes["why"]
    assert not found.notes["first_answer"]["is_warranted"]
    assert [each.split(":")[0] for each in listener.heard] == ["no first answer"]


class TwoPeaks(Gaussian):
    """Three quarters at -6, a quarter at 6, each with a standard deviation of a half."""

    def parts(self, position: Array) -> Array:
        return np.log([0.75, 0.25]) - 0.5 * ((position[0] - np.array([-6.0, 6.0])) / 0.5) ** 2

    def value(self, position: Array, /) -> float:
        return float(np.logaddexp(*self.parts(position)))

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        shares = np.exp(self.parts(position) - self.value(position))
        return self.value(position), np.array([-shares @ (position[0] - np.array([-6.0, 6.0])) / 0.25])


def test_optima_that_nothing_joins_are_left_to_tempered_smc() -> None:
    """NUTS would stay in the one in which it began; the weight of each is found."""
    found = draw(TwoPeaks(np.zeros(1), np.eye(1), prior_sd=5.0))
    assert found.notes["sampler"] == "smc"
    assert found.notes["why"] == "tempered SMC, because the searches found 2 optima that nothing joins"
    assert np.mean(found.positions < 0) == pytest.approx(0.75, abs=0.08)
    assert found.warnings


@pytest.mark.slow
@pytest.mark.parametrize("cores", [2, 4])
def test_its_draws_depend_on_no_core(cores: int) -> None:
    np.testing.assert_array_equal(
        draw(NORMAL, draws=100, cores=cores).positions, draw(NORMAL, draws=100, cores=1).positions
    )
