"""Maps from the real line, on which samplers move, to where a parameter can lie.

Every map gives, with the value, what a change of variables needs: the slope, the logarithm of its
absolute value (the Jacobian's), and the slope of that logarithm. They are scalar functions of
`math`, for they run for each parameter in each of the ten thousands of evaluations of a calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The largest exponent whose exponential is still a number.
LARGEST_EXPONENT = 709.0
ROOT_TWO = math.sqrt(2.0)
LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)
NORMAL = NormalDist()


class Image(NamedTuple):
    """The value x of a point u of the line, dx/du, log|dx/du|, and d log|dx/du| / du."""

    value: float
    slope: float
    log_jacobian: float
    log_jacobian_slope: float


class Bijection(Protocol):
    """One to one between the real line and a support."""

    def from_line(self, u: float) -> Image:
        """The value that a point of the line stands for, with the Jacobian's terms."""
        ...

    def values(self, u: Array) -> Array:
        """The values alone of many points of the line, in their shape."""
        ...

    def to_line(self, x: float) -> float:
        """The point of the line that stands for a value; infinite at the ends of the support."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """The whole line as it is."""

    def from_line(self, u: float) -> Image:
        return Image(u, 1.0, 0.0, 0.0)

    def values(self, u: Array) -> Array:
        return u

    def to_line(self, x: float) -> float:
        return x


@dataclass(frozen=True, slots=True)
class Above:
    """Everything above `lower`: u = log(x − lower)."""

    lower: float

    def from_line(self, u: float) -> Image:
        """
        >>> Above(2.0).from_line(0.0)
        Image(value=3.0, slope=1.0, log_jacobian=0.0, log_jacobian_slope=1.0)
        """
        distance = math.exp(u) if u < LARGEST_EXPONENT else math.inf
        return Image(self.lower + distance, distance, u, 1.0)

    def values(self, u: Array) -> Array:
        with np.errstate(over="ignore"):
            return self.lower + np.exp(u)

    def to_line(self, x: float) -> float:
        return math.log(x - self.lower) if x > self.lower else -math.inf


@dataclass(frozen=True, slots=True)
class Below:
    """Everything below `upper`: u = −log(upper − x), so that x rises with u."""

    upper: float

    def from_line(self, u: float) -> Image:
        distance = math.exp(-u) if -u < LARGEST_EXPONENT else math.inf
        return Image(self.upper - distance, distance, -u, -1.0)

    def values(self, u: Array) -> Array:
        with np.errstate(over="ignore"):
            return self.upper - np.exp(-u)

    def to_line(self, x: float) -> float:
        return -math.log(self.upper - x) if x < self.upper else math.inf


@dataclass(frozen=True, slots=True)
class Between:
    """Everything between two ends: u = logit((x − lower) / (upper − lower))."""

    lower: float
    upper: float

    def from_line(self, u: float) -> Image:
        """
        >>> Between(0.0, 4.0).from_line(0.0)[:2]
        (2.0, 1.0)
        """
        width = self.upper - self.lower
        # The exponential of a negative number never overflows, and the distance to the nearer end
        # keeps its digits.
        tail = math.exp(-abs(u))
        near = tail / (1.0 + tail)
        value = self.upper - width * near if u > 0 else self.lower + width * near
        log_jacobian = math.log(width) - abs(u) - 2.0 * math.log1p(tail)
        rise = 1.0 - 2.0 * near
        return Image(value, width * near / (1.0 + tail), log_jacobian, -rise if u > 0 else rise)

    def values(self, u: Array) -> Array:
        tail = np.exp(-np.abs(u))
        near = (self.upper - self.lower) * (tail / (1.0 + tail))
        return np.where(u > 0, self.upper - near, self.lower + near)

    def to_line(self, x: float) -> float:
        below, above = x - self.lower, self.upper - x
        if below <= 0 or above <= 0:
            return -math.inf if below <= 0 else math.inf
        return math.log(below) - math.log(above)


@dataclass(frozen=True, slots=True)
class Evenly:
    """Everything between two ends: u = Φ⁻¹ of the share below x, so that a uniform is a standard normal on the line.

    Data that press a parameter against one of its ends leave a tail like a normal's on the line, where the logit's is
    an exponential: for an error at its upper end the draws of NUTS were worth twice as much.
    """

    lower: float
    upper: float

    def from_line(self, u: float) -> Image:
        """
        >>> Evenly(0.0, 4.0).from_line(0.0).value
        2.0
        """
        width = self.upper - self.lower
        # What is left to the nearer end keeps its digits.
        near = 0.5 * width * math.erfc(abs(u) / ROOT_TWO)
        log_rise = -0.5 * u * u - LOG_ROOT_TWO_PI
        value = self.upper - near if u > 0 else self.lower + near
        return Image(value, width * math.exp(log_rise), math.log(width) + log_rise, -u)

    def values(self, u: Array) -> Array:
        from scipy.special import erfc

        near = 0.5 * (self.upper - self.lower) * erfc(np.abs(u) / ROOT_TWO)
        return np.where(u > 0, self.upper - near, self.lower + near)

    def to_line(self, x: float) -> float:
        below, above = x - self.lower, self.upper - x
        if below <= 0 or above <= 0:
            return -math.inf if below <= 0 else math.inf
        near = NORMAL.inv_cdf(min(below, above) / (self.upper - self.lower))
        return near if below < above else -near


@dataclass(frozen=True, slots=True)
class BetweenLogarithms:
    """Between two positive ends, evenly in the logarithm.

    A parameter that may span decades moves by factors; evenly in x itself everything but the
    largest decade would be squeezed into the tail.
    """

    lower: float
    upper: float

    def from_line(self, u: float) -> Image:
        logarithm = Evenly(math.log(self.lower), math.log(self.upper)).from_line(u)
        value = min(max(math.exp(logarithm.value), self.lower), self.upper)
        return Image(
            value,
            value * logarithm.slope,
            logarithm.value + logarithm.log_jacobian,
            logarithm.slope + logarithm.log_jacobian_slope,
        )

    def values(self, u: Array) -> Array:
        logarithms = Evenly(math.log(self.lower), math.log(self.upper)).values(u)
        return np.clip(np.exp(logarithms), self.lower, self.upper)

    def to_line(self, x: float) -> float:
        if x <= 0:
            return -math.inf
        return Evenly(math.log(self.lower), math.log(self.upper)).to_line(math.log(x))


def bijection(support: tuple[float, float]) -> Bijection:
    """The map for a support: identity, logarithm, or the quantiles of a normal.

    >>> bijection((0.0, math.inf))
    Above(lower=0.0)
    """
    lower, upper = support
    if math.isfinite(lower):
        return Evenly(lower, upper) if math.isfinite(upper) else Above(lower)
    return Below(upper) if math.isfinite(upper) else Identity()
