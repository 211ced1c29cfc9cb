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

    $$R(y, s) + y \log m - (y + 1/s) \log(1 + s m) - \log y!$$

    with $R$ of `_rising.py`. An overdispersion of 0 is a Poisson.

    >>> log_likelihood(observed=np.array([0.0]), predicted=np.array([2.0]), overdispersion=0.5).round(6).tolist()
    [-1.386294]
    """
    s = _above_zero(overdispersion)
    mean = np.maximum(predicted, 0.0)
    return _of_means(observed, mean, s, s * mean)


def slopes(*, observed: Array, predicted: Array, overdispersion: float | Array) -> Slopes:
    s = _above_zero(overdispersion)
    mean = np.maximum(predicted, SMALLEST_PREDICTION)
    x = s * mean
    away = (observed - mean) / (1.0 + x)
    # The derivatives of (y + 1/s) log(1 + s m) by s: what cancels where s m is small is in `curvature`.
    by_overdispersion = log_rising_slope(observed, s) - mean * (mean * curvature(x) + away)
    possible = np.maximum(predicted, 0.0)
    return Slopes(_of_means(observed, possible, s, s * possible), away / mean, {"overdispersion": by_overdispersion})


def _of_means(observed: Array, mean: Array, s: float | Array, x: Array) -> Array:
    seen = xlogy(observed, mean) - (observed + 1.0 / s) * np.log1p(x)
    return np.asarray(log_rising(observed, s) + seen - gammaln(observed + 1.0))


def _above_zero(overdispersion: float | Array) -> float | Array:
    if isinstance(overdispersion, float):
        return max(overdispersion, SMALLEST_OVERDISPERSION)
    return np.maximum(overdispersion, SMALLEST_OVERDISPERSION)


def sample(key: np.random.Generator, *, predicted: Array, overdispersion: float | Array) -> Array:
    """Poisson counts around means that themselves scatter by a gamma distribution."""
    s = _above_zero(overdispersion)
    mean = np.maximum(predicted, 0.0)
    # The relative scatter of a gamma with shape 1/s is the root of s, far below a digit where 1/s overflows.
    scatter = np.where(s < SMALLEST_SCATTER, 1.0, key.gamma(1.0 / np.maximum(s, SMALLEST_SCATTER), size=mean.shape) * s)
    return counts_around(key, mean * scatter)


SMALLEST_SCATTER = 1e-30

NEGATIVE_BINOMIAL = Likelihood(
    "negative_binomial", "counts", {"overdispersion": Range(0.0)}, log_likelihood, slopes, sample
)
