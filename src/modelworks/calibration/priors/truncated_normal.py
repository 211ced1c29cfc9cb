"""The normal prior, cut at one end or both."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Bijection, bijection
from modelworks.calibration.priors._family import Array
from modelworks.calibration.priors.normal import LOG_ROOT_TWO_PI, Normal
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class TruncatedNormal:
    r"""A normal with `mean` and `sd` *before* the cut, renormalised between `lower` and `upper`.

    $$\log p(x) = \log\phi\left(\frac{x-\mu}{\sigma}\right) - \log\sigma
      - \log\left(\Phi\left(\frac{u-\mu}{\sigma}\right) - \Phi\left(\frac{l-\mu}{\sigma}\right)\right)$$
    """

    mean: float
    sd: float
    lower: float
    upper: float
    _log_mass: float = field(init=False, repr=False)

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"sd"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "_log_mass", log_mass(*self._ends()))

    def _ends(self) -> tuple[float, float]:
        return (self.lower - self.mean) / self.sd, (self.upper - self.mean) / self.sd

    @property
    def support(self) -> tuple[float, float]:
        return self.lower, self.upper

    @property
    def bijection(self) -> Bijection:
        return bijection(self.support)

    @property
    def expectation(self) -> float:
        low, high = self._ends()
        return self.mean + self.sd * (self._edge(low) - self._edge(high))

    @property
    def deviation(self) -> float:
        low, high = self._ends()
        shift = self._edge(low) - self._edge(high)
        bend = (low * self._edge(low) if low > -math.inf else 0.0) - (high * self._edge(high) if high < math.inf else 0)
        return self.sd * math.sqrt(max(1.0 + bend - shift * shift, 0.0))

    def _edge(self, z: float) -> float:
        """The standard normal density at an end, over the mass between the ends."""
        return math.exp(-0.5 * z * z - LOG_ROOT_TWO_PI - self._log_mass) if math.isfinite(z) else 0.0

    def log_density(self, x: float) -> float:
        if not self.lower <= x <= self.upper:
            return -math.inf
        z = (x - self.mean) / self.sd
        return -0.5 * z * z - math.log(self.sd) - LOG_ROOT_TWO_PI - self._log_mass

    def gradient(self, x: float) -> float:
        return (self.mean - x) / (self.sd * self.sd)

    def quantile(self, probability: Array) -> Array:
        """Worked in the tail that is nearer, where the cumulative probability keeps its digits."""
        from scipy.special import log_ndtr, ndtri_exp

        low, _ = self._ends()
        if low > 0:
            mirrored = TruncatedNormal(-self.mean, self.sd, -self.upper, -self.lower)
            return -mirrored.quantile(1.0 - np.asarray(probability))
        with np.errstate(divide="ignore"):
            share = np.log(probability) + self._log_mass
        z = ndtri_exp(np.logaddexp(log_ndtr(low), share))
        return np.clip(self.mean + self.sd * z, self.lower, self.upper)

    def in_words(self) -> str:
        ends = [as_written(end) for end in self.support if math.isfinite(end)]
        return f"{Normal(self.mean, self.sd).in_words()}, cut at {' and '.join(ends)}"


def log_mass(low: float, high: float) -> float:
    """The logarithm of a standard normal's probability between two ends.

    >>> round(math.exp(log_mass(-1.0, 1.0)), 6)
    0.682689
    """
    from scipy.special import log_ndtr, ndtr

    if low > 0:
        # Differences of probabilities near one have no digits left; those of the mirrored tail do.
        low, high = -high, -low
    if low < -1 and high > 1:
        return math.log1p(-float(ndtr(low)) - float(ndtr(-high)))
    upper, lower = float(log_ndtr(high)), float(log_ndtr(low))
    return upper + math.log1p(-math.exp(lower - upper)) if lower < upper else -math.inf
