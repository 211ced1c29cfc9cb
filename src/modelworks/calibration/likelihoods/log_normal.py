"""Measurements whose error is a factor."""

from __future__ import annotations

import numpy as np

from modelworks.calibration.likelihoods._below import of_standardised
from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION, Array, Likelihood, Range, Slopes
from modelworks.calibration.likelihoods.normal import LOG_ROOT_TWO_PI


def log_likelihood(*, observed: Array, predicted: Array, sigma: float | Array) -> Array:
    r"""$-\tfrac12 (\log(y/m)/\sigma)^2 - \log(y\sigma) - \tfrac12 \log 2\pi$ of each point.

    The prediction is the *median* of what is observed. A prediction of nothing is impossible.
    """
    with np.errstate(divide="ignore"):
        z = (np.log(observed) - np.log(np.maximum(predicted, 0.0))) / sigma
    return np.asarray(-0.5 * z * z - np.log(observed * sigma) - LOG_ROOT_TWO_PI)


def slopes(*, observed: Array, predicted: Array, sigma: float | Array) -> Slopes:
    median = np.maximum(predicted, SMALLEST_PREDICTION)
    z = np.log(observed / median) / sigma
    value = log_likelihood(observed=observed, predicted=predicted, sigma=sigma)
    return Slopes(value, z / (sigma * median), {"sigma": (z * z - 1.0) / sigma})


def sample(key: np.random.Generator, *, predicted: Array, sigma: float | Array) -> Array:
    return np.asarray(np.maximum(predicted, 0.0) * np.exp(sigma * key.standard_normal(predicted.shape)))


def _standardised(limits: Array, predicted: Array, sigma: float | Array) -> tuple[Array, Array, Array]:
    median = np.maximum(predicted, SMALLEST_PREDICTION)
    z = np.log(limits / median) / sigma
    return z, -1.0 / (sigma * median), -z / sigma


LOG_NORMAL = Likelihood(
    "log_normal",
    "above zero",
    {"sigma": Range(0.0, above=True)},
    log_likelihood,
    slopes,
    sample,
    of_standardised("sigma", _standardised),
)
