"""The logit-normal prior, for proportions stated by their median."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Between, Bijection
from modelworks.calibration.priors._family import Array
from modelworks.calibration.priors.normal import LOG_ROOT_TWO_PI
from modelworks.units import as_written

# The moments have no closed form; so many points of Gauss and Hermite give nine digits.
POINTS = 101


@dataclass(frozen=True, slots=True)
class LogitNormal:
    """The logarithm of the odds x / (1 − x) is normal around that of `median`, with standard deviation `sigma`."""

    median: float
    sigma: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"median", "sigma"})

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def bijection(self) -> Bijection:
        return Between(0.0, 1.0)

    @property
    def expectation(self) -> float:
        return self._moment(1)

    @property
    def deviation(self) -> float:
        return math.sqrt(max(self._moment(2) - self._moment(1) ** 2, 0.0))

    def _moment(self, power: int) -> float:
        from scipy.special import expit

        z, weights = np.polynomial.hermite_e.hermegauss(POINTS)
        return float(weights @ expit(_log_odds(self.median) + self.sigma * z) ** power / weights.sum())

    def log_density(self, x: float) -> float:
        if not 0.0 < x < 1.0:
            return -math.inf
        z = self._z(x)
        return -0.5 * z * z - math.log(self.sigma * x) - math.log1p(-x) - LOG_ROOT_TWO_PI

    def gradient(self, x: float) -> float:
        return (2.0 * x - 1.0 - self._z(x) / self.sigma) / (x * (1.0 - x))

    def _z(self, x: float) -> float:
        return (_log_odds(x) - _log_odds(self.median)) / self.sigma

    def quantile(self, probability: Array) -> Array:
        from scipy.special import expit, ndtri

        return np.asarray(expit(_log_odds(self.median) + self.sigma * ndtri(probability)), dtype=np.float64)

    def in_words(self) -> str:
        return f"logit-normal with median {as_written(self.median)} and sigma {as_written(self.sigma)}"


def _log_odds(x: float) -> float:
    return math.log(x) - math.log1p(-x)
