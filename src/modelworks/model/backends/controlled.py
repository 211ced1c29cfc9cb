"""The kernel of solvers that choose their own steps: the model's functions as machine code, and a solver around them.

What differs from model to model is written from the graph as for fixed steps. What does not, the solver and the control
of its steps, are routines in Python's own words, written into the same module. Time is no grid here, so tables are
read where the solver looks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from modelworks.model._graph import Array, Graph
from modelworks.model._program import Program
from modelworks.model.backends import _cache
from modelworks.model.backends._emit import Source
from modelworks.model.backends._parts import Layout, Parts
from modelworks.model.backends._routines import Routines, exported
from modelworks.model.backends.native import TOLERATED, Tape
from modelworks.model.solvers import _control
from modelworks.model.solvers._grid import Grid
from modelworks.model.solvers._method import ChosenStep

_LEAVES = ("time", "happening", "lookup", "weight")


class ControlledKernel:
    """A compiled program whose solver chooses its steps. It may be used from several threads at once."""

    def __init__(self, program: Program, method: ChosenStep) -> None:
        self.program = program
        self.method = method
        self.layout = Layout.of(program)
        self._leaves = _leaves(program.graph, list(self.layout.data.offsets))
        self._places = self._sizes()
        tables = _tables(program.graph, self._leaves)
        constants = {**self._places, **tables, "ORDER": float(method.order)}
        told = {name: np.asarray(value).tolist() for name, value in constants.items()}
        content = f"{method.name} {_cache.of_code()} {program.content()} {told}"
        library = _cache.library(content, lambda: str(self._module(constants)))
        self._run = exported(library, _control.run_controlled)

    def _sizes(self) -> dict[str, int]:
        layout, run = self.layout, 1 + len(self._leaves)
        data = run + layout.run.size
        return {
            "STATE": layout.state,
            "PEOPLE": layout.people,
            "OUTPUT": layout.output,
            "LEAVES": len(self._leaves),
            "RUN": run,
            "DATA": data,
            "MOMENT": data + layout.data.size,
        }

    def _module(self, constants: dict[str, Any]) -> ir.Module:
        writer = _ControlledParts(self.program, self.layout)
        writer.write(self._leaves, jacobian=self.method.squares > 0)
        solver = {"begin": self.method.begin, "attempt": self.method.attempt}
        Routines(writer.llvm, {**constants, **writer.functions, **solver}).function(
            _control.run_controlled, exported=True
        )
        return writer.llvm

    def data(self, grid: Grid) -> Array:
        """Nothing is known beforehand: the kernel reads the time itself."""
        return np.empty((0, self.layout.data.size))

    def forward(self, grid: Grid, data: Array, parameters: Array, *, keep: bool) -> tuple[int, Array, Tape]:
        """Run once. Returns where it failed (or -1), the outputs (time, number), and a tape."""
        state, number = self.layout.state, grid.outputs.size
        outputs, seen = np.empty((number, self.layout.output)), np.empty((number, state))
        inputs = np.empty(self._places["MOMENT"] + max(self.layout.moment.size, 1))
        # Behind the solver's memory, where derivatives by what is no state are put aside.
        aside = inputs.size if self.method.squares else 0
        work = np.empty((3 + self.method.rows) * state + self.method.squares * state * state + aside)
        suspect, told = np.zeros(1, dtype=np.int64), np.zeros(2)
        # A table that steps at a stop holds its old value until there.
        ends = np.nextafter(grid.ends, -np.inf)
        happening = np.where(np.isfinite(grid.pulses), grid.moments[2 : 3 * grid.steps.size : 3], np.nan)
        arrays = (parameters, grid.starts, ends, happening, grid.counts, grid.resets, grid.outputs, outputs, seen)
        buffers = (inputs, work, suspect, told)
        addresses = [array.ctypes.data for array in (*arrays, *buffers)]
        failed = self._run(number, grid.longest, grid.tolerance, TOLERATED, *addresses)
        return failed, outputs, self._tape(inputs, seen, bool(suspect[0]), float(told[0]))

    def _tape(self, inputs: Array, seen: Array, suspect: bool, longest: float) -> Tape:
        """What was computed last: where something can not be, that is where it was met."""
        run, data, moment = (self._places[name] for name in ("RUN", "DATA", "MOMENT"))
        return Tape(
            run=inputs[run:data],
            moment=inputs[None, moment:],
            starts=np.empty(0),
            at_outputs=seen,
            suspect=suspect,
            data=inputs[None, data:moment],
            moments=inputs[:1],
            longest=longest,
        )


class _ControlledParts(Parts):
    """Writes the functions of the model that a solver with its own steps calls."""

    def write(self, leaves: list[int], *, jacobian: bool) -> None:
        self._before_run()
        self._at_time(leaves)
        self._at_moment()
        self._derivative()
        if jacobian:
            self._derivative_adjoint()
        self._observe()

    def _at_time(self, leaves: list[int]) -> None:
        sources = {leaf: Source("clock", place) for place, leaf in enumerate(leaves)}
        self._part("at_time", ["clock", "data", "suspect"], sources, self._stored(self.layout.data, "data"))


def _leaves(graph: Graph, wanted: list[int]) -> list[int]:
    """What is read from the time, to compute the rest."""
    return [k for k in sorted(graph.ancestors(wanted)) if graph.nodes[k].operation in _LEAVES]


def _tables(graph: Graph, leaves: list[int]) -> dict[str, NDArray[Any]]:
    """Kind, knots and values of each leaf, end to end."""
    found = [_table(graph, leaf) for leaf in leaves]
    return {
        "KINDS": np.array([_control.KIND_OF[kind] for kind, _, _ in found], dtype=np.int64),
        "FIRSTS": np.cumsum([0, *(knots.size for _, knots, _ in found)]).astype(np.int64),
        "KNOTS": np.concatenate([np.empty(0), *(knots for _, knots, _ in found)]),
        "VALUES": np.concatenate([np.empty(0), *(values for _, _, values in found)]),
    }


def _table(graph: Graph, leaf: int) -> tuple[str, Array, Array]:
    node = graph.nodes[leaf]
    numbers = np.asarray(node.data, dtype=float)
    if node.operation == "time":
        return "time", np.empty(0), np.empty(0)
    if node.operation == "happening":
        return "happening", numbers, np.ones(numbers.size)
    knots = graph.knots[int(numbers[0])]
    times = np.asarray(knots.times)
    if node.operation == "lookup":
        return knots.kind, times, numbers[1:]
    # The weight of one knot is nothing beyond its neighbours.
    place = int(numbers[1])
    near = slice(max(place - 1, 0), place + 2)
    return knots.kind, times[near], np.eye(times.size)[place, near]
