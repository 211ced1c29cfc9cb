"""Measurements with an error of a known or estimated size."""

from __future__ import annotations

import math

import numpy as np

from modelworks.calibration.likelihoods._below import of_standardised
from modelworks.calibration.likelihoods._likelihood import Array, Likelihood, Range, Slopes

LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def log_likelihood(*, observed: Array, predicted: Array, sd: float | Array) -> Array:
    r"""$-\tfrac12 ((y - m)/\sigma)^2 - \log\sigma - \tfrac12 \log 2\pi$ of each point.

    Without the $-\log\sigma$ an estimated error would grow without end.
    """
    return _of_standardised((observed - predicted) / sd, sd)


def slopes(*, observed: Array, predicted: Array, sd: float | Array) -> Slopes:
    z = (observed - predicted) / sd
    return Slopes(_of_standardised(z, sd), z / sd, {"sd": (z * z - 1.0) / sd})


def _of_standardised(z: Array, sd: float | Array) -> Array:
    return np.asarray(-0.5 * z * z - (np.log(sd) + LOG_ROOT_TWO_PI))


def sample(key: np.random.Generator, *, predicted: Array, sd: float | Array) -> Array:
    return np.asarray(predicted + sd * key.standard_normal(predicted.shape))


def _standardised(limits: Array, predicted: Array, sd: float | Array) -> tuple[Array, Array, Array]:
    z = (limits - predicted) / sd
    return z, -1.0 / (sd + np.zeros_like(z)), -z / sd


NORMAL = Likelihood(
    "normal",
    "anything",
    {"sd": Range(0.0, above=True)},
    log_likelihood,
    slopes,
    sample,
    of_standardised("sd", _standardised),
)
