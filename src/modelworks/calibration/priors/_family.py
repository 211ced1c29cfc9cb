"""What a family of priors can do. To add one, copy the file of the nearest member."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.priors._bijection import Bijection

Array = NDArray[np.float64]


class Family(Protocol):
    """A distribution whose arguments are settled; a frozen dataclass with one field for each argument.

    `log_density` and `gradient` take one number and are written with `math`: they are evaluated one
    parameter at a time, where a NumPy call would cost ten times as much.
    """

    # Arguments that must be above zero.
    POSITIVE: ClassVar[frozenset[str]]

    @property
    def support(self) -> tuple[float, float]:
        """Between which values there is any probability; infinite where there is no end."""
        ...

    @property
    def bijection(self) -> Bijection:
        """The map from the real line to the support."""
        ...

    @property
    def expectation(self) -> float:
        """The mean of the values, which is not always an argument called `mean`."""
        ...

    @property
    def deviation(self) -> float:
        """Their standard deviation; infinite where there is none."""
        ...

    def log_density(self, x: float) -> float:
        """The logarithm of the normalised density; minus infinity outside the support."""
        ...

    def gradient(self, x: float) -> float:
        """Its derivative by x inside the support."""
        ...

    def quantile(self, probability: Array) -> Array:
        """The values below which these shares of the probability lie, in the shape of `probability`."""
        ...

    def in_words(self) -> str:
        """`normal with mean 2 and sd 1`."""
        ...
