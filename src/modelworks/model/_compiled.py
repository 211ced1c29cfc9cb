"""A model made ready to run many times: parameters in, outputs and their exact gradient out."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from modelworks.dates import Calendar
from modelworks.errors import fail
from modelworks.model._batch import RUNS, Batches
from modelworks.model._column import OutputColumn
from modelworks.model._delayed import Delayed
from modelworks.model._expression import Constant, Events, Expression, Operation, Parameter, expression, walk
from modelworks.model._function import FunctionModel
from modelworks.model._graph import _FOLD, Array
from modelworks.model._impossible import moment_in_words, tell_of_guard, vector_of_values
from modelworks.model._lower import lower
from modelworks.model._model import Model, counted_in
from modelworks.model._program import Guard, Program
from modelworks.model._quasi_steady import program_of
from modelworks.model.backends._native_run import NativeRun
from modelworks.model.backends.controlled import ControlledKernel
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.backends.native import Kernel, Tape
from modelworks.model.solvers import solver as method_of
from modelworks.model.solvers._grid import Grid
from modelworks.model.solvers._method import ChosenStep, FixedStep, Method

if TYPE_CHECKING:
    from modelworks.model._convolve import Convolutions

# The error of a step, unless another is asked for.
TOLERANCE = 1e-6
# Bytes of outputs, and runs, of one call of a kernel: enough to take no notice of the call.
MOST_HELD = 2**20
MOST_AT_ONCE = 128


class CompiledModel:
    """A model compiled for one set of output times.

    `parameters` is the order of the values it takes; `outputs` the names of its columns; `times` the
    model times of its rows. An output that counts events holds, in each row, those since the row
    before (none in the first). It may be used from several threads at once.

    `solver` is `rk4`; `euler`, whose `step` has to be given, for it is part of the model; `adaptive` or `implicit`,
    which choose their own steps and have no gradient.
    """

    def __init__(
        self,
        model: Model,
        times: Sequence[float] | Array,
        *,
        calendar: Calendar | None = None,
        step: float | None = None,
        solver: str = "rk4",
    ) -> None:
        self.method = method_of(solver, step)
        self.model = model
        self.calendar = calendar
        self.times = _increasing(times)
        self.program = program_of(model, calendar)
        self.kernel = _kernel(self.program, self.method)
        self.parameters = self.program.parameters
        self.columns = tuple(_columns(model, self.program))
        self.outputs = tuple(column.name for column in self.columns)
        self._guarded = _guarded(self.kernel)
        self._batches: Batches | None = None
        if self.program.width == 1 and isinstance(self.method, FixedStep):
            self._batches = Batches(lambda: program_of(model, calendar), self.method)
        self.tolerance = TOLERANCE
        self.with_step(step if step is not None else self._coarsest_step())

    def at(self, times: Sequence[float] | Array) -> CompiledModel:
        """The same model for other output times; nothing is compiled again."""
        other = copy.copy(self)
        other.times = _increasing(times)
        return other.with_step(self.step if self.method.order is None else other._coarsest_step())

    @property
    def has_gradient(self) -> bool:
        """Whether its solver knows the exact gradient of a run."""
        return self.method.has_gradient

    def _coarsest_step(self) -> float:
        """The coarsest step that meets all outputs, which share the spacing of steps: the first guess."""
        return min(float(np.min(np.diff(self.times), initial=np.inf)), *self.program.delay_steps, np.inf)

    def with_step(self, step: float, tolerance: float | None = None) -> CompiledModel:
        """Set the longest step of the solver, in the model's time unit.

        The `tolerance` is for solvers that choose their own steps: the error of each, as a part of the people in every
        compartment and stratum and of the events that are counted.
        """
        self.step = step
        self.tolerance = self.tolerance if tolerance is None else tolerance
        self.grid = Grid.covering(
            self.times,
            self.program.knots,
            step,
            self.program.pulses,
            self.method,
            between=self.program.delay_steps,
            tolerance=self.tolerance,
        )
        self._later: Convolutions | None = None
        if self.program.delay_steps:
            # SciPy takes longer to import than most models to compile, and few have delays.
            from modelworks.model._convolve import Convolutions

            self._later = Convolutions(self.program, self.grid)
        self.data = self.kernel.data(self.grid)
        # What depends on time alone is the same in every run.
        self._suspect_data = any(
            not np.all((values >= guard.limits[0]) & (values <= guard.limits[1]))
            for guard, where, offset, width in self._guarded
            if where == "data"
            for values in [self.data[:, offset : offset + width]]
        )
        return self

    # -- running ---------------------------------------------------------------------------------

    def vector(self, values: Mapping[str, float]) -> Array:
        """Values by name as the array `run` takes; a name too many or too few is an error."""
        return vector_of_values(self.model, self.parameters, values)

    def run(self, values: Array) -> Array:
        """Outputs of one run, shape (time, column); a `ModelworksError` if it left what is possible."""
        outputs, _ = self.run_with_tape(values)
        return outputs

    def run_with_tape(self, values: Array) -> tuple[Array, Tape]:
        """Outputs of one run, and what the solver left behind."""
        raw, tape = self._forward(values, keep=False)
        return self.finished(raw).copy(), tape

    def states(self, values: Array) -> Array:
        """People in every state at each time, shape (time, state): row by row of the program, lane by lane."""
        vector = np.ascontiguousarray(values, dtype=float)
        _, tape = self._forward(vector, keep=True)
        rows = tape.at_outputs[self.grid.asked].reshape(self.times.size, -1, self.program.width)
        if self.program.balanced:
            nodes = [node for _, node in self.program.balanced]
            found = evaluate(self.program.graph, nodes, parameters=vector[None], times=self.times, state=rows)
            for row, node in self.program.balanced:
                rows[:, row] = found[node].reshape(found[node].shape[0], -1)
        return rows[:, list(self.program.stocks)].reshape(self.times.size, -1)

    @property
    def runs_at_once(self) -> int:
        """How many runs one call of the kernel does, where there are many: as many as hold a megabyte of outputs."""
        if not isinstance(self.kernel, Kernel):
            return 1
        held = 8 * self.grid.outputs.size * self.kernel.layout.output
        number = min(max(MOST_HELD // held, 1), MOST_AT_ONCE)
        return number if self._batches is None else -(-number // RUNS) * RUNS

    @property
    def runs_one_by_one(self) -> bool:
        """Whether each of many runs is one of the kernel's with fixed steps, and none side by side with others."""
        return isinstance(self.kernel, Kernel) and self._batches is None and not self._suspect_data

    def run_batch(self, draws: Array) -> Array:
        """Outputs (draw, time, column) of a run for each row of `draws` (draw, parameter).

        Where the model has no strata to fill the processor's registers with, sixteen runs fill them: the
        same numbers but for round-off, in a fraction of the time.
        """
        rows = np.ascontiguousarray(draws, dtype=float)
        some = [rows[first : first + self.runs_at_once] for first in range(0, len(rows), self.runs_at_once)]
        if not some:
            return np.empty((0, self.times.size, len(self.columns)))
        found = [self._run_together(each) for each in some]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _run_together(self, rows: Array) -> Array:
        """Outputs of several runs at once, or one by one where one of them is not possible: that one is told then."""
        raw: Array | None = None
        sound = not self._suspect_data and rows.shape[1] == len(self.parameters) and bool(np.all(np.isfinite(rows)))
        if sound and len(rows) > 1 and isinstance(self.kernel, Kernel):
            if self._batches is None:
                raw = self.kernel.forward_several(self.grid, self.data, rows)
            else:
                raw = self._batches.run(self.grid, rows, len(self.columns) + len(self.program.hidden))
        return np.stack([self.run(row) for row in rows]) if raw is None else self.finished(raw)

    def run_with_pullback(self, values: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Outputs, and the function from a cotangent (time, column) to the gradient (parameter,)."""
        kernel = self.kernel
        if not isinstance(kernel, Kernel):
            fail(
                "S121",
                f"an exact gradient is not to be had with the solver `{self.method.name}`",
                hint="compile the model with the solver `rk4` to calibrate it by its gradient",
            )
        vector, grid = np.ascontiguousarray(values, dtype=float), self.grid
        raw, tape = self._forward(vector, keep=True)

        def pullback(cotangent: Array) -> Array:
            full = cotangent
            if raw.shape[1] > len(self.columns):
                full = np.zeros((self.times.size, raw.shape[1]))
                full[:, : len(self.columns)] = cotangent
            if self._later is not None:
                full = self._later.pullback(raw, full)
            return kernel.backward(grid, vector, tape, full)

        return self.finished(raw).copy(), pullback

    def native_run(self) -> NativeRun | None:
        """A run and its adjoint for kernels of one's own; None where Python has a part in it."""
        if not isinstance(self.kernel, Kernel) or self._later is not None or self._suspect_data:
            return None
        return NativeRun.of(self.kernel, self.grid, self.data)

    def finished(self, raw: Array) -> Array:
        """Outputs (..., time, column) from all that the kernel wrote."""
        found = raw if self._later is None else self._later.apply(raw)
        return found[..., : len(self.columns)]

    def derived(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        """The model's derived numbers for draws of its parameters, each of the draws' shape."""
        return derived_numbers(self.model, draws)

    def _forward(self, values: Array, *, keep: bool) -> tuple[Array, Tape]:
        vector = np.ascontiguousarray(values, dtype=float)
        if vector.shape != (len(self.parameters),):
            # The kernel reads memory by position: a wrong length would be somebody else's numbers.
            fail(
                "S111",
                f"`{self.model.name}` takes {len(self.parameters)} values, one for each parameter in order, "
                f"but was given an array of shape {vector.shape}",
                hint=f"the order is {', '.join(self.parameters)}; `vector` makes the array from names",
            )
        if not all(map(math.isfinite, vector.tolist())):
            name = self.parameters[int(np.argmin(np.isfinite(vector)))]
            fail("S102", f"the value of `{name}` is not a number", hint="find where it was computed")
        failed, raw, tape = self.kernel.forward(self.grid, self.data, vector, keep=keep)
        if tape.suspect or self._suspect_data:
            # A solver with its own steps stops at the first thing that can not be.
            self._check_guards(tape, raw[: failed + 1] if failed >= 0 else raw)
        if failed >= 0:
            self._tell_of_failure(vector, failed)
        return raw, tape

    # -- what can not be -------------------------------------------------------------------------

    def _check_guards(self, tape: Tape, raw: Array) -> None:
        """Rates below zero and shares that do not sum to one, wherever in the run they are."""
        for guard, where, offset, width in self._guarded:
            if where == "run":
                values, times = tape.run[None, offset : offset + width], self.times[:1]
            elif where == "moment":
                values, times = tape.moment[:, offset : offset + width], tape.moments
            elif where == "data":
                values, times = tape.data[:, offset : offset + width], tape.moments
            else:
                values, times = raw[:, offset : offset + width], self.grid.outputs
            low, high = guard.limits
            wrong = ~((values >= low) & (values <= high))
            if wrong.any():
                self._tell_of_guard(guard, values, wrong, times)

    def _tell_of_guard(self, guard: Guard, values: Array, wrong: NDArray[np.bool_], times: Array) -> NoReturn:
        point, lane = (int(k) for k in np.argwhere(wrong)[0])
        stratum = f" in {self.program.lanes[lane]}" if values.shape[1] > 1 else ""
        when = self._when(float(times[min(point, times.size - 1)]))
        tell_of_guard(guard, values[point, lane], stratum, when)

    def _tell_of_failure(self, vector: Array, output: int) -> NoReturn:
        """Name the compartment, the stratum and the date at which a run left what is possible."""
        _, _, tape = self.kernel.forward(self.grid, self.data, vector, keep=True)
        state = tape.at_outputs[output].reshape(-1, self.program.width)[list(self.program.stocks)]
        worst = np.where(np.isnan(state), -np.inf, state)
        row, lane = (int(k) for k in np.unravel_index(int(np.argmin(worst)), worst.shape))
        name, counted = self.program.rows[row].name, counted_in(self.model, self.program.rows[row].compartment)
        if self.program.lanes:
            name += f" ({self.program.lane_stratification} {self.program.lanes[lane]})"
        used = ", ".join(f"{n} = {v:.6g}" for n, v in zip(self.parameters[:8], vector, strict=False))
        when = self._when(float(self.grid.outputs[output]))
        steps = f"the step of {self.step:g} {self.model.time}"
        if isinstance(self.method, ChosenStep):
            steps = f"steps of the tolerance {self.tolerance:g}"
        if not np.isfinite(state[row, lane]):
            fail(
                "S102",
                f"the {counted} in {name} are not a number{when}",
                hint=f"a rate may be far too large for {steps}; the parameters were {used}",
            )
        if state[row, lane] < 0:
            fail(
                "S101",
                f"there are {state[row, lane]:.6g} {counted} in {name}{when}",
                hint=f"{counted} leave faster than {steps} can follow; the parameters were {used}",
            )
        fail(
            "S106",
            f"the solver `{self.method.name}` does not get further{when}: no step is short enough",
            hint=f"a rate may be extremely large: the solver `implicit` is for those; the parameters were {used}",
        )

    def _when(self, time: float) -> str:
        return moment_in_words(self.model, self.calendar, time)


def output_columns(model: Model | FunctionModel, calendar: Calendar | None = None) -> tuple[OutputColumn, ...]:
    """The columns a run of the model would give, without compiling it."""
    if isinstance(model, FunctionModel):
        return model.columns
    return tuple(_columns(model, lower(model, calendar)))


def _kernel(program: Program, method: Method) -> Kernel | ControlledKernel:
    return Kernel(program, method) if isinstance(method, FixedStep) else ControlledKernel(program, method)


def _guarded(kernel: Kernel | ControlledKernel) -> list[tuple[Guard, str, int, int]]:
    """Where the value of each guard is found after a run: (guard, buffer, offset, width)."""
    program, layout = kernel.program, kernel.layout
    found: list[tuple[Guard, str, int, int]] = []
    for guard in program.settled:
        width = program.width if program.graph.nodes[guard.node].wide else 1
        for name, slots in (("run", layout.run), ("moment", layout.moment), ("data", layout.data)):
            if guard.node in slots.offsets:
                found.append((guard, name, slots.offsets[guard.node], width))
    start = len(program.columns) + len(program.hidden)
    for guard, offset in zip(program.watched, layout.output_offsets[start:], strict=True):
        width = program.width if program.graph.nodes[guard.node].wide else 1
        found.append((guard, "output", offset, width))
    # Many flows share a rate: each place is looked at once, under the first name it was given.
    unique: dict[tuple[str, str, int], tuple[Guard, str, int, int]] = {}
    for each in found:
        unique.setdefault((each[0].kind, each[1], each[2]), each)
    return list(unique.values())


def _columns(model: Model, program: Program) -> list[OutputColumn]:
    found: list[OutputColumn] = []
    for column in program.columns:
        output = model.series[column.output]
        counts = _counts_events(expression(output.value))
        lanes = program.lanes if program.graph.nodes[column.node].wide else ("",)
        for lane in lanes:
            strata = {**dict(column.strata), program.lane_stratification or "": lane}
            # In the order the output asks for, whichever stratification became the lanes.
            found.append(OutputColumn(column.output, tuple((name, strata[name]) for name in output.by), counts))
    return found


def _counts_events(given: Expression) -> bool:
    # What lasts is there at a moment, as people are.
    moments = walk(given, into=lambda each: not (isinstance(each, Delayed) and each.lasting))
    return any(isinstance(part, Events) for part in moments)


def derived_numbers(model: Model, draws: Mapping[str, Array]) -> dict[str, Array]:
    """The derived numbers of a model for draws of its parameters, each of the draws' shape."""
    return {name: _of_parameters(expression(given), draws) for name, given in model.derived.items()}


def _of_parameters(given: Expression, draws: Mapping[str, Array]) -> Array:
    """An expression of parameters alone, for arrays of their values."""
    if isinstance(given, Constant):
        return np.asarray(given.value)
    if isinstance(given, Parameter):
        return np.asarray(draws[given.name], dtype=float)
    if isinstance(given, Operation):
        return np.asarray(_FOLD[given.operation](*(_of_parameters(each, draws) for each in given.arguments)))
    fail(
        "M118",
        "a derived number depends on time, people or strata",
        hint="derived numbers are arithmetic on parameters; make it an output instead",
    )


def _increasing(times: Sequence[float] | Array) -> Array:
    at = np.asarray(times, dtype=float)
    if at.ndim != 1 or at.size < 2 or not np.all(np.isfinite(at)) or np.any(np.diff(at) <= 0):
        fail(
            "S109",
            "the output times are not an increasing list of at least two numbers",
            hint="give the start, the end and what lies between, each time once",
        )
    return at
