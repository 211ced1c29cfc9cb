"""The largest eigenvalue of contacts, within the graph: by power iteration, and differentiated like all else."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelworks.model._declaration import Contacts, Stratification
from modelworks.model._expression import Expression
from modelworks.model._graph import Graph

# The error falls by the ratio of the two largest eigenvalues at each of them, for contacts of ages about a half.
ITERATIONS = 60

# What is said of an eigenvalue whose iteration goes on changing it.
NOT_SETTLED = (
    "still changes them: some groups hardly meet the others",
    "scale the rate by hand, with basic_reproduction_number(model, values) at a rate of one",
)

# The node of an expression in some strata.
Evaluate = Callable[[Expression, Mapping[str, str]], int]


@dataclass(frozen=True)
class WeightedContacts:
    """Contacts, each row times one number and each column times another, as a map of vectors of nodes.

    A vector has a node for each combination of the strata that are not lanes, which is wide where people meet by lane.
    """

    graph: Graph
    contacts: Contacts
    by: Sequence[Stratification]
    lane: Stratification | None
    evaluate: Evaluate

    @property
    def meets_by_lane(self) -> bool:
        return any(each is self.lane for each in self.by)

    @property
    def groups(self) -> list[dict[str, str]]:
        """The strata people meet by, but for lanes."""
        rows = [each for each in self.by if each is not self.lane]
        choices = itertools.product(*(each.strata for each in rows))
        return [{each.name: stratum for each, stratum in zip(rows, choice, strict=True)} for choice in choices]

    def largest_eigenvalue(self, rows: Sequence[int], columns: Sequence[int]) -> tuple[int, int]:
        """The eigenvalue, and what it was one iteration before, as a part of it: one where the iteration has settled.

        `rows` and `columns` are the numbers that rows and columns are times, a node for each group.
        """
        graph = self.graph
        # What is the same for all is a factor of the eigenvalue.
        same = len(set(columns)) == 1 and not graph.nodes[columns[0]].wide
        factor, weights = (columns[0], [graph.constant(1.0)] * len(columns)) if same else (graph.constant(1.0), columns)
        meeting = [[self._between(one, other) for other in self.groups] for one in self.groups]
        vector = [graph.constant(1.0)] * len(rows)
        before = found = graph.constant(1.0)
        for _ in range(ITERATIONS):
            met = [self._along_lanes(graph.multiply(*pair)) for pair in zip(weights, vector, strict=True)]
            sums = [graph.sum(map(graph.multiply, row, met)) for row in meeting]
            moved = [graph.multiply(*pair) for pair in zip(rows, sums, strict=True)]
            before, found = found, graph.divide(self._sum(moved), self._sum(vector))
            vector = [graph.divide(each, found) for each in moved]
        return graph.multiply(factor, found), graph.divide(before, found)

    def _sum(self, vector: Sequence[int]) -> int:
        return self.graph.sum(self.graph.total(each) if self.meets_by_lane else each for each in vector)

    def _along_lanes(self, met: int) -> int:
        """The settings of the lanes times a vector."""
        if self.lane is None or not self.meets_by_lane:
            return met
        return self.graph.sum(
            self.graph.multiply(self.evaluate(scale, {}), self.graph.matvec(matrix, met))
            for matrix, scale in self.contacts.settings(self.lane)
        )

    def _between(self, one: Mapping[str, str], other: Mapping[str, str]) -> int:
        """Contacts of a person of one group with those of another."""
        node = self.graph.constant(1.0)
        for each in self.by:
            if each is not self.lane:
                row, column = (list(each.strata).index(group[each.name]) for group in (one, other))
                numbers = [(float(matrix[row, column]), scale) for matrix, scale in self.contacts.settings(each)]
                terms = (
                    self.graph.multiply(self.graph.constant(number), self.evaluate(scale, {}))
                    for number, scale in numbers
                )
                node = self.graph.multiply(node, self.graph.sum(terms))
        return node
