"""From which moment of a run on a parameter has a part in it.

It is found from what is known before any run: what is multiplied by nothing has no part. All that depends on time
alone is computed for every moment of a grid beforehand, so where it is exactly zero is a fact and no belief about the
model. The weight of a table's value is zero beyond its neighbours, and a campaign's outside its dates; the tail of a
logistic curve is so only where it is smaller than any number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.model._graph import Array, Depends
from modelworks.model._program import Program, Slots

# Operations that give a number from numbers, whatever these are; zero times their result is zero.
BOUNDED = {"add", "subtract", "multiply", "maximum", "minimum", "cos", "sin"}
BOUNDED |= {"pack", "lane", "shift", "total", "matvec"}
Moments = NDArray[np.bool_]


@dataclass(frozen=True)
class Influence:
    """At which moments of a grid a parameter has a part in anything that a run computes, shape (moment,).

    That holds where the nodes `finite`, which depend on parameters alone, are finite: zero times infinity is not zero.
    """

    moments: Moments
    finite: frozenset[int]


def influence(program: Program, known: Slots, data: Array, position: int) -> Influence:
    """Where the parameter at a position has a part; at other moments it surely has none.

    What a run checks once, before it begins, is not looked at.

    Parameters
    ----------
    known, data
        Where the nodes that depend on time alone lie in `data`, and their values, shape (moment, slot).
    """
    graph, always = program.graph, np.ones(len(data), dtype=bool)
    leaves = {k for k, each in enumerate(graph.nodes) if each.operation == "parameter" and each.data == (position,)}
    if leaves & graph.ancestors(program.initial):
        return Influence(always, frozenset())
    checked = [each.node for each in program.guards if graph.nodes[each.node].depends != Depends.PARAMETERS]
    wanted = [*program.derivatives, *program.observed, *checked]
    felt: dict[int, Moments] = dict.fromkeys(leaves, always)
    unbounded: set[int] = set()
    finite: set[int] = set()
    for index in sorted(graph.ancestors(wanted, stop=known.offsets)):
        node = graph.nodes[index]
        reached = [child for child in node.children if child in felt]
        if not reached:
            continue
        here = np.logical_or.reduce([felt[child] for child in reached])
        if node.depends != Depends.PARAMETERS:
            finite.update(child for child in reached if graph.nodes[child].depends == Depends.PARAMETERS)
            if node.operation not in BOUNDED or unbounded.intersection(reached):
                unbounded.add(index)
            elif node.operation == "multiply":
                for weight in known.offsets.keys() & set(node.children):
                    width = graph.width if graph.nodes[weight].wide else 1
                    here = here & (data[:, known.offsets[weight] :][:, :width] != 0).any(axis=1)
        if here.any():
            felt[index] = here
    parts = [felt[node] for node in wanted if node in felt]
    return Influence(np.logical_or.reduce([~always, *parts]), frozenset(finite))
