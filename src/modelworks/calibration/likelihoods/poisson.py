"""Counts that scatter by chance alone."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy

from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION, Array, Likelihood, Slopes


def log_likelihood(*, observed: Array, predicted: Array) -> Array:
    r"""$y \log m - m - \log y!$ of each point; a prediction below zero (by round-off) is none.

    >>> log_likelihood(observed=np.array([0.0, 0.0, 2.0]), predicted=np.array([0.0, 3.0, 0.0])).tolist()
    [0.0, -3.0, -inf]
    """
    mean = np.maximum(predicted, 0.0)
    return np.asarray(xlogy(observed, mean) - mean - gammaln(observed + 1.0))


def slopes(*, observed: Array, predicted: Array) -> Slopes:
    value = log_likelihood(observed=observed, predicted=predicted)
    return Slopes(value, observed / np.maximum(predicted, SMALLEST_PREDICTION) - 1.0, {})


def sample(key: np.random.Generator, *, predicted: Array) -> Array:
    return counts_around(key, predicted)


def counts_around(key: np.random.Generator, mean: Array) -> Array:
    """Poisson counts with these means; none below zero, and no more than NumPy can count."""
    return key.poisson(np.clip(mean, 0.0, LARGEST_MEAN)).astype(np.float64)


# NumPy draws into 64-bit whole numbers and refuses a mean that might not fit.
LARGEST_MEAN = 9e18

POISSON = Likelihood("poisson", "counts", {}, log_likelihood, slopes, sample)
