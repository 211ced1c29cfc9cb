"""The half-Cauchy prior, for scales of which little is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Above, Bijection
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class HalfCauchy:
    """Above zero with median `scale` and a tail so long that it has no mean."""

    scale: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"scale"})

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    @property
    def bijection(self) -> Bijection:
        return Above(0.0)

    @property
    def expectation(self) -> float:
        return math.inf

    @property
    def deviation(self) -> float:
        return math.inf

    def log_density(self, x: float) -> float:
        if x < 0:
            return -math.inf
        z = x / self.scale
        return math.log(2.0 / (math.pi * self.scale)) - math.log1p(z * z)

    def gradient(self, x: float) -> float:
        return -2.0 * x / (self.scale * self.scale + x * x)

    def quantile(self, probability: Array) -> Array:
        return self.scale * np.tan(0.5 * math.pi * np.asarray(probability))

    def in_words(self) -> str:
        return f"half-Cauchy with scale {as_written(self.scale)}"
