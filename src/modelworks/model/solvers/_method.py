"""What a deterministic solver says of itself: one value of one of these classes, in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FixedStep:
    """An explicit Runge-Kutta method that takes the steps of a grid, each stage from the slope of the one before.

    Stage k adds `weights[k] * h * slope` to the step's result, and the next starts `reaches[k] * h * slope` from the
    step's start; it looks at the start, the middle or the end of the step (`moments[k]` 0, 1 or 2). The gradient
    of its runs is exact. `order` says how the error falls with the step; with none the step is part of the model.
    """

    name: str
    weights: tuple[float, ...]
    reaches: tuple[float, ...]
    moments: tuple[int, ...]
    order: int | None

    @property
    def pulse_step(self) -> float:
        """The step in which the last stage alone weighs one: it adds exactly what a pulse moves."""
        return 1 / self.weights[-1]
