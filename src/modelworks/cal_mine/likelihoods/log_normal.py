r"""Positive observations with an error by a factor: $\log y \sim \mathrm{Normal}(\log \mu, \sigma)$; $\mu$ is the median."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ARGUMENTS = ("sigma",)
HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


def log_likelihood(observed: Array, predicted: Array, sigma: float) -> tuple[Array, Array, dict[str, Array]]:
    """Log likelihood of each point, and its derivatives."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_observed = np.log(observed)
        z = (log_observed - np.log(predicted)) / sigma
        value = -0.5 * z * z - np.log(sigma) - log_observed - HALF_LOG_TWO_PI
        return value, z / (sigma * predicted), {"sigma": (z * z - 1.0) / sigma}


def sample(key: np.random.Generator, predicted: Array, sigma: float) -> Array:
    return np.asarray(predicted * np.exp(sigma * key.standard_normal(np.shape(predicted))))
