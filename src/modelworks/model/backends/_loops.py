"""Loops, buffers and row arithmetic of a kernel's two entry functions, in LLVM's builder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from llvmlite import ir

from modelworks.model.backends._emit import DOUBLE, FLAGS, INTEGER


class Loops:
    """Writes the body of one exported function."""

    def __init__(self, function: ir.Function, parts: Mapping[str, ir.Function]) -> None:
        for argument in function.args:
            if isinstance(argument.type, ir.PointerType):
                argument.add_attribute("noalias")
        self.function = function
        self.parts = parts
        self.arguments = function.args
        entry = function.append_basic_block("entry")
        body = function.append_basic_block("body")
        self.entry = ir.IRBuilder(entry)
        self.entry.position_before(self.entry.branch(body))
        self.builder = ir.IRBuilder(body)

    # -- values ----------------------------------------------------------------------------------

    def integer(self, value: int) -> ir.Constant:
        return ir.Constant(INTEGER, value)

    def variable(self, value: int) -> ir.Value:
        """An integer that may be stored to; LLVM turns it into a register."""
        place = self.entry.alloca(INTEGER)
        self.builder.store(self.integer(value), place)
        return place

    def is_negative(self, variable: ir.Value) -> ir.Value:
        return self.builder.icmp_signed("<", self.builder.load(variable, typ=INTEGER), self.integer(0))

    def numbers(self, *values: ir.Value) -> ir.Value:
        """Some numbers side by side on the stack, to hand to a part."""
        place = self.entry.alloca(DOUBLE, len(values))
        for k, value in enumerate(values):
            self.builder.store(value, self.element(place, self.integer(k)))
        return place

    def scaled(self, number: ir.Value, factor: float) -> ir.Value:
        return self.builder.fmul(number, ir.Constant(DOUBLE, factor))

    def element(self, pointer: ir.Value, index: ir.Value, kind: ir.Type = DOUBLE) -> ir.Value:
        return self.builder.gep(pointer, [index], source_etype=kind)

    def row(self, pointer: ir.Value, index: ir.Value, size: int) -> ir.Value:
        """Address of a row of `size` numbers."""
        return self.element(pointer, self.builder.mul(index, self.integer(size)))

    def call(self, part: str, *arguments: ir.Value) -> None:
        self.builder.call(self.parts[part], arguments)

    # -- control ---------------------------------------------------------------------------------

    @contextmanager
    def count(self, number: ir.Value) -> Iterator[ir.Value]:
        """For each index from 0 to `number` - 1; the builder writes the body inside the `with`."""
        with self._loop(number) as index:
            yield index

    @contextmanager
    def count_down(self, number: ir.Value) -> Iterator[ir.Value]:
        """For each index from `number` - 1 down to 0."""
        with self._loop(number) as index:
            yield self.builder.sub(self.builder.sub(number, self.integer(1)), index)

    @contextmanager
    def _loop(self, number: ir.Value) -> Iterator[ir.Value]:
        b = self.builder
        before = b.block
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "body", "after"))
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(INTEGER)
        index.add_incoming(self.integer(0), before)
        b.cbranch(b.icmp_signed("<", index, number), body, after)
        b.position_at_end(body)
        yield index
        index.add_incoming(b.add(index, self.integer(1)), b.block)
        b.branch(head)
        b.position_at_end(after)

    @contextmanager
    def when(self, condition: ir.Value) -> Iterator[None]:
        with self.builder.if_then(condition):
            yield

    # -- rows of numbers -------------------------------------------------------------------------

    def copy(self, target: ir.Value, source: ir.Value, size: int) -> None:
        with self._elements(size) as k:
            value = self.builder.load(self.element(source, k), typ=DOUBLE, align=8)
            self.builder.store(value, self.element(target, k), align=8)

    def clear(self, target: ir.Value, start: int, stop: int) -> None:
        if stop > start:
            with self._elements(stop - start) as k:
                place = self.element(target, self.builder.add(k, self.integer(start)))
                self.builder.store(ir.Constant(DOUBLE, 0.0), place, align=8)

    def scale(self, target: ir.Value, source: ir.Value, factor: ir.Value, size: int) -> None:
        with self._elements(size) as k:
            value = self.builder.load(self.element(source, k), typ=DOUBLE, align=8)
            self.builder.store(self.builder.fmul(value, factor, flags=FLAGS), self.element(target, k), align=8)

    def combine(self, target: ir.Value, base: ir.Value, other: ir.Value, factor: ir.Value, size: int) -> None:
        """target = base + factor * other, element by element."""
        with self._elements(size) as k:
            b = self.builder
            first = b.load(self.element(base, k), typ=DOUBLE, align=8)
            second = b.load(self.element(other, k), typ=DOUBLE, align=8)
            b.store(b.fadd(first, b.fmul(second, factor, flags=FLAGS), flags=FLAGS), self.element(target, k), align=8)

    @contextmanager
    def _elements(self, size: int) -> Iterator[ir.Value]:
        with self.count(self.integer(size)) as k:
            yield k

    def total(self, counts: ir.Value, number: ir.Value) -> ir.Value:
        """The sum of an array of integers."""
        held = self.variable(0)
        with self.count(number) as k:
            one = self.builder.load(self.element(counts, k, INTEGER), typ=INTEGER)
            self.builder.store(self.builder.add(self.builder.load(held, typ=INTEGER), one), held)
        return self.builder.load(held, typ=INTEGER)

    def sum_of(self, row: ir.Value, size: int) -> ir.Value:
        """The sum of a row of numbers."""
        b = self.builder
        held = self.entry.alloca(DOUBLE)
        b.store(ir.Constant(DOUBLE, 0.0), held)
        with self._elements(size) as k:
            value = b.load(self.element(row, k), typ=DOUBLE, align=8)
            b.store(b.fadd(b.load(held, typ=DOUBLE), value), held)
        return b.load(held, typ=DOUBLE)

    def note_below(self, row: ir.Value, size: int, floor: ir.Value, failed: ir.Value, index: ir.Value) -> None:
        """Remember the first index at which a number of the row is below the floor or not a number."""
        with self._elements(size) as k:
            b = self.builder
            value = b.load(self.element(row, k), typ=DOUBLE, align=8)
            # "Not at least the floor" is also true of what is not a number.
            bad = b.fcmp_unordered("<", value, floor)
            with b.if_then(b.and_(bad, self.is_negative(failed)), likely=False):
                b.store(index, failed)
