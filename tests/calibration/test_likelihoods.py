"""Every likelihood against scipy, at its limits, and its derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from modelworks.calibration import Target
from modelworks.calibration._observation import Observation
from modelworks.calibration.likelihoods import FAMILIES, likelihood
from modelworks.calibration.likelihoods._rising import log_rising, log_rising_slope
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]

COUNTS = np.array([0.0, 1.0, 3.0, 17.0, 120.0, 4000.0])
MEANS = np.array([0.4, 1.0, 5.0, 12.0, 150.0, 3600.0])


def negative_binomial(y: Array, m: Array, overdispersion: float) -> Array:
    """scipy's, whose n and p are one over the overdispersion and n / (n + m)."""
    size = 1 / overdispersion
    return np.asarray(stats.nbinom(size, size / (size + m)).logpmf(y))


def beta_binomial(y: Array, p: Array, trials: float, overdispersion: float) -> Array:
    total = 1 / overdispersion - 1
    return np.asarray(stats.betabinom(trials, p * total, (1 - p) * total).logpmf(y))


TESTED = np.array([0.0, 1.0, 30.0, 99.0, 100.0])
PROPORTIONS = np.array([0.001, 0.02, 0.4, 0.9, 0.97])

# Family, arguments, observed, predicted, the truth.
CASES: list[tuple[str, dict[str, float], Array, Array, Array]] = [
    ("poisson", {}, COUNTS, MEANS, stats.poisson(MEANS).logpmf(COUNTS)),
    *(
        ("negative_binomial", {"overdispersion": s}, COUNTS, MEANS, negative_binomial(COUNTS, MEANS, s))
        for s in (0.002, 0.04, 0.06, 0.5, 7.0)
    ),
    ("normal", {"sd": 3.0}, COUNTS, MEANS, stats.norm(MEANS, 3).logpdf(COUNTS)),
    ("log_normal", {"sigma": 0.3}, COUNTS + 1, MEANS, stats.lognorm(0.3, scale=MEANS).logpdf(COUNTS + 1)),
    ("binomial", {"trials": 100.0}, TESTED, PROPORTIONS, stats.binom(100, PROPORTIONS).logpmf(TESTED)),
    *(
        (
            "beta_binomial",
            {"trials": 100.0, "overdispersion": s},
            TESTED,
            PROPORTIONS,
            beta_binomial(TESTED, PROPORTIONS, 100.0, s),
        )
        for s in (0.001, 0.05, 0.6)
    ),
]
every = pytest.mark.parametrize(
    ("family", "arguments", "observed", "predicted", "truth"),
    CASES,
    ids=[f"{c[0]}-{list(c[1].values())}" for c in CASES],
)


@every
def test_each_point_is_scipys(
    family: str, arguments: dict[str, float], observed: Array, predicted: Array, truth: Array
) -> None:
    """Every constant included: a normal without its −log sd lets an estimated error grow without end."""
    found = likelihood(family).log_likelihood(observed=observed, predicted=predicted, **arguments)
    # scipy itself loses digits of the negative binomial where the overdispersion is small.
    np.testing.assert_allclose(found, truth, rtol=1e-10, atol=2e-9 if "overdispersion" in arguments else 1e-10)


@every
def test_a_target_is_the_sum_over_its_points(
    family: str, arguments: dict[str, float], observed: Array, predicted: Array, truth: Array
) -> None:
    """By scipy, as a sum: the mean over n points would widen every interval by the root of n."""
    target = Target(
        name="seen",
        output="level",
        observed=observed,
        weights=np.eye(observed.size),
        likelihood=family,
        arguments=arguments,
    )
    laid = Observation.of(target, ("level",), ())
    outputs, nothing = predicted[:, np.newaxis], np.empty(0)
    cotangent = np.zeros(outputs.shape)
    assert laid.total(outputs, nothing) == pytest.approx(truth.sum(), rel=1e-9)
    assert laid.total_and_slopes(outputs, nothing, cotangent, nothing) == pytest.approx(truth.sum(), rel=1e-9)
    slopes = likelihood(family).slopes(observed=observed, predicted=predicted, **arguments)
    np.testing.assert_array_equal(cotangent[:, 0], slopes.by_prediction)


@every
def test_slopes_are_those_of_the_log_likelihood(
    family: str, arguments: dict[str, float], observed: Array, predicted: Array, truth: Array
) -> None:
    """By the prediction and by every argument that can be estimated, against differences of the value."""
    chosen = likelihood(family)
    slopes = chosen.slopes(observed=observed, predicted=predicted, **arguments)
    np.testing.assert_allclose(slopes.log_likelihood, truth, rtol=1e-9, atol=1e-8)

    def along(name: str, step: Array | float) -> Array:
        if name == "predicted":
            return chosen.log_likelihood(observed=observed, predicted=predicted + step, **arguments)
        changed = {**arguments, name: arguments[name] + step}
        return chosen.log_likelihood(observed=observed, predicted=predicted, **changed)

    estimable = [name for name, allowed in chosen.arguments.items() if allowed.can_be_found]
    assert sorted(slopes.by_argument) == sorted(estimable)
    for name in ("predicted", *estimable):
        # Half the distance to the nearest end, so that a proportion stays one.
        at = np.minimum(predicted, 1 - predicted) if "trials" in arguments and name == "predicted" else None
        step = 1e-3 * (predicted if at is None else at) if name == "predicted" else 1e-3 * arguments[name]
        coarse = (along(name, step) - along(name, -step)) / (2 * step)
        fine = (along(name, step / 2) - along(name, -step / 2)) / step
        found = slopes.by_prediction if name == "predicted" else slopes.by_argument[name]
        np.testing.assert_allclose(found, (4 * fine - coarse) / 3, rtol=2e-6, atol=1e-7, err_msg=name)


@every
def test_new_observations_scatter_as_the_likelihood_says(
    family: str, arguments: dict[str, float], observed: Array, predicted: Array, truth: Array
) -> None:
    """The mean log likelihood of what is drawn is minus the entropy: draws and density are of one distribution."""
    chosen = likelihood(family)
    many = np.broadcast_to(predicted, (4000, predicted.size)).copy()
    drawn = chosen.sample(np.random.default_rng(3), predicted=many, **arguments)
    half = 2000
    values = chosen.log_likelihood(observed=drawn, predicted=many, **arguments)
    assert np.isfinite(values).all()
    # Draws of the first half are as likely under the density as those of the second under their own frequency.
    mean, error = drawn.mean(axis=0), drawn.std(axis=0) / np.sqrt(len(drawn))
    centre = {
        "log_normal": predicted * np.exp(0.5 * arguments.get("sigma", 0.0) ** 2),
        "binomial": predicted * arguments.get("trials", 1.0),
        "beta_binomial": predicted * arguments.get("trials", 1.0),
    }.get(family, predicted)
    assert (np.abs(mean - centre) < 5 * error + 1e-12).all()
    first, second = values[:half].mean(axis=0), values[half:].mean(axis=0)
    assert (np.abs(first - second) < 6 * values.std(axis=0) / np.sqrt(half) + 1e-12).all()


@pytest.mark.parametrize(
    ("family", "arguments", "variance"),
    [
        ("negative_binomial", {"overdispersion": 0.3}, 50 + 0.3 * 50**2),
        ("negative_binomial", {"overdispersion": 1e-12}, 50),
        ("beta_binomial", {"trials": 80.0, "overdispersion": 0.2}, 80 * 0.25 * (1 + 79 * 0.2)),
    ],
)
def test_the_variance_is_the_one_stated(family: str, arguments: dict[str, float], variance: float) -> None:
    """Mean plus overdispersion times mean squared; n p (1 − p) (1 + (n − 1) ρ)."""
    predicted = np.full(40_000, 50.0 if family == "negative_binomial" else 0.5)
    drawn = likelihood(family).sample(np.random.default_rng(5), predicted=predicted, **arguments)
    assert drawn.var() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial", "binomial", "beta_binomial"])
def test_nothing_predicted_and_nothing_seen_is_certain(family: str) -> None:
    """Before an epidemic reaches a place both are zero, and that must cost nothing."""
    arguments = {"overdispersion": 0.1, "trials": 50.0}
    chosen = likelihood(family)
    given = {name: arguments[name] for name in chosen.arguments}
    found = chosen.slopes(observed=np.zeros(1), predicted=np.zeros(1), **given)
    assert found.log_likelihood[0] == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(found.by_prediction).all()


@pytest.mark.parametrize("family", ["poisson", "negative_binomial", "binomial", "beta_binomial", "log_normal"])
def test_something_seen_where_nothing_is_predicted_is_impossible(family: str) -> None:
    """And the gradient says which way out, as a finite number: an infinite one would spoil the whole."""
    arguments = {"overdispersion": 0.1, "trials": 50.0, "sigma": 0.5}
    chosen = likelihood(family)
    given = {name: arguments[name] for name in chosen.arguments}
    found = chosen.slopes(observed=np.array([3.0]), predicted=np.zeros(1), **given)
    assert found.log_likelihood[0] == -np.inf
    assert 0 < found.by_prediction[0] < np.inf
    assert all(np.isfinite(slope).all() for slope in found.by_argument.values())


@pytest.mark.parametrize("overdispersion", [0.0, 1e-300, 1e-15, 1e-9])
def test_without_overdispersion_a_negative_binomial_is_a_poisson(overdispersion: float) -> None:
    """The difference of log-gammas that textbooks print is wrong by whole units there."""
    given = {"observed": COUNTS, "predicted": MEANS}
    found = likelihood("negative_binomial").slopes(**given, overdispersion=overdispersion)
    wanted = likelihood("poisson").slopes(**given)
    by_overdispersion = 0.5 * ((COUNTS - MEANS) ** 2 - COUNTS)
    expected = wanted.log_likelihood + overdispersion * by_overdispersion
    np.testing.assert_allclose(found.log_likelihood, expected, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(found.by_prediction, wanted.by_prediction, rtol=1e-5)
    np.testing.assert_allclose(found.by_argument["overdispersion"], by_overdispersion, rtol=1e-4, atol=1e-9)


def test_without_overdispersion_a_beta_binomial_is_a_binomial() -> None:
    """The same for those examined."""
    given = {"observed": TESTED, "predicted": PROPORTIONS, "trials": 100.0}
    found = likelihood("beta_binomial").slopes(**given, overdispersion=0.0)
    wanted = likelihood("binomial").slopes(**given)
    np.testing.assert_allclose(found.log_likelihood, wanted.log_likelihood, atol=1e-9)
    np.testing.assert_allclose(found.by_prediction, wanted.by_prediction, rtol=1e-8, atol=1e-8)


def test_a_thousand_million_cases_are_still_a_number() -> None:
    """A pandemic's cumulative counts, and a normal's approximation to say what the number is."""
    mean, s = np.array([1.0e9]), 1e-4
    found = likelihood("negative_binomial").slopes(observed=mean * 1.01, predicted=mean, overdispersion=s)
    gamma = stats.gamma(1 / s, scale=mean * s).logpdf(mean * 1.01)
    np.testing.assert_allclose(found.log_likelihood, gamma, rtol=1e-6)
    assert np.isfinite(found.by_prediction).all()


@pytest.mark.parametrize("step", [0.0, 1e-8, 0.02, 0.0499, 0.0501, 0.3, 20.0])
def test_the_rising_sum_is_the_sum(step: float) -> None:
    """Both forms of it, on either side of where they meet, against adding up the terms."""
    count = np.array([0.0, 1.0, 2.0, 25.0, 300.0])
    terms = [np.arange(int(y)) for y in count]
    np.testing.assert_allclose(
        log_rising(count, step), [np.log1p(step * k).sum() for k in terms], rtol=1e-11, atol=1e-12
    )
    slopes = [(k / (1 + step * k)).sum() for k in terms]
    np.testing.assert_allclose(log_rising_slope(count, step), slopes, rtol=1e-9, atol=1e-12)
    steps = np.array([step, 0.0, 1.0, step, 0.01])
    np.testing.assert_allclose(
        log_rising(count, steps), [np.log1p(s * k).sum() for s, k in zip(steps, terms, strict=True)], rtol=1e-11
    )


def test_a_misspelt_likelihood_names_the_near_one() -> None:
    """C201, with a hint."""
    with pytest.raises(ModelworksError) as raised:
        likelihood("negative_binomal")
    assert raised.value.codes == ("C201",)
    assert "negative_binomial" in str(raised.value)


def test_the_cases_leave_no_likelihood_out() -> None:
    """A new member of the family comes with its truth."""
    assert {case[0] for case in CASES} | {"multinomial", "dirichlet_multinomial", "exact"} == set(FAMILIES)


def test_what_was_seen_and_what_is_predicted_can_not_change_places() -> None:
    """A peer took both by position, and its users swapped them; here the call itself is refused."""
    with pytest.raises(TypeError):
        likelihood("poisson").log_likelihood(COUNTS, MEANS)
