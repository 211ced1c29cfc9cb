r"""The basic reproduction number of a model as a node of the graph, so that a rate can be made of it.

With new infections $F$ and everything else that happens to the infected $V$, as in `_reproduction`, the number is the
largest eigenvalue of $F V^{-1}$ where nobody is infected. Neither matrix is written out: $V^{-1}$ follows people from
row to row as they move on, $F$ is the derivative of the infections in the direction of who is infectious, and the
eigenvalue is found by power iteration. All of it is arithmetic of the graph, and differentiated like all else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from modelworks.errors import fail
from modelworks.model._declaration import Infection
from modelworks.model._directions import rebuilt, tangents
from modelworks.model._graph import Depends, Graph, Node
from modelworks.model._program import NOBODY, Jump, Program
from modelworks.model.backends.interpreter import evaluate

if TYPE_CHECKING:
    from modelworks.model._model import Model

# Two generations each, for among hosts and vectors only every second generation is alike.
ITERATIONS = 30
# Where people go round or along the lanes, each time round takes what the last one left.
ROUNDS = 4


def shares_of(graph: Graph) -> tuple[int, ...]:
    """The nodes that say which part of the people one meets is infectious; all infection goes through them."""
    nobody = graph.constant(NOBODY)
    floors = {k for k, n in enumerate(graph.nodes) if n.operation == "maximum" and nobody in n.children}
    return tuple(k for k, n in enumerate(graph.nodes) if n.operation == "divide" and n.children[1] in floors)


def most_alike(model: Model, program: Program, row: int, sources: Iterable[int]) -> list[int]:
    """Of the rows that infection takes people from, those of most like strata: where the infected of a row are from."""
    strata = dict(program.rows[row].strata)
    pool = model.pool_of(program.rows[row].compartment)
    alike = {
        source: sum(strata.get(name) == stratum for name, stratum in program.rows[source].strata)
        for source in sources
        # People came from among people, and those of a pool from that pool.
        if model.pool_of(program.rows[source].compartment) is pool
    }
    return [source for source, count in alike.items() if count == max(alike.values())]


@dataclass(frozen=True, eq=False)
class NextGeneration:
    """The generations of a `program` of its own, written into another `graph` of the same lanes.

    `positions` are those of the parameters there; rates and contacts are read at `time`.
    """

    model: Model
    program: Program
    graph: Graph
    positions: Mapping[str, int]
    time: float

    # -- who is infected -------------------------------------------------------------------------

    @cached_property
    def infections(self) -> frozenset[str]:
        return frozenset(flow.name for flow in self.model.flows if isinstance(flow, Infection))

    @cached_property
    def shares(self) -> tuple[int, ...]:
        return shares_of(self.program.graph)

    @cached_property
    def quantities(self) -> frozenset[int]:
        """The rows of pools that are no individuals."""
        pools = {k: self.model.pool_of(row.compartment) for k, row in enumerate(self.program.rows)}
        return frozenset(k for k, pool in pools.items() if pool is not None and not pool.individuals)

    @cached_property
    def infected(self) -> tuple[int, ...]:
        """The rows that infection leads to and that lead to being infectious, those people come from first."""
        jumps = self.program.jumps
        new = {j.destination for j in jumps if j.flow in self.infections and j.destination is not None}
        infectious = self._rows_of([self.program.graph.nodes[share].children[0] for share in self.shares])
        links = [(j.source, j.destination) for j in jumps if j.flow not in self.infections and j.source is not None]
        # What is shed comes from those whom the number depends on.
        filled = [j for j in jumps if j.source is None and j.destination in self.quantities]
        links += [(row, j.destination) for j in filled for row in self._rows_of([j.people])]
        reached = _closure(new, [(a, b) for a, b in links if b is not None])
        leading = _closure(infectious, [(b, a) for a, b in links if b is not None])
        return tuple(sorted(reached & leading))

    def _rows_of(self, nodes: Iterable[int]) -> set[int]:
        found = (self.program.graph.nodes[k] for k in self.program.graph.ancestors(nodes))
        stocks = set(self.program.stocks)
        return {int(n.data[0]) for n in found if n.operation == "state"} & stocks

    # -- nobody infected -------------------------------------------------------------------------

    @cached_property
    def disease_free(self) -> dict[int, int]:
        """People in each row at the start, the infected put back where infection took them from."""
        started = self._written(self.program.initial, {})
        people = {row: started[self.program.initial[row]] for row in self.program.stocks}
        jumps = self.program.jumps
        sources = {j.source for j in jumps if j.flow in self.infections and j.source is not None}
        nobody, everybody = self.graph.constant(0.0), dict(people)
        for row in self.infected:
            chosen = most_alike(self.model, self.program, row, sorted(sources - set(self.infected)))
            if row not in self.quantities and chosen:
                # Next to nothing, so that nobody is shared out evenly.
                weights = [self.graph.add(people[each], self.graph.constant(NOBODY)) for each in chosen]
                part = self.graph.divide(people[row], self.graph.sum(weights))
                for each, weight in zip(chosen, weights, strict=True):
                    moved = people[row] if len(chosen) == 1 else self.graph.multiply(part, weight)
                    everybody[each] = self.graph.add(everybody[each], moved)
            everybody[row] = nobody
        return everybody

    @cached_property
    def values(self) -> dict[int, int]:
        """What every node that a jump needs is there, where nobody is infected."""
        return self._written([jump.people for jump in self.program.jumps], self.disease_free)

    def _written(self, wanted: Sequence[int], state: Mapping[int, int]) -> dict[int, int]:
        """The program's nodes in the other graph: people as given, time as it is."""
        source = self.program.graph
        still = [k for k in source.ancestors(wanted) if source.nodes[k].depends == Depends.TIME]
        known = evaluate(source, still, times=np.array([self.time]))
        found = {k: self.graph.constant(value.ravel()) for k, value in known.items()}
        for index in sorted(source.ancestors(wanted, stop=found)):
            if index not in found:
                node = source.nodes[index]
                found[index] = self._node(node, [found[child] for child in node.children], state)
        return found

    def _node(self, node: Node, children: Sequence[int], state: Mapping[int, int]) -> int:
        graph, operation = self.graph, node.operation
        if operation == "constant":
            return graph.constant([float(each) for each in node.data])
        if operation == "parameter":
            return graph.parameter(self.positions[self.program.parameters[int(node.data[0])]])
        if operation == "state":
            return state[int(node.data[0])]
        return rebuilt(self.program.graph, node, children, graph)

    # -- derivatives -----------------------------------------------------------------------------

    def _tangents(self, wanted: Sequence[int], seeds: Mapping[int, int]) -> dict[int, int]:
        """How the wanted nodes change as the seeds do, where nobody is infected."""
        return tangents(self.program.graph, wanted, seeds, self.graph, self.values)

    def _directions(self, people: Mapping[int, int]) -> dict[int, int]:
        """The nodes of people, and how many more there are of each."""
        zero = self.graph.constant(0.0)
        states = (k for k, n in enumerate(self.program.graph.nodes) if n.operation == "state")
        return {k: people.get(int(self.program.graph.nodes[k].data[0]), zero) for k in states}

    # -- generations -----------------------------------------------------------------------------

    @cached_property
    def _moving(self) -> tuple[dict[int, int], list[tuple[Jump, int]]]:
        """For each infected row the rate of leaving, and the rate of each jump from it to another infected row."""
        still = dict.fromkeys(self.shares, self.graph.constant(0.0))
        leaving: dict[int, list[int]] = {row: [] for row in self.infected}
        onward = []
        for row in self.infected:
            # Nobody is there: a rate that depends on how many are is that of nobody.
            one = {**self._directions({row: self.graph.constant(1.0)}), **still}
            jumps = [j for j in self.program.jumps if j.source == row]
            rates = self._tangents([j.people for j in jumps], one)
            for jump in jumps:
                leaving[row].append(rates[jump.people])
                if jump.destination in leaving and jump.flow not in self.infections:
                    onward.append((jump, rates[jump.people]))
        return {row: self.graph.sum(rates) for row, rates in leaving.items()}, onward

    @cached_property
    def _in_order(self) -> list[int]:
        """The infected rows, each before those its people go to, as far as nobody goes round."""
        before = {row: {j.source for j, _ in self._moving[1] if j.destination == row} - {row} for row in self.infected}
        before = {row: before[row] | self._shedding(row) for row in self.infected}
        order: list[int] = []
        while len(order) < len(before):
            free = [row for row in before if row not in order and before[row] <= set(order)]
            # In a circle, somebody has to be first.
            order += free or [min(row for row in before if row not in order)]
        return order

    def _shedding(self, row: int) -> set[int]:
        if row not in self.quantities:
            return set()
        filling = [j.people for j in self.program.jumps if j.source is None and j.destination == row]
        return self._rows_of(filling) & set(self.infected) - {row}

    @cached_property
    def _rounds(self) -> int:
        """One where everybody is followed from the first row to the last."""
        place = {row: k for k, row in enumerate(self._in_order)}
        onward = [(j.source, j.destination) for j, _ in self._moving[1] if j.source is not None]
        onward += [(source, row) for row in self.infected for source in self._shedding(row)]
        straight = all(place[a] < place[b] for a, b in onward if b is not None)
        return 1 if straight and not any(j.shift for j, _ in self._moving[1]) else ROUNDS

    def _followed(self, new: Mapping[int, int], before: Mapping[int, int]) -> dict[int, int]:
        """The time that new infections spend in each row, all told; `before` is a first guess."""
        graph, (leaving, onward) = self.graph, self._moving
        spent = dict(before)
        for _ in range(self._rounds):
            for row in self._in_order:
                come = [new[row], self._shed(row, spent)]
                for jump, rate in onward:
                    if jump.destination == row and jump.source is not None:
                        moved = graph.multiply(rate, spent[jump.source])
                        come.append(graph.shift(moved, jump.shift) if jump.shift else moved)
                spent[row] = graph.divide(graph.sum(come), leaving[row])
        return spent

    def _shed(self, row: int, spent: Mapping[int, int]) -> int:
        """What the infected bring into a quantity, which then waits to infect."""
        jumps = [j for j in self.program.jumps if j.source is None and j.destination == row]
        if row not in self.quantities or not jumps:
            return self.graph.constant(0.0)
        seeds = {**self._directions(spent), **dict.fromkeys(self.shares, self.graph.constant(0.0))}
        found = self._tangents([j.people for j in jumps], seeds)
        return self.graph.sum(found[j.people] for j in jumps)

    def _infected_by(self, spent: Mapping[int, int]) -> dict[int, int]:
        """New infections in each row by those who spend so much time infectious."""
        graph, nodes = self.graph, self.program.graph.nodes
        states = self._directions(spent)
        above = [nodes[share].children[0] for share in self.shares]
        change = self._tangents(above, states)
        below = [self.values[nodes[share].children[1]] for share in self.shares]
        met = {s: graph.divide(change[a], b) for s, a, b in zip(self.shares, above, below, strict=True)}
        jumps = [j for j in self.program.jumps if j.flow in self.infections and j.destination in self.infected]
        still = dict.fromkeys(states, graph.constant(0.0))
        found = self._tangents([j.people for j in jumps], {**still, **met})
        new: dict[int, list[int]] = {row: [] for row in self.infected}
        for jump in jumps:
            if jump.destination is not None:
                moved = found[jump.people]
                new[jump.destination].append(graph.shift(moved, jump.shift) if jump.shift else moved)
        return {row: graph.sum(each) for row, each in new.items()}

    def number(self, of: str) -> tuple[int, int]:
        """The reproduction number, and its square an iteration before as a part of the last one."""
        graph = self.graph
        infected = self.infected
        if not infected:
            fail(
                "M136", f"{of} is scaled to a reproduction number, but nobody infects anybody", hint="add an Infection"
            )
        self._check(of)
        new = dict.fromkeys(infected, graph.constant(1.0))
        spent = [dict.fromkeys(infected, graph.constant(0.0))] * 2
        before = squared = graph.constant(1.0)
        for _ in range(ITERATIONS):
            size, later = self._sum(new), new
            for k in range(2):
                spent[k] = self._followed(later, spent[k])
                later = self._infected_by(spent[k])
            before, squared = squared, graph.divide(self._sum(later), size)
            new = {row: graph.divide(each, squared) for row, each in later.items()}
        return graph.unary("sqrt", squared), graph.divide(before, squared)

    def _sum(self, people: Mapping[int, int]) -> int:
        return self.graph.sum(self.graph.total(each) for each in people.values())

    def _check(self, of: str) -> None:
        for row in set(self.infected) - self.quantities:
            come = [j.people for j in self.program.jumps if j.source is None and j.destination == row]
            if self._rows_of(come) & set(self.infected):
                fail(
                    "M136",
                    f"{of} is scaled to a reproduction number, but the infected bear infected people, whom no rate of "
                    "infection scales",
                    hint="find the rate with basic_reproduction_number(model, values)",
                )
        for row, rate in self._moving[0].items():
            if rate == self.graph.constant(0.0):
                fail(
                    "M136",
                    f"{of} is scaled to a reproduction number, but nobody ever leaves "
                    f"`{self.program.rows[row].compartment}`: one of them infects without end",
                    hint="let the infected recover, be removed or die",
                )


def _closure(first: Iterable[int | None], links: Sequence[tuple[int | None, int]]) -> set[int]:
    """Everything that links lead to from the first ones."""
    reached = {each for each in first if each is not None}
    while more := {b for a, b in links if a in reached} - reached:
        reached |= more
    return reached
