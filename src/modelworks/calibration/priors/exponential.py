"""The exponential prior, stated by its mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Above, Bijection
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class Exponential:
    """Above zero, most likely near it; the rate is one over `mean`."""

    mean: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"mean"})

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
        return self.mean

    def log_density(self, x: float) -> float:
        return -x / self.mean - math.log(self.mean) if x >= 0 else -math.inf

    def gradient(self, x: float) -> float:
        return -1.0 / self.mean

    def quantile(self, probability: Array) -> Array:
        return -self.mean * np.log1p(-np.asarray(probability))

    def in_words(self) -> str:
        return f"exponential with mean {as_written(self.mean)}"
