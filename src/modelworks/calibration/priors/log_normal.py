"""The log-normal prior, stated by its median."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Above, Bijection
from modelworks.calibration.priors._family import Array
from modelworks.calibration.priors.normal import LOG_ROOT_TWO_PI
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class LogNormal:
    """The logarithm is normal around that of `median`, with standard deviation `sigma`."""

    median: float
    sigma: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"median", "sigma"})

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    @property
    def bijection(self) -> Bijection:
        return Above(0.0)

    @property
    def expectation(self) -> float:
        return self.median * math.exp(0.5 * self.sigma * self.sigma)

    @property
    def deviation(self) -> float:
        return self.expectation * math.sqrt(math.expm1(self.sigma * self.sigma))

    def log_density(self, x: float) -> float:
        if x <= 0:
            return -math.inf
        z = math.log(x / self.median) / self.sigma
        return -0.5 * z * z - math.log(x * self.sigma) - LOG_ROOT_TWO_PI

    def gradient(self, x: float) -> float:
        return -(math.log(x / self.median) / (self.sigma * self.sigma) + 1.0) / x

    def quantile(self, probability: Array) -> Array:
        from scipy.special import ndtri

        return self.median * np.exp(self.sigma * ndtri(probability))

    def in_words(self) -> str:
        return f"log-normal with median {as_written(self.median)} and sigma {as_written(self.sigma)}"
