"""The search for the optimum, and the shape of the posterior there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.conftest import Gaussian, Linear

from modelworks.calibration import LogDensity, Prior, Target
from modelworks.calibration.samplers._laplace import laplace
from modelworks.calibration.samplers._map import find_map
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]

# Two directions, one a thousand times wider than the other, and correlated.
COVARIANCE = np.array([[4.0, 0.0038, 0.1], [0.0038, 4e-6, 1e-4], [0.1, 1e-4, 0.3]])
MEAN = np.array([1.0, -0.5, 2.0])


class Ridge(Gaussian):
    """Impossible beyond a wall that the search will run into."""

    def value(self, position: Array, /) -> float:
        return -np.inf if position[0] > 1.5 else super().value(position)

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        value = self.value(position)
        return value, np.zeros(3) if value == -np.inf else super().value_and_gradient(position)[1]


class TwoPeaks(Gaussian):
    """Two narrow normals, one of them a little higher."""

    def value(self, position: Array, /) -> float:
        return self.value_and_gradient(position)[0]

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        peaks = np.array([[-2.0], [2.0]])
        away = (position - peaks) / 0.3
        logs = np.array([0.0, 0.5]) - 0.5 * (away**2).sum(axis=1)
        total = np.logaddexp(*logs)
        shares = np.exp(logs - total)
        return float(total), -(shares[:, np.newaxis] * away / 0.3).sum(axis=0)


@pytest.mark.parametrize("has_gradient", [True, False])
@pytest.mark.parametrize("kind", [Gaussian, Ridge])
def test_every_start_ends_at_the_optimum(kind: type[Gaussian], has_gradient: bool) -> None:
    """With gradients and without, round walls that are impossible to cross."""
    density = kind(MEAN, COVARIANCE, has_gradient=has_gradient, prior_sd=2.0)
    search = find_map(density, np.random.default_rng(1), starts=3)
    away = (search.positions[0] - MEAN) / np.sqrt(np.diag(COVARIANCE))
    assert np.abs(away).max() < 0.02
    assert search.log_densities[0] > -1e-3
    assert search.agree
    assert "same optimum" in search.in_words()


@pytest.mark.parametrize(("has_gradient", "rtol"), [(True, 1e-6), (False, 1e-3)])
def test_the_laplace_approximation_of_a_normal_is_the_normal(has_gradient: bool, rtol: float) -> None:
    """Whatever the widths of its directions, and of the priors."""
    density = Gaussian(MEAN, COVARIANCE, has_gradient=has_gradient)
    found = laplace(density, MEAN.copy(), np.full(3, 3.0))
    np.testing.assert_allclose(found.factor @ found.factor.T, COVARIANCE, rtol=rtol, atol=1e-9)
    assert found.is_positive_definite
    z = np.array([[0.3, -1.0, 2.0]])
    np.testing.assert_allclose(found.to_white(found.from_white(z)), z, rtol=1e-9)


def test_a_direction_the_data_do_not_know_is_as_wide_as_the_prior() -> None:
    """A flat direction has no width of its own; without a limit the first draws would be at infinity."""
    density = Gaussian(np.zeros(2), np.diag([1.0, 1e12]))
    found = laplace(density, np.zeros(2), np.array([2.0, 2.0]))
    np.testing.assert_allclose(np.sqrt(np.diag(found.factor @ found.factor.T)), [1.0, 6.0], rtol=1e-6)


def test_a_saddle_is_told_from_a_top() -> None:
    """Where some direction curves upwards, the approximation says that it is none."""

    class Saddle(Gaussian):
        def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
            return float(-0.5 * position[0] ** 2 + 0.5 * position[1] ** 2), np.array([-position[0], position[1]])

    found = laplace(Saddle(np.zeros(2), np.eye(2)), np.zeros(2), np.ones(2))
    assert not found.is_positive_definite
    assert np.isfinite(found.factor).all()


def test_two_optima_are_both_found_and_told() -> None:
    """The better first, and the other worth a visit, as it holds a good part of the posterior."""
    density = TwoPeaks(np.zeros(1), np.eye(1))
    search = find_map(density, np.random.default_rng(3), starts=8)
    assert not search.agree
    np.testing.assert_allclose(search.positions[:, 0], [2.0, -2.0], atol=1e-3)
    assert len(search.worth_visiting) == 2
    assert "elsewhere" in search.in_words()
    assert search.warnings(("x0",)) == (search.in_words(),)


def test_the_search_is_the_same_on_two_cores() -> None:
    """Each start is a search of its own."""
    density = Gaussian(MEAN, COVARIANCE)
    one, two = (find_map(density, np.random.default_rng(1), cores=cores) for cores in (1, 2))
    np.testing.assert_array_equal(one.positions, two.positions)
    np.testing.assert_array_equal(one.shape.factor, two.shape.factor)


def test_nowhere_to_start_names_the_observation() -> None:
    """Five cases seen where the model has none: the usual cause, and the letter says which point it is."""
    density = LogDensity(
        priors={"level": Prior.of("normal", {"mean": 0, "sd": 1})},
        simulator=Linear(np.array([[1.0], [0.0]]), ("level",)),
        targets=[
            Target(name="cases", output="level", observed=np.array([2.0, 5.0]), weights=np.eye(2), likelihood="poisson")
        ],
    )
    with pytest.raises(ModelworksError) as raised:
        find_map(density, np.random.default_rng(1))
    assert raised.value.codes == ("C401",)
    assert "cases" in str(raised.value)


def test_a_start_needs_only_one_of_many_draws_to_be_possible() -> None:
    """A model that is possible in a small corner of the priors is still calibrated."""

    class Corner(Gaussian):
        def value(self, position: Array, /) -> float:
            return super().value(position) if position.min() > 1.5 else -np.inf

        def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
            value = self.value(position)
            return value, super().value_and_gradient(position)[1] if value > -np.inf else np.zeros(2)

    density = Corner(np.array([3.0, 3.0]), np.eye(2) * 0.1, prior_sd=1.5)
    search = find_map(density, np.random.default_rng(2))
    np.testing.assert_allclose(search.positions[0], [3.0, 3.0], atol=1e-3)
