"""The slopes of a smooth curve through given values that overshoots none of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from modelworks.model._graph import Graph

# Where values stay level both slopes beside are zero, and 0 / this is 0.
LEVEL = 1e-200


def monotone_slopes(graph: Graph, times: Sequence[float], values: Sequence[int]) -> list[int]:
    """The slope at each value, as nodes that can be differentiated.

    Inside, the weighted harmonic mean of the slopes of the straight lines on both sides, or zero at a peak, a trough
    or a level (Fritsch and Butland 1984, doi:10.1137/0905021). At an end, the slope of the parabola
    through the three values there, kept between zero and three times that of the line (Moler 2004, *Numerical
    Computing with MATLAB*, section 3.4).
    """
    gaps = [b - a for a, b in itertools.pairwise(times)]
    lines = [
        graph.multiply(graph.subtract(b, a), graph.constant(1.0 / gap))
        for (a, b), gap in zip(itertools.pairwise(values), gaps, strict=True)
    ]
    if len(lines) < 2:
        return lines * 2 if lines else [graph.constant(0.0)]
    inside = [_harmonic(graph, gaps[k], gaps[k + 1], lines[k], lines[k + 1]) for k in range(len(lines) - 1)]
    first = _end(graph, gaps[0], gaps[1], lines[0], lines[1])
    last = _end(graph, gaps[-1], gaps[-2], lines[-1], lines[-2])
    return [first, *inside, last]


def _harmonic(graph: Graph, left_gap: float, right_gap: float, left: int, right: int) -> int:
    """The mean of two slopes of one sign, which is zero when either is."""
    on_left = graph.constant(2 * right_gap + left_gap)
    on_right = graph.constant(right_gap + 2 * left_gap)

    def rising(a: int, b: int) -> int:
        above = graph.multiply(graph.multiply(graph.add(on_left, on_right), a), b)
        below = graph.add(graph.multiply(on_left, b), graph.multiply(on_right, a))
        return graph.divide(above, graph.binary("maximum", below, graph.constant(LEVEL)))

    down = rising(_positive(graph, _negative(graph, left)), _positive(graph, _negative(graph, right)))
    return graph.subtract(rising(_positive(graph, left), _positive(graph, right)), down)


def _end(graph: Graph, gap: float, next_gap: float, line: int, next_line: int) -> int:
    """The slope at an end, of the sign of the line that begins there."""
    total = gap + next_gap
    own = graph.multiply(graph.constant((gap + total) / total), line)
    parabola = graph.subtract(own, graph.multiply(graph.constant(gap / total), next_line))

    def rising(slope: int, line: int) -> int:
        steepest = graph.multiply(graph.constant(3.0), _positive(graph, line))
        return graph.binary("minimum", _positive(graph, slope), steepest)

    return graph.subtract(rising(parabola, line), rising(_negative(graph, parabola), _negative(graph, line)))


def _positive(graph: Graph, node: int) -> int:
    return graph.binary("maximum", node, graph.constant(0.0))


def _negative(graph: Graph, node: int) -> int:
    return graph.multiply(graph.constant(-1.0), node)
