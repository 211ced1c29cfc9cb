"""A slow, plain NumPy reading of the graph: evaluates constants of time, and checks the native kernels.

Every value has a leading axis of points (times, draws): scalar nodes are (point,), wide ones (point, lane).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from modelworks.model._graph import _FIRST, _FOLD, Array, Graph, Knots, Node


def evaluate(
    graph: Graph,
    nodes: Iterable[int],
    *,
    parameters: Array | None = None,
    times: Array | None = None,
    state: Array | None = None,
    known: Mapping[int, Array] | None = None,
) -> dict[int, Array]:
    """The value of each node at each point.

    `parameters` is (point, parameter) or (1, parameter), `times` (point,), `state` (point, row, lane).
    A node in `known` is taken as given.
    """
    values: dict[int, Array] = dict(known or {})
    # As in machine code, what is not a number is handed on in silence; the run's guards tell of it.
    with np.errstate(all="ignore"):
        for index in sorted(graph.ancestors(nodes, stop=values)):
            if index not in values:
                values[index] = _value(graph, graph.nodes[index], values, parameters, times, state)
    return {index: values[index] for index in nodes}


def _value(
    graph: Graph,
    node: Node,
    values: Mapping[int, Array],
    parameters: Array | None,
    times: Array | None,
    state: Array | None,
) -> Array:
    arguments = [values[child] for child in node.children]
    if node.operation == "constant":
        data = np.asarray(node.data, dtype=float)
        return data[None, :] if node.wide else data[:1]
    if node.operation == "parameter":
        return np.asarray(_given(parameters, "parameters")[:, int(node.data[0])])
    if node.operation == "time":
        return _given(times, "times")
    if node.operation == "state":
        row = _given(state, "state")[:, int(node.data[0]), :]
        return row if node.wide else row[:, 0]
    if node.operation == "happening":
        return np.isin(_given(times, "times"), np.asarray(node.data, dtype=float)).astype(float)
    if node.operation in ("lookup", "weight"):
        knots = graph.knots[int(node.data[0])]
        if node.operation == "lookup":
            return read_table(knots, np.asarray(node.data[1:], dtype=float), _given(times, "times"))
        return read_table(knots, np.eye(len(knots.times))[int(node.data[1])], _given(times, "times"))
    if node.operation == "total":
        return np.asarray(arguments[0].sum(axis=-1))
    if node.operation == "lane":
        return np.asarray(arguments[0][:, int(node.data[0])])
    if node.operation == "pack":
        return np.stack(np.broadcast_arrays(*arguments), axis=-1)
    if node.operation == "shift":
        return _shifted(arguments[0], int(node.data[0]))
    if node.operation == "matvec":
        # Point by point: of all at once, the last digit of each depends on how many there are.
        return np.asarray(np.matmul(graph.matrices[int(node.data[0])], arguments[0][:, :, None])[:, :, 0])
    lifted = [_lift(value, graph.nodes[child], node) for value, child in zip(arguments, node.children, strict=True)]
    if node.operation == "is_first":
        return np.asarray(_FIRST[str(node.data[0])](*lifted), dtype=float)
    return np.asarray(_FOLD[node.operation](*lifted))


def read_table(knots: Knots, values: Array, times: Array) -> Array:
    """A table at each time, flat beyond its ends; a step holds from its own time on."""
    at = np.asarray(knots.times)
    if knots.kind == "linear":
        return np.interp(times, at, values)
    if knots.kind in ("level", "slopes"):
        return _read_cubic(at, values, times, knots.kind)
    return np.asarray(values[np.clip(np.searchsorted(at, times, side="right") - 1, 0, at.size - 1)])


def _read_cubic(at: Array, values: Array, times: Array, kind: str) -> Array:
    """The Hermite cubics that take the values and are flat there, or that are zero there and take the slopes."""
    left = np.clip(np.searchsorted(at, times, side="right") - 1, 0, max(at.size - 2, 0))
    right = np.minimum(left + 1, at.size - 1)
    gap = np.where(right > left, at[right] - at[left], 1.0)
    u = np.clip((times - at[left]) / gap, 0.0, 1.0)
    if kind == "level":
        return np.asarray(values[left] + (values[right] - values[left]) * u**2 * (3.0 - 2.0 * u))
    return np.asarray(gap * u * (1.0 - u) * (values[left] * (1.0 - u) - values[right] * u))


def _lift(value: Array, child: Node, parent: Node) -> Array:
    return value[:, None] if parent.wide and not child.wide else value


def _shifted(value: Array, by: int) -> Array:
    result = np.zeros_like(value)
    if by > 0:
        result[:, by:] = value[:, :-by]
    else:
        result[:, :by] = value[:, -by:]
    return result


def _given(value: Array | None, name: str) -> Array:
    if value is None:
        raise ValueError(f"the graph needs {name}, which were not given")
    return value
