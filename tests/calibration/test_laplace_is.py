"""Importance sampling around the optima: right where it says so, and doubted where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.conftest import Gaussian

from modelworks.calibration._progress import Silence
from modelworks.calibration.samplers import Draws, sampler
from modelworks.calibration.samplers._importance import resampled
from modelworks.calibration.samplers._mixture import Mixture
from modelworks.diagnostics import ess_bulk

Array = NDArray[np.float64]


def draw(density: Gaussian, seed: int = 1, draws: int = 1000) -> Draws:
    key = np.random.SeedSequence(seed)
    return sampler("laplace_is")(density, chains=4, draws=draws, warmup=1, key=key, cores=1, progress=Silence())


class Banana(Gaussian):
    """A normal bent along a parabola: x1 given x0 is normal around x0² with sd 0.3, x0 is standard normal."""

    def value(self, position: Array, /) -> float:
        x, y = position
        return float(-0.5 * x**2 - 0.5 * ((y - x**2) / 0.3) ** 2)

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        x, y = position
        across = (y - x**2) / 0.09
        return self.value(position), np.array([-x + 2 * x * across, -across])


class Funnel(Gaussian):
    """Nine widths that hang on a tenth parameter: no proposal of a few components covers it."""

    def value(self, position: Array, /) -> float:
        return self.value_and_gradient(position)[0]

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        v, x = position[0], position[1:]
        narrow = np.exp(-v)
        value = -0.5 * (v / 3) ** 2 - 0.5 * narrow * x @ x - 0.5 * x.size * v
        return float(value), np.concatenate([[-v / 9 + 0.5 * narrow * x @ x - 0.5 * x.size], -narrow * x])


@pytest.mark.parametrize("density", [Banana(np.zeros(2), np.eye(2)), Funnel(np.zeros(10), np.eye(10))])
def test_where_it_fails_it_says_so(density: Gaussian) -> None:
    """Weights with too heavy a tail, or draws that a short MCMC moves away, are told in words."""
    found = draw(density, draws=100)
    assert found.warnings
    assert found.notes["k_hat"] >= 0.5 or found.notes["drift"] >= 4


def test_copies_are_not_taken_for_knowledge() -> None:
    """Draws resampled from few heavy points are worth what the weights are worth, by the usual measure too."""
    random = np.random.default_rng(5)
    weights = random.pareto(1.5, 400)
    weights /= weights.sum()
    worth = 1 / np.square(weights).sum()
    points = random.standard_normal(400)
    draws = points[resampled(weights, 4000, random)].reshape(1, -1)
    assert 0.4 * worth < ess_bulk(draws) < 2.5 * worth


def test_resampling_takes_each_point_as_often_as_its_weight_says() -> None:
    """Give or take one."""
    weights = np.array([0.5, 0.0, 0.25, 0.25])
    counts = np.bincount(resampled(weights, 8, np.random.default_rng(1)), minlength=4)
    np.testing.assert_array_equal(counts, [4, 0, 2, 2])


def test_a_mixture_is_normalised() -> None:
    """Its density adds up to one, or the evidence and every weight would be off."""
    mixture = Mixture(np.array([0.3, 0.7]), np.array([[0.0], [4.0]]), np.array([[[1.0]], [[0.5]]]))
    grid = np.linspace(-400, 400, 800_001)[:, np.newaxis]
    assert np.exp(mixture.log_density(grid)).sum() * 1e-3 == pytest.approx(1.0, abs=1e-6)
    draws = mixture.sample(np.random.default_rng(3), 200_000)
    assert draws.mean() == pytest.approx(2.8, abs=0.02)
