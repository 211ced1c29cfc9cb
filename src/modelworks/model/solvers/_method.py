"""What a deterministic solver says of itself: one value of one of these classes, in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias


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

    has_gradient: ClassVar[bool] = True

    @property
    def pulse_step(self) -> float:
        """The step in which the last stage alone weighs one: it adds exactly what a pulse moves."""
        return 1 / self.weights[-1]

    @property
    def pulse_moment(self) -> int:
        """Which of a pulse's three moments is the one at which it happens: that of the last stage."""
        return self.moments[-1]


@dataclass(frozen=True, slots=True)
class ChosenStep:
    """A method that chooses its own steps between the stops of a grid, by an estimate of the error of each.

    It is two routines (`backends/_routines.py`) with the arguments of those in `_control.py`: `begin` prepares a
    step, and `attempt` makes one and estimates its error, as often as it takes to find one that is short enough. The
    memory they share holds `rows` states, of which the first is the error, and `squares` matrices.
    `order` is the power of the step that the error of a step falls with.
    """

    name: str
    begin: Callable[..., None]
    attempt: Callable[..., None]
    order: int
    rows: int
    squares: int = 0

    has_gradient: ClassVar[bool] = False
    pulse_step: ClassVar[float] = 1.0
    pulse_moment: ClassVar[int] = 2


Method: TypeAlias = FixedStep | ChosenStep
