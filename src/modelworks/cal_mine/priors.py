"""Priors: what is believed of a parameter before the data, as a density and as a way to the whole line.

Each family gives the log density and its derivative in closed form (they are asked for thousands of
times a second) and hands quantiles and samples to scipy. All densities are normalised, also where
bounds cut them: otherwise evidence and comparisons of models would be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail, near

Array = NDArray[np.float64]
Slope = tuple[float, float]  # a log density and its derivative

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class Bounds(Protocol):
    """Between which a parameter lies; None where there is no limit."""

    @property
    def lower(self) -> float | None: ...

    @property
    def upper(self) -> float | None: ...


def _normal(mean: float, sd: float) -> Callable[[float], Slope]:
    constant = -math.log(sd) - HALF_LOG_TWO_PI

    def density(x: float) -> Slope:
        z = (x - mean) / sd
        return constant - 0.5 * z * z, -z / sd

    return density


def _log_normal(median: float, sigma: float) -> Callable[[float], Slope]:
    constant = -math.log(sigma) - HALF_LOG_TWO_PI

    def density(x: float) -> Slope:
        log_x = math.log(x)
        z = (log_x - math.log(median)) / sigma
        return constant - log_x - 0.5 * z * z, (-1.0 - z / sigma) / x

    return density


def _uniform(lower: float, upper: float) -> Callable[[float], Slope]:
    height = -math.log(upper - lower)
    return lambda _: (height, 0.0)


def _log_uniform(lower: float, upper: float) -> Callable[[float], Slope]:
    constant = -math.log(math.log(upper / lower))
    return lambda x: (constant - math.log(x), -1.0 / x)


def _beta(a: float, b: float) -> Callable[[float], Slope]:
    constant = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)

    def density(x: float) -> Slope:
        return (
            constant + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x),
            (a - 1) / x - (b - 1) / (1 - x),
        )

    return density


def _gamma(mean: float, sd: float) -> Callable[[float], Slope]:
    shape, rate = (mean / sd) ** 2, mean / sd**2
    constant = shape * math.log(rate) - math.lgamma(shape)
    return lambda x: (constant + (shape - 1) * math.log(x) - rate * x, (shape - 1) / x - rate)


def _half_normal(sd: float) -> Callable[[float], Slope]:
    constant = math.log(2) - math.log(sd) - HALF_LOG_TWO_PI
    return lambda x: (constant - 0.5 * (x / sd) ** 2, -x / sd**2)


def _half_cauchy(scale: float) -> Callable[[float], Slope]:
    constant = math.log(2) - math.log(math.pi * scale)
    return lambda x: (constant - math.log1p((x / scale) ** 2), -2 * x / (scale**2 + x * x))


def _exponential(mean: float) -> Callable[[float], Slope]:
    return lambda x: (-math.log(mean) - x / mean, -1.0 / mean)


@dataclass(frozen=True, slots=True)
class Family:
    """One family: its density from its arguments, its distribution in scipy, and how it is said."""

    density: Callable[..., Callable[[float], Slope]]
    scipy: Callable[[Any, Mapping[str, float]], Any]
    words: str


FAMILIES: dict[str, Family] = {
    "normal": Family(_normal, lambda s, a: s.norm(a["mean"], a["sd"]), "normal, mean {mean:g}, sd {sd:g}"),
    "log_normal": Family(
        _log_normal,
        lambda s, a: s.lognorm(a["sigma"], scale=a["median"]),
        "log-normal, median {median:g}, sigma {sigma:g}",
    ),
    "uniform": Family(
        _uniform, lambda s, a: s.uniform(a["lower"], a["upper"] - a["lower"]), "uniform, {lower:g} to {upper:g}"
    ),
    "log_uniform": Family(
        _log_uniform, lambda s, a: s.loguniform(a["lower"], a["upper"]), "log-uniform, {lower:g} to {upper:g}"
    ),
    "beta": Family(_beta, lambda s, a: s.beta(a["a"], a["b"]), "beta, a {a:g}, b {b:g}"),
    "gamma": Family(
        _gamma,
        lambda s, a: s.gamma((a["mean"] / a["sd"]) ** 2, scale=a["sd"] ** 2 / a["mean"]),
        "gamma, mean {mean:g}, sd {sd:g}",
    ),
    "half_normal": Family(_half_normal, lambda s, a: s.halfnorm(scale=a["sd"]), "half-normal, sd {sd:g}"),
    "half_cauchy": Family(
        _half_cauchy, lambda s, a: s.halfcauchy(scale=a["scale"]), "half-Cauchy, scale {scale:g}"
    ),
    "exponential": Family(_exponential, lambda s, a: s.expon(scale=a["mean"]), "exponential, mean {mean:g}"),
}


@dataclass(frozen=True)
class Prior:
    """A family with its arguments, cut to the interval it is given.

    `support` is where it holds anything possible; `log_mass` the logarithm of the family's probability
    there, taken off so that the density stays one.
    """

    family: str
    arguments: Mapping[str, float]
    support: tuple[float, float]
    log_mass: float = 0.0
    cut: bool = field(default=False)

    @staticmethod
    def of(family: str, arguments: Mapping[str, float], bounds: Bounds | None = None) -> Prior:
        """The prior a study's file states. A truncated normal is a normal with bounds of its own.

        Raises
        ------
        ModelworksError
            C101 for an unknown family, C102 where nothing of it lies within the bounds.
        """
        given = dict(arguments)
        low, high = -math.inf, math.inf
        if family == "truncated_normal":
            low, high, family = given.pop("lower"), given.pop("upper"), "normal"
        if family not in FAMILIES:
            fail("C101", f"there is no family of priors `{family}`", hint=near(family, [*FAMILIES, "truncated_normal"]))
        if bounds is not None:
            low = low if bounds.lower is None else max(low, bounds.lower)
            high = high if bounds.upper is None else min(high, bounds.upper)
        distribution = _distribution(family, given)
        own_low, own_high = (float(x) for x in distribution.support())
        cut = low > own_low or high < own_high
        low, high = max(low, own_low), min(high, own_high)
        log_mass = _log_mass(distribution, low, high) if cut and low < high else 0.0
        if low >= high or not math.isfinite(log_mass):
            fail(
                "C102",
                f"a {family.replace('_', ' ')} prior has nothing between its bounds {low:g} and {high:g}",
                hint="widen the bounds, or move the prior to where the parameter can be",
            )
        return Prior(family, given, (low, high), log_mass, cut)

    # -- density ---------------------------------------------------------------------------------

    @cached_property
    def _density(self) -> Callable[[float], Slope]:
        return FAMILIES[self.family].density(**self.arguments)

    def log_density(self, x: float) -> float:
        """The logarithm of the density at `x`; minus infinity outside the support."""
        return self.log_density_and_slope(x)[0]

    def log_density_and_slope(self, x: float) -> Slope:
        """The log density at `x` and its derivative."""
        if not self.support[0] <= x <= self.support[1]:
            return -math.inf, 0.0
        value, slope = self._density(x)
        return value - self.log_mass, slope

    # -- distribution ----------------------------------------------------------------------------

    def quantile(self, probability: float | Array) -> Array:
        """Below which value the prior holds this probability."""
        distribution = _distribution(self.family, self.arguments)
        below, above = distribution.cdf(self.support[0]), distribution.sf(self.support[1])
        values = distribution.ppf(below + np.asarray(probability) * (1.0 - below - above))
        return np.clip(values, *self.support)

    def sample(self, key: np.random.Generator, number: int) -> Array:
        """Independent draws, shape (number,)."""
        return self.quantile(key.random(number))

    def in_words(self) -> str:
        """As it is said in a table: `normal, mean 2, sd 1, cut at 0`."""
        text = FAMILIES[self.family].words.format(**self.arguments)
        if not self.cut:
            return text
        low, high = self.support
        if math.isinf(high):
            return f"{text}, cut below {low:g}"
        return f"{text}, cut above {high:g}" if math.isinf(low) else f"{text}, cut to {low:g} to {high:g}"

    # -- the whole line --------------------------------------------------------------------------

    def to_line(self, x: float) -> float:
        """From the support to the whole line, where samplers move."""
        low, high = self.support
        if math.isinf(low) and math.isinf(high):
            return x
        if math.isinf(high):
            return math.log(x - low)
        if math.isinf(low):
            return -math.log(high - x)
        return math.log((x - low) / (high - x))

    def from_line(self, u: float) -> tuple[float, float, float, float]:
        """Back again: the value, its derivative by `u`, the log of that derivative, and the log's derivative."""
        low, high = self.support
        if math.isinf(low) and math.isinf(high):
            return u, 1.0, 0.0, 0.0
        if math.isinf(high):
            distance = math.exp(min(u, 700.0))
            return low + distance, distance, u, 1.0
        if math.isinf(low):
            distance = math.exp(min(-u, 700.0))
            return high - distance, distance, -u, -1.0
        share = 1 / (1 + math.exp(-u)) if u >= 0 else math.exp(u) / (1 + math.exp(u))
        width = high - low
        # log(share (1 - share)) written so that it stays finite far out.
        log_slope = math.log(width) - abs(u) - 2 * math.log1p(math.exp(-abs(u)))
        return low + width * share, width * share * (1 - share), log_slope, 1 - 2 * share


def _distribution(family: str, arguments: Mapping[str, float]) -> Any:
    from scipy import stats

    return FAMILIES[family].scipy(stats, arguments)


def _log_mass(distribution: Any, low: float, high: float) -> float:
    """The log of the probability between two values, from whichever tail keeps its digits."""
    if distribution.cdf(low) > 0.5:
        mass = distribution.sf(low) - distribution.sf(high)
    else:
        mass = distribution.cdf(high) - distribution.cdf(low)
    return math.log(mass) if mass > 0 else -math.inf
