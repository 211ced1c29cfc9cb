"""A series of observations beside the series that a model makes itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def observed_part(predictive: ArrayLike, observed: ArrayLike) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Predictions (sample, point) and values (point,) where there are any, and the places of these points.

    >>> observed_part([[1.0, 2.0, 3.0]], [5.0, np.nan, 7.0])[1:]
    (array([5., 7.]), array([0, 2]))
    """
    values = np.asarray(observed, dtype=np.float64)
    there = np.flatnonzero(np.isfinite(values))
    return np.asarray(predictive, dtype=np.float64)[:, there], values[there], there


def share_of_own(as_extreme: NDArray[np.bool_]) -> float:
    """The share of series that are as extreme as the observed one, which counts as one of them; never 0.

    >>> share_of_own(np.array([True, False, False]))
    0.5
    """
    return float((1 + as_extreme.sum()) / (1 + as_extreme.size))
