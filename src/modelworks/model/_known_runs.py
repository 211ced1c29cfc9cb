"""Runs that are known, and others that differ from them only from some time on: these are begun there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail, near
from modelworks.model._compiled import CompiledModel
from modelworks.model._graph import Array
from modelworks.model._influence import influence
from modelworks.model._many import run_many, runs_in_block, taken_in_order
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.backends.native import Kernel
from modelworks.model.solvers._grid import Grid


@dataclass(frozen=True)
class _Rest:
    """What is left of a run at an output: its steps, what depends on time alone in them, and each draw's state."""

    grid: Grid
    data: Array
    states: Array

    @staticmethod
    def of(compiled: CompiledModel, first: int, draws: int) -> _Rest:
        whole = compiled.grid
        grid = whole.begun_at(first)
        last, done = 3 * whole.steps.size, 3 * (whole.steps.size - grid.steps.size)
        data = np.concatenate([compiled.data[done:last], compiled.data[last + first :]])
        return _Rest(grid, data, np.empty((draws, compiled.kernel.layout.state)))


class KnownRuns:
    """Runs of a model with the values of `rows` (draw, parameter), kept for others in which `may_change` are changed.

    Such a run has all in common with the known one until the changed parameters first have a part in it
    (`influence`), and is begun at the last output before: with the state that the known run had there, to the last bit,
    so that its outputs are, to the last bit, those of a whole run. Where a parameter has a part from the start,
    where the model is solved in another way than by fixed steps, and where it has no strata (many runs of it go side
    by side, and quickly), runs are whole.

    What it keeps does not change; several threads may ask it at once. Names in `may_change` that are no parameters of
    the model are let through, for a study may have more.
    """

    def __init__(
        self, compiled: CompiledModel, rows: Array, may_change: Iterable[str], *, cores: int | None = None
    ) -> None:
        self.compiled = compiled
        self._grid = compiled.grid
        self._rows = np.ascontiguousarray(rows, dtype=float)
        # By the position of a parameter the output at which to begin, and what has to be finite for that.
        self._begins: dict[int, int] = {}
        self._finite: set[int] = set()
        self._rests: dict[int, _Rest] = {}
        self._raw = np.empty(0)
        if isinstance(compiled.kernel, Kernel) and compiled.runs_one_by_one:
            self._find(may_change)
            if self._begins and not self._keep(compiled.kernel, cores):
                self._begins.clear()

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        rests = sum(each.data.nbytes + each.states.nbytes for each in self._rests.values())
        return self._rows.nbytes + self._raw.nbytes + rests

    def begin(self, name: str) -> float:
        """The time from which a run is made where only this parameter is changed.

        Raises
        ------
        ModelworksError
            S104 for a name that is no parameter of the model.
        """
        names = self.compiled.parameters
        if name not in names:
            fail("S104", f"`{name}` is not a parameter of `{self.compiled.model.name}`", hint=near(name, names))
        position = names.index(name)
        return float(self._grid.outputs[self._begins.get(position, 0)])

    def run(self, rows: Array, chosen: NDArray[np.intp], *, cores: int | None = None) -> Array:
        """Outputs (draw, time, column) for other values (draw, parameter) of some `chosen` draws (draw,), in order.

        Raises
        ------
        ModelworksError
            What a whole run raises.
        """
        first, kernel = self._first(rows, chosen), self.compiled.kernel
        if first == 0 or not isinstance(kernel, Kernel):
            return run_many(self.compiled, rows, cores=cores)
        given, rest = np.ascontiguousarray(rows, dtype=float), self._rests[first]
        found = np.empty((len(rows), self.compiled.times.size, len(self.compiled.columns)))

        def work(some: slice) -> bool:
            draws = chosen[some]
            later = kernel.forward_several(rest.grid, rest.data, given[some], rest.states[draws])
            if later is not None:
                found[some] = self.compiled.finished(np.concatenate([self._raw[draws, :first], later], axis=1))
            return later is not None

        sound = self._all_of(work, len(rows), cores)
        # A whole run tells what can not be.
        return found if sound else run_many(self.compiled, rows, cores=cores)

    def _first(self, rows: Array, chosen: NDArray[np.intp]) -> int:
        """The output at which runs with these values can be begun."""
        known = self._rows[chosen]
        # With another step the known runs are others.
        if not self._begins or self.compiled.grid is not self._grid:
            return 0
        if rows.shape != known.shape or not np.isfinite(rows).all():
            return 0
        checked = evaluate(self.compiled.program.graph, self._finite, parameters=rows)
        if not all(np.isfinite(each).all() for each in checked.values()):
            return 0
        changed = np.flatnonzero((rows != known).any(axis=0)).tolist()
        # With nothing changed anything known will do.
        return min((self._begins.get(each, 0) for each in changed), default=max(self._rests))

    def _find(self, names: Iterable[str]) -> None:
        """At which output a run with another value of each parameter can be begun."""
        compiled, grid = self.compiled, self.compiled.grid
        steps = grid.steps_before
        for position in (compiled.parameters.index(name) for name in names if name in compiled.parameters):
            found = influence(compiled.program, compiled.kernel.layout.data, compiled.data, position)
            in_steps = found.moments[: 3 * grid.steps.size].reshape(-1, 3).any(axis=1)
            step = int(np.argmax(in_steps)) if in_steps.any() else grid.steps.size
            # The output itself is written anew, so what it looks at may differ.
            outputs = np.flatnonzero(found.moments[3 * grid.steps.size :])
            last = int(outputs[0]) if outputs.size else grid.outputs.size - 1
            first = min(int(np.searchsorted(steps, step, side="right")) - 1, last)
            if first > 0:
                self._begins[position] = first
                self._finite |= found.finite

    def _keep(self, kernel: Kernel, cores: int | None) -> bool:
        """Make the known runs and keep their outputs, and their states where others begin; whether all are possible."""
        compiled, number = self.compiled, len(self._rows)
        self._raw = np.empty((number, compiled.grid.outputs.size, kernel.layout.output))
        self._rests = {first: _Rest.of(compiled, first, number) for first in set(self._begins.values())}

        def work(some: slice) -> bool:
            sound = True
            for k in range(*some.indices(number)):
                failed, self._raw[k], tape = kernel.forward(compiled.grid, compiled.data, self._rows[k], keep=True)
                sound = sound and failed < 0 and not tape.suspect
                for first, rest in self._rests.items():
                    rest.states[k] = tape.at_outputs[first]
            return sound

        return self._all_of(work, number, cores)

    def _all_of(self, work: Callable[[slice], bool], number: int, cores: int | None) -> bool:
        """Do it for so many draws, and say whether all went well."""
        return all(list(taken_in_order(work, number, runs_in_block(self.compiled, number), cores=cores)))
