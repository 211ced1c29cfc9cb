"""Values of which only a limit is known, weights and multipliers: the sum of a target, by scipy, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from tests.calibration.conftest import Linear

from modelworks.calibration import LogDensity, Prior, Target
from modelworks.calibration.likelihoods import likelihood, slopes_below
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]

LIMITS = np.array([1.0, 5.0, 30.0])
MEANS = np.array([0.5, 12.0, 20.0])
SHARES = np.array([0.01, 0.3, 0.4])


def nbinom(s: float) -> Any:
    return stats.nbinom(1 / s, 1 / (1 + s * MEANS))


def betabinom(s: float) -> Any:
    total = 1 / s - 1
    return stats.betabinom(40, SHARES * total, (1 - SHARES) * total)


CASES: list[tuple[str, dict[str, float], Array, Array]] = [
    ("poisson", {}, MEANS, stats.poisson(MEANS).logcdf(LIMITS - 1)),
    ("negative_binomial", {"overdispersion": 0.4}, MEANS, nbinom(0.4).logcdf(LIMITS - 1)),
    ("binomial", {"trials": 40.0}, SHARES, stats.binom(40, SHARES).logcdf(LIMITS - 1)),
    ("beta_binomial", {"trials": 40.0, "overdispersion": 0.1}, SHARES, betabinom(0.1).logcdf(LIMITS - 1)),
    ("normal", {"sd": 4.0}, MEANS, stats.norm(MEANS, 4).logcdf(LIMITS)),
    ("log_normal", {"sigma": 0.7}, MEANS, stats.lognorm(0.7, scale=MEANS).logcdf(LIMITS)),
]
every = pytest.mark.parametrize(("family", "arguments", "predicted", "truth"), CASES, ids=[c[0] for c in CASES])


@every
def test_the_probability_below_a_limit_is_scipys(
    family: str, arguments: dict[str, float], predicted: Array, truth: Array
) -> None:
    """Fewer than 5 is 0 to 4; below 5 grams is anything up to 5."""
    found = slopes_below(likelihood(family), limits=LIMITS, predicted=predicted, **arguments)
    np.testing.assert_allclose(found.log_likelihood, truth, rtol=1e-9)
    many = slopes_below(likelihood(family), limits=LIMITS, predicted=np.stack([predicted] * 2), **arguments)
    np.testing.assert_allclose(many.log_likelihood, [truth, truth], rtol=1e-9)


@every
def test_slopes_below_a_limit_are_those_of_the_probability(
    family: str, arguments: dict[str, float], predicted: Array, truth: Array
) -> None:
    """By the prediction and by every argument that can be estimated."""
    chosen = likelihood(family)

    def value(predicted: Array, **changed: float) -> Array:
        return slopes_below(chosen, limits=LIMITS, predicted=predicted, **{**arguments, **changed}).log_likelihood

    found = slopes_below(chosen, limits=LIMITS, predicted=predicted, **arguments)
    step = 1e-4 * predicted
    wanted = (value(predicted + step) - value(predicted - step)) / (2 * step)
    np.testing.assert_allclose(found.by_prediction, wanted, rtol=1e-5, atol=1e-9)
    for name, allowed in chosen.arguments.items():
        if allowed.can_be_found:
            at = arguments[name]
            difference = value(predicted, **{name: 1.0001 * at}) - value(predicted, **{name: 0.9999 * at})
            np.testing.assert_allclose(found.by_argument[name], difference / (0.0002 * at), rtol=1e-5, atol=1e-9)


def test_far_above_the_limit_the_slope_still_points_down() -> None:
    """A thousand expected where fewer than five were seen: hardly possible, and the way out is known."""
    for family, arguments in (("poisson", {}), ("normal", {"sd": 1.0})):
        found = slopes_below(likelihood(family), limits=np.array([5.0]), predicted=np.array([1000.0]), **arguments)
        assert -np.inf < found.log_likelihood[0] < -900
        assert -np.inf < found.by_prediction[0] < 0


def line(**changes: Any) -> LogDensity:
    """A count seen four times, twice as a limit."""
    given: dict[str, Any] = {
        "name": "seen",
        "output": "level",
        "observed": np.array([7.0, 5.0, 5.0, 12.0]),
        "censored": np.array([False, True, True, False]),
        "weights": np.eye(4),
        "likelihood": "negative_binomial",
        "arguments": {"overdispersion": "scatter"},
    }
    return LogDensity(
        priors={name: Prior.of("exponential", {"mean": mean}) for name, mean in PRIORS.items()},
        simulator=Linear(np.column_stack([np.ones(4), np.arange(4.0)]), ("level", "slope")),
        targets=[Target(**{**given, **changes})],
    )


PRIORS = {"level": 5.0, "slope": 2.0, "scatter": 0.3, "even": 1.0, "odd": 1.0}
VALUES = np.array([4.0, 1.5, 0.2, 0.8, 1.3])
MULTIPLIERS = ("even", "odd", "even", "odd")


def by_scipy(weight: float = 1.0) -> float:
    """The whole density at VALUES, with the multipliers."""
    mean = (4.0 + 1.5 * np.arange(4)) * [0.8, 1.3, 0.8, 1.3]
    family = stats.nbinom(5.0, 1 / (1 + 0.2 * mean))
    below, exact = family.logcdf([4, 4, 4, 4]), family.logpmf([7, 0, 0, 12])
    prior = sum(stats.expon(scale=m).logpdf(x) + np.log(x) for m, x in zip(PRIORS.values(), VALUES, strict=True))
    return float(prior + weight * (exact[0] + below[1] + below[2] + exact[3]))


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_limits_multipliers_and_weights_in_one_target(weight: float) -> None:
    """The whole sum by scipy; by differences the gradient through model, multipliers, scatter and priors."""
    density = line(multipliers=MULTIPLIERS, weight=weight)
    position = density.unconstrain(VALUES)
    assert density.value(position) == pytest.approx(by_scipy(weight), rel=1e-11)
    value, gradient = density.value_and_gradient(position)
    assert value == pytest.approx(by_scipy(weight), rel=1e-11)
    moves = 1e-4 * np.eye(5)
    wanted = [(density.value(position + m) - density.value(position - m)) / 2e-4 for m in moves]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-7)


def test_points_of_several_outputs_are_one_target() -> None:
    """Categories stand in one target, each looking at its own column."""

    class Two(Linear):
        def run(self, values: Array, /) -> Array:
            return np.column_stack([self.design @ values, 2 * (self.design @ values)])

        def run_with_pullback(self, values: Array, /) -> Any:
            return self.run(values), lambda c: self.design.T @ (c[:, 0] + 2 * c[:, 1])

    design = np.column_stack([np.ones(4), np.arange(4.0)])
    density = LogDensity(
        priors={name: Prior.of("exponential", {"mean": 2.0}) for name in ("level", "slope")},
        simulator=Two(design, ("level", "slope"), outputs=("one", "two")),
        targets=[
            Target(
                name="both",
                output=("one", "two", "one"),
                observed=np.array([5.0, 20.0, 9.0]),
                weights=np.eye(4)[[0, 1, 3]],
                likelihood="poisson",
            )
        ],
    )
    position = density.unconstrain([4.0, 1.5])
    predicted = np.array([4.0, 11.0, 8.5])
    wanted = stats.poisson(predicted).logpmf([5, 20, 9]).sum()
    wanted += sum(stats.expon(scale=2).logpdf(x) + np.log(x) for x in (4.0, 1.5))
    value, gradient = density.value_and_gradient(position)
    assert value == pytest.approx(wanted, rel=1e-12)
    moves = 1e-4 * np.eye(2)
    slopes = [(density.value(position + m) - density.value(position - m)) / 2e-4 for m in moves]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6)


@given(limit=st.integers(1, 60), mean=st.floats(0.01, 200))
def test_below_a_limit_and_not_below_it_is_everything(limit: int, mean: float) -> None:
    """The probability below grows with the limit by exactly the probability of the limit itself."""
    family = likelihood("poisson")
    below, more = (
        slopes_below(family, limits=np.array([float(k)]), predicted=np.array([mean])).log_likelihood[0]
        for k in (limit, limit + 1)
    )
    exactly = family.log_likelihood(observed=np.array([float(limit)]), predicted=np.array([mean]))[0]
    assert np.logaddexp(below, exactly) == pytest.approx(more, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"weight": 0.0}, "C213", "above 0"),
        ({"censored": np.array([True])}, "C205", "limits"),
        ({"multipliers": ("even",)}, "C205", "multipliers"),
        ({"output": ("level",)}, "C205", "outputs"),
        ({"multipliers": ("even", "odd", "even", "od")}, "C209", "did you mean `odd`"),
        ({"observed": np.array([7.0, 0.0, 5.0, 12.0])}, "C208", "limits from 1"),
    ],
)
def test_what_does_not_fit_a_target_is_a_letter(changes: dict[str, Any], code: str, word: str) -> None:
    """Shapes, weights and limits that can not be."""
    with pytest.raises(ModelworksError) as raised:
        line(**changes)
    assert code in raised.value.codes
    assert word in str(raised.value)
