"""The functions of one model as machine code: what each part of a run computes, whatever the loop around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llvmlite import ir

from modelworks.model._program import Program, Schedule, Slots
from modelworks.model.backends._blocks import Blocks, in_loops
from modelworks.model.backends._emit import DOUBLE, FLAGS, POINTER, Emitter, Source, Step, Target
from modelworks.model.backends._pieces import SHARED, Pieces


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

    def _part(
        self, name: str, arguments: Sequence[str], sources: Mapping[int, Source], targets: Iterable[Target]
    ) -> None:
        """An internal function whose arguments are buffers that do not overlap; in pieces where it is long.

        One with an argument `suspect` sets that to one if a number it computes lies outside its guard's limits.
        """
        pieces = Pieces.of(self.graph, targets, sources)
        if len(pieces.steps) == 1:
            self.functions[name] = self._piece(name, arguments, pieces.steps[0], sources, {})
            return
        whole = self.functions[name] = self._function(name, arguments)
        builder = ir.IRBuilder(whole.append_basic_block())
        shared = builder.alloca(DOUBLE, pieces.size)
        shared.align = 64
        for k, steps in enumerate(pieces.steps):
            piece = self._piece(f"{name}_{k}", [*arguments, SHARED], steps, sources, pieces.shared)
            # Else LLVM would join what was cut.
            piece.attributes.add("noinline")
            builder.call(piece, [*whole.args, shared])
        builder.ret_void()

    def _piece(
        self,
        name: str,
        arguments: Sequence[str],
        steps: Sequence[Step],
        sources: Mapping[int, Source],
        shared: Mapping[int, Source],
    ) -> ir.Function:
        function = self._function(name, arguments)
        kind = Blocks if in_loops(self.graph) else Emitter
        emit = kind(self.graph, function, dict(zip(arguments, function.args, strict=True)))
        emit.write(steps, sources, shared, self.limits)
        emit.builder.ret_void()
        return function

    def _function(self, name: str, arguments: Sequence[str]) -> ir.Function:
        function = ir.Function(self.llvm, ir.FunctionType(ir.VoidType(), [POINTER] * len(arguments)), name)
        function.linkage = "internal"
        for argument, title in zip(function.args, arguments, strict=True):
            argument.name = title
            argument.add_attribute("noalias")
        return function

    # -- where nodes lie -------------------------------------------------------------------------

    def _parameters(self) -> dict[int, Source]:
        return {
            index: Source("parameters", self._place(index))
            for index, node in enumerate(self.graph.nodes)
            if node.operation == "parameter"
        }

    def _place(self, parameter: int) -> int:
        """Where a parameter lies among the values, and its derivative in the gradient."""
        node = self.graph.nodes[parameter]
        return int(node.data[0]) * (self.width if node.wide else 1)

    def _slots(self, *buffers: str) -> dict[int, Source]:
        """What the buffers `run`, `data` and `moment` hold."""
        return {
            node: Source(each, offset)
            for each in buffers
            for node, offset in getattr(self.layout, each).offsets.items()
        }

    def _state(self) -> dict[int, Source]:
        return {self.graph.state(row): Source("state", row * self.width) for row in range(len(self.program.rows))}

    def _inputs(self) -> dict[int, Source]:
        """What a function of the state may load."""
        return {**self._slots("run", "data", "moment"), **self._state()}

    def _run_outputs(self) -> list[tuple[int, int, bool]]:
        """What is computed once a run: (node, offset in the run buffer, whether it takes a whole row there)."""
        many = self.width > 1
        initial = [(node, row * self.width, many) for row, node in enumerate(self.program.initial)]
        slots = self.layout.run.offsets.items()
        # An initial state is a full row, whatever its node.
        return [*initial, *((node, offset, self.graph.nodes[node].wide) for node, offset in slots)]

    def _rows(self) -> list[tuple[int, int, bool]]:
        """The derivative of each row: (node, offset, whether it takes a whole row)."""
        return [(node, row * self.width, self.width > 1) for row, node in enumerate(self.program.derivatives)]

    def _columns(self) -> list[tuple[int, int, bool]]:
        """What is written at each output: (node, offset, whether it takes a whole row)."""
        pairs = zip(self.program.observed, self.layout.output_offsets, strict=True)
        return [(node, offset, self.graph.nodes[node].wide) for node, offset in pairs]

    def _stored(self, slots: Slots, buffer: str) -> list[Target]:
        """Targets that put nodes into their slots of a buffer."""
        return [_stored(node, Source(buffer, k), self.graph.nodes[node].wide) for node, k in slots.offsets.items()]

    # -- forward ---------------------------------------------------------------------------------

    def _before_run(self) -> None:
        targets = [_stored(node, Source("run", offset), wide) for node, offset, wide in self._run_outputs()]
        self._part("before_run", ["parameters", "run", "suspect"], self._parameters(), targets)

    def _at_moment(self) -> None:
        arguments = ["run", "data", "moment", "suspect"]
        self._part("at_moment", arguments, self._slots("run", "data"), self._stored(self.layout.moment, "moment"))

    def _stage(self) -> None:
        """A fused Runge-Kutta stage: the derivative of `state`, and at once what follows from it.

        `factors` are how much of the slope goes into the step's result, and how much into the state that the
        next stage looks at (after the last there is none, and its factor is zero).
        """
        arguments = ["start", "state", "result", "next", "run", "data", "moment", "factors"]
        self._part("stage", arguments, self._inputs(), [_moved(*each) for each in self._rows()])

    def _derivative(self) -> None:
        """The derivative alone, for recomputing stages on the way back."""
        targets = [_stored(node, Source("slope", offset), wide) for node, offset, wide in self._rows()]
        self._part("derivative", ["state", "run", "data", "moment", "slope"], self._inputs(), targets)

    def _observe(self) -> None:
        targets = [_stored(node, Source("outputs", offset), wide) for node, offset, wide in self._columns()]
        self._part("observe", ["state", "run", "data", "moment", "outputs", "suspect"], self._inputs(), targets)

    # -- backward --------------------------------------------------------------------------------

    def _before_run_adjoint(self) -> None:
        sources = self._parameters()
        parameters = {node: Source("gradient", self._place(node)) for node in sources}
        given = self._cotangents(self._run_outputs(), "run_bar", sources)
        adjoints = self.graph.pullback(given, parameters)
        targets = self._added(adjoints, parameters)
        self._part("before_run_adjoint", ["parameters", "run_bar", "gradient"], sources, targets)

    def _at_moment_adjoint(self) -> None:
        sources = self._slots("run", "data")
        moments = self.layout.moment.offsets.items()
        given = self._cotangents(
            [(node, offset, self.graph.nodes[node].wide) for node, offset in moments], "moment_bar", sources
        )
        adjoints = self.graph.pullback(given, self._slots("run", "data"))
        targets = self._added(adjoints, _beside(self._slots("run"), "run_bar"))
        self._part("at_moment_adjoint", ["run", "data", "moment_bar", "run_bar"], sources, targets)

    def _derivative_adjoint(self) -> None:
        self._state_adjoint("derivative_adjoint", self._rows(), add=False)

    def _observe_adjoint(self) -> None:
        self._state_adjoint("observe_adjoint", self._columns(), add=True)

    def _state_adjoint(self, name: str, outputs: Iterable[tuple[int, int, bool]], *, add: bool) -> None:
        """Adjoint of a function of the state; `add` says whether `state_bar` is added to or set."""
        sources = self._inputs()
        states = _beside(self._state(), "state_bar")
        leaves = list(sources)
        given = self._cotangents(outputs, "cotangent", sources)
        adjoints = self.graph.pullback(given, leaves)
        targets = [
            *self._added(adjoints, _beside(self._slots("run"), "run_bar")),
            *self._added(adjoints, _beside(self._slots("moment"), "moment_bar")),
        ]
        if add:
            targets += self._added(adjoints, states)
        else:
            zero = self.graph.constant(0.0)
            targets += [_stored(adjoints.get(node, zero), place, self.width > 1) for node, place in states.items()]
        arguments = ["state", "run", "data", "moment", "cotangent", "state_bar", "run_bar", "moment_bar"]
        self._part(name, arguments, sources, targets)

    def _cotangents(
        self, outputs: Iterable[tuple[int, int, bool]], buffer: str, sources: dict[int, Source]
    ) -> dict[int, int]:
        """The cotangent of each output node, as it comes in by a buffer; `sources` learns where."""
        given: dict[int, int] = {}
        for node, offset, wide in outputs:
            cotangent = self.graph.cotangent(offset, wide)
            sources[cotangent] = Source(buffer, offset)
            if wide and not self.graph.nodes[node].wide:
                cotangent = self.graph.total(cotangent)
            given[node] = self.graph.add(given[node], cotangent) if node in given else cotangent
        return given

    def _added(self, adjoints: Mapping[int, int], places: Mapping[int, Source]) -> list[Target]:
        """Targets that add the adjoint of each leaf to its place."""
        return [
            _increased(adjoints[leaf], place, self.graph.nodes[leaf].wide)
            for leaf, place in places.items()
            if leaf in adjoints
        ]


def _beside(places: Mapping[int, Source], buffer: str) -> dict[int, Source]:
    """The same places in another buffer of the same layout."""
    return {node: Source(buffer, place.offset) for node, place in places.items()}


def _stored(node: int, place: Source, wide: bool) -> Target:
    return Target(node, wide, lambda emit, value: emit.store(value, place))


def _increased(node: int, place: Source, wide: bool) -> Target:
    return Target(node, wide, lambda emit, value: emit.increase(value, place))


def _moved(node: int, offset: int, wide: bool) -> Target:
    """What a stage does with a slope."""

    def write(emit: Emitter, slope: ir.Value) -> None:
        weight, reach = (emit.everywhere(Source("factors", k)) for k in range(2))
        start, held = (emit.load(Source(buffer, offset), wide) for buffer in ("start", "result"))
        emit.store(moved(emit, held, weight, slope), Source("result", offset))
        emit.store(moved(emit, start, reach, slope), Source("next", offset))

    def moved(emit: Emitter, base: ir.Value, factor: ir.Value, slope: ir.Value) -> ir.Value:
        return emit.builder.fadd(base, emit.builder.fmul(factor, slope, flags=FLAGS), flags=FLAGS)

    return Target(node, wide, write)
