"""The kernel of a stochastic run: the model's rates as machine code, and a solver's loop around them.

What differs from model to model (rates, outputs) is written from the graph as for a deterministic run; what
does not (random numbers, solvers, the loop over draws) are routines in Python's own words, written into the
same module. A draw's random numbers depend on the seed and its own number alone, so the result is the same
bit by bit on any number of cores.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from modelworks.model._graph import Array
from modelworks.model._jumps import Jumps
from modelworks.model._program import Program
from modelworks.model.backends import _cache
from modelworks.model.backends._parts import Layout, Parts
from modelworks.model.backends._routines import Routines, exported
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.solvers import _jumping, chain_binomial, exact, tau_leap
from modelworks.model.solvers._grid import Grid, moments_of_pulse

METHODS: dict[str, Callable[..., Any]] = {
    "chain_binomial": chain_binomial.advance,
    "tau_leap": tau_leap.advance,
    "exact": exact.advance,
}
# As many draws as one thread takes at once: enough that handing them out costs nothing.
CHUNK = 16
# So little (draws, times steps, times the numbers of a state) is done sooner by one thread than handed out.
LITTLE = 50_000


@dataclass(frozen=True, eq=False)
class Steps:
    """The grid of a stochastic run: a row for each output, and behind these one for the middle of each step.

    `sizes` are the steps' (zero for outputs, and for pulses), `moments` the times, `data` what time alone decides. The
    steps before output k are `edges[k]` to `edges[k + 1]`, and events are counted anew after it where `resets[k]`.
    """

    sizes: Array
    edges: NDArray[np.int64]
    resets: NDArray[np.int64]
    moments: Array
    data: Array

    @staticmethod
    def of(grid: Grid, data: Callable[[Array], Array]) -> Steps:
        number = grid.outputs.size
        # All that happens in a pulse happens at one moment.
        at_once = np.isfinite(grid.pulses)
        middles = grid.starts + grid.steps / 2
        middles[at_once] = [moments_of_pulse(float(time))[1] for time in grid.pulses[at_once]]
        moments = np.concatenate([grid.outputs, middles])
        edges = number + np.concatenate([[0], np.cumsum(grid.counts)])
        return Steps(
            np.concatenate([np.zeros(number), np.where(at_once, 0.0, grid.steps)]),
            edges,
            grid.resets,
            moments,
            data(moments),
        )


@dataclass(frozen=True, eq=False)
class Failure:
    """Where a run met a rate that can not be: the draw, the position of the jump, and the step."""

    draw: int
    jump: int
    step: int


@dataclass(eq=False)
class Flock:
    """Draws on their way: where each is (draw, number), and its stream of random numbers (draw, 4).

    `first` is the number of the first of them among all.
    """

    states: Array
    streams: NDArray[np.uint64]
    first: int = 0


class StochasticKernel:
    """A compiled stochastic form of a program. Its methods may be called from several threads at once."""

    def __init__(self, program: Program, method: str) -> None:
        self.jumps = Jumps.of(program)
        self.program = self.jumps.rates
        self.layout = Layout.of(self.program)
        self._sizes = self._count()
        self._constants = self._sizes | self._tables()
        tables = {name: np.asarray(value).tolist() for name, value in self._constants.items()}
        content = f"{method} {_cache.of_code()} {self.program.content()} {tables}"
        library = _cache.library(content, lambda: str(self._module(METHODS[method])))
        self._run = exported(library, _jumping.run_draws)
        self._start = exported(library, _jumping.start_streams)

    def _count(self) -> dict[str, int]:
        layout, jumps = self.layout, self.jumps
        return {
            "WIDTH": self.program.width,
            "STATE": layout.state,
            "PEOPLE": layout.people,
            "OUTPUT": layout.output,
            "DATA": max(layout.data.size, 1),
            "MOMENT": max(layout.moment.size, 1),
            "JUMPS": len(jumps.jumps),
            "WEIGHTS": len(self.program.derivatives) - len(jumps.jumps),
            "ROWS_LEFT": jumps.sources.size,
        }

    def _tables(self) -> dict[str, NDArray[np.int64]]:
        names = "sources firsts origins destinations shifts counted_firsts counted_rows counted_weights"
        return {name.upper(): getattr(self.jumps, name) for name in names.split()}

    def _module(self, advance: Callable[..., Any]) -> ir.Module:
        writer = _StochasticWriter(self.program, self.layout)
        routines = Routines(
            writer.parts(), {**self._constants, **writer.functions, "advance": advance, "pulse": chain_binomial.advance}
        )
        for each in (_jumping.run_draws, _jumping.start_streams):
            routines.function(each, exported=True)
        return writer.llvm

    # -- running ---------------------------------------------------------------------------------

    def data(self, moments: Array) -> Array:
        """What depends on time alone, for each moment, shape (moment, slot)."""
        buffer = np.zeros((moments.size, max(self.layout.data.size, 1)))
        values = evaluate(self.program.graph, self.layout.data.offsets, times=moments)
        for node, offset in self.layout.data.offsets.items():
            value = values[node].reshape(moments.size, -1)
            buffer[:, offset : offset + value.shape[1]] = value
        return buffer

    def flock(self, initial: Array, seed: int, first: int = 0) -> Flock:
        """Draws at the start, each with its own stream; `initial` is (draw, number) and goes on to be used.

        `first` is the number of the first of them among all.
        """
        key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        streams = np.empty((len(initial), 4), dtype=np.uint64)
        self._start(streams.ctypes.data, key.ctypes.data, first, len(initial))
        return Flock(initial, streams, first)

    def run(
        self, flock: Flock, parameters: Array, steps: Steps, between: tuple[int, int], *, cores: int
    ) -> tuple[Array, NDArray[np.bool_], Failure | None]:
        """Take all draws on, to write the outputs from one up to but not including another.

        `parameters` is (draw, parameter), or (1, parameter) for the same in all. Returns the outputs
        (draw, output, number), which draws met a guard that did not hold, and the first failure of all.
        """
        number = len(flock.states)
        results = (
            np.empty((number, between[1] - between[0], self.layout.output)),
            np.zeros(number, dtype=np.int64),
        )
        # To hand a part to a thread takes as long as a few thousand people's decisions.
        work = number * int(steps.edges[between[1]] - steps.edges[between[0]]) * self.layout.state
        chunk = number if cores == 1 or work < LITTLE else max(CHUNK, -(-number // (8 * cores)))

        def some(start: int) -> Failure | None:
            return self._run_some(flock, parameters, steps, between, results, slice(start, start + chunk))

        failure = _first(some, range(0, number, chunk), cores)
        return results[0], results[1] != 0, failure

    def _run_some(
        self,
        flock: Flock,
        parameters: Array,
        steps: Steps,
        between: tuple[int, int],
        results: tuple[Array, NDArray[np.int64]],
        some: slice,
    ) -> Failure | None:
        """The draws of one slice, in one call of the kernel."""
        states, streams, outputs, suspects = (each[some] for each in (flock.states, flock.streams, *results))
        same = len(parameters) == 1
        given = parameters if same else parameters[some]
        layout = self.layout
        run = np.empty(layout.run.size)
        moment = np.empty((steps.moments.size, self._sizes["MOMENT"]))
        work = np.empty(3 * layout.state + len(self.program.derivatives) * self.program.width)
        trouble = np.zeros(2, dtype=np.int64)
        arrays = (given, steps.data, steps.sizes, steps.edges, steps.resets, states, streams, outputs)
        buffers = (run, moment, work, suspects, trouble)
        stride = 0 if same else given.shape[1]
        addresses = (array.ctypes.data for array in (*arrays, *buffers))
        failed = self._run(len(states), *between, stride, *addresses)
        return None if failed < 0 else Failure(some.start + failed, int(trouble[0]), int(trouble[1]))


class _StochasticWriter(Parts):
    """Writes the functions of the model that a stochastic run calls."""

    def parts(self) -> ir.Module:
        self._before_run()
        self._at_moment()
        self._derivative()
        self._observe()
        return self.llvm


def _first(work: Callable[[int], Failure | None], starts: range, cores: int) -> Failure | None:
    """Do all the work in threads, or until some of it fails; the failure of the lowest draw."""
    if len(starts) == 1:
        return work(starts[0])
    pool = ThreadPoolExecutor(max_workers=cores)
    try:
        return next((failure for failure in pool.map(work, starts) if failure is not None), None)
    finally:
        # After a failure, or when somebody interrupts, what has not begun is not wanted any more.
        pool.shutdown(cancel_futures=True)
