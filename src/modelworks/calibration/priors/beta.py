"""The beta prior, for proportions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from modelworks.calibration.priors._bijection import Between, Bijection
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class Beta:
    """As after seeing `a` − 1 of one kind and `b` − 1 of the other, from a uniform start."""

    a: float
    b: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"a", "b"})

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, 1.0

    @property
    def bijection(self) -> Bijection:
        return Between(0.0, 1.0)

    @property
    def expectation(self) -> float:
        return self.a / (self.a + self.b)

    @property
    def deviation(self) -> float:
        total = self.a + self.b
        return math.sqrt(self.a * self.b / (total + 1.0)) / total

    def log_density(self, x: float) -> float:
        """
        >>> Beta(1, 1).log_density(0.3)
        0.0
        """
        if not 0.0 < x < 1.0:
            return -math.inf
        constant = math.lgamma(self.a + self.b) - math.lgamma(self.a) - math.lgamma(self.b)
        return (self.a - 1.0) * math.log(x) + (self.b - 1.0) * math.log1p(-x) + constant

    def gradient(self, x: float) -> float:
        return (self.a - 1.0) / x - (self.b - 1.0) / (1.0 - x)

    def quantile(self, probability: Array) -> Array:
        from scipy.special import betaincinv

        return betaincinv(self.a, self.b, probability)

    def in_words(self) -> str:
        arguments = f"{as_written(self.a)}, {as_written(self.b)}"
        return f"beta({arguments}), mean {self.expectation:.3g} and sd {self.deviation:.3g}"
