"""An implicit method for what is truly stiff: Rodas, a Rosenbrock method of order 4(3) that chooses its own steps.

Linearly implicit: a step solves linear equations with the exact Jacobian of the model, which the adjoint of its slopes
gives a row at a time, and never iterates. L-stable and stiffly accurate, so what is faster than a step is at
rest within it (Hairer & Wanner, Solving Ordinary Differential Equations II, 1996, section IV.7; coefficients in the
form that spares products with the Jacobian). A step costs the cube of the number of states where everybody meets
everybody; zeros of the Jacobian are passed over.
"""

from __future__ import annotations

import numpy as np

from modelworks.model.backends._routines import Real, Reals, Whole, Wholes, part
from modelworks.model.solvers._control import (
    DATA,
    LEAVES,
    MOMENT,
    PEOPLE,
    RUN,
    STATE,
    derivative_adjoint,
    slope_at,
)
from modelworks.model.solvers._method import ChosenStep

STAGES = 6
GAMMA = 0.25
NODES = np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0])
# How much of each stage before it a stage starts from; the last but one of them is the embedded result.
STARTS = np.zeros((STAGES, STAGES))
STARTS[1, :1] = [1.544]
STARTS[2, :2] = [0.9466785280815826, 0.2557011698983284]
STARTS[3, :3] = [3.314825187068521, 2.896124015972201, 0.9986419139977817]
STARTS[4, :4] = [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950]
STARTS[5, :5] = [*STARTS[4, :4], 1.0]
# How much of each, by the step, is added to a stage's slope.
COUPLINGS = np.zeros((STAGES, STAGES))
COUPLINGS[1, :1] = [-5.6688]
COUPLINGS[2, :2] = [-2.430093356833875, -0.2063599157091915]
COUPLINGS[3, :3] = [-0.1073529058151375, -9.594562251023355, -20.47028614809616]
COUPLINGS[4, :4] = [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160]
COUPLINGS[5, :5] = [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054]
# How much of the slopes' own change with time.
DRIFTS = np.array([0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0])

# The rows of the memory after the error, and the matrices behind them.
FIRST = 1
DRIFT = 2
STAGE = 3
SEED = 9
BAR = 10
PIVOTS = 11
ROWS = 12
# The slopes' change with time is a difference over this part of the time that is left, exact to its square.
NEARBY = 1e-4


def begin(continues: Whole, time: Real, end: Real, state: Reals, memory: Reals, inputs: Reals, suspect: Wholes) -> None:
    """The slope, how it changes with time, and the Jacobian."""
    first, drift, other = part(memory, FIRST * STATE), part(memory, DRIFT * STATE), part(memory, SEED * STATE)
    for k in range(STATE):
        drift[k] = 0.0
    if LEAVES > 0:
        nearby = NEARBY * (end - time)
        slope_at(time + nearby, state, drift, inputs, suspect)
        slope_at(time + 2.0 * nearby, state, other, inputs, suspect)
        slope_at(time, state, first, inputs, suspect)
        for k in range(STATE):
            drift[k] = (4.0 * drift[k] - other[k] - 3.0 * first[k]) / (2.0 * nearby)
    else:
        slope_at(time, state, first, inputs, suspect)
    if suspect[0] == 0:
        write_jacobian(state, memory, inputs)


def write_jacobian(state: Reals, memory: Reals, inputs: Reals) -> None:
    """How the slope of each number of the state (row) moves with the people in each (column)."""
    seed, bar, jacobian = part(memory, SEED * STATE), part(memory, BAR * STATE), part(memory, ROWS * STATE)
    aside = part(memory, (ROWS + 2 * STATE) * STATE)
    for k in range(STATE):
        seed[k] = 0.0
    for row in range(STATE):
        seed[row] = 1.0
        derivative_adjoint(
            state,
            part(inputs, RUN),
            part(inputs, DATA),
            part(inputs, MOMENT),
            seed,
            bar,
            part(aside, RUN),
            part(aside, MOMENT),
        )
        seed[row] = 0.0
        for k in range(PEOPLE):
            jacobian[row * PEOPLE + k] = bar[k]


def attempt(
    time: Real, h: Real, end: Real, state: Reals, after: Reals, memory: Reals, inputs: Reals, suspect: Wholes
) -> None:
    """Six stages of one linear system; the last is the difference to the embedded result."""
    jacobian, matrix = part(memory, ROWS * STATE), part(memory, (ROWS + STATE) * STATE)
    first, drift, pivots = part(memory, FIRST * STATE), part(memory, DRIFT * STATE), part(memory, PIVOTS * STATE)
    for k in range(PEOPLE * PEOPLE):
        matrix[k] = -jacobian[k]
    for k in range(PEOPLE):
        matrix[k * PEOPLE + k] += 1.0 / (GAMMA * h)
    factorise(matrix, pivots)
    for stage in range(STAGES):
        row = part(memory, (STAGE + stage) * STATE)
        for k in range(STATE):
            after[k] = state[k]
            row[k] = first[k]
        for other in range(stage):
            add(STARTS[stage * STAGES + other], part(memory, (STAGE + other) * STATE), after)
        if stage > 0:
            slope_at(min(time + NODES[stage] * h, end), after, row, inputs, suspect)
        for other in range(stage):
            add(COUPLINGS[stage * STAGES + other] / h, part(memory, (STAGE + other) * STATE), row)
        add(DRIFTS[stage] * h, drift, row)
        solve(matrix, pivots, row)
        count(jacobian, GAMMA * h, row)
    last = part(memory, (STAGE + STAGES - 1) * STATE)
    for k in range(STATE):
        memory[k] = last[k]
        after[k] += last[k]


def add(factor: Real, row: Reals, target: Reals) -> None:
    """Add a multiple of a row to another."""
    if factor != 0.0:
        for k in range(STATE):
            target[k] += factor * row[k]


def count(jacobian: Reals, scale: Real, row: Reals) -> None:
    """The equations of the events that are counted, on which nothing else depends."""
    for which in range(PEOPLE, STATE):
        total = row[which]
        for k in range(PEOPLE):
            total += jacobian[which * PEOPLE + k] * row[k]
        row[which] = scale * total


def factorise(matrix: Reals, pivots: Reals) -> None:
    """Lower and upper triangle of a matrix, in its place, with rows exchanged for the largest pivot."""
    for k in range(PEOPLE):
        best = k
        for i in range(k + 1, PEOPLE):
            if abs(matrix[i * PEOPLE + k]) > abs(matrix[best * PEOPLE + k]):
                best = i
        pivots[k] = float(best)
        top, chosen = part(matrix, k * PEOPLE), part(matrix, best * PEOPLE)
        if best != k:
            for j in range(PEOPLE):
                held = top[j]
                top[j] = chosen[j]
                chosen[j] = held
        for i in range(k + 1, PEOPLE):
            row = part(matrix, i * PEOPLE)
            if row[k] != 0.0:
                factor = row[k] / top[k]
                row[k] = factor
                for j in range(k + 1, PEOPLE):
                    row[j] -= factor * top[j]


def solve(matrix: Reals, pivots: Reals, row: Reals) -> None:
    """Solve for the people of one right-hand side, in its place."""
    for k in range(PEOPLE):
        best = int(pivots[k])
        held = row[k]
        row[k] = row[best]
        row[best] = held
    for i in range(PEOPLE):
        total = row[i]
        for j in range(i):
            total -= matrix[i * PEOPLE + j] * row[j]
        row[i] = total
    for back in range(PEOPLE):
        i = PEOPLE - 1 - back
        total = row[i]
        for j in range(i + 1, PEOPLE):
            total -= matrix[i * PEOPLE + j] * row[j]
        row[i] = total / matrix[i * PEOPLE + i]


IMPLICIT = ChosenStep("implicit", begin, attempt, order=4, rows=ROWS, squares=2)
