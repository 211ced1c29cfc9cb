"""A compiled model in the units of a study's own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modelworks.model import Accuracy, CompiledModel

Array = NDArray[np.float64]


class ScaledModel:
    """Takes parameters as a study's files give them, and hands them to the model in its own units.

    `parameters` are the names in the study's order; what the model does not use (an overdispersion)
    is no part of it. `factors` turn the file's unit into the model's. `accuracy` says how well the
    solver's step was settled, once it was.
    """

    def __init__(self, compiled: CompiledModel, names: Sequence[str], factors: Mapping[str, float]) -> None:
        self.compiled = compiled
        self.parameters = tuple(names)
        self.outputs = compiled.outputs
        self.times = compiled.times
        self.accuracy: Accuracy | None = None
        self._places = np.array([self.parameters.index(name) for name in compiled.parameters], dtype=int)
        self._factors = np.array([factors[name] for name in compiled.parameters], dtype=float)

    @property
    def has_gradient(self) -> bool:
        """Whether the study's solver knows the gradient of a run."""
        return self.compiled.has_gradient

    def run(self, values: Array) -> Array:
        """Outputs (time, column)."""
        return self.compiled.run(self.given(values))

    def run_with_pullback(self, values: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Outputs, and the gradient by the values as they are given here."""
        outputs, pullback = self.compiled.run_with_pullback(self.given(values))

        def scaled(cotangent: Array) -> Array:
            gradient = np.zeros(len(self.parameters))
            gradient[self._places] = pullback(cotangent) * self._factors
            return gradient

        return outputs, scaled

    def given(self, values: Array) -> Array:
        given: Array = np.asarray(values, dtype=float)[self._places] * self._factors
        return given
