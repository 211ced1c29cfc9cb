r"""Positives among people tested who resemble each other: the proportion itself scatters around $p$.

Overdispersion $\rho$ in (0, 1) is the correlation between two people of one sample: the variance is
$n p (1-p) (1 + (n-1) \rho)$, and $\rho \to 0$ is binomial.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma, gammaln

Array = NDArray[np.float64]

ARGUMENTS = ("trials", "overdispersion")


def log_likelihood(
    observed: Array, predicted: Array, trials: float, overdispersion: float
) -> tuple[Array, Array, dict[str, Array]]:
    """Log likelihood of each count of positives, and its derivatives by proportion and overdispersion."""
    strength = 1.0 / overdispersion - 1.0
    a, b = predicted * strength, (1 - predicted) * strength
    ways = gammaln(trials + 1) - gammaln(observed + 1) - gammaln(trials - observed + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = ways + betaln(observed + a, trials - observed + b) - betaln(a, b)
        together = digamma(strength) - digamma(trials + strength)
        by_a = digamma(observed + a) - digamma(a) + together
        by_b = digamma(trials - observed + b) - digamma(b) + together
        by_strength = predicted * by_a + (1 - predicted) * by_b
    return value, strength * (by_a - by_b), {"overdispersion": -by_strength / overdispersion**2}


def sample(key: np.random.Generator, predicted: Array, trials: float, overdispersion: float) -> Array:
    strength = 1.0 / overdispersion - 1.0
    share = np.clip(predicted, 1e-12, 1 - 1e-12)
    return key.binomial(int(trials), key.beta(share * strength, (1 - share) * strength)).astype(float)
