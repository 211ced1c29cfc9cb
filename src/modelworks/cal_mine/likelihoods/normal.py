r"""Observations with an error of known or estimated size: $y \sim \mathrm{Normal}(\mu, \sigma)$."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ARGUMENTS = ("sd",)
HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


def log_likelihood(observed: Array, predicted: Array, sd: float) -> tuple[Array, Array, dict[str, Array]]:
    """Log likelihood of each point, and its derivatives. The −log sd is part of it, also when sd is sampled."""
    z = (observed - predicted) / sd
    value = -0.5 * z * z - np.log(sd) - HALF_LOG_TWO_PI
    return value, z / sd, {"sd": (z * z - 1.0) / sd}


def sample(key: np.random.Generator, predicted: Array, sd: float) -> Array:
    return key.normal(predicted, sd)
