"""What a stochastic run needs of a program: at which rate each person may make each jump, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modelworks.model._graph import Graph
from modelworks.model._program import Jump, Program

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Jumps:
    """The jumps of a program, those out of one row side by side and entries last.

    `rates` is the program with other derivatives: for each jump its rate per person (for an entry, people
    per time), and behind them what one event counts. The arrays index jumps, rows and these derivatives:

    - `sources` (row,) are the rows people leave, `firsts` (row + 1,) where the jumps of each begin; entries
      begin where the last of them ends;
    - `origins` and `destinations` (jump,) are a row or -1, `shifts` (jump,) how many lanes further;
    - `counted_firsts` (jump + 1,) says where in `counted_rows` and `counted_weights` the accumulators of
      each jump begin.
    """

    rates: Program
    jumps: tuple[Jump, ...]
    sources: Indices
    firsts: Indices
    origins: Indices
    destinations: Indices
    shifts: Indices
    counted_firsts: Indices
    counted_rows: Indices
    counted_weights: Indices

    @staticmethod
    def of(program: Program) -> Jumps:
        outside = len(program.rows)
        order = sorted(range(len(program.jumps)), key=lambda k: _source(program.jumps[k], outside))
        jumps = tuple(program.jumps[k] for k in order)
        leaving = [jump.source for jump in jumps if jump.source is not None]
        sources = sorted(set(leaving))
        counted = _counted(program)
        weights = list(dict.fromkeys(weight for each in counted.values() for _, weight in each))
        here = [counted.get(k, []) for k in order]
        rates = [per_person(program.graph, jump) for jump in jumps]
        return Jumps(
            replace(program, derivatives=(*rates, *weights)),
            jumps,
            _indices(sources),
            _indices(np.searchsorted(leaving, [*sources, outside])),
            _indices([-1 if jump.source is None else jump.source for jump in jumps]),
            _indices([-1 if jump.destination is None else jump.destination for jump in jumps]),
            _indices([jump.shift for jump in jumps]),
            _indices(np.cumsum([0, *(len(each) for each in here)])),
            _indices([row for each in here for row, _ in each]),
            _indices([len(jumps) + weights.index(weight) for each in here for _, weight in each]),
        )


def per_person(graph: Graph, jump: Jump) -> int:
    """The rate at which one person jumps; of an entry, how many people come per time.

    People per time are a product that holds the people of the row they leave, which is taken out of it: so
    nothing is divided by a compartment that may be empty.
    """
    if jump.source is None:
        return jump.people
    people = graph.state(jump.source)
    found = _without(graph, jump.people, people)
    return graph.divide(jump.people, people) if found is None else found


def _without(graph: Graph, product: int, factor: int) -> int | None:
    """A product without one of its factors; nothing where it is none of them."""
    node = graph.nodes[product]
    if product == factor:
        return graph.constant(1.0)
    if node.operation == "constant" and not any(node.data):
        return product
    if node.operation == "multiply":
        for child, other in (node.children, node.children[::-1]):
            rest = _without(graph, child, factor)
            if rest is not None:
                return graph.multiply(rest, other)
    return None


def _counted(program: Program) -> dict[int, list[tuple[int, int]]]:
    """For each jump its accumulators: their row, and the node of what an event counts."""
    found: dict[int, list[tuple[int, int]]] = {}
    for row, counts in zip(program.accumulators, program.counts, strict=True):
        for jump, weight in counts:
            found.setdefault(jump, []).append((row, weight))
    return found


def _source(jump: Jump, outside: int) -> int:
    return outside if jump.source is None else jump.source


def _indices(values: object) -> Indices:
    return np.asarray(values, dtype=np.int64).reshape(-1)
