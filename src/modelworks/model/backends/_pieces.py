"""Long functions in pieces: the time LLVM takes for a function grows faster than the function does.

A piece is a stretch of what there is to compute, in order. What a later piece needs of an earlier one lies in memory.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from modelworks.model._graph import Graph
from modelworks.model.backends._blocks import BLOCK, in_loops
from modelworks.model.backends._emit import Source, Step, Target

# Instructions of a piece, about: shorter ones hand more on through memory, longer ones compile more slowly.
LONGEST = 1000
# Numbers in the widest register of any processor there is.
REGISTER = 8
# The buffer of what pieces hand on.
SHARED = "shared"


@dataclass(frozen=True)
class Pieces:
    """The steps of each piece; where nodes lie that a later piece needs; how many numbers these are."""

    steps: tuple[tuple[Step, ...], ...]
    shared: dict[int, Source]
    size: int

    @staticmethod
    def of(graph: Graph, targets: Iterable[Target], sources: Container[int]) -> Pieces:
        steps = in_order(graph, targets, sources)
        costs = [_cost(graph, step) for step in steps]
        number = max(1, round(sum(costs) / LONGEST))
        share = sum(costs) / number
        cut: list[list[Step]] = [[]]
        spent = 0.0
        for step, cost in zip(steps, costs, strict=True):
            # What is done with a node stays with it: it needs nothing else.
            if spent >= share * len(cut) and len(cut) < number and not isinstance(step, Target):
                cut.append([])
            cut[-1].append(step)
            spent += cost
        shared = _shared(graph, cut)
        offsets, size = _lay_out(graph, shared)
        return Pieces(tuple(map(tuple, cut)), offsets, size)


def in_order(graph: Graph, targets: Iterable[Target], sources: Container[int]) -> list[Step]:
    """What is to be computed, children first and without recursion, and each target as soon as its node is there."""
    wanted: dict[int, list[Target]] = {}
    for target in targets:
        wanted.setdefault(target.node, []).append(target)
    steps: list[Step] = []
    placed: set[int] = set()
    for node, those in wanted.items():
        waiting = [(node, False)]
        while waiting:
            index, ready = waiting.pop()
            if index in placed or index in sources or graph.nodes[index].operation == "constant":
                continue
            if ready:
                placed.add(index)
                steps.append(index)
                continue
            waiting.append((index, True))
            waiting.extend((child, False) for child in reversed(graph.nodes[index].children))
        steps.extend(those)
    return steps


def _cost(graph: Graph, step: Step) -> int:
    """Instructions of a step, about."""
    if isinstance(step, Target):
        return 2 * _registers(graph, step.wide)
    node = graph.nodes[step]
    each = _registers(graph, node.wide)
    return each * graph.width if node.operation == "matvec" and not in_loops(graph) else each


def _registers(graph: Graph, wide: bool) -> int:
    # A loop is written once for its blocks and once for the lanes that are left.
    lanes = 2 * BLOCK if in_loops(graph) else graph.width
    return -(-lanes // REGISTER) if wide else 1


def _shared(graph: Graph, pieces: Sequence[Sequence[Step]]) -> list[int]:
    """Nodes that a later piece needs, in the order in which they are computed."""
    home = {step: k for k, piece in enumerate(pieces) for step in piece if not isinstance(step, Target)}
    found: set[int] = set()
    for k, piece in enumerate(pieces):
        for step in piece:
            needed = (step.node,) if isinstance(step, Target) else graph.nodes[step].children
            found.update(node for node in needed if home.get(node, k) != k)
    return [node for node in home if node in found]


def _lay_out(graph: Graph, nodes: Iterable[int]) -> tuple[dict[int, Source], int]:
    offsets: dict[int, Source] = {}
    size = 0
    for node in nodes:
        offsets[node] = Source(SHARED, size)
        size += graph.width if graph.nodes[node].wide else 1
    return offsets, size
