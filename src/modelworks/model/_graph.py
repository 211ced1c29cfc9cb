"""The expression graph a model lowers to: built once, simplified as it is built, differentiated exactly.

A node is a number for every run (*scalar*) or a number for every lane (*wide*); lanes are the strata
of one stratification, usually age. Nodes are hash-consed: the same expression written twice is one
node. Each node knows what it depends on (parameters, time, state), which decides when it is computed:
once a model, once a run, once a time point, or at every evaluation of the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Depends(IntFlag):
    """What a node's value can change with."""

    NOTHING = 0
    PARAMETERS = 1
    TIME = 2
    STATE = 4


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. `children` are indices of nodes; `data` is whatever else the operation needs."""

    operation: str
    children: tuple[int, ...]
    data: tuple[float | int | str, ...]
    wide: bool
    depends: Depends


@dataclass(frozen=True, slots=True)
class Knots:
    """Where a table of values changes, and how it is read between.

    `linear` and `step` are what they say. A cubic through values with given slopes is the sum of two tables:
    `level` of the values, which is flat at each of them, and `slopes`, which is zero there and has those slopes.
    """

    times: tuple[float, ...]
    kind: str  # "linear", "step", "level" or "slopes"


BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
UNARY = ("exp", "log", "sqrt", "cos", "sin")

_FOLD = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "cos": np.cos,
    "sin": np.sin,
}
_FIRST = {"maximum": np.greater_equal, "minimum": np.less_equal}


class Graph:
    """A growing collection of nodes over lanes of one width.

    Methods return the index of a node; an equal node is never made twice. With `runs` the lanes are not
    strata but runs side by side, each with parameters of its own.
    """

    def __init__(self, width: int, *, runs: bool = False) -> None:
        self.width = width
        self.runs = runs
        self.nodes: list[Node] = []
        self.matrices: list[Array] = []
        self.knots: list[Knots] = []
        self._index: dict[tuple[object, ...], int] = {}

    # -- leaves ----------------------------------------------------------------------------------

    def constant(self, value: float | Sequence[float] | Array) -> int:
        """A number, or one number a lane; equal numbers on every lane are one scalar."""
        values = np.atleast_1d(np.asarray(value, dtype=float))
        if values.size > 1 and np.all(values == values[0]):
            values = values[:1]
        return self._node("constant", (), tuple(values.tolist()), values.size > 1, Depends.NOTHING)

    def parameter(self, position: int) -> int:
        return self._node("parameter", (), (position,), self.runs, Depends.PARAMETERS)

    def time(self) -> int:
        return self._node("time", (), (), False, Depends.TIME)

    def state(self, row: int) -> int:
        return self._node("state", (), (row,), self.width > 1, Depends.STATE)

    def cotangent(self, offset: int, wide: bool) -> int:
        """The derivative that flows back into an output; a leaf of adjoint functions only."""
        return self._node("cotangent", (), (offset,), wide, Depends.STATE)

    def happening(self, moments: Iterable[float]) -> int:
        """One at exactly these moments of the grid, and zero at all others."""
        return self._node("happening", (), tuple(sorted(moments)), False, Depends.TIME)

    def lookup(self, times: Sequence[float], values: Sequence[int], kind: str) -> int:
        """A table of scalar nodes read at the present time; flat beyond its ends.

        A table of numbers depends on time alone. One that holds parameters is a sum of its values,
        each times a weight that depends on time alone; so no kernel ever searches a table.
        """
        knots = Knots(tuple(float(t) for t in times), kind)
        if knots not in self.knots:
            self.knots.append(knots)
        position = self.knots.index(knots)
        nodes = [self.nodes[value] for value in values]
        if all(node.operation == "constant" for node in nodes):
            numbers = tuple(float(node.data[0]) for node in nodes)
            if not any(numbers) or (kind != "slopes" and len(set(numbers)) == 1):
                return self.constant(numbers[0])
            return self._node("lookup", (), (position, *numbers), False, Depends.TIME)
        return self.sum(
            self.multiply(value, self._node("weight", (), (position, k), False, Depends.TIME))
            for k, value in enumerate(values)
        )

    # -- operations ------------------------------------------------------------------------------

    def unary(self, operation: str, a: int) -> int:
        node = self.nodes[a]
        if node.operation == "constant":
            with np.errstate(all="ignore"):
                return self.constant(_FOLD[operation](np.asarray(node.data, dtype=float)))
        return self._node(operation, (a,), (), node.wide, node.depends)

    def binary(self, operation: str, a: int, b: int) -> int:
        left, right = self.nodes[a], self.nodes[b]
        if left.operation == "constant" and right.operation == "constant":
            with np.errstate(all="ignore"):
                return self.constant(
                    _FOLD[operation](np.asarray(left.data, dtype=float), np.asarray(right.data, dtype=float))
                )
        simpler = self._simplified(operation, a, b)
        if simpler is not None:
            return simpler
        if operation in ("add", "multiply", "maximum", "minimum") and a > b:
            a, b = b, a
        return self._node(operation, (a, b), (), left.wide or right.wide, left.depends | right.depends)

    def is_first(self, operation: str, a: int, b: int) -> int:
        """One where a maximum or minimum of two takes the first, zero where it takes the second."""
        left, right = self.nodes[a], self.nodes[b]
        if left.operation == "constant" and right.operation == "constant":
            return self.constant(np.asarray(_FIRST[operation](np.asarray(left.data), np.asarray(right.data)), float))
        return self._node("is_first", (a, b), (operation,), left.wide or right.wide, left.depends | right.depends)

    def add(self, a: int, b: int) -> int:
        return self.binary("add", a, b)

    def subtract(self, a: int, b: int) -> int:
        return self.binary("subtract", a, b)

    def multiply(self, a: int, b: int) -> int:
        return self.binary("multiply", a, b)

    def divide(self, a: int, b: int) -> int:
        return self.binary("divide", a, b)

    def sum(self, terms: Iterable[int]) -> int:
        total = self.constant(0.0)
        for term in terms:
            total = self.add(total, term)
        return total

    def total(self, a: int) -> int:
        """Sum over lanes; on a scalar, that number on every lane summed, so width times it."""
        node = self.nodes[a]
        if not node.wide:
            return self.multiply(a, self.constant(float(self.width)))
        if node.operation == "constant":
            return self.constant(math.fsum(float(x) for x in node.data))
        return self._node("total", (a,), (), False, node.depends)

    def lane(self, a: int, position: int) -> int:
        """The number on one lane."""
        node = self.nodes[a]
        if not node.wide:
            return a
        if node.operation == "constant":
            return self.constant(float(node.data[position]))
        if node.operation == "pack":
            return node.children[position]
        return self._node("lane", (a,), (position,), False, node.depends)

    def pack(self, lanes: Sequence[int]) -> int:
        """A wide node from one scalar node a lane."""
        nodes = [self.nodes[each] for each in lanes]
        if len(set(lanes)) == 1:
            return lanes[0]
        if all(each.operation == "constant" for each in nodes):
            return self.constant([float(each.data[0]) for each in nodes])
        depends = Depends.NOTHING
        for each in nodes:
            depends |= each.depends
        return self._node("pack", tuple(lanes), (), True, depends)

    def spread(self, a: int) -> int:
        """The same number on every lane, as a wide node."""
        if self.nodes[a].wide or self.width == 1:
            return a
        # `constant` would fold a row of ones into one scalar.
        ones = self._node("constant", (), (1.0,) * self.width, True, Depends.NOTHING)
        return self._node("multiply", (a, ones), (), True, self.nodes[a].depends)

    def shift(self, a: int, by: int) -> int:
        """Lane i gets the number of lane i - by; nothing comes in at the end."""
        node = self.nodes[a]
        if self.width == 1 or self._is(a, 0.0):
            return self.constant(0.0)
        return self._node("shift", (self.spread(a),), (by,), True, node.depends)

    def matvec(self, matrix: Array, a: int) -> int:
        """Matrix times lanes: lane i of the result is the sum over j of matrix[i, j] * lane j."""
        if self._is(a, 0.0) or not np.any(matrix):
            return self.constant(0.0)
        if self.width == 1:
            return self.multiply(self.constant(float(matrix[0, 0])), a)
        node = self.nodes[a]
        if not node.wide:
            return self.multiply(a, self.constant(matrix.sum(axis=1)))
        if node.operation == "constant":
            return self.constant(matrix @ np.asarray(node.data, dtype=float))
        return self._node("matvec", (a,), (self._matrix(matrix),), True, node.depends)

    def side_by_side(self, runs: int) -> Graph:
        """The same graph for several runs at once, one a lane; every node keeps its index.

        Only of a graph of width one: its nodes are arithmetic alone, which means the same on any lane.
        """
        if self.width != 1:
            raise ValueError("the lanes of this graph are strata already")
        graph = Graph(runs, runs=True)
        graph.knots = list(self.knots)
        for node in self.nodes:
            leaf = node.operation in ("parameter", "state")
            wide = leaf or any(graph.nodes[child].wide for child in node.children)
            graph._node(node.operation, node.children, node.data, wide, node.depends)
        return graph

    # -- derivative ------------------------------------------------------------------------------

    def pullback(self, outputs: Mapping[int, int], leaves: Iterable[int]) -> dict[int, int]:
        """Reverse-mode derivative: from a cotangent for each output to a cotangent for each leaf.

        `outputs` maps output nodes to cotangent nodes; differentiation stops at `leaves`.
        """
        stop = set(leaves)
        adjoint: dict[int, int] = {}
        for output, cotangent in outputs.items():
            self._accumulate(adjoint, output, cotangent)
        reached = sorted(self.ancestors(outputs, stop), reverse=True)
        found: dict[int, int] = {}
        for index in reached:
            if index not in adjoint:
                continue
            if index in stop:
                found[index] = adjoint[index]
            elif self.nodes[index].children:
                self._pull(adjoint, index, adjoint[index])
        return found

    def ancestors(self, outputs: Iterable[int], stop: Iterable[int] = ()) -> set[int]:
        """Every node the outputs need, down to and including the nodes to stop at."""
        ends = set(stop)
        seen: set[int] = set()
        waiting = list(outputs)
        while waiting:
            index = waiting.pop()
            if index in seen:
                continue
            seen.add(index)
            if index not in ends:
                waiting.extend(self.nodes[index].children)
        return seen

    def _accumulate(self, adjoint: dict[int, int], index: int, term: int) -> None:
        if not self.nodes[index].wide and self.nodes[term].wide:
            term = self.total(term)
        adjoint[index] = self.add(adjoint[index], term) if index in adjoint else term

    def _pull(self, adjoint: dict[int, int], index: int, g: int) -> None:
        """Hand the cotangent `g` of one node on to its children."""
        node = self.nodes[index]
        children = node.children
        # A scalar whose cotangent arrives on some lanes only was summed in `_accumulate`; a wide
        # node may receive a scalar cotangent, which then holds for every lane.
        if node.operation in BINARY:
            for child, term in self._pull_binary(node, index, g):
                self._accumulate(adjoint, child, self._spread(term, node, child))
        elif node.operation in UNARY:
            self._accumulate(adjoint, children[0], self.multiply(g, self.slope(node.operation, children[0], index)))
        elif node.operation == "total":
            self._accumulate(adjoint, children[0], g)
        elif node.operation == "lane":
            unit = np.zeros(self.width)
            unit[int(node.data[0])] = 1.0
            self._accumulate(adjoint, children[0], self.multiply(g, self.constant(unit)))
        elif node.operation == "pack":
            for position, child in enumerate(children):
                self._accumulate(adjoint, child, self.lane(g, position))
        elif node.operation == "shift":
            self._accumulate(adjoint, children[0], self.shift(g, -int(node.data[0])))
        elif node.operation == "matvec":
            transposed = np.ascontiguousarray(self.matrices[int(node.data[0])].T)
            self._accumulate(adjoint, children[0], self.matvec(transposed, g))

    def _pull_binary(self, node: Node, index: int, g: int) -> list[tuple[int, int]]:
        a, b = node.children
        if node.operation == "add":
            return [(a, g), (b, g)]
        if node.operation == "subtract":
            return [(a, g), (b, self.multiply(self.constant(-1.0), g))]
        if node.operation == "multiply":
            return [(a, self.multiply(g, b)), (b, self.multiply(g, a))]
        if node.operation == "divide":
            over = self.divide(g, b)
            return [(a, over), (b, self.multiply(self.constant(-1.0), self.multiply(over, index)))]
        chosen = self.is_first(node.operation, a, b)
        first = self.multiply(g, chosen)
        return [(a, first), (b, self.subtract(g, first))]

    def _spread(self, term: int, node: Node, child: int) -> int:
        """A scalar cotangent of a wide node stands for that number on each lane: sum it for a scalar child."""
        if node.wide and not self.nodes[child].wide and not self.nodes[term].wide:
            return self.total(term)
        return term

    def slope(self, operation: str, a: int, result: int) -> int:
        """How much a function of one node rises with it."""
        if operation == "exp":
            return result
        if operation == "log":
            return self.divide(self.constant(1.0), a)
        if operation == "sqrt":
            return self.divide(self.constant(0.5), result)
        if operation == "cos":
            return self.multiply(self.constant(-1.0), self.unary("sin", a))
        return self.unary("cos", a)

    # -- plumbing --------------------------------------------------------------------------------

    def _simplified(self, operation: str, a: int, b: int) -> int | None:
        if operation == "add":
            if self._is(a, 0.0):
                return b
            if self._is(b, 0.0):
                return a
        elif operation == "subtract":
            if self._is(b, 0.0):
                return a
            if a == b:
                return self.constant(0.0)
        elif operation == "multiply":
            if self._is(a, 0.0) or self._is(b, 0.0):
                return self.constant(0.0)
            if self._is(a, 1.0):
                return b
            if self._is(b, 1.0):
                return a
        elif operation == "divide":
            if self._is(a, 0.0):
                return self.constant(0.0)
            if self._is(b, 1.0):
                return a
            if self.nodes[b].operation == "constant":
                return self.multiply(a, self.constant(1.0 / np.asarray(self.nodes[b].data, dtype=float)))
        return None

    def _is(self, index: int, value: float) -> bool:
        node = self.nodes[index]
        return node.operation == "constant" and node.data == (value,)

    def _matrix(self, matrix: Array) -> int:
        for position, known in enumerate(self.matrices):
            if known.shape == matrix.shape and np.array_equal(known, matrix):
                return position
        self.matrices.append(np.asarray(matrix, dtype=float))
        return len(self.matrices) - 1

    def _node(
        self,
        operation: str,
        children: tuple[int, ...],
        data: tuple[float | int | str, ...],
        wide: bool,
        depends: Depends,
    ) -> int:
        # -0.0 equals 0.0 but is another number; repr keeps them apart.
        key = (operation, children, repr(data), wide)
        if key not in self._index:
            self._index[key] = len(self.nodes)
            self.nodes.append(Node(operation, children, data, wide and self.width > 1, depends))
        return self._index[key]
