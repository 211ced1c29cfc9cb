"""The log-uniform prior: every factor alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import BetweenLogarithms, Bijection
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class LogUniform:
    """The logarithm is uniform: as likely between 1 and 10 as between 10 and 100."""

    lower: float
    upper: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"lower", "upper"})

    @property
    def _span(self) -> float:
        return math.log(self.upper / self.lower)

    @property
    def support(self) -> tuple[float, float]:
        return self.lower, self.upper

    @property
    def bijection(self) -> Bijection:
        return BetweenLogarithms(self.lower, self.upper)

    @property
    def expectation(self) -> float:
        return (self.upper - self.lower) / self._span

    @property
    def deviation(self) -> float:
        second_moment = (self.upper**2 - self.lower**2) / (2.0 * self._span)
        return math.sqrt(max(second_moment - self.expectation**2, 0.0))

    def log_density(self, x: float) -> float:
        return -math.log(x * self._span) if self.lower <= x <= self.upper else -math.inf

    def gradient(self, x: float) -> float:
        return -1.0 / x

    def quantile(self, probability: Array) -> Array:
        return self.lower * np.exp(self._span * np.asarray(probability))

    def in_words(self) -> str:
        return f"log-uniform between {as_written(self.lower)} and {as_written(self.upper)}"
