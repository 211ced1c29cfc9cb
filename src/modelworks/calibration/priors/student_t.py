"""The Student-t prior: a normal with longer tails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelworks.calibration.priors._bijection import Bijection, Identity
from modelworks.calibration.priors._family import Array
from modelworks.units import as_written


@dataclass(frozen=True, slots=True)
class StudentT:
    """Around `location`, with `df` degrees of freedom: 1 is a Cauchy, infinitely many a normal."""

    location: float
    scale: float
    df: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"scale", "df"})

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    @property
    def bijection(self) -> Bijection:
        return Identity()

    @property
    def expectation(self) -> float:
        return self.location if self.df > 1 else math.nan

    @property
    def deviation(self) -> float:
        return self.scale * math.sqrt(self.df / (self.df - 2.0)) if self.df > 2 else math.inf

    def log_density(self, x: float) -> float:
        z = (x - self.location) / self.scale
        constant = math.lgamma(0.5 * (self.df + 1.0)) - math.lgamma(0.5 * self.df)
        constant -= 0.5 * math.log(math.pi * self.df) + math.log(self.scale)
        return constant - 0.5 * (self.df + 1.0) * math.log1p(z * z / self.df)

    def gradient(self, x: float) -> float:
        away = x - self.location
        return -(self.df + 1.0) * away / (self.df * self.scale * self.scale + away * away)

    def quantile(self, probability: Array) -> Array:
        from scipy.special import stdtrit

        return np.asarray(self.location + self.scale * stdtrit(self.df, probability), dtype=np.float64)

    def in_words(self) -> str:
        location, scale, df = map(as_written, (self.location, self.scale, self.df))
        return f"Student-t with location {location}, scale {scale} and {df} degrees of freedom"
