"""Every family of priors against scipy, and its derivatives against differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from modelworks.calibration import Prior
from modelworks.calibration.priors import FAMILIES
from modelworks.errors import ModelworksError

INF = math.inf


class LogitNormal:
    """scipy has none: the normal of scipy in the log odds, by a change of variables, its moments by quadrature."""

    def __init__(self, median: float, sigma: float) -> None:
        self.inside = stats.norm(special.logit(median), sigma)

    def ppf(self, shares: Any) -> Any:
        return special.expit(self.inside.ppf(shares))

    def cdf(self, x: Any) -> Any:
        return self.inside.cdf(special.logit(x))

    def logpdf(self, x: Any) -> Any:
        return self.inside.logpdf(special.logit(x)) - np.log(x) - np.log1p(-x)

    def mean(self) -> float:
        return float(self.inside.expect(special.expit, epsabs=1e-13))

    def std(self) -> float:
        second = self.inside.expect(lambda z: special.expit(z) ** 2, epsabs=1e-13)
        return float(np.sqrt(second - self.mean() ** 2))

    def support(self) -> tuple[float, float]:
        return 0.0, 1.0


# Family, arguments, bounds, the same distribution by scipy.
CASES: list[tuple[str, dict[str, float], tuple[float | None, float | None] | None, Any]] = [
    ("normal", {"mean": 2, "sd": 0.7}, None, stats.norm(2, 0.7)),
    ("normal", {"mean": 2, "sd": 1}, (0, None), stats.truncnorm(-2, INF, 2, 1)),
    ("normal", {"mean": 2, "sd": 1}, (None, 1.5), stats.truncnorm(-INF, -0.5, 2, 1)),
    ("truncated_normal", {"mean": -1, "sd": 0.5, "lower": 0, "upper": 2}, None, stats.truncnorm(2, 6, -1, 0.5)),
    ("truncated_normal", {"mean": 0.3, "sd": 5, "lower": -1, "upper": 1}, None, stats.truncnorm(-0.26, 0.14, 0.3, 5)),
    ("log_normal", {"median": 5, "sigma": 0.4}, None, stats.lognorm(0.4, scale=5)),
    ("uniform", {"lower": -2, "upper": 3}, None, stats.uniform(-2, 5)),
    ("log_uniform", {"lower": 1e-4, "upper": 10}, None, stats.loguniform(1e-4, 10)),
    ("beta", {"a": 2.5, "b": 0.8}, None, stats.beta(2.5, 0.8)),
    ("gamma", {"mean": 3, "sd": 2}, None, stats.gamma(2.25, scale=4 / 3)),
    ("logit_normal", {"median": 0.2, "sigma": 0.8}, None, LogitNormal(0.2, 0.8)),
    ("student_t", {"location": -1, "scale": 0.5, "df": 4.5}, None, stats.t(4.5, -1, 0.5)),
    ("cauchy", {"location": 3, "scale": 0.5}, None, stats.cauchy(3, 0.5)),
    ("half_normal", {"sd": 2.5}, None, stats.halfnorm(scale=2.5)),
    ("half_cauchy", {"scale": 0.5}, None, stats.halfcauchy(scale=0.5)),
    ("exponential", {"mean": 0.2}, None, stats.expon(scale=0.2)),
]
IDS = [f"{family}{'' if bounds is None else ' cut'}-{k}" for k, (family, _, bounds, _) in enumerate(CASES)]
every = pytest.mark.parametrize(("family", "arguments", "bounds", "truth"), CASES, ids=IDS)

SHARES = np.array([1e-6, 0.01, 0.2, 0.5, 0.8, 0.99, 1 - 1e-6])


def difference(function: Any, x: float, step: float) -> float:
    """The derivative by Richardson's extrapolation of central differences, good to about 1e-10."""
    coarse = (function(x + step) - function(x - step)) / (2 * step)
    fine = (function(x + step / 2) - function(x - step / 2)) / step
    return float((4 * fine - coarse) / 3)


@every
def test_density_quantiles_and_moments_are_scipys(family: str, arguments: Any, bounds: Any, truth: Any) -> None:
    """A constant left out of a density would spoil evidence and comparison between models unseen."""
    prior = Prior.of(family, arguments, bounds)
    values = truth.ppf(SHARES)
    np.testing.assert_allclose(prior.quantile(SHARES), values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(prior.log_density(values), truth.logpdf(values), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose([prior.mean, prior.sd], [truth.mean(), truth.std()], rtol=1e-9)
    np.testing.assert_allclose(prior.support, truth.support(), atol=1e-15)


@every
def test_the_gradient_is_that_of_the_density(family: str, arguments: Any, bounds: Any, truth: Any) -> None:
    """Half a peer's faults were gradients that did not belong to the density."""
    prior = Prior.of(family, arguments, bounds)
    for x in truth.ppf([0.02, 0.3, 0.7, 0.98]):
        room = min(x - prior.support[0], prior.support[1] - x, prior.quantile(0.6) - prior.quantile(0.4))
        wanted = difference(prior.distribution.log_density, x, 1e-3 * room)
        assert prior.distribution.gradient(x) == pytest.approx(wanted, rel=1e-7, abs=1e-7)


@every
def test_the_real_line_and_back(family: str, arguments: Any, bounds: Any, truth: Any) -> None:
    """A parameter with bounds moves without them; the Jacobian and its slope must be those of the map."""
    bijection = Prior.of(family, arguments, bounds).bijection
    for x in truth.ppf(SHARES):
        u = bijection.to_line(x)
        image = bijection.from_line(u)
        assert image.value == pytest.approx(x, rel=1e-12)
        slope = difference(lambda at: bijection.from_line(at).value, u, 1e-3)
        assert image.slope == pytest.approx(slope, rel=1e-8, abs=1e-11 * abs(x))
        assert image.log_jacobian == pytest.approx(math.log(image.slope), rel=1e-9, abs=1e-9)
        bend = difference(lambda at: bijection.from_line(at).log_jacobian, u, 1e-3)
        assert image.log_jacobian_slope == pytest.approx(bend, abs=1e-8)


@every
def test_the_whole_line_stays_within_the_support(family: str, arguments: Any, bounds: Any, truth: Any) -> None:
    """A sampler may be thrown anywhere; it must never take a parameter out of its bounds, nor raise."""
    prior = Prior.of(family, arguments, bounds)
    low, high = prior.support
    for u in (-800.0, -40.0, 0.0, 40.0, 800.0):
        assert low <= prior.bijection.from_line(u).value <= high


@every
def test_a_sample_has_the_prior_s_own_distribution(family: str, arguments: Any, bounds: Any, truth: Any) -> None:
    """Kolmogorov and Smirnov can not tell two thousand draws from scipy's distribution."""
    drawn = Prior.of(family, arguments, bounds).sample(np.random.default_rng(7), 2000)
    assert stats.kstest(drawn, truth.cdf).pvalue > 0.001


@every
def test_nothing_lies_outside_the_support(family: str, arguments: Any, bounds: Any, truth: Any) -> None:
    """A rate below zero has no density at all."""
    prior = Prior.of(family, arguments, bounds)
    for end, beyond in zip(prior.support, (-0.1, 0.1), strict=True):
        if math.isfinite(end):
            assert prior.log_density(end + beyond) == -INF


def test_a_normal_cut_far_in_its_tail_keeps_its_digits() -> None:
    """Ten standard deviations out, differences of cumulative probabilities are zero and their logarithm is lost."""
    prior = Prior.of("truncated_normal", {"mean": 0, "sd": 1, "lower": 10, "upper": 12})
    values = stats.truncnorm(10, 12).ppf([0.1, 0.5, 0.9])
    np.testing.assert_allclose(prior.quantile([0.1, 0.5, 0.9]), values, rtol=1e-10)
    np.testing.assert_allclose(prior.log_density(values), stats.truncnorm(10, 12).logpdf(values), rtol=1e-9)


def test_a_family_can_be_asked_for_under_every_name_in_the_list() -> None:
    """The cases above leave none out."""
    assert {family for family, *_ in CASES} == set(FAMILIES)


@pytest.mark.parametrize(
    ("family", "arguments", "bounds", "words"),
    [
        ("normal", {"mean": 2, "sd": 1}, (0, None), "normal with mean 2 and sd 1, cut at 0"),
        ("normal", {"mean": 0.5, "sd": 0.2}, (0, 1), "normal with mean 0.5 and sd 0.2, cut at 0 and 1"),
        ("log_uniform", {"lower": 0.001, "upper": 10}, None, "log-uniform between 0.001 and 10"),
        ("exponential", {"mean": 0.2}, (0, None), "exponential with mean 0.2"),
        ("normal", {"mean": 1234567, "sd": 0.1234567}, None, "normal with mean 1234567 and sd 0.1234567"),
        ("uniform", {"lower": 0, "upper": 32447385}, None, "uniform between 0 and 32447385"),
    ],
)
def test_a_prior_says_itself_in_words(family: str, arguments: Any, bounds: Any, words: str) -> None:
    """A table of assumptions is read by people who do not know the names of arguments."""
    assert Prior.of(family, arguments, bounds).in_words() == words


@pytest.mark.parametrize(
    ("family", "arguments", "bounds", "code", "word"),
    [
        ("lognormal", {"median": 1, "sigma": 1}, None, "C101", "log_normal"),
        ("normal", {"mean": 1}, None, "C102", "sd"),
        ("normal", {"mean": 1, "sd": 1, "sigma": 1}, None, "C102", "sigma"),
        ("normal", {"mean": 1, "sd": 0}, None, "C103", "sd"),
        ("normal", {"mean": math.nan, "sd": 1}, None, "C103", "mean"),
        ("uniform", {"lower": 2, "upper": 1}, None, "C103", "lower"),
        ("uniform", {"lower": 0, "upper": INF}, None, "C103", "upper"),
        ("log_uniform", {"lower": 0, "upper": 1}, None, "C103", "lower"),
        ("logit_normal", {"median": 1.5, "sigma": 1}, None, "C103", "below 1"),
        ("student_t", {"location": 0, "scale": 1, "df": 0}, None, "C103", "df"),
        ("normal", {"mean": 1, "sd": 1}, (2, 1), "C104", "bounds"),
        ("normal", {"mean": 0, "sd": 0.01}, (5, 6), "C104", "nothing"),
        ("log_normal", {"median": 1, "sigma": 1}, (0, 10), "C104", "log_normal"),
    ],
)
def test_a_prior_that_can_not_be_is_a_letter(family: str, arguments: Any, bounds: Any, code: str, word: str) -> None:
    """Zero spread, ends in the wrong order, a misspelt family: each names what to mend."""
    with pytest.raises(ModelworksError) as raised:
        Prior.of(family, arguments, bounds)
    assert raised.value.codes[0] == code
    assert word in str(raised.value)
