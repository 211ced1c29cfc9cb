"""An explicit method of order 5(4) that chooses its own steps: Dormand & Prince 1980,
doi:10.1016/0771-050X(80)90013-3.

For models whose pace changes by far: a quiet century, then an outbreak. Where a fixed step is as good, it is cheaper.
"""

from __future__ import annotations

import numpy as np

from modelworks.model.backends._routines import Real, Reals, Whole, Wholes, part
from modelworks.model.solvers._control import STATE, slope_at
from modelworks.model.solvers._method import ChosenStep

STAGES = 7
NODES = np.array([0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1])
# How much of each slope before it a stage starts from; the last stage is the step's result.
COEFFICIENTS = np.zeros((STAGES, STAGES))
COEFFICIENTS[1, :1] = [1 / 5]
COEFFICIENTS[2, :2] = [3 / 40, 9 / 40]
COEFFICIENTS[3, :3] = [44 / 45, -56 / 15, 32 / 9]
COEFFICIENTS[4, :4] = [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]
COEFFICIENTS[5, :5] = [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]
COEFFICIENTS[6, :6] = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]
# The result of order five less the one of order four.
DIFFERENCES = np.array([71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40])


def begin(continues: Whole, time: Real, end: Real, state: Reals, memory: Reals, inputs: Reals, suspect: Wholes) -> None:
    """The first slope, which is the last one of the step before."""
    first, last = part(memory, STATE), part(memory, STAGES * STATE)
    if continues == 1:
        for k in range(STATE):
            first[k] = last[k]
    else:
        slope_at(time, state, first, inputs, suspect)


def attempt(
    time: Real, h: Real, end: Real, state: Reals, after: Reals, memory: Reals, inputs: Reals, suspect: Wholes
) -> None:
    """Seven slopes, and what they add up to."""
    for stage in range(1, STAGES):
        for k in range(STATE):
            after[k] = state[k]
        for other in range(stage):
            add(h * COEFFICIENTS[stage * STAGES + other], part(memory, (1 + other) * STATE), after)
        slope_at(min(time + NODES[stage] * h, end), after, part(memory, (1 + stage) * STATE), inputs, suspect)
    for k in range(STATE):
        memory[k] = 0.0
    for stage in range(STAGES):
        add(h * DIFFERENCES[stage], part(memory, (1 + stage) * STATE), memory)


def add(factor: Real, row: Reals, target: Reals) -> None:
    """Add a multiple of a row to another."""
    if factor != 0.0:
        for k in range(STATE):
            target[k] += factor * row[k]


ADAPTIVE = ChosenStep("adaptive", begin, attempt, order=5, rows=STAGES + 1)
