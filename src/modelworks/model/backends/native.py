"""The default backend: the graph as one native kernel, run forward and backward.

The kernel integrates with an explicit Runge-Kutta method (`solvers/rk4.py`, `solvers/euler.py`) on a given grid of
steps and writes the outputs; the backward kernel is its exact discrete adjoint, so a
gradient is that of the numbers the forward run printed, not of an ideal solution. Stages are
recomputed from the stored start of each step: memory grows with the number of steps, not stages.

There are no exceptions inside: a run returns the index of the first output at which a compartment
was negative or not a number, or -1.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelworks.model._graph import Array
from modelworks.model._program import Program
from modelworks.model.backends import _cache
from modelworks.model.backends._parts import Layout
from modelworks.model.backends._steps import BACKWARD, FORWARD, SEVERAL, Writer
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.solvers._grid import Grid
from modelworks.model.solvers._method import FixedStep
from modelworks.model.solvers.rk4 import RK4

# Negative people beyond this part of everybody are no round-off of a solver.
TOLERATED = 1e-6

_C_KINDS = {"number": ctypes.c_int64, "tolerated": ctypes.c_double, "begin": ctypes.c_int64, "runs": ctypes.c_int64}


def _signature(answer: Any, arguments: Sequence[str]) -> Any:
    kinds: list[Any] = [_C_KINDS.get(each, ctypes.c_void_p) for each in arguments]
    return ctypes.CFUNCTYPE(answer, *kinds)


class Kernel:
    """A compiled program. Its methods may be called from several threads at once.

    Where the lanes are runs, `parameters` is (parameter, run) laid out flat, and so is the gradient.
    """

    def __init__(self, program: Program, method: FixedStep = RK4) -> None:
        self.program = program
        self.method = method
        self.layout = Layout.of(program)
        self._content = f"{method} {_cache.of_code()} {program.content()}"
        self._library = _cache.library(f"forward {self._content}", lambda: str(self._writer().forward()))
        self._forward = _signature(ctypes.c_int64, FORWARD)(self._library.address("forward"))
        self._several = _signature(ctypes.c_int64, SEVERAL)(self._library.address("several"))
        self._adjoint: _cache.Library | None = None
        self._writing = threading.Lock()
        # What is tolerated is a part of everybody, and where the lanes are runs everybody is in all of them.
        self.tolerated = TOLERATED / (program.width if program.graph.runs else 1)

    def _writer(self) -> Writer:
        return Writer(self.program, self.layout, self.method)

    def _compile_adjoint(self) -> None:
        """Done when first asked for: who only simulates does not wait for it."""
        with self._writing:
            if self._adjoint is None:
                library = _cache.library(f"backward {self._content}", lambda: str(self._writer().backward()))
                self._backward = _signature(None, BACKWARD)(library.address("backward"))
                self._adjoint = library

    def addresses(self) -> tuple[int, int]:
        """Where the machine code of a run and of its adjoint lie."""
        if self._adjoint is None:
            self._compile_adjoint()
        assert self._adjoint is not None
        return self._library.address("forward"), self._adjoint.address("backward")

    def data(self, grid: Grid) -> Array:
        """What depends on time alone, for each moment of the grid, shape (moment, slot)."""
        buffer = np.zeros((grid.moments.size, max(self.layout.data.size, 1)))
        values = evaluate(self.program.graph, self.layout.data.offsets, times=grid.moments)
        for node, offset in self.layout.data.offsets.items():
            value = values[node]
            width = value.shape[1] if value.ndim == 2 else 1
            buffer[:, offset : offset + width] = value.reshape(-1, width)
        return buffer

    def forward(self, grid: Grid, data: Array, parameters: Array, *, keep: bool) -> tuple[int, Array, Tape]:
        """Run once. Returns where it failed (or -1), the outputs (time, number), and a tape.

        Only with `keep` does the tape hold what `backward` needs.
        """
        layout, number = self.layout, grid.outputs.size
        (outputs, run, moment, starts, at_outputs, _), places = _block(
            (number, layout.output),
            (layout.run.size,),
            (grid.moments.size, max(layout.moment.size, 1)),
            (grid.steps.size if keep else 1, layout.state),
            (number if keep else 1, layout.state),
            (4 * layout.state,),
        )
        suspect = ctypes.c_int64(0)
        at_output, at_run, at_moment, at_start, at_seen, work = places
        inputs = (parameters.ctypes.data, at_run, data.ctypes.data, at_moment, *grid.addresses)
        status = self._forward(
            *inputs,
            at_output,
            at_start,
            at_seen,
            work,
            ctypes.addressof(suspect),
            -number if keep else number,
            self.tolerated,
            0,
        )
        told = (bool(suspect.value), data, grid.moments, grid.longest)
        return status, outputs, Tape(run, moment, starts, at_outputs, *told, (*inputs, at_start, at_seen))

    def forward_several(self, grid: Grid, data: Array, parameters: Array, begin: Array | None = None) -> Array | None:
        """The outputs (run, time, number) of a run for each row of parameters; None where one is not possible.

        `begin` (run, state) is what each begins from, where that is not the model's own start.
        One call for all, and one piece of working memory: Python's lock is wanted once.
        """
        layout, number, runs = self.layout, grid.outputs.size, len(parameters)
        outputs = np.empty((runs, number, layout.output))
        _, (at_run, at_moment, at_state, work) = _block(
            (layout.run.size,),
            (grid.moments.size, max(layout.moment.size, 1)),
            (layout.state,),
            (4 * layout.state,),
        )
        suspect = ctypes.c_int64(0)
        failed = self._several(
            parameters.ctypes.data,
            at_run,
            data.ctypes.data,
            at_moment,
            *grid.addresses,
            outputs.ctypes.data,
            # Nothing is put there without a tape.
            at_state,
            at_state,
            work,
            ctypes.addressof(suspect),
            number,
            self.tolerated,
            0 if begin is None else begin.ctypes.data,
            runs,
        )
        return outputs if failed < 0 else None

    def backward(self, grid: Grid, parameters: Array, tape: Tape, cotangent: Array) -> Array:
        """The gradient of `sum(cotangent * outputs)` by every parameter; grid and parameters are those of the tape."""
        if self._adjoint is None:
            self._compile_adjoint()
        (gradient, run_bar, moment_bar, _), (at_gradient, at_run, at_moment, work) = _block(
            (max(parameters.size, 1),),
            tape.run.shape,
            tape.moment.shape,
            ((len(self.method.weights) + 4) * self.layout.state,),
        )
        for each in (gradient, run_bar, moment_bar):
            each.fill(0.0)
        given = np.ascontiguousarray(cotangent)
        self._backward(
            *tape.places,
            given.ctypes.data,
            at_run,
            at_moment,
            at_gradient,
            work,
            grid.outputs.size,
        )
        return gradient[: parameters.size].copy()


@dataclass(frozen=True)
class Tape:
    """What a forward run leaves behind for the backward one, and whether it met a guard that did not hold.

    `moment` and `data` are what it computed and read at `moments`; `longest` is its longest step; `places` where what
    it read and wrote lies in memory, which must not have moved when it is run backward.
    """

    run: Array
    moment: Array
    starts: Array
    at_outputs: Array
    suspect: bool
    data: Array
    moments: Array
    longest: float
    places: tuple[int, ...] = ()


def _block(*shapes: tuple[int, ...]) -> tuple[list[Array], list[int]]:
    """Arrays side by side in one piece of memory, not cleared, and the address of each.

    To ask an array for its address takes longer than a small model's step: here it is asked once.
    """
    sizes = [math.prod(shape) for shape in shapes]
    ends = list(itertools.accumulate(sizes))
    memory = np.empty(ends[-1])
    first = memory.ctypes.data
    arrays = [memory[end - size : end].reshape(shape) for shape, size, end in zip(shapes, sizes, ends, strict=True)]
    return arrays, [first + (end - size) * memory.itemsize for size, end in zip(sizes, ends, strict=True)]
