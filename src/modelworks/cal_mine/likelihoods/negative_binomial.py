r"""Counts that scatter more than independent events: variance $\mu + \alpha \mu^2$.

The form by mean and overdispersion: $\alpha \to 0$ is Poisson; Stan's `phi` is $1/\alpha$.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, xlogy

from modelworks.cal_mine.likelihoods import poisson

Array = NDArray[np.float64]

ARGUMENTS = ("overdispersion",)

# Below this the differences of gamma functions lose more digits than Poisson differs by.
ALMOST_POISSON = 1e-9


def log_likelihood(
    observed: Array, predicted: Array, overdispersion: float
) -> tuple[Array, Array, dict[str, Array]]:
    """Log likelihood of each count (point,), and its derivatives by the prediction and the overdispersion."""
    if overdispersion < ALMOST_POISSON:
        value, slope, _ = poisson.log_likelihood(observed, predicted)
        with np.errstate(divide="ignore", invalid="ignore"):
            # The first term of the expansion in the overdispersion.
            by_alpha = 0.5 * ((observed - predicted) ** 2 - observed)
        return value + overdispersion * by_alpha, slope, {"overdispersion": by_alpha}
    size = 1.0 / overdispersion
    with np.errstate(divide="ignore", invalid="ignore"):
        log_one_plus = np.log1p(overdispersion * predicted)
        value = (
            gammaln(observed + size)
            - gammaln(size)
            - gammaln(observed + 1)
            - (size + observed) * log_one_plus
            + xlogy(observed, overdispersion * predicted)
        )
        slope = (np.where(observed > 0, observed / predicted, 0.0) - 1.0) - (
            overdispersion * (observed - predicted) / (1 + overdispersion * predicted)
        )
        by_size = digamma(observed + size) - digamma(size) - log_one_plus + (predicted - observed) / (size + predicted)
    return value, np.asarray(slope), {"overdispersion": -(size**2) * by_size}


def sample(key: np.random.Generator, predicted: Array, overdispersion: float) -> Array:
    mean = np.maximum(predicted, 0.0)
    if overdispersion < ALMOST_POISSON:
        return key.poisson(mean).astype(float)
    size = 1.0 / overdispersion
    return key.poisson(key.gamma(size, mean / size)).astype(float)
