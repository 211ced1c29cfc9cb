"""From graph nodes to LLVM instructions, one function at a time.

Buffers are float64; a wide value lies as `width` consecutive numbers. Fast-math flags allow
reassociation and fused multiply-add but keep NaN and infinity as they are: both must be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from llvmlite import ir

from modelworks.model._graph import Array, Graph, Node

DOUBLE = ir.DoubleType()
INTEGER = ir.IntType(64)
POINTER = ir.PointerType()
FLAGS = ("reassoc", "contract", "nsz")

_BINARY = {"add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv"}


@dataclass(frozen=True)
class Source:
    """Where a number lies: a buffer, by its name among a function's arguments, and an offset in numbers."""

    buffer: str
    offset: int


@dataclass(frozen=True)
class Target:
    """What is done with a node as soon as it is computed, so that its register is free again.

    `write` is handed its value; on every lane where `wide` asks for that, whatever the node.
    """

    node: int
    wide: bool
    write: Callable[[Emitter, ir.Value], None]


# A node to compute, or what to do with one.
Step: TypeAlias = int | Target
# Between which numbers the values of some nodes must lie.
Limits: TypeAlias = Mapping[int, Iterable[tuple[float, float]]]


class Emitter:
    """Writes the instructions for graph nodes into one LLVM function."""

    def __init__(self, graph: Graph, function: ir.Function, buffers: Mapping[str, ir.Value]) -> None:
        self.graph = graph
        self.module = function.module
        self.function = function
        self.buffers = dict(buffers)
        entry, body = (function.append_basic_block(name) for name in ("entry", "body"))
        self.entry = ir.IRBuilder(entry)  # where stack slots belong
        self.entry.position_before(self.entry.branch(body))
        self.builder = ir.IRBuilder(body)
        self.lane: ir.Value | None = None  # the first of the lanes at hand, where these are not all
        self._hold(graph.width)
        self._once: dict[Source, ir.Value] = {}

    def _hold(self, width: int) -> None:
        """A wide value is so many numbers from now on."""
        self.width = width
        self.vector = ir.VectorType(DOUBLE, width) if self.graph.width > 1 else DOUBLE

    # -- memory ----------------------------------------------------------------------------------

    def address(self, place: Source, wide: bool) -> ir.Value:
        pointer = self.buffers[place.buffer]
        if place.offset:
            pointer = self.builder.gep(pointer, [ir.Constant(INTEGER, place.offset)], source_etype=DOUBLE)
        if wide and self.lane is not None:
            pointer = self.builder.gep(pointer, [self.lane], source_etype=DOUBLE)
        return pointer

    def load(self, place: Source, wide: bool) -> ir.Value:
        return self.builder.load(self.address(place, wide), typ=self.vector if wide else DOUBLE, align=8)

    def store(self, value: ir.Value, place: Source) -> None:
        pointer = self.address(place, isinstance(value.type, ir.VectorType))
        # llvmlite holds the pointers of stack slots to one type.
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=8)

    def increase(self, value: ir.Value, place: Source) -> None:
        """Add to what the buffer holds."""
        held = self.load(place, isinstance(value.type, ir.VectorType))
        self.store(self.builder.fadd(held, value, flags=FLAGS), place)

    def everywhere(self, place: Source) -> ir.Value:
        """A number that nothing here changes, on every lane; it is read once."""
        if place not in self._once:
            pointer = self.entry.gep(
                self.buffers[place.buffer], [ir.Constant(INTEGER, place.offset)], source_etype=DOUBLE
            )
            self._once[place] = self.entry.load(pointer, typ=DOUBLE, align=8)
        return self.widen(self._once[place])

    # -- values ----------------------------------------------------------------------------------

    def widen(self, value: ir.Value) -> ir.Value:
        """The same number on every lane."""
        if self.graph.width == 1 or isinstance(value.type, ir.VectorType):
            return value
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        return self.builder.shuffle_vector(first, undefined, self._mask([0] * self.width))

    def constant(self, numbers: Iterable[float]) -> ir.Constant:
        values = list(numbers)
        if len(values) == 1:
            return ir.Constant(DOUBLE, values[0])
        return ir.Constant(self.vector, [ir.Constant(DOUBLE, value) for value in values])

    def write(
        self,
        steps: Sequence[Step],
        sources: Mapping[int, Source],
        kept: Mapping[int, Source],
        limits: Limits,
    ) -> None:
        """Emit the steps, loading the nodes in `sources`, and those in `kept` that are not computed here.

        A node in `kept` that is computed here is stored there. A function with a buffer `suspect` sets that to one if
        a node of a target lies outside its limits.
        """
        values: dict[int, ir.Value] = {}
        watch = Watch(self, limits)

        def value(index: int) -> ir.Value:
            if index not in values:
                node = self.graph.nodes[index]
                if node.operation == "constant":
                    values[index] = self.constant(float(x) for x in node.data)
                else:
                    values[index] = self.load(sources.get(index) or kept[index], node.wide)
            return values[index]

        for step in steps:
            if isinstance(step, Target):
                self._reach(step, value(step.node), watch)
                continue
            node = self.graph.nodes[step]
            values[step] = self._emit(node, [value(child) for child in node.children])
            if step in kept:
                self.store(values[step], kept[step])
        watch.tell()

    def _reach(self, target: Target, value: ir.Value, watch: Watch) -> None:
        watch.look(target.node, value)
        target.write(self, self.widen(value) if target.wide else value)

    def _emit(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        if node.wide and node.operation not in ("pack", "matvec"):
            arguments = [self.widen(argument) for argument in arguments]
        if node.operation in _BINARY:
            return getattr(self.builder, _BINARY[node.operation])(*arguments, flags=FLAGS)
        return getattr(self, f"_{node.operation}")(node, arguments)

    # llvm.maximum and llvm.minimum hand a NaN on, unlike maxnum and a compare-and-select.
    def _maximum(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self._intrinsic("maximum", arguments)

    def _minimum(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self._intrinsic("minimum", arguments)

    def _is_first(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        comparison = ">=" if node.data[0] == "maximum" else "<="
        chosen = self.builder.fcmp_ordered(comparison, *arguments)
        return self.builder.uitofp(chosen, arguments[0].type)

    def _intrinsic(self, name: str, arguments: list[ir.Value]) -> ir.Value:
        kind = arguments[0].type
        full = f"llvm.{name}.{f'v{self.width}f64' if kind != DOUBLE else 'f64'}"
        function = self.module.globals.get(full) or ir.Function(
            self.module, ir.FunctionType(kind, [kind] * len(arguments)), full
        )
        return self.builder.call(function, arguments)

    def _exp(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self._intrinsic("exp", arguments)

    def _log(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self._intrinsic("log", arguments)

    def _sqrt(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self._intrinsic("sqrt", arguments)

    def _cos(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self._intrinsic("cos", arguments)

    def _sin(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self._intrinsic("sin", arguments)

    def _total(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        kind = ir.FunctionType(DOUBLE, [DOUBLE, self.vector])
        name = f"llvm.vector.reduce.fadd.v{self.width}f64"
        function = self.module.globals.get(name) or ir.Function(self.module, kind, name)
        return self.builder.call(function, [ir.Constant(DOUBLE, -0.0), arguments[0]], fastmath=("reassoc",))

    def _lane(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        return self.builder.extract_element(arguments[0], ir.Constant(ir.IntType(32), int(node.data[0])))

    def _pack(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        value: ir.Value = ir.Constant(self.vector, ir.Undefined)
        for position, argument in enumerate(arguments):
            value = self.builder.insert_element(value, argument, ir.Constant(ir.IntType(32), position))
        return value

    def _shift(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        width, by = self.graph.width, int(node.data[0])
        # Lanes from `width` on are taken from the second operand, which is all zero.
        places = [lane - by if 0 <= lane - by < width else width for lane in range(width)]
        zero = self.constant([0.0] * width)
        return self.builder.shuffle_vector(arguments[0], zero, self._mask(places))

    def _matvec(self, node: Node, arguments: list[ir.Value]) -> ir.Value:
        """Columns of the matrix times one broadcast lane each; the lanes are read back from memory,
        where a broadcast is part of the multiplication and costs nothing."""
        width = self.graph.width
        lanes = self.entry.alloca(self.vector)
        lanes.align = 64
        self.builder.store(arguments[0], lanes, align=8)
        title = self._columns_of(int(node.data[0]))
        self.buffers["lanes"] = lanes
        total: ir.Value | None = None
        for column in range(width):
            lane = self.widen(self.load(Source("lanes", column), wide=False))
            term = self.builder.fmul(self.load(Source(title, column * width), wide=True), lane, flags=FLAGS)
            total = term if total is None else self.builder.fadd(total, term, flags=FLAGS)
        return total

    def _columns_of(self, matrix: int) -> str:
        """The name of a buffer that holds a matrix column by column."""
        return self._table(f"matrix{matrix}", self.graph.matrices[matrix].T)

    def _table(self, name: str, numbers: Array) -> str:
        """The name of a buffer that is a constant of the module."""
        if name not in self.module.globals:
            # As bytes it takes a hundredth of the time that a list of constants does.
            flat = np.ascontiguousarray(numbers, dtype=float).ravel()
            kind = ir.ArrayType(ir.IntType(8), flat.nbytes)
            table = ir.GlobalVariable(self.module, kind, name)
            table.initializer = ir.Constant(kind, bytearray(flat.tobytes()))
            table.global_constant = True
            table.linkage = "internal"
            table.align = 64
        self.buffers[name] = self.module.globals[name]
        return name

    def _mask(self, places: list[int]) -> ir.Constant:
        kind = ir.VectorType(ir.IntType(32), len(places))
        return ir.Constant(kind, [ir.Constant(ir.IntType(32), place) for place in places])


class Watch:
    """Looks at numbers as they are computed, and says at the end whether one lay outside its limits.

    Here it costs next to nothing; which number it was, and when, is found out only if there was one.
    """

    def __init__(self, emitter: Emitter, limits: Limits) -> None:
        self.emitter = emitter
        self.builder = emitter.builder
        self.limits = limits if "suspect" in emitter.buffers else {}
        self.seen: set[int] = set()
        self.within: dict[str, ir.Value] = {}

    def look(self, node: int, value: ir.Value) -> None:
        """Compare a value with its node's limits; one that is not a number lies outside of any."""
        if node in self.seen:
            return
        self.seen.add(node)
        emit, wide = self.emitter, isinstance(value.type, ir.VectorType)
        for low, high in self.limits.get(node, ()):
            for comparison, limit in ((">=", low), ("<=", high)):
                bound = ir.Constant(DOUBLE, limit)
                holds = self.builder.fcmp_ordered(comparison, value, emit.widen(bound) if wide else bound)
                kind = str(value.type)
                before = self.within.get(kind)
                self.within[kind] = holds if before is None else self.builder.and_(before, holds)

    def tell(self) -> None:
        """Set the integer in `suspect` to one if anything lay outside; it is left alone otherwise."""
        for holds in self.within.values():
            every = holds
            if isinstance(holds.type, ir.VectorType):
                name = f"llvm.vector.reduce.and.v{self.emitter.width}i1"
                kind = ir.FunctionType(ir.IntType(1), [holds.type])
                module = self.emitter.module
                every = self.builder.call(module.globals.get(name) or ir.Function(module, kind, name), [holds])
            with self.builder.if_then(self.builder.not_(every), likely=False):
                self.builder.store(ir.Constant(INTEGER, 1), self.emitter.buffers["suspect"])
