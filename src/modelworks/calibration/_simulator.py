"""What a calibration needs of a model: parameters in, outputs over time out, and perhaps their gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Simulator(Protocol):
    """A model that can be run; a native kernel, a Python function and an external program alike.

    A run that leaves what is possible raises a `ModelworksError`; the calibration then takes those
    parameters for impossible and goes on. It may be called from several threads at once.
    """

    @property
    def parameters(self) -> tuple[str, ...]:
        """The order of the values it takes."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its columns."""
        ...

    @property
    def times(self) -> Array:
        """The model times of its rows, shape (time,)."""
        ...

    def run(self, values: Array, /) -> Array:
        """Outputs, shape (time, output), of values, shape (parameter,).

        An output that counts events holds, in each row, those since the row before.
        """
        ...


class DifferentiableSimulator(Simulator, Protocol):
    """A simulator that also knows its exact gradient.

    One that has the function but not always a gradient, as a model solved by steps of its own choice, says so: its
    `has_gradient` is False.
    """

    def run_with_pullback(self, values: Array, /) -> tuple[Array, Callable[[Array], Array]]:
        """Outputs, and the function from a cotangent (time, output) to the gradient (parameter,)."""
        ...


def has_gradient(simulator: Simulator) -> TypeGuard[DifferentiableSimulator]:
    """Whether a simulator knows its gradient."""
    return callable(getattr(simulator, "run_with_pullback", None)) and bool(getattr(simulator, "has_gradient", True))
