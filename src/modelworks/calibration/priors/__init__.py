"""What is believed of a parameter before the data.

One file for each family; `_family.py` says what a family can do, `_bijection.py` how a parameter that
has bounds becomes one that has none. Add a family by a file and a line of `FAMILIES`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.calibration.priors._bijection import Bijection, Image
from modelworks.calibration.priors.beta import Beta
from modelworks.calibration.priors.cauchy import Cauchy
from modelworks.calibration.priors.exponential import Exponential
from modelworks.calibration.priors.gamma import Gamma
from modelworks.calibration.priors.half_cauchy import HalfCauchy
from modelworks.calibration.priors.half_normal import HalfNormal
from modelworks.calibration.priors.log_normal import LogNormal
from modelworks.calibration.priors.log_uniform import LogUniform
from modelworks.calibration.priors.logit_normal import LogitNormal
from modelworks.calibration.priors.normal import Normal
from modelworks.calibration.priors.student_t import StudentT
from modelworks.calibration.priors.truncated_normal import TruncatedNormal, log_mass
from modelworks.calibration.priors.uniform import Uniform
from modelworks.errors import Letters, fail, near

if TYPE_CHECKING:
    from modelworks.calibration.priors._family import Family

Array = NDArray[np.float64]

FAMILIES: Mapping[str, type[Family]] = MappingProxyType(
    {
        "normal": Normal,
        "truncated_normal": TruncatedNormal,
        "log_normal": LogNormal,
        "uniform": Uniform,
        "log_uniform": LogUniform,
        "beta": Beta,
        "gamma": Gamma,
        "logit_normal": LogitNormal,
        "student_t": StudentT,
        "cauchy": Cauchy,
        "half_normal": HalfNormal,
        "half_cauchy": HalfCauchy,
        "exponential": Exponential,
    }
)

# The logarithm of the smallest probability that is still a number; what is cut to less was not meant.
LEAST_LOG_MASS = -700.0

__all__ = ["FAMILIES", "Bijection", "Image", "Prior"]


@dataclass(frozen=True, slots=True)
class Prior:
    """A belief about one parameter, in that parameter's own unit.

    >>> contact_rate = Prior.of("normal", {"mean": 2, "sd": 1}, bounds=(0, None))
    >>> contact_rate.in_words()
    'normal with mean 2 and sd 1, cut at 0'
    >>> contact_rate.support
    (0.0, inf)
    """

    family: str
    arguments: Mapping[str, float]
    distribution: Family

    @classmethod
    def of(cls, family: str, arguments: Mapping[str, float], bounds: Sequence[float | None] | None = None) -> Prior:
        """A prior from the name of its family and its arguments.

        Parameters
        ----------
        bounds : (lower, upper), optional
            None where there is no bound. A normal is cut there; any other family must lie within.

        Raises
        ------
        ModelworksError
            C101 to C104: an unknown family, wrong or impossible arguments, bounds that do not fit.
        """
        if family not in FAMILIES:
            fail("C101", f"`{family}` is not a family of priors", hint=near(family, FAMILIES))
        _check_arguments(family, arguments)
        numbers = {name: float(value) for name, value in arguments.items()}
        lower, upper = _bounds(bounds)
        distribution: Family
        if family == "normal" and (lower, upper) != (-math.inf, math.inf):
            distribution = _cut(numbers["mean"], numbers["sd"], lower, upper)
        else:
            distribution = FAMILIES[family](**numbers)
            _check_within(family, distribution, lower, upper)
        return cls(family, MappingProxyType(numbers), distribution)

    @property
    def support(self) -> tuple[float, float]:
        """Between which values there is any probability; infinite where there is no end."""
        lower, upper = self.distribution.support
        return float(lower), float(upper)

    @property
    def bijection(self) -> Bijection:
        """From the real line, on which samplers move, to the support."""
        return self.distribution.bijection

    @property
    def mean(self) -> float:
        """The mean of the belief, after any cut."""
        return self.distribution.expectation

    @property
    def sd(self) -> float:
        """Its standard deviation, after any cut."""
        return self.distribution.deviation

    def log_density(self, values: ArrayLike) -> Array:
        """The log density, normalised, in the shape of the values; minus infinity outside the support."""
        return _each(self.distribution.log_density, values)

    def gradient(self, values: ArrayLike) -> Array:
        """Its derivative at values inside the support, in their shape."""
        return _each(self.distribution.gradient, values)

    def quantile(self, probability: ArrayLike) -> Array:
        """The values below which these shares of the belief lie.

        >>> float(Prior.of("log_normal", {"median": 5, "sigma": 0.3}).quantile(0.5))
        5.0
        """
        return np.asarray(self.distribution.quantile(np.asarray(probability, dtype=np.float64)), dtype=np.float64)

    def sample(self, key: np.random.Generator, number: int) -> Array:
        """So many independent values, by inversion: one uniform number of the key for each."""
        return self.quantile(key.random(number))

    def in_words(self) -> str:
        """The belief as a table shows it."""
        return self.distribution.in_words()


def _each(function: Callable[[float], float], values: ArrayLike) -> Array:
    return np.asarray(np.vectorize(function, otypes=[np.float64])(np.asarray(values, dtype=np.float64)))


def _bounds(bounds: Sequence[float | None] | None) -> tuple[float, float]:
    lower, upper = (None, None) if bounds is None else bounds
    low = -math.inf if lower is None else float(lower)
    high = math.inf if upper is None else float(upper)
    if not low < high:
        fail("C104", f"the bounds are {low:g} and {high:g}, but the lower must be below the upper")
    return low, high


def _cut(mean: float, sd: float, lower: float, upper: float) -> TruncatedNormal:
    if log_mass((lower - mean) / sd, (upper - mean) / sd) < LEAST_LOG_MASS:
        fail(
            "C104",
            f"a normal with mean {mean:g} and sd {sd:g} has nothing between {lower:g} and {upper:g}",
            hint="the bounds and the prior contradict each other: correct one of them",
        )
    return TruncatedNormal(mean, sd, lower, upper)


def _check_within(family: str, distribution: Family, lower: float, upper: float) -> None:
    low, high = distribution.support
    if low < lower or high > upper:
        fail(
            "C104",
            f"the prior `{family}` reaches from {low:g} to {high:g}, beyond the bounds {lower:g} and {upper:g}",
            hint="only a normal is cut at its bounds; choose a family that ends there, or wider bounds",
        )


def _check_arguments(family: str, arguments: Mapping[str, float]) -> None:
    """Every argument there, none too many, each a number its family can take."""
    wanted = list(inspect.signature(FAMILIES[family]).parameters)
    letters = Letters()
    for name in arguments:
        if name not in wanted:
            letters.add("C102", f"the prior `{family}` has no argument `{name}`", hint=near(name, wanted))
    for name in wanted:
        if name not in arguments:
            letters.add("C102", f"the prior `{family}` lacks its argument `{name}`", hint=f"it takes {_listed(wanted)}")
    letters.raise_if_any()
    for name, value in arguments.items():
        positive = name in FAMILIES[family].POSITIVE
        endless = family == "truncated_normal" and name in ("lower", "upper") and not math.isnan(value)
        if (not math.isfinite(value) and not endless) or (positive and value <= 0):
            rule = "a number above 0" if positive else "a number"
            letters.add("C103", f"`{name}` of the prior `{family}` is {value:g}, but must be {rule}")
    letters.raise_if_any()
    if "lower" in arguments and not arguments["lower"] < arguments["upper"]:
        fail("C103", f"`lower` {arguments['lower']:g} of the prior `{family}` is not below `upper`")
    if family == "logit_normal" and not arguments["median"] < 1:
        fail("C103", f"`median` {arguments['median']:g} of the prior `{family}` is not below 1")
    if family == "truncated_normal":
        _cut(*(float(arguments[name]) for name in wanted))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
