"""How many of those examined had something."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION, Array, Likelihood, Range, Slopes


def log_likelihood(*, observed: Array, predicted: Array, trials: float | Array) -> Array:
    r"""$\log\binom{n}{y} + y \log p + (n - y) \log(1 - p)$ of each point.

    `observed` counts those who had it among the `trials` examined; `predicted` is the probability of one,
    so a prediction above 1 is impossible.
    """
    p = np.maximum(predicted, 0.0)
    seen = xlogy(observed, p) + xlog1py(trials - observed, -np.minimum(p, 1.0))
    return np.where(p > 1.0 + ROUND_OFF, -np.inf, log_ways(observed, trials) + seen)


def slopes(*, observed: Array, predicted: Array, trials: float | Array) -> Slopes:
    p = inside(predicted)
    value = log_likelihood(observed=observed, predicted=predicted, trials=trials)
    return Slopes(value, observed / p - (trials - observed) / (1.0 - p), {})


def sample(key: np.random.Generator, *, predicted: Array, trials: float | Array) -> Array:
    number = np.broadcast_to(np.asarray(trials), predicted.shape).astype(np.int64)
    return key.binomial(number, np.clip(predicted, 0.0, 1.0)).astype(np.float64)


def log_ways(observed: Array, trials: float | Array) -> Array:
    """The logarithm of the number of ways to choose so many of the trials."""
    return np.asarray(gammaln(trials + 1.0) - gammaln(observed + 1.0) - gammaln(trials - observed + 1.0))


def inside(predicted: Array) -> Array:
    """Probabilities kept off 0 and 1, where derivatives are infinite."""
    return np.clip(predicted, SMALLEST_PREDICTION, 1.0 - SMALLEST_PREDICTION)


# By how much a sum of proportions may exceed one without meaning anything.
ROUND_OFF = 1e-9


def expected(*, predicted: Array, trials: float | Array, **_: float | Array) -> Array:
    """How many of the trials are expected to have it."""
    return np.asarray(trials * predicted)


BINOMIAL = Likelihood(
    "binomial",
    "counts",
    {"trials": Range(0.0, above=True, can_be_found=False)},
    log_likelihood,
    slopes,
    sample,
    expected=expected,
)
