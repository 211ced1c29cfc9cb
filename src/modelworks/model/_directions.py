"""Graphs written anew: with other nodes in the place of some, into another graph, or how they change in a direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from modelworks.model._graph import BINARY, UNARY, Graph, Node

# What moves numbers between lanes, or from lanes to one number.
MIXING = ("pack", "total", "lane", "shift", "matvec")


def rebuilt(source: Graph, node: Node, children: Sequence[int], target: Graph) -> int:
    """An operation of one graph on nodes of another, or of the same; not a leaf."""
    if node.operation in BINARY:
        return target.binary(node.operation, *children)
    if node.operation in UNARY:
        return target.unary(node.operation, children[0])
    if node.operation == "is_first":
        return target.is_first(str(node.data[0]), *children)
    return mixed(source, node, children, target)


def mixed(source: Graph, node: Node, children: Sequence[int], target: Graph) -> int:
    """What an operation that mixes lanes makes of other nodes, be they values or changes."""
    if node.operation == "pack":
        return target.pack(children)
    if node.operation == "total":
        return target.total(children[0])
    if node.operation == "lane":
        return target.lane(children[0], int(node.data[0]))
    if node.operation == "shift":
        return target.shift(children[0], int(node.data[0]))
    if node.operation == "matvec":
        return target.matvec(source.matrices[int(node.data[0])], children[0])
    raise TypeError(f"the operation {node.operation} is not known")


def substituted(graph: Graph, wanted: Iterable[int], instead: Mapping[int, int]) -> dict[int, int]:
    """What each wanted node becomes where some nodes give way to others."""
    found = dict(instead)
    for index in sorted(graph.ancestors(wanted, stop=instead)):
        if index not in found:
            node = graph.nodes[index]
            children = [found[child] for child in node.children]
            found[index] = index if children == list(node.children) else rebuilt(graph, node, children, graph)
    return found


def tangents(
    source: Graph, wanted: Iterable[int], seeds: Mapping[int, int], target: Graph, values: Mapping[int, int]
) -> dict[int, int]:
    """How the wanted nodes change as the seeds do, as nodes of `target`, which holds the `values`; else zero."""
    zero = target.constant(0.0)
    found = dict(seeds)
    for index in sorted(source.ancestors(wanted, stop=seeds)):
        if index not in found:
            node = source.nodes[index]
            inner = [found[child] for child in node.children]
            still = all(each == zero for each in inner)
            found[index] = zero if still else _tangent(source, index, inner, target, values)
    return found


def _tangent(source: Graph, index: int, inner: Sequence[int], target: Graph, values: Mapping[int, int]) -> int:
    node = source.nodes[index]
    if node.operation in MIXING:
        return mixed(source, node, inner, target)
    if node.operation in UNARY:
        return target.multiply(inner[0], target.slope(node.operation, values[node.children[0]], values[index]))
    (first, second), (a, b) = inner, (values[child] for child in node.children)
    if node.operation in ("add", "subtract"):
        return target.binary(node.operation, first, second)
    if node.operation == "multiply":
        return target.add(target.multiply(first, b), target.multiply(a, second))
    if node.operation == "divide":
        return target.divide(target.subtract(first, target.multiply(values[index], second)), b)
    chosen = target.is_first(node.operation, a, b)
    rest = target.subtract(target.constant(1.0), chosen)
    return target.add(target.multiply(chosen, first), target.multiply(rest, second))
