"""The half-normal prior."""

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
class HalfNormal:
    """The size of a normal around zero whose standard deviation, before it is folded, is `sd`."""

    sd: float

    POSITIVE: ClassVar[frozenset[str]] = frozenset({"sd"})

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    @property
    def bijection(self) -> Bijection:
        return Above(0.0)

    @property
    def expectation(self) -> float:
        return self.sd * math.sqrt(2.0 / math.pi)

    @property
    def deviation(self) -> float:
        return self.sd * math.sqrt(1.0 - 2.0 / math.pi)

    def log_density(self, x: float) -> float:
        if x < 0:
            return -math.inf
        z = x / self.sd
        return math.log(2.0 / self.sd) - 0.5 * z * z - LOG_ROOT_TWO_PI

    def gradient(self, x: float) -> float:
        return -x / (self.sd * self.sd)

    def quantile(self, probability: Array) -> Array:
        from scipy.special import ndtri

        # −Φ⁻¹((1 − p)/2) keeps its digits in the upper tail, where Φ⁻¹((1 + p)/2) has lost them.
        return -self.sd * ndtri(0.5 * (1.0 - np.asarray(probability)))

    def in_words(self) -> str:
        return f"half-normal with sd {as_written(self.sd)}"
