"""A run of a compiled model and its adjoint as routines: for a kernel of one's own around them, without Python.

The kernel of the model stays as it is. A table of whole numbers says where its functions and its grid lie, and how
large its buffers are; whoever calls it brings the working memory, a piece for each thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.model._graph import Array
from modelworks.model.backends._addresses import called, reals_at
from modelworks.model.backends._routines import Reals, Whole, Wholes, part
from modelworks.model.backends.native import Kernel
from modelworks.model.solvers._grid import Grid

# The columns of the table.
FORWARD, BACKWARD, DATA, STEPS, COUNTS, RESETS, NUMBER, TOLERATED = range(8)
RUN, MOMENT, STARTS, AT_OUTPUTS, WORK, SUSPECT, RUN_BAR, MOMENT_BAR, END = range(8, 17)


@dataclass(frozen=True)
class NativeRun:
    """A run that routines can make.

    The model's parameter *k* is the value at `places[k]` times `factors[k]`. Outputs are (time, column) with `columns`
    of them in a row, of which those from the model's last one on are of no concern. `table` is what `run_forward` and
    `run_backward` take, `memory` how many real numbers they work in, `held` what has to stay alive meanwhile.
    """

    places: NDArray[np.int64]
    factors: Array
    times: int
    columns: int
    table: NDArray[np.int64]
    memory: int
    held: tuple[object, ...]

    @classmethod
    def of(cls, kernel: Kernel, grid: Grid, data: Array) -> NativeRun:
        """From a kernel, its grid, and what depends on time alone on it."""
        layout, number = kernel.layout, grid.outputs.size
        moments = grid.moments.size * max(layout.moment.size, 1)
        states = grid.steps.size * layout.state, number * layout.state
        work = (len(kernel.method.weights) + 4) * layout.state
        sizes = (layout.run.size, moments, *states, work, 1, layout.run.size, moments)
        ends = np.cumsum([0, *sizes])
        tolerated = np.array([kernel.tolerated])
        where = (*kernel.addresses(), data.ctypes.data, *grid.addresses, number, tolerated.ctypes.data, *ends)
        parameters = len(kernel.program.parameters)
        return cls(
            np.arange(parameters),
            np.ones(parameters),
            number,
            layout.output,
            np.array(where, dtype=np.int64),
            int(ends[-1]),
            (kernel, grid, data, tolerated),
        )

    @property
    def work(self) -> int:
        """How much is computed, in numbers written on the tape: the same on any machine, unlike a time."""
        return int(self.table[AT_OUTPUTS] - self.table[STARTS])


def run_forward(table: Wholes, work: Reals, parameters: Reals, outputs: Reals) -> Whole:
    """Make a run and keep what its adjoint needs; zero unless it has to be looked at from Python."""
    work[table[SUSPECT]] = 0.0
    tolerated: Reals = reals_at(table[TOLERATED])
    failed = called(
        table[FORWARD],
        parameters,
        part(work, table[RUN]),
        table[DATA],
        part(work, table[MOMENT]),
        table[STEPS],
        table[COUNTS],
        table[RESETS],
        outputs,
        part(work, table[STARTS]),
        part(work, table[AT_OUTPUTS]),
        part(work, table[WORK]),
        part(work, table[SUSPECT]),
        -table[NUMBER],
        tolerated[0],
        0,
    )
    # The kernel leaves a whole number there, whose bits are zero where there is nothing to look at.
    return 0 if failed < 0 and work[table[SUSPECT]] == 0.0 else 1


def run_backward(table: Wholes, work: Reals, parameters: Reals, cotangent: Reals, gradient: Reals) -> None:
    """Add to the gradient by the model's parameters, of the run that was made last in this working memory."""
    for k in range(table[RUN_BAR], table[END]):
        work[k] = 0.0
    called(
        table[BACKWARD],
        parameters,
        part(work, table[RUN]),
        table[DATA],
        part(work, table[MOMENT]),
        table[STEPS],
        table[COUNTS],
        table[RESETS],
        part(work, table[STARTS]),
        part(work, table[AT_OUTPUTS]),
        cotangent,
        part(work, table[RUN_BAR]),
        part(work, table[MOMENT_BAR]),
        gradient,
        part(work, table[WORK]),
        table[NUMBER],
    )
