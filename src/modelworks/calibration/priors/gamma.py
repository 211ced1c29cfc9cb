"""The gamma prior, stated by its mean and standard deviation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Above, Bijection
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class Gamma:
    """Above zero, skewed to the right; shape (mean/sd)², scale sd²/mean."""

    mean: float
    sd: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"mean", "sd"})

    @property
    def shape(self) -> float:
        return (self.mean / self.sd) ** 2

    @property
    def scale(self) -> float:
        return self.sd * self.sd / self.mean

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    @property
    def bijection(self) -> Bijection:
        return Above(0.0)

    @property
    def expectation(self) -> float:
        return self.mean

    @property
    def deviation(self) -> float:
        return self.sd

    def log_density(self, x: float) -> float:
        if x <= 0:
            return -math.inf
        shape, scale = self.shape, self.scale
        return (shape - 1.0) * math.log(x) - x / scale - math.lgamma(shape) - shape * math.log(scale)

    def gradient(self, x: float) -> float:
        return (self.shape - 1.0) / x - 1.0 / self.scale

    def quantile(self, probability: Array) -> Array:
        from scipy.special import gammaincinv

        return np.asarray(self.scale * gammaincinv(self.shape, probability), dtype=np.float64)

    def in_words(self) -> str:
        return f"gamma with mean {as_written(self.mean)} and sd {as_written(self.sd)}"
