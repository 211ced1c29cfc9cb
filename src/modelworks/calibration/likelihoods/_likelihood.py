"""What a likelihood can do. To add one, copy the file of the nearest member and add a line in `__init__.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# What observations a family can be asked about: whole numbers from 0 on, numbers above 0, any number.
Observable = Literal["counts", "above zero", "anything"]

# A prediction of nothing where something was seen is impossible, and its gradient infinite; an infinite
# one would make the gradient of the whole model a NaN. It is taken at this prediction instead, which
# points the same way.
SMALLEST_PREDICTION = 1e-12


class Range(NamedTuple):
    """Between which numbers an argument lies.

    `above` says that the lower end itself is not taken; `can_be_found` whether it may have a prior.
    """

    lower: float = -math.inf
    upper: float = math.inf
    above: bool = False
    can_be_found: bool = True

    def holds(self, value: float) -> bool:
        return (value > self.lower if self.above else value >= self.lower) and value <= self.upper

    def in_words(self) -> str:
        """
        >>> Range(0.0, above=True).in_words(), Range(0.0, 1.0).in_words()
        ('above 0', 'between 0 and 1')
        """
        if math.isfinite(self.upper):
            return f"between {self.lower:g} and {self.upper:g}"
        return f"above {self.lower:g}" if self.above else f"{self.lower:g} or more"


class Slopes(NamedTuple):
    """Log likelihood of each point, and its derivative by each prediction and by each argument, all (point,)."""

    log_likelihood: Array
    by_prediction: Array
    by_argument: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """One family of observation noise.

    The three functions take `observed` and `predicted` (point,) and the arguments, all by name: what was
    seen and what was predicted can not be swapped. `log_likelihood` is of each point; whoever wants the
    log likelihood of all *sums* it. `slopes` gives it with its derivatives, and `sample` takes a key and
    draws new observations in the shape of `predicted`.

    `below` is like `slopes`, of observations of which only a limit is known that they lie below; families of
    counts need none, for theirs is a sum. `expected` is the mean of what is observed, where that is not what is
    predicted but, as of a proportion of trials, something made of it.
    """

    name: str
    observable: Observable
    arguments: Mapping[str, Range]
    log_likelihood: Callable[..., Array]
    slopes: Callable[..., Slopes]
    sample: Callable[..., Array]
    below: Callable[..., Slopes] | None = None
    expected: Callable[..., Array] | None = None
