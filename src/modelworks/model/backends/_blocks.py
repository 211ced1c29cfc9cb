"""Models with very many lanes: a few of them at a time, in loops.

A value that is wider than all registers would be cut up by LLVM, in a time that grows faster than its width. So
arithmetic goes along the lanes block by block, as long as it needs only the same lane of what is before it. Where
it needs others, a sum over all lanes or a matrix times them, one loop ends and another begins after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from llvmlite import ir

from modelworks.model._graph import Graph
from modelworks.model.backends._emit import (
    DOUBLE,
    FLAGS,
    INTEGER,
    POINTER,
    Emitter,
    Limits,
    Source,
    Step,
    Target,
    Watch,
)

# More lanes than these are not held in registers whole.
WIDEST = 64
# The lanes of one turn of a loop: two of the widest registers, so that one addition need not wait for the last.
BLOCK = 16

# What needs other lanes than its own, or none, and leaves its lanes in memory.
_MADE_WHOLE = ("pack", "matvec", "shift")


def in_loops(graph: Graph) -> bool:
    """Whether a graph has so many lanes that its functions are loops over them."""
    return graph.width > WIDEST


class Sections:
    """What is computed when: scalars and whole rows `before` each loop over lanes, lane by lane `inside` it.

    A sum over lanes is inside the loop that adds it up, and before the next, when it is there. `crossing` are the
    nodes of a loop that are needed behind it.
    """

    def __init__(self, graph: Graph, steps: Sequence[Step]) -> None:
        self.graph = graph
        self.crossing: set[int] = set()
        self._level: dict[int, int] = {}
        self._looped: set[int] = set()
        found: list[tuple[int, bool, Step]] = []
        for step in steps:
            found.extend(self._placed(step))
        number = 1 + max((level for level, _, _ in found), default=0)
        self.before: list[list[Step]] = [[] for _ in range(number)]
        self.inside: list[list[Step]] = [[] for _ in range(number)]
        for level, inside, step in found:
            (self.inside if inside else self.before)[level].append(step)

    def _placed(self, step: Step) -> Iterator[tuple[int, bool, Step]]:
        """The section of a step, and whether it is inside its loop."""
        if isinstance(step, Target):
            in_loop = step.wide or self.graph.nodes[step.node].wide
            level = self._at_loop([step.node]) if in_loop else self._level.get(step.node, 0)
            yield level, in_loop, step
            return
        node = self.graph.nodes[step]
        if node.operation == "total":
            level = self._at_loop(node.children)
            self._level[step] = level + 1
            yield level, True, step
            yield level + 1, False, step
        elif node.wide and node.operation not in _MADE_WHOLE:
            self._level[step] = self._at_loop(node.children)
            self._looped.add(step)
            yield self._level[step], True, step
        else:
            behind = [self._level.get(c, 0) + (c in self._looped) for c in node.children]
            self._level[step] = max(behind, default=0)
            self.crossing.update(self._looped.intersection(node.children))
            yield self._level[step], False, step

    def _at_loop(self, needed: Sequence[int]) -> int:
        """The first loop in which all these are known."""
        level = max((self._level.get(each, 0) for each in needed), default=0)
        self.crossing.update(each for each in needed if each in self._looped and self._level[each] < level)
        return level


class Blocks(Emitter):
    """Writes the instructions for graph nodes as loops over lanes."""

    def write(
        self, steps: Sequence[Step], sources: Mapping[int, Source], kept: Mapping[int, Source], limits: Limits
    ) -> None:
        self.places = {**sources, **kept}
        self.scalars: dict[int, ir.Value] = {}
        sections = Sections(self.graph, steps)
        self.stored = sections.crossing | kept.keys()
        for before, inside in zip(sections.before, sections.inside, strict=True):
            watch = Watch(self, limits)
            for step in before:
                if isinstance(step, Target):
                    self._reach(step, self._scalar(step.node, self.scalars), watch)
                else:
                    self._between_loops(step, kept)
            watch.tell()
            if inside:
                self._along_lanes(inside, limits)

    # -- between loops ---------------------------------------------------------------------------

    def _between_loops(self, index: int, kept: Mapping[int, Source]) -> None:
        node = self.graph.nodes[index]
        if node.wide:
            place = self._place(index)
            if node.operation == "pack":
                for k, child in enumerate(node.children):
                    self.store(self._scalar(child, self.scalars), Source(place.buffer, place.offset + k))
            elif node.operation == "shift":
                self._shifted(self._place(node.children[0]), place, int(node.data[0]))
            else:
                self._multiplied(int(node.data[0]), self._place(node.children[0]), place)
            return
        if node.operation == "total":
            value = self.builder.load(self.buffers[f"total {index}"], typ=DOUBLE)
        elif node.operation == "lane":
            place = self._place(node.children[0])
            value = self.load(Source(place.buffer, place.offset + int(node.data[0])), wide=False)
        else:
            value = self._emit(node, [self._scalar(child, self.scalars) for child in node.children])
        self.scalars[index] = value
        if index in kept:
            self.store(value, kept[index])

    def _scalar(self, index: int, known: dict[int, ir.Value]) -> ir.Value:
        if index in self.scalars:
            return self.scalars[index]
        if index not in known:
            node = self.graph.nodes[index]
            constant = node.operation == "constant"
            known[index] = (
                self.constant(map(float, node.data)) if constant else self.load(self.places[index], wide=False)
            )
        return known[index]

    def _place(self, index: int) -> Source:
        """Where all lanes of a node lie."""
        if index not in self.places:
            node, name = self.graph.nodes[index], f"lanes {index}"
            if node.operation == "constant":
                name = self._table(f"constant{index}", np.asarray(node.data, dtype=float))
            else:
                self.buffers[name] = self.entry.alloca(DOUBLE, self.graph.width)
            self.places[index] = Source(name, 0)
        return self.places[index]

    def _shifted(self, source: Source, target: Source, by: int) -> None:
        width = self.graph.width
        start, stop = max(by, 0), min(width + by, width)
        self._copied(Source(source.buffer, source.offset - by), target, start, stop)
        self._copied(None, target, 0, start)
        self._copied(None, target, stop, width)

    def _copied(self, source: Source | None, target: Source, start: int, stop: int) -> None:
        """Some numbers of one buffer into another, or zeros."""
        with self._count(start, stop, 1) as self.lane:
            self._hold(1)
            self.store(self.widen(ir.Constant(DOUBLE, 0.0)) if source is None else self.load(source, wide=True), target)
        self.lane = None

    def _multiplied(self, matrix: int, source: Source, target: Source) -> None:
        arguments = [self.buffers[self._columns_of(matrix)], self.address(source, False), self.address(target, False)]
        self.builder.call(self._product(), arguments)

    def _product(self) -> ir.Function:
        """A function of the module: a matrix, column by column, times the lanes."""
        name, width = "product", self.graph.width
        if name not in self.module.globals:
            function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [POINTER] * 3), name)
            function.linkage = "internal"
            for argument in function.args:
                argument.add_attribute("noalias")
            emit = Blocks(self.graph, function, dict(zip(("matrix", "given", "product"), function.args, strict=True)))
            product = Source("product", 0)
            emit._copied(None, product, 0, width)
            with emit._count(0, width, 1) as column:
                factor = emit.builder.load(
                    emit.builder.gep(function.args[1], [column], source_etype=DOUBLE), typ=DOUBLE
                )
                start = emit.builder.mul(column, ir.Constant(INTEGER, width))
                emit.buffers["column"] = emit.builder.gep(function.args[0], [start], source_etype=DOUBLE)

                def add() -> None:
                    numbers = emit.load(Source("column", 0), wide=True)
                    emit.increase(emit.builder.fmul(numbers, emit.widen(factor), flags=FLAGS), product)

                emit._each_block(add)
            emit.builder.ret_void()
        return self.module.globals[name]

    # -- loops -----------------------------------------------------------------------------------

    def _along_lanes(self, steps: Sequence[Step], limits: Limits) -> None:
        for step in steps:
            if not isinstance(step, Target) and self.graph.nodes[step].operation == "total":
                sum_ = self.buffers[f"total {step}"] = self.entry.alloca(DOUBLE)
                self.builder.store(ir.Constant(DOUBLE, 0.0), sum_)
        self._each_block(lambda: self._turn(steps, limits))

    def _each_block(self, turn: Callable[[], None]) -> None:
        """Write a loop over blocks of lanes, and once more what is done in it for the lanes that are left."""
        width = self.graph.width
        whole = width - width % BLOCK
        with self._count(0, whole, BLOCK) as self.lane:
            self._hold(BLOCK)
            turn()
        if width > whole:
            self.lane = ir.Constant(INTEGER, whole)
            self._hold(width - whole)
            turn()
        self.lane = None

    def _turn(self, steps: Sequence[Step], limits: Limits) -> None:
        """The steps of one loop for the lanes at hand."""
        values: dict[int, ir.Value] = {}
        watch = Watch(self, limits)

        def value(index: int) -> ir.Value:
            if not self.graph.nodes[index].wide:
                return self._scalar(index, values)
            if index not in values:
                values[index] = self.load(self._place(index), wide=True)
            return values[index]

        for step in steps:
            if isinstance(step, Target):
                self._reach(step, value(step.node), watch)
                continue
            node = self.graph.nodes[step]
            done = self._emit(node, [value(child) for child in node.children])
            if node.operation == "total":
                self.increase(done, Source(f"total {step}", 0))
            else:
                values[step] = done
                if step in self.stored:
                    self.store(done, self._place(step))
        watch.tell()

    @contextmanager
    def _count(self, start: int, stop: int, by: int) -> Iterator[ir.Value]:
        """For each number from one to before another, in steps; the body is written inside the `with`."""
        b = self.builder
        before = b.block
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "body", "after"))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(INTEGER)
        index.add_incoming(ir.Constant(INTEGER, start), before)
        b.cbranch(b.icmp_signed("<", index, ir.Constant(INTEGER, stop)), body, after)
        b.position_at_end(body)
        yield index
        index.add_incoming(b.add(index, ir.Constant(INTEGER, by)), b.block)
        b.branch(head)
        b.position_at_end(after)
