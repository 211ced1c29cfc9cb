"""The Cauchy prior, for what may lie far from where it is expected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Bijection, Identity
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class Cauchy:
    """Half of it within one `scale` of `location`, and tails so long that it has no mean."""

    location: float
    scale: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"scale"})

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    @property
    def bijection(self) -> Bijection:
        return Identity()

    @property
    def expectation(self) -> float:
        return math.nan

    @property
    def deviation(self) -> float:
        return math.nan

    def log_density(self, x: float) -> float:
        z = (x - self.location) / self.scale
        return -math.log(math.pi * self.scale) - math.log1p(z * z)

    def gradient(self, x: float) -> float:
        away = x - self.location
        return -2.0 * away / (self.scale * self.scale + away * away)

    def quantile(self, probability: Array) -> Array:
        return self.location + self.scale * np.tan(math.pi * (np.asarray(probability) - 0.5))

    def in_words(self) -> str:
        return f"Cauchy with location {as_written(self.location)} and scale {as_written(self.scale)}"
