"""What a calibration needs of a model: values in, outputs and their gradient out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Simulator(Protocol):
    """Any model: a compiled one, a Python function, an external program.

    `run` raises a `ModelworksError` where the run left what is possible. `run_with_pullback` also
    gives the function from a cotangent (time, output) to the gradient (parameter,).
    """

    @property
    def parameters(self) -> tuple[str, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def run(self, values: Array) -> Array: ...

    def run_with_pullback(self, values: Array) -> tuple[Array, Callable[[Array], Array]]: ...
