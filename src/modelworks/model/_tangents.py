"""Exact derivatives of the graph in many directions at once: the Jacobian of a model, by forward differentiation.

The gradient of a run goes backwards (`Graph.pullback`); what asks for the whole square of derivatives at
one moment, an equilibrium or a next-generation matrix, goes forwards through the plain NumPy reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelworks.model._graph import BINARY, Array, Graph, Node
from modelworks.model._program import Program
from modelworks.model.backends.interpreter import evaluate

Tangent = Array | None  # None where nothing changes; else (direction,) or (direction, lane)


class Moment:
    """A program at one moment: its values, and how they change with each person in each state.

    A *state* is a compartment in one combination of all strata; states are counted row by row, lane by lane,
    accumulators left out.
    """

    def __init__(self, program: Program, parameters: Array, time: float, state: Array) -> None:
        self.program = program
        graph = program.graph
        self.nodes = [*program.derivatives, *(jump.people for jump in program.jumps)]
        rows = np.zeros((1, len(program.rows), program.width))
        rows[0, list(program.stocks)] = state.reshape(-1, program.width)
        reached = sorted(graph.ancestors(self.nodes))
        self.values = evaluate(graph, reached, parameters=parameters[None, :], times=np.array([time]), state=rows)
        self.size = state.size

    def wide(self, node: int) -> Array:
        """The value of a node on every lane."""
        return np.broadcast_to(self.values[node].ravel(), self.program.width)

    @property
    def change(self) -> Array:
        """How many more people there are in each state per time, shape (state,)."""
        return np.concatenate([self.wide(self.program.derivatives[row]) for row in self.program.stocks])

    def jacobian(self) -> Array:
        """How the change of each state (row) moves with the people in each state (column)."""
        wanted = [self.program.derivatives[row] for row in self.program.stocks]
        found = self.tangents(wanted, self.unit_tangents())
        return np.concatenate([self.spread(found[node]) for node in wanted], axis=1).T

    def unit_tangents(self) -> dict[int, Tangent]:
        """One more person in each state: a direction for each."""
        width, graph = self.program.width, self.program.graph
        place = {row: k for k, row in enumerate(self.program.stocks)}
        found: dict[int, Tangent] = {}
        for index in self.values:
            node = graph.nodes[index]
            if node.operation == "state" and int(node.data[0]) in place:
                direction = np.zeros((self.size, width))
                first = place[int(node.data[0])] * width
                direction[first : first + width] = np.eye(width)
                found[index] = direction if node.wide else direction[:, 0]
        return found

    def spread(self, tangent: Tangent) -> Array:
        """A tangent as (direction, lane), whatever it was."""
        if tangent is None:
            return np.zeros((self.size, self.program.width))
        lifted = tangent if tangent.ndim == 2 else tangent[:, None]
        return np.broadcast_to(lifted, (self.size, self.program.width))

    def tangents(self, wanted: Sequence[int], seeds: Mapping[int, Tangent]) -> dict[int, Tangent]:
        """How the wanted nodes change when the seeds do so; every other leaf stands still."""
        graph = self.program.graph
        found: dict[int, Tangent] = dict(seeds)
        for index in sorted(graph.ancestors(wanted, stop=seeds)):
            if index not in found:
                found[index] = self._tangent(graph, index, [found[child] for child in graph.nodes[index].children])
        return {index: found[index] for index in wanted}

    def _tangent(self, graph: Graph, index: int, inner: Sequence[Tangent]) -> Tangent:
        node = graph.nodes[index]
        if all(each is None for each in inner):
            return None
        if node.operation in BINARY:
            return self._of_binary(graph, index, inner)
        if node.operation == "pack":
            size = self.size
            return np.stack([np.zeros(size) if each is None else each for each in inner], axis=1)
        (child,) = inner
        assert child is not None
        if node.operation == "total":
            return np.asarray(child.sum(axis=1))
        if node.operation == "lane":
            return child[:, int(node.data[0])]
        if node.operation == "shift":
            return _shifted(child, int(node.data[0]))
        if node.operation == "matvec":
            return np.asarray(child @ graph.matrices[int(node.data[0])].T)
        return child * self._slope(graph, node, index)

    def _of_binary(self, graph: Graph, index: int, inner: Sequence[Tangent]) -> Tangent:
        node = graph.nodes[index]
        a, b = (self.values[child] for child in node.children)
        first, second = self._factors(node, a, b, self.values[index])
        total: Tangent = None
        for child, tangent, factor in zip(node.children, inner, (first, second), strict=True):
            if tangent is not None:
                lifted = tangent[:, None] if node.wide and not graph.nodes[child].wide else tangent
                term = lifted * factor
                total = term if total is None else total + term
        return total

    def _factors(self, node: Node, a: Array, b: Array, result: Array) -> tuple[Array | float, Array | float]:
        """What one more of each of the two arguments adds to the result."""
        if node.operation == "add":
            return 1.0, 1.0
        if node.operation == "subtract":
            return 1.0, -1.0
        if node.operation == "multiply":
            return b, a
        if node.operation == "divide":
            return 1.0 / b, -result / b
        is_first = np.asarray(a >= b if node.operation == "maximum" else a <= b, dtype=float)
        return is_first, 1.0 - is_first

    def _slope(self, graph: Graph, node: Node, index: int) -> Array:
        value, result = self.values[node.children[0]], self.values[index]
        if node.operation == "exp":
            return result
        if node.operation == "log":
            return 1.0 / value
        if node.operation == "sqrt":
            return 0.5 / result
        if node.operation == "cos":
            return -np.sin(value)
        if node.operation == "sin":
            return np.cos(value)
        raise TypeError(f"the derivative of {node.operation} is not known")


def _shifted(value: Array, by: int) -> Array:
    result = np.zeros_like(value)
    if by > 0:
        result[:, by:] = value[:, :-by]
    else:
        result[:, :by] = value[:, -by:]
    return result
