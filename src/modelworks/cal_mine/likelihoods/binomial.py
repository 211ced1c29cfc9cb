r"""Positives among people tested: $y \sim \mathrm{Binomial}(n, p)$, the prediction being the proportion $p$."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlog1py, xlogy

Array = NDArray[np.float64]

ARGUMENTS = ("trials",)


def log_likelihood(observed: Array, predicted: Array, trials: float) -> tuple[Array, Array, dict[str, Array]]:
    """Log likelihood of each count of positives, and its derivative by the proportion."""
    ways = gammaln(trials + 1) - gammaln(observed + 1) - gammaln(trials - observed + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = ways + xlogy(observed, predicted) + xlog1py(trials - observed, -predicted)
        slope = np.where(observed > 0, observed / predicted, 0.0) - np.where(
            observed < trials, (trials - observed) / (1 - predicted), 0.0
        )
    return value, slope, {}


def sample(key: np.random.Generator, predicted: Array, trials: float) -> Array:
    return key.binomial(int(trials), np.clip(predicted, 0.0, 1.0)).astype(float)
