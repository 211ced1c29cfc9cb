"""The default backend: the graph as one native kernel, run forward and backward.

The kernel integrates with the classical Runge-Kutta method of order four on a given grid of steps
(`solvers/rk4.py`) and writes the outputs; the backward kernel is its exact discrete adjoint, so a
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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from modelworks.model._graph import Array
from modelworks.model._program import Program, Schedule, Slots
from modelworks.model.backends import _cache
from modelworks.model.backends._emit import DOUBLE, FLAGS, INTEGER, POINTER, Emitter, Source, Watch
from modelworks.model.backends._loops import Loops
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.solvers.rk4 import Grid

# The classical tableau: each stage adds `weight * h * k` to the result and starts the next one
# from `y + reach * h * k`.
WEIGHTS = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
REACHES = (1 / 2, 1 / 2, 1.0)
# Which of the three moments of a step (start, middle, end) a stage looks at.
MOMENTS = (0, 1, 1, 2)

# Negative people beyond this part of everybody are no round-off of a fourth-order method.
TOLERATED = 1e-6

# The arguments of the two exported functions: pointers to float64 (`counts`, `suspect`: int64), but for the last ones.
_COMMON = ("parameters", "run", "data", "moment", "steps", "counts")
FORWARD = (*_COMMON, "outputs", "starts", "at_outputs", "work", "suspect", "number", "tolerated")
BACKWARD = (*_COMMON, "starts", "at_outputs", "cotangent", "run_bar", "moment_bar", "gradient", "work", "number")
_KINDS = {"number": INTEGER, "tolerated": DOUBLE}
_C_KINDS = {"number": ctypes.c_int64, "tolerated": ctypes.c_double}


def _signature(answer: Any, arguments: Sequence[str]) -> Any:
    kinds: list[Any] = [_C_KINDS.get(each, ctypes.c_void_p) for each in arguments]
    return ctypes.CFUNCTYPE(answer, *kinds)


@dataclass(frozen=True)
class Layout:
    """Where everything lies in the kernel's buffers."""

    schedule: Schedule
    run: Slots
    data: Slots
    moment: Slots
    output: int  # numbers written at each output
    output_offsets: tuple[int, ...]
    state: int  # numbers in a whole state
    people: int  # of these, the leading ones that are people and not accumulators

    @staticmethod
    def of(program: Program) -> Layout:
        schedule = Schedule.of(program)
        graph = program.graph
        # Initial states live at the front of the run buffer, a full row each, whatever their nodes.
        state = len(program.rows) * graph.width
        run = Slots.lay_out(graph, [schedule.run_nodes])
        offsets, size = [], 0
        for node in program.observed:
            offsets.append(size)
            size += graph.width if graph.nodes[node].wide else 1
        return Layout(
            schedule,
            Slots({node: offset + state for node, offset in run.offsets.items()}, run.size + state),
            Slots.lay_out(graph, [schedule.data_nodes]),
            Slots.lay_out(graph, [schedule.moment_nodes]),
            size,
            tuple(offsets),
            state,
            len(program.stocks) * graph.width,
        )


class Kernel:
    """A compiled program. Its methods may be called from several threads at once.

    Where the lanes are runs, `parameters` is (parameter, run) laid out flat, and so is the gradient.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.layout = Layout.of(program)
        self._content = f"{_cache.of_code()} {program.content()}"
        self._library = _cache.library(f"forward {self._content}", lambda: str(self._writer().forward()))
        self._forward = _signature(ctypes.c_int64, FORWARD)(self._library.address("forward"))
        self._adjoint: _cache.Library | None = None
        self._writing = threading.Lock()
        # What is tolerated is a part of everybody, and where the lanes are runs everybody is in all of them.
        self._tolerated = TOLERATED / (program.width if program.graph.runs else 1)

    def _writer(self) -> _Writer:
        return _Writer(self.program, self.layout)

    def _compile_adjoint(self) -> None:
        """Done when first asked for: who only simulates does not wait for it."""
        with self._writing:
            if self._adjoint is None:
                library = _cache.library(f"backward {self._content}", lambda: str(self._writer().backward()))
                self._backward = _signature(None, BACKWARD)(library.address("backward"))
                self._adjoint = library

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
        status = self._forward(
            parameters.ctypes.data,
            at_run,
            data.ctypes.data,
            at_moment,
            *grid.addresses,
            at_output,
            at_start,
            at_seen,
            work,
            ctypes.addressof(suspect),
            -number if keep else number,
            self._tolerated,
        )
        return status, outputs, Tape(run, moment, starts, at_outputs, bool(suspect.value))

    def backward(self, grid: Grid, data: Array, parameters: Array, tape: Tape, cotangent: Array) -> Array:
        """The gradient of `sum(cotangent * outputs)` by every parameter."""
        if self._adjoint is None:
            self._compile_adjoint()
        (gradient, run_bar, moment_bar, _), (at_gradient, at_run, at_moment, work) = _block(
            (max(parameters.size, 1),), tape.run.shape, tape.moment.shape, (8 * self.layout.state,)
        )
        for each in (gradient, run_bar, moment_bar):
            each.fill(0.0)
        given = np.ascontiguousarray(cotangent)
        self._backward(
            parameters.ctypes.data,
            tape.run.ctypes.data,
            data.ctypes.data,
            tape.moment.ctypes.data,
            *grid.addresses,
            tape.starts.ctypes.data,
            tape.at_outputs.ctypes.data,
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
    """What a forward run leaves behind for the backward one, and whether it met a guard that did not hold."""

    run: Array
    moment: Array
    starts: Array
    at_outputs: Array
    suspect: bool


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


class _Writer:
    """Writes the module of a program: small functions for each part, and two loops that call them."""

    def __init__(self, program: Program, layout: Layout) -> None:
        self.program = program
        self.layout = layout
        self.graph = program.graph
        self.width = program.width
        self.llvm = ir.Module(name="model")
        self.functions: dict[str, ir.Function] = {}
        self.limits: dict[int, set[tuple[float, float]]] = {}
        for guard in program.guards:
            self.limits.setdefault(guard.node, set()).add(guard.limits)

    def forward(self) -> ir.Module:
        """The module of one run."""
        self._before_run()
        self._at_moment()
        self._stage("first_stage", first=True)
        self._stage("later_stage", first=False)
        self._observe()
        self._forward()
        return self.llvm

    def backward(self) -> ir.Module:
        """The module of its adjoint."""
        self._before_run_adjoint()
        self._at_moment_adjoint()
        self._derivative()
        self._derivative_adjoint()
        self._observe_adjoint()
        self._backward()
        return self.llvm

    # -- parts -----------------------------------------------------------------------------------

    def _begin(self, name: str, arguments: Sequence[str]) -> tuple[Emitter, dict[str, ir.Value]]:
        """Open an internal function whose arguments are buffers that do not overlap."""
        function = ir.Function(self.llvm, ir.FunctionType(ir.VoidType(), [POINTER] * len(arguments)), name)
        function.linkage = "internal"
        for argument, title in zip(function.args, arguments, strict=True):
            argument.name = title
            argument.add_attribute("noalias")
        entry = function.append_basic_block("entry")
        body = function.append_basic_block("body")
        scratch = ir.IRBuilder(entry)
        scratch.position_before(scratch.branch(body))
        self.functions[name] = function
        emitter = Emitter(self.graph, self.llvm, ir.IRBuilder(body), scratch)
        return emitter, dict(zip(arguments, function.args, strict=True))

    def _parameters(self, pointer: ir.Value) -> dict[int, Source]:
        return {
            index: Source(pointer, self._place(index))
            for index, node in enumerate(self.graph.nodes)
            if node.operation == "parameter"
        }

    def _place(self, parameter: int) -> int:
        """Where a parameter lies among the values, and its derivative in the gradient."""
        node = self.graph.nodes[parameter]
        return int(node.data[0]) * (self.width if node.wide else 1)

    def _slots(self, slots: Slots, pointer: ir.Value) -> dict[int, Source]:
        return {node: Source(pointer, offset) for node, offset in slots.offsets.items()}

    def _state(self, pointer: ir.Value) -> dict[int, Source]:
        return {self.graph.state(row): Source(pointer, row * self.width) for row in range(len(self.program.rows))}

    def _inputs(self, names: dict[str, ir.Value]) -> dict[int, Source]:
        """What a function of the state may load."""
        return {
            **self._slots(self.layout.run, names["run"]),
            **self._slots(self.layout.data, names["data"]),
            **self._slots(self.layout.moment, names["moment"]),
            **self._state(names["state"]),
        }

    def _run_outputs(self) -> list[tuple[int, int]]:
        """What is computed once a run: (node, offset) in the run buffer."""
        initial = [(node, row * self.width) for row, node in enumerate(self.program.initial)]
        return [*initial, *self.layout.run.offsets.items()]

    def _before_run(self) -> None:
        emit, names = self._begin("before_run", ["parameters", "run", "suspect"])
        watch = Watch(emit, self.limits)
        outputs = self._run_outputs()
        places = _grouped(outputs)
        sources = self._parameters(names["parameters"])

        def sink(node: int, value: ir.Value) -> None:
            watch.look(node, value)
            for offset in places[node]:
                whole_row = offset < self.layout.state
                emit.store(emit.widen(value) if whole_row else value, names["run"], offset)

        emit.compute(places, sources, sink)
        watch.tell(names["suspect"])
        emit.builder.ret_void()

    def _before_run_adjoint(self) -> None:
        emit, names = self._begin("before_run_adjoint", ["parameters", "run_bar", "gradient"])
        sources = self._parameters(names["parameters"])
        parameters = list(sources)
        outputs: dict[int, int] = {}
        for node, offset in self._run_outputs():
            # An initial state is a full row, so its cotangent is wide even where its node is not.
            wide = (self.width > 1 and offset < self.layout.state) or self.graph.nodes[node].wide
            cotangent = self.graph.cotangent(offset, wide)
            sources[cotangent] = Source(names["run_bar"], offset)
            if wide and not self.graph.nodes[node].wide:
                cotangent = self.graph.total(cotangent)
            outputs[node] = self.graph.add(outputs[node], cotangent) if node in outputs else cotangent
        self._add_adjoints(
            emit,
            self.graph.pullback(outputs, parameters),
            sources,
            [
                (parameters, names["gradient"], self._place),
            ],
        )
        emit.builder.ret_void()

    def _at_moment(self) -> None:
        emit, names = self._begin("at_moment", ["run", "data", "moment", "suspect"])
        watch = Watch(emit, self.limits)
        sources = {**self._slots(self.layout.run, names["run"]), **self._slots(self.layout.data, names["data"])}
        offsets = self.layout.moment.offsets

        def sink(node: int, value: ir.Value) -> None:
            watch.look(node, value)
            emit.store(value, names["moment"], offsets[node])

        emit.compute(offsets, sources, sink)
        watch.tell(names["suspect"])
        emit.builder.ret_void()

    def _at_moment_adjoint(self) -> None:
        emit, names = self._begin("at_moment_adjoint", ["run", "data", "moment_bar", "run_bar"])
        sources = {**self._slots(self.layout.run, names["run"]), **self._slots(self.layout.data, names["data"])}
        outputs = self._cotangents(self.layout.moment.offsets.items(), names["moment_bar"], sources)
        run = self.layout.run.offsets
        leaves = [*run, *self.layout.data.offsets]
        adjoints = self.graph.pullback(outputs, leaves)
        self._add_adjoints(emit, adjoints, sources, [(list(run), names["run_bar"], run.__getitem__)])
        emit.builder.ret_void()

    def _stage(self, name: str, *, first: bool) -> None:
        """A fused Runge-Kutta stage: the derivative of `state`, and at once what follows from it.

        `factors` are how much of the slope goes into the step's result, and how much into the state that the
        next stage looks at (after the last there is none, and its factor is zero).
        """
        emit, names = self._begin(name, ["start", "state", "result", "next", "run", "data", "moment", "factors"])
        weight, reach = (emit.widen(emit.load(Source(names["factors"], k), wide=False)) for k in range(2))
        places = _grouped((node, row * self.width) for row, node in enumerate(self.program.derivatives))
        wide = self.width > 1

        def moved(base: ir.Value, factor: ir.Value, slope: ir.Value) -> ir.Value:
            return emit.builder.fadd(base, emit.builder.fmul(factor, slope, flags=FLAGS), flags=FLAGS)

        def sink(node: int, value: ir.Value) -> None:
            slope = emit.widen(value)
            for offset in places[node]:
                start = emit.load(Source(names["start"], offset), wide)
                held = start if first else emit.load(Source(names["result"], offset), wide)
                emit.store(moved(held, weight, slope), names["result"], offset)
                emit.store(moved(start, reach, slope), names["next"], offset)

        emit.compute(places, self._inputs(names), sink)
        emit.builder.ret_void()

    def _derivative(self) -> None:
        """The derivative alone, for recomputing stages on the way back."""
        emit, names = self._begin("derivative", ["state", "run", "data", "moment", "slope"])
        places = _grouped((node, row * self.width) for row, node in enumerate(self.program.derivatives))

        def sink(node: int, value: ir.Value) -> None:
            for offset in places[node]:
                emit.store(emit.widen(value), names["slope"], offset)

        emit.compute(places, self._inputs(names), sink)
        emit.builder.ret_void()

    def _derivative_adjoint(self) -> None:
        rows = [(node, row * self.width) for row, node in enumerate(self.program.derivatives)]
        self._state_adjoint("derivative_adjoint", rows, whole_rows=True, add=False)

    def _observe(self) -> None:
        emit, names = self._begin("observe", ["state", "run", "data", "moment", "outputs", "suspect"])
        watch = Watch(emit, self.limits)
        places = _grouped(self._columns())

        def sink(node: int, value: ir.Value) -> None:
            watch.look(node, value)
            for offset in places[node]:
                emit.store(value, names["outputs"], offset)

        emit.compute(places, self._inputs(names), sink)
        watch.tell(names["suspect"])
        emit.builder.ret_void()

    def _observe_adjoint(self) -> None:
        self._state_adjoint("observe_adjoint", self._columns(), whole_rows=False, add=True)

    def _columns(self) -> list[tuple[int, int]]:
        return list(zip(self.program.observed, self.layout.output_offsets, strict=True))

    def _state_adjoint(self, name: str, outputs: list[tuple[int, int]], *, whole_rows: bool, add: bool) -> None:
        """Adjoint of a function of the state; `add` says whether `state_bar` is added to or set."""
        emit, names = self._begin(
            name, ["state", "run", "data", "moment", "cotangent", "state_bar", "run_bar", "moment_bar"]
        )
        sources = self._inputs(names)
        states = self._state(names["state"])
        given: dict[int, int] = {}
        for node, offset in outputs:
            wide = self.width > 1 and (whole_rows or self.graph.nodes[node].wide)
            cotangent = self.graph.cotangent(offset, wide)
            sources[cotangent] = Source(names["cotangent"], offset)
            if wide and not self.graph.nodes[node].wide:
                cotangent = self.graph.total(cotangent)
            given[node] = self.graph.add(given[node], cotangent) if node in given else cotangent
        run, moment = self.layout.run.offsets, self.layout.moment.offsets
        leaves = [*run, *moment, *self.layout.data.offsets, *states]
        adjoints = self.graph.pullback(given, leaves)
        self._add_adjoints(
            emit,
            adjoints,
            sources,
            [
                (list(run), names["run_bar"], run.__getitem__),
                (list(moment), names["moment_bar"], moment.__getitem__),
            ],
        )
        self._state_bars(emit, adjoints, sources, states, names["state_bar"], add=add)
        emit.builder.ret_void()

    def _state_bars(
        self,
        emit: Emitter,
        adjoints: dict[int, int],
        sources: dict[int, Source],
        states: dict[int, Source],
        pointer: ir.Value,
        *,
        add: bool,
    ) -> None:
        reached = {node: adjoints[node] for node in states if node in adjoints}
        places: dict[int, list[int]] = {}
        for node, adjoint in reached.items():
            places.setdefault(adjoint, []).append(states[node].offset)

        def sink(adjoint: int, value: ir.Value) -> None:
            for offset in places[adjoint]:
                (emit.increase if add else emit.store)(emit.widen(value), pointer, offset)

        emit.compute(places, sources, sink)
        if not add:
            nothing = emit.widen(ir.Constant(DOUBLE, 0.0))
            for node in states.keys() - reached.keys():
                emit.store(nothing, pointer, states[node].offset)

    def _cotangents(
        self, outputs: Iterable[tuple[int, int]], pointer: ir.Value, sources: dict[int, Source]
    ) -> dict[int, int]:
        given = {}
        for node, offset in outputs:
            cotangent = self.graph.cotangent(offset, self.graph.nodes[node].wide)
            sources[cotangent] = Source(pointer, offset)
            given[node] = cotangent
        return given

    def _add_adjoints(
        self,
        emit: Emitter,
        adjoints: dict[int, int],
        sources: dict[int, Source],
        targets: list[tuple[list[int], ir.Value, Callable[[int], int]]],
    ) -> None:
        """Add the adjoint of each leaf to its place in a buffer of the same layout."""
        for leaves, pointer, offset in targets:
            wanted = [(adjoints[leaf], leaf) for leaf in leaves if leaf in adjoints]
            places: dict[int, list[int]] = {}
            for adjoint, leaf in wanted:
                places.setdefault(adjoint, []).append(leaf)

            def sink(
                adjoint: int,
                value: ir.Value,
                places: dict[int, list[int]] = places,
                pointer: ir.Value = pointer,
                offset: Callable[[int], int] = offset,
            ) -> None:
                for leaf in places[adjoint]:
                    shaped = emit.widen(value) if self.graph.nodes[leaf].wide else value
                    emit.increase(shaped, pointer, offset(leaf))

            emit.compute(places, sources, sink)

    # -- loops -----------------------------------------------------------------------------------

    def _open(self, name: str, answer: ir.Type, arguments: Sequence[str]) -> tuple[Loops, dict[str, ir.Value]]:
        """Begin an exported function; its arguments are buffers, but for the few named otherwise."""
        kinds = [_KINDS.get(each, POINTER) for each in arguments]
        loops = Loops(ir.Function(self.llvm, ir.FunctionType(answer, kinds), name), self.functions)
        return loops, dict(zip(arguments, loops.arguments, strict=True))

    def _rows(self, loops: Loops, work: ir.Value, number: int) -> list[ir.Value]:
        """Whole states in the working memory."""
        return [loops.element(work, loops.integer(k * self.layout.state)) for k in range(number)]

    def _at(self, loops: Loops, given: dict[str, ir.Value], point: ir.Value) -> list[ir.Value]:
        """The three inputs besides the state that a function looks at, for one moment."""
        data = loops.row(given["data"], point, max(self.layout.data.size, 1))
        return [given["run"], data, self._moment_row(loops, given["moment"], point)]

    def _moment_row(self, loops: Loops, buffer: ir.Value, point: ir.Value) -> ir.Value:
        return loops.row(buffer, point, max(self.layout.moment.size, 1))

    def _moments_of(self, loops: Loops, step: ir.Value) -> list[ir.Value]:
        first = loops.builder.mul(step, loops.integer(3))
        return [loops.builder.add(first, loops.integer(k)) for k in range(3)]

    def _forward(self) -> None:
        """One run. `number` of outputs is negative when the tape is to be kept."""
        loops, given = self._open("forward", INTEGER, FORWARD)
        b, size, people = loops.builder, self.layout.state, self.layout.people
        state, result, one, two = self._rows(loops, given["work"], 4)
        keep = b.icmp_signed("<", given["number"], loops.integer(0))
        number = b.select(keep, b.neg(given["number"]), given["number"])
        failed, done = loops.variable(-1), loops.variable(0)
        last = b.mul(loops.total(given["counts"], number), loops.integer(3))
        loops.call("before_run", given["parameters"], given["run"], given["suspect"])
        loops.copy(state, given["run"], size)
        # Below this a compartment is emptier than round-off can make it.
        floor = b.fneg(b.fmul(loops.sum_of(state, people), given["tolerated"]))
        with loops.count(number) as output:
            with loops.count(b.load(loops.element(given["counts"], output, INTEGER), typ=INTEGER)):
                step = b.load(done, typ=INTEGER)
                with loops.when(keep):
                    loops.copy(loops.row(given["starts"], step, size), state, size)
                at = [self._at(loops, given, point) for point in self._moments_of(loops, step)]
                for inputs in at:
                    loops.call("at_moment", *inputs, given["suspect"])
                h = b.load(loops.element(given["steps"], step), typ=DOUBLE)
                for stage, (here, there) in enumerate(((state, one), (one, two), (two, one), (one, two))):
                    factors = loops.numbers(loops.scaled(h, WEIGHTS[stage]), loops.scaled(h, (*REACHES, 0.0)[stage]))
                    part = "later_stage" if stage else "first_stage"
                    loops.call(part, state, here, result, there, *at[MOMENTS[stage]], factors)
                loops.copy(state, result, size)
                b.store(b.add(step, loops.integer(1)), done)
            inputs = self._at(loops, given, b.add(output, last))
            loops.call("at_moment", *inputs, given["suspect"])
            with loops.when(keep):
                loops.copy(loops.row(given["at_outputs"], output, size), state, size)
            row = loops.row(given["outputs"], output, self.layout.output)
            loops.call("observe", state, *inputs, row, given["suspect"])
            loops.note_below(state, people, floor, failed, output)
            loops.clear(state, people, size)
        b.ret(b.load(failed, typ=INTEGER))

    def _backward(self) -> None:
        """The adjoint of one run; `run_bar`, `moment_bar` and `gradient` come in as zeros."""
        loops, given = self._open("backward", ir.VoidType(), BACKWARD)
        b, size, run_bar = loops.builder, self.layout.state, given["run_bar"]
        *scratch, state_bar = self._rows(loops, given["work"], 8)
        loops.clear(state_bar, 0, size)
        steps_taken = loops.total(given["counts"], given["number"])
        last = b.mul(steps_taken, loops.integer(3))
        remaining = loops.variable(0)
        b.store(steps_taken, remaining)
        with loops.count_down(given["number"]) as output:
            point = b.add(output, last)
            # The accumulators were emptied after this output: nothing later depends on what they held.
            loops.clear(state_bar, self.layout.people, size)
            observed = loops.row(given["at_outputs"], output, size)
            cotangent = loops.row(given["cotangent"], output, self.layout.output)
            moment_bar = self._moment_row(loops, given["moment_bar"], point)
            inputs = self._at(loops, given, point)
            loops.call("observe_adjoint", observed, *inputs, cotangent, state_bar, run_bar, moment_bar)
            loops.call("at_moment_adjoint", *inputs[:2], moment_bar, run_bar)
            with loops.count(b.load(loops.element(given["counts"], output, INTEGER), typ=INTEGER)):
                step = b.sub(b.load(remaining, typ=INTEGER), loops.integer(1))
                b.store(step, remaining)
                self._step_back(loops, given, step, scratch, state_bar)
        # The initial state is the front of the run buffer.
        loops.combine(run_bar, run_bar, state_bar, ir.Constant(DOUBLE, 1.0), size)
        loops.call("before_run_adjoint", given["parameters"], run_bar, given["gradient"])
        b.ret_void()

    def _step_back(
        self,
        loops: Loops,
        given: dict[str, ir.Value],
        step: ir.Value,
        scratch: Sequence[ir.Value],
        state_bar: ir.Value,
    ) -> None:
        """The adjoint of one step: from the state after it to the state before."""
        b, size, run_bar = loops.builder, self.layout.state, given["run_bar"]
        slope, second, third, fourth, seed, bar, sum_bar = scratch
        h = b.load(loops.element(given["steps"], step), typ=DOUBLE)
        points = self._moments_of(loops, step)
        at = [self._at(loops, given, point) for point in points]
        bars = [self._moment_row(loops, given["moment_bar"], point) for point in points]
        states = [loops.row(given["starts"], step, size), second, third, fourth]
        for stage in range(3):
            loops.call("derivative", states[stage], *at[MOMENTS[stage]], slope)
            loops.combine(states[stage + 1], states[0], slope, loops.scaled(h, REACHES[stage]), size)
        loops.copy(sum_bar, state_bar, size)
        for stage in (3, 2, 1, 0):
            # Adjoint of this stage's slope: through the result, and through the next stage's state.
            loops.scale(seed, state_bar, loops.scaled(h, WEIGHTS[stage]), size)
            if stage < 3:
                loops.combine(seed, seed, bar, loops.scaled(h, REACHES[stage]), size)
            here = MOMENTS[stage]
            loops.call("derivative_adjoint", states[stage], *at[here], seed, bar, run_bar, bars[here])
            loops.combine(sum_bar, sum_bar, bar, ir.Constant(DOUBLE, 1.0), size)
        loops.copy(state_bar, sum_bar, size)
        for inputs, moment_bar in zip(at, bars, strict=True):
            loops.call("at_moment_adjoint", *inputs[:2], moment_bar, run_bar)


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """All places of each node."""
    places: dict[int, list[int]] = {}
    for node, offset in pairs:
        places.setdefault(node, []).append(offset)
    return places
