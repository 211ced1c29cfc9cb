r"""Counts that scatter as independent events do: $y \sim \mathrm{Poisson}(\mu)$."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

Array = NDArray[np.float64]

ARGUMENTS: tuple[str, ...] = ()


def log_likelihood(observed: Array, predicted: Array) -> tuple[Array, Array, dict[str, Array]]:
    """Log likelihood of each count (point,), and its derivative by the prediction.

    Where nothing is predicted a count of zero is certain, and any other impossible.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = xlogy(observed, predicted) - predicted - gammaln(observed + 1)
        slope = np.where(observed > 0, observed / predicted, 0.0) - 1.0
    return value, slope, {}


def sample(key: np.random.Generator, predicted: Array) -> Array:
    return key.poisson(np.maximum(predicted, 0.0)).astype(float)
