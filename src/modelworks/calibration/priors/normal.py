"""The normal prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from modelworks.calibration.priors._bijection import Bijection, Identity
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written

LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Normal:
    """Symmetric around `mean` with standard deviation `sd`."""

    mean: float
    sd: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"sd"})

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    @property
    def bijection(self) -> Bijection:
        return Identity()

    @property
    def expectation(self) -> float:
        return self.mean

    @property
    def deviation(self) -> float:
        return self.sd

    def log_density(self, x: float) -> float:
        """
        >>> round(Normal(2, 1).log_density(2.0), 6)
        -0.918939
        """
        z = (x - self.mean) / self.sd
        return -0.5 * z * z - math.log(self.sd) - LOG_ROOT_TWO_PI

    def gradient(self, x: float) -> float:
        return (self.mean - x) / (self.sd * self.sd)

    def quantile(self, probability: Array) -> Array:
        from scipy.special import ndtri

        return self.mean + self.sd * ndtri(probability)

    def in_words(self) -> str:
        return f"normal with mean {as_written(self.mean)} and sd {as_written(self.sd)}"
