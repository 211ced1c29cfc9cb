"""What the model says is what is seen: for models that run by chance, whose runs hold all the scatter there is."""

from __future__ import annotations

import numpy as np

from modelworks.calibration.likelihoods._likelihood import Array, Likelihood, Slopes


def log_likelihood(*, observed: Array, predicted: Array) -> Array:
    """Nothing where they are the same, and minus infinity where they are not.

    >>> log_likelihood(observed=np.array([2.0, 3.0]), predicted=np.array([2.0, 4.0])).tolist()
    [0.0, -inf]
    """
    return np.where(observed == predicted, 0.0, -np.inf)


def slopes(*, observed: Array, predicted: Array) -> Slopes:
    return Slopes(log_likelihood(observed=observed, predicted=predicted), np.zeros(np.shape(predicted)), {})


def sample(key: np.random.Generator, *, predicted: Array) -> Array:
    return np.array(predicted, dtype=np.float64)


EXACT = Likelihood("exact", "anything", {}, log_likelihood, slopes, sample)
