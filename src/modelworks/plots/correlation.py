"""How every parameter goes with every other, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from modelworks.errors import fail
from modelworks.plots._draws import as_draws, worth_seeing
from modelworks.plots._figure import Figure, Spec, single, whole
from modelworks.plots._panels import columns, label
from modelworks.plots._theme import BLUE, INK, PAPER, VERMILLION

MOST_PARAMETERS = 24
ROW_HEIGHT = 28
# Beyond this many, numbers would not fit into the squares.
MOST_WITH_NUMBERS = 12


def draw(
    draws: Mapping[str, ArrayLike],
    *,
    parameters: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Correlations",
) -> Figure:
    """The correlation of each pair of parameters over the posterior draws, as a coloured table.

    Parameters
    ----------
    draws : mapping of parameter to float array, shape (chain, draw)
    parameters : names to draw, in order; where not given, all, or the 24 that mixed worst
    labels : name of a parameter to its title
    """
    arrays = as_draws(draws)
    names, left_out = worth_seeing(arrays, parameters, MOST_PARAMETERS)
    if len(names) < 2:
        fail("G202", "a correlation needs two parameters, so there is nothing to draw")
    caption = (
        "Deep blue: high values of one go with high values of the other; deep orange: with low ones. Either means "
        "that the data settle the two together rather than each by itself." + left_out
    )
    # A parameter that never moved has no correlation: its square stays blank.
    with np.errstate(invalid="ignore", divide="ignore"):
        table = np.atleast_2d(np.corrcoef([arrays[name].ravel() for name in names]))
    view = squares(table, [label(name, labels) for name in names])
    spec = whole(single(view, height=ROW_HEIGHT * len(names)), caption)
    return Figure("correlation", title, caption, spec)


def squares(table: np.ndarray[tuple[int, ...], np.dtype[np.float64]], titles: Sequence[str]) -> Spec:
    """The lower triangle, without the ones on its diagonal."""
    pairs = [(row, column) for row in range(len(titles)) for column in range(row) if np.isfinite(table[row, column])]
    data = columns(
        row=[titles[row] for row, _ in pairs],
        column=[titles[column] for _, column in pairs],
        correlation=[round(float(table[pair]), 2) + 0.0 for pair in pairs],
    )
    value = {"field": "correlation", "type": "quantitative"}
    scale = {"domain": [-1, 0, 1], "range": [VERMILLION, "#F7F7F7", BLUE]}
    axis = {"title": None, "grid": False, "labelLimit": 150, "domain": False, "ticks": False}
    x = {"field": "column", "type": "nominal", "sort": list(titles), "axis": {**axis, "labelAngle": -40}}
    y = {"field": "row", "type": "nominal", "sort": list(titles), "axis": axis}
    legend = {"title": "Correlation", "gradientLength": 140, "format": ".1~f", "values": [-1, 0, 1]}
    tile = {"mark": "rect", "encoding": {"x": x, "y": y, "color": {**value, "scale": scale, "legend": legend}}}
    ink = {"condition": {"test": "abs(datum.correlation) > 0.75", "value": PAPER}, "value": INK}
    text = {
        "mark": {"type": "text", "fontSize": 12},
        "encoding": {"x": x, "y": y, "text": {**value, "format": ".2f"}, "color": ink},
    }
    return {**data, "layer": [tile, text] if len(titles) <= MOST_WITH_NUMBERS else [tile]}
