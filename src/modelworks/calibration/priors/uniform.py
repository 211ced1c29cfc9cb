"""The uniform prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Bijection, Evenly
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every value between `lower` and `upper` alike."""

    lower: float
    upper: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset()

    @property
    def support(self) -> tuple[float, float]:
        return self.lower, self.upper

    @property
    def bijection(self) -> Bijection:
        return Evenly(self.lower, self.upper)

    @property
    def expectation(self) -> float:
        return 0.5 * (self.lower + self.upper)

    @property
    def deviation(self) -> float:
        return (self.upper - self.lower) / math.sqrt(12.0)

    def log_density(self, x: float) -> float:
        return -math.log(self.upper - self.lower) if self.lower <= x <= self.upper else -math.inf

    def gradient(self, x: float) -> float:
        return 0.0

    def quantile(self, probability: Array) -> Array:
        return self.lower + (self.upper - self.lower) * np.asarray(probability)

    def in_words(self) -> str:
        return f"uniform between {as_written(self.lower)} and {as_written(self.upper)}"
