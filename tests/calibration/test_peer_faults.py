"""Faults of likelihoods that were found in other packages, each as a test that this one has not got it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from tests.calibration.conftest import Linear

from modelworks.calibration import LogDensity, Prior, Target
from modelworks.calibration.likelihoods import likelihood, slopes_below
from modelworks.calibration.samplers._importance import resampled


def level(observed: Any, sd: float | str = 2.0) -> LogDensity:
    """One level behind many observations, whose error is known or to be found."""
    seen = np.asarray(observed, dtype=float)
    priors = {"level": Prior.of("normal", {"mean": 0, "sd": 1e3})}
    if isinstance(sd, str):
        priors[sd] = Prior.of("half_normal", {"sd": 1e3})
    return LogDensity(
        priors=priors,
        simulator=Linear(np.ones((seen.size, 1)), ("level",)),
        targets=[
            Target(
                name="seen",
                output="level",
                observed=seen,
                weights=np.eye(seen.size),
                likelihood="normal",
                arguments={"sd": sd},
            )
        ],
    )


def curvature(density: LogDensity) -> float:
    """How sharply the density falls around its top."""
    position, h = np.array([1.0]), 1e-2
    around = [density.value(position + step) for step in (-h, 0.0, h)]
    return -(around[0] - 2 * around[1] + around[2]) / h**2


def test_points_add_up() -> None:
    """A log likelihood that was their mean made intervals too wide by the root of their number."""
    prior = 1 / 1e3**2
    for number in (4, 16, 64):
        assert curvature(level(np.ones(number))) - prior == pytest.approx(number / 2.0**2, rel=1e-6)


def test_an_error_that_is_found_has_its_price() -> None:
    """Without −log sd an estimated error grows without end: the density of an observation integrates to one for any."""
    for sd in (0.1, 1.0, 30.0):

        def density(y: float, sd: float = sd) -> float:
            log = likelihood("normal").log_likelihood(observed=np.array([y]), predicted=np.array([3.0]), sd=sd)
            return float(np.exp(log[0]))

        assert quad(density, 3 - 12 * sd, 3 + 12 * sd, points=[3.0])[0] == pytest.approx(1.0, rel=1e-9)
    # And the error that fits best is that of the data.
    data = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    found = level(data, "sd")
    sds = np.linspace(1.0, 5.0, 401)
    values = [found.value(found.unconstrain(np.array([0.0, sd]))) - np.log(sd) for sd in sds]
    assert sds[int(np.argmax(values))] == pytest.approx(data.std(), abs=0.011)


def test_a_cut_normal_has_a_gradient_by_its_dispersion() -> None:
    """It was not a number: here it is the difference quotient, also far in the tail and where nothing is predicted."""
    normal, limits = likelihood("normal"), np.array([0.0, 5.0, 5.0, 5.0])
    predicted = np.array([0.0, 0.0, 80.0, -80.0])
    for sd in (0.5, 2.0, 40.0):
        found = slopes_below(normal, limits=limits, predicted=predicted, sd=sd)
        assert np.isfinite(found.by_argument["sd"]).all()
        assert np.isfinite(found.by_prediction).all()
        up, down = (stats.norm(predicted, sd * (1 + h)).logcdf(limits) for h in (1e-5, -1e-5))
        np.testing.assert_allclose(found.by_argument["sd"], (up - down) / (2e-5 * sd), rtol=1e-5, atol=1e-8)
    for mean in (-30.0, 0.5, 30.0):
        prior = Prior.of("truncated_normal", {"mean": mean, "sd": 1.0, "lower": 0.0, "upper": 1.0})
        found_at = np.array([prior.gradient(x) for x in (0.001, 0.5, 0.999)])
        np.testing.assert_allclose(found_at, mean - np.array([0.001, 0.5, 0.999]), rtol=1e-9)


def test_model_and_data_do_not_change_places() -> None:
    """A target held the data against themselves as the model: 7 seen where 12 are predicted is not 12 where 7 are."""
    density = LogDensity(
        priors={"level": Prior.of("uniform", {"lower": 0, "upper": 100})},
        simulator=Linear(np.ones((1, 1)), ("level",)),
        targets=[
            Target(name="seen", output="level", observed=np.array([7.0]), weights=np.eye(1), likelihood="poisson")
        ],
    )

    def at(level: float) -> float:
        # Of a uniform prior only the Jacobian of the position is left, which makes it a standard normal.
        position = density.unconstrain(np.array([level]))
        return density.value(position) - float(stats.norm.logpdf(position[0]))

    right = stats.poisson(12).logpmf(7) - stats.poisson(9).logpmf(7)
    wrong = stats.poisson(7).logpmf(12) - stats.poisson(7).logpmf(9)
    assert at(12.0) - at(9.0) == pytest.approx(right, rel=1e-9)
    assert abs(right - wrong) > 0.1


def test_quantiles_of_weighted_draws_go_by_their_weights() -> None:
    """They were taken of the points as they lay: here weighted points become draws that all count alike."""
    random = np.random.default_rng(2)
    points = random.normal(0.0, 3.0, 200_000)
    weights = stats.norm(1.0, 1.0).pdf(points) / stats.norm(0.0, 3.0).pdf(points)
    draws = points[resampled(weights / weights.sum(), 50_000, random)]
    levels = [0.025, 0.25, 0.5, 0.75, 0.975]
    np.testing.assert_allclose(np.quantile(draws, levels), stats.norm(1.0, 1.0).ppf(levels), atol=0.06)
    assert abs(np.quantile(points, 0.975) - stats.norm(1.0, 1.0).ppf(0.975)) > 2
