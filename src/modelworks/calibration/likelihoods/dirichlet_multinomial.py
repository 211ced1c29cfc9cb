"""How the counted divide among categories, where those of one sample resemble each other."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy

from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION, Array, Likelihood, Range, Slopes
from modelworks.calibration.likelihoods._rising import log_rising, log_rising_slope
from modelworks.calibration.likelihoods.beta_binomial import scatter
from modelworks.calibration.likelihoods.binomial import inside
from modelworks.calibration.likelihoods.multinomial import (
    ARGUMENTS,
    by_amount,
    by_time,
    counts_of,
    expected,
    flat,
    of_first,
    shares,
)


def log_likelihood(
    *, observed: Array, predicted: Array, trials: float | Array, categories: float, overdispersion: float | Array
) -> Array:
    r"""Log likelihood of each point, with variance $n p_k (1-p_k) (1 + (n-1) \rho)$ of each category.

    The overdispersion $\rho$ is the correlation between two of one sample, as of a beta-binomial, which this is for
    two categories. With $s = \rho/(1-\rho)$ and $R$ of `_rising.py` it is

    $$\log n! - R(n, s) + \sum_k \left( y_k \log p_k + R(y_k, s/p_k) - \log y_k! \right).$$
    """
    s = scatter(overdispersion)
    p, _ = shares(predicted, categories)
    of_all = gammaln(trials + 1.0) - log_rising(np.asarray(trials, dtype=np.float64), s)
    value = xlogy(observed, p) + log_rising(observed, s / inside(p)) - gammaln(observed + 1.0)
    return value + of_first(of_all, observed, categories)


def slopes(
    *, observed: Array, predicted: Array, trials: float | Array, categories: float, overdispersion: float | Array
) -> Slopes:
    s = scatter(overdispersion)
    p, total = shares(predicted, categories)
    q = inside(p)
    rise = log_rising_slope(observed, s / q)
    by_share = observed / np.maximum(p, SMALLEST_PREDICTION) - s * rise / (q * q)
    of_all = of_first(log_rising_slope(np.asarray(trials, dtype=np.float64), s), observed, categories)
    value = log_likelihood(
        observed=observed, predicted=predicted, trials=trials, categories=categories, overdispersion=overdispersion
    )
    by_overdispersion = (rise / q - of_all) * (1.0 + s) ** 2
    return Slopes(value, by_amount(by_share, p, total, categories), {"overdispersion": by_overdispersion})


def sample(
    key: np.random.Generator,
    *,
    predicted: Array,
    trials: float | Array,
    categories: float,
    overdispersion: float | Array,
) -> Array:
    """Multinomial counts whose probabilities scatter by a Dirichlet distribution."""
    s = np.maximum(scatter(overdispersion), SMALLEST_PREDICTION)
    p, _ = shares(predicted, categories)
    scattered = key.gamma(inside(p) / s)
    # So much scatter that every gamma is zero: one category has all, and which is chance.
    nothing = by_time(scattered, categories).sum(axis=-1, keepdims=True) == 0
    whole = np.where(nothing, by_time(counts_of(key, p, 1.0, categories), categories), by_time(scattered, categories))
    return counts_of(key, flat(whole), trials, categories)


DIRICHLET_MULTINOMIAL = Likelihood(
    "dirichlet_multinomial",
    "counts",
    {**ARGUMENTS, "overdispersion": Range(0.0, 1.0)},
    log_likelihood,
    slopes,
    sample,
    expected=expected,
)
