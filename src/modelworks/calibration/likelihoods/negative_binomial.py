"""Counts that scatter more than by chance alone."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy

from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION, Array, Likelihood, Range, Slopes
from modelworks.calibration.likelihoods._rising import curvature, log_rising, log_rising_slope
from modelworks.calibration.likelihoods.poisson import counts_around

# Below it, not one digit of a log likelihood differs from the Poisson's, and one over it is still a number.
SMALLEST_OVERDISPERSION = 1e-290


def log_likelihood(*, observed: Array, predicted: Array, overdispersion: float | Array) -> Array:
    r"""Log likelihood of each point, with variance $m + s m^2$ for mean $m$ and overdispersion $s$.

    $$R(y, s) + y \log m - y \log(1 + s m) - \log(1 + s m) / s - \log y!$$

    with $R$ of `_rising.py`. An overdispersion of 0 is a Poisson.

    >>> log_likelihood(observed=np.array([0.0]), predicted=np.array([2.0]), overdispersion=0.5).round(6).tolist()
    [-1.386294]
    """
    s = np.maximum(overdispersion, SMALLEST_OVERDISPERSION)
    mean = np.maximum(predicted, 0.0)
    spread = np.log1p(s * mean)
    seen = xlogy(observed, mean) - observed * spread
    return np.asarray(log_rising(observed, s) + seen - spread / s - gammaln(observed + 1.0))


def slopes(*, observed: Array, predicted: Array, overdispersion: float | Array) -> Slopes:
    s = np.maximum(overdispersion, SMALLEST_OVERDISPERSION)
    mean = np.maximum(predicted, SMALLEST_PREDICTION)
    x = s * mean
    shrink = 1.0 / (1.0 + x)
    by_prediction = (observed / mean - 1.0) * shrink
    by_overdispersion = log_rising_slope(observed, s) - observed * mean * shrink + mean * mean * (shrink - curvature(x))
    value = log_likelihood(observed=observed, predicted=predicted, overdispersion=overdispersion)
    return Slopes(value, by_prediction, {"overdispersion": by_overdispersion})


def sample(key: np.random.Generator, *, predicted: Array, overdispersion: float | Array) -> Array:
    """Poisson counts around means that themselves scatter by a gamma distribution."""
    s = np.maximum(overdispersion, SMALLEST_OVERDISPERSION)
    mean = np.maximum(predicted, 0.0)
    # The relative scatter of a gamma with shape 1/s is the root of s, far below a digit where 1/s overflows.
    scatter = np.where(s < SMALLEST_SCATTER, 1.0, key.gamma(1.0 / np.maximum(s, SMALLEST_SCATTER), size=mean.shape) * s)
    return counts_around(key, mean * scatter)


SMALLEST_SCATTER = 1e-30

NEGATIVE_BINOMIAL = Likelihood(
    "negative_binomial", "counts", {"overdispersion": Range(0.0)}, log_likelihood, slopes, sample
)
