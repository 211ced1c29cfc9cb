"""How many of those examined had something, where people of one sample resemble each other."""

from __future__ import annotations

import numpy as np
from scipy.special import xlog1py, xlogy

from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION, Array, Likelihood, Range, Slopes
from modelworks.calibration.likelihoods._rising import log_rising, log_rising_slope
from modelworks.calibration.likelihoods.binomial import ROUND_OFF, expected, inside, log_ways


def log_likelihood(*, observed: Array, predicted: Array, trials: float | Array, overdispersion: float | Array) -> Array:
    r"""Log likelihood of each point, with variance $n p (1-p) (1 + (n-1) \rho)$.

    The overdispersion $\rho$ is the correlation between two people of one sample, from 0 (a binomial)
    to 1 (all alike). The probability of each sample scatters by a beta with $a = p/s$, $b = (1-p)/s$ and
    $s = \rho/(1-\rho)$, so that, with $R$ of `_rising.py` and $q = 1 - p$,

    $$\log\binom{n}{y} + y \log p + R(y, s/p) + (n-y) \log q + R(n-y, s/q) - R(n, s).$$
    """
    s = scatter(overdispersion)
    p, q = inside(predicted), inside(1.0 - predicted)
    missed = trials - observed
    value = (
        log_ways(observed, trials)
        + xlogy(observed, np.maximum(predicted, 0.0))
        + xlog1py(missed, -np.clip(predicted, 0.0, 1.0))
        + log_rising(observed, s / p)
        + log_rising(missed, s / q)
        - log_rising(np.asarray(trials, dtype=np.float64), s)
    )
    return np.where(predicted > 1.0 + ROUND_OFF, -np.inf, value)


def slopes(*, observed: Array, predicted: Array, trials: float | Array, overdispersion: float | Array) -> Slopes:
    s = scatter(overdispersion)
    p, q = inside(predicted), inside(1.0 - predicted)
    missed = trials - observed
    had, had_not = log_rising_slope(observed, s / p), log_rising_slope(missed, s / q)
    by_prediction = observed / p - s * had / (p * p) - missed / q + s * had_not / (q * q)
    by_scatter = had / p + had_not / q - log_rising_slope(np.asarray(trials, dtype=np.float64), s)
    value = log_likelihood(observed=observed, predicted=predicted, trials=trials, overdispersion=overdispersion)
    return Slopes(value, by_prediction, {"overdispersion": by_scatter * (1.0 + s) ** 2})


def sample(
    key: np.random.Generator, *, predicted: Array, trials: float | Array, overdispersion: float | Array
) -> Array:
    """Binomial counts whose probabilities scatter by a beta distribution."""
    s = np.maximum(scatter(overdispersion), SMALLEST_PREDICTION)
    p = inside(predicted)
    scattered = key.beta(p / s, (1.0 - p) / s)
    number = np.broadcast_to(np.asarray(trials), predicted.shape).astype(np.int64)
    return key.binomial(number, scattered).astype(np.float64)


def scatter(overdispersion: float | Array) -> float | Array:
    """ρ/(1 − ρ), kept off infinity."""
    return overdispersion / np.maximum(1.0 - overdispersion, SMALLEST_PREDICTION)


BETA_BINOMIAL = Likelihood(
    "beta_binomial",
    "counts",
    {"trials": Range(0.0, above=True, can_be_found=False), "overdispersion": Range(0.0, 1.0)},
    log_likelihood,
    slopes,
    sample,
    expected=expected,
)
