"""The functions of one model as machine code: what each part of a run computes, whatever the loop around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from modelworks.model._program import Program, Schedule, Slots
from modelworks.model.backends._emit import DOUBLE, FLAGS, POINTER, Emitter, Source, Watch


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


class Parts:
    """Writes the functions of a program into a module; who needs a loop around them writes it himself."""

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


def _grouped(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """All places of each node."""
    places: dict[int, list[int]] = {}
    for node, offset in pairs:
        places.setdefault(node, []).append(offset)
    return places
