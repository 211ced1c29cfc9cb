"""How a group that scatters evenly on the line is turned into rates, or into proportions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Link:
    """From the line to values, its slope as a function of the value, and back."""

    support: tuple[float, float]
    from_line: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    to_line: Callable[[Array], Array]


def _proportion(line: Array) -> Array:
    # The exponential of a negative number never overflows.
    tail = np.exp(-np.abs(line))
    return np.asarray(np.where(line > 0, 1.0, tail) / (1.0 + tail))


AS_IT_IS = Link((-math.inf, math.inf), lambda line: line, np.ones_like, lambda value: value)
LOGARITHM = Link((0.0, math.inf), np.exp, lambda value: value, np.log)
LOG_ODDS = Link(
    (0.0, 1.0), _proportion, lambda value: value * (1.0 - value), lambda value: np.log(value) - np.log1p(-value)
)
