"""Where anybody can ever be, whatever the parameters: found on the graph, by zeros that stay zero."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from modelworks.model._program import Program

# These are zero where their one argument is; of a product or a quotient it is the first or either.
_KEEP_ZERO = ("sqrt", "sin")
_ADD = ("add", "subtract", "maximum", "minimum")


class Reached:
    """For each node of a program the lanes in which it can be other than zero, a bit for each.

    People get where a flow takes them that can be other than zero, and that may start the next: until nothing more
    is reached. A parameter, a table and time can be anything.
    """

    def __init__(self, program: Program) -> None:
        self.graph = program.graph
        self.every = (1 << program.width) - 1
        self._met = [[self._bits(row) for row in matrix > 0] for matrix in self.graph.matrices]
        self.rows = [0] * len(program.rows)
        self.nodes = self._evaluated()
        reached = [self._spread(node) for node in program.initial]
        while True:
            self.rows = list(reached)
            self.nodes = self._evaluated()
            for jump in program.jumps:
                if jump.destination is not None:
                    reached[jump.destination] |= self._shifted(self._spread(jump.people), jump.shift)
            for row in program.accumulators:
                reached[row] |= self._spread(program.derivatives[row])
            if reached == self.rows:
                return

    def _spread(self, node: int) -> int:
        bits = self.nodes[node]
        return bits if self.graph.nodes[node].wide else self.every * bits

    def _shifted(self, bits: int, by: int) -> int:
        return (bits << by if by >= 0 else bits >> -by) & self.every

    def _bits(self, lanes: Iterable[object]) -> int:
        return sum(1 << k for k, each in enumerate(lanes) if each)

    def _evaluated(self) -> list[int]:
        found: list[int] = []
        for node in self.graph.nodes:
            arguments = [
                self.every * found[child] if node.wide and not self.graph.nodes[child].wide else found[child]
                for child in node.children
            ]
            found.append(self._value(node.operation, node.data, node.wide, arguments))
        return found

    def _value(self, operation: str, data: tuple[float | int | str, ...], wide: bool, arguments: list[int]) -> int:
        anything = self.every if wide else 1
        if operation == "constant":
            return self._bits(data)
        if operation == "state":
            return self.rows[int(data[0])] if wide else self.rows[int(data[0])] & 1
        if operation == "multiply":
            return arguments[0] & arguments[1]
        if operation == "divide" or operation in _KEEP_ZERO:
            return arguments[0]
        if operation in _ADD:
            return arguments[0] | arguments[1]
        if operation == "total":
            return int(arguments[0] != 0)
        if operation == "lane":
            return (arguments[0] >> int(data[0])) & 1
        if operation == "pack":
            return reduce(or_, ((bits & 1) << k for k, bits in enumerate(arguments)), 0)
        if operation == "shift":
            return self._shifted(arguments[0], int(data[0]))
        if operation == "matvec":
            met = self._met[int(data[0])]
            return self._bits(row & arguments[0] for row in met)
        return anything
