"""What was taken for what: how often each class was predicted for each that it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelworks.errors import fail
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import columns, need_columns, numbers, small_multiples
from modelworks.plots._theme import BLUE, INK, PAPER

if TYPE_CHECKING:
    import pandas as pd

# Beyond this many, numbers would not fit into the squares.
MOST_WITH_NUMBERS = 12
HEIGHT = 300


def draw(table: pd.DataFrame, *, name: str = "confusion_matrix", title: str = "What was taken for what") -> Figure:
    """A confusion matrix: shades are shares of what each case was, numbers are counts.

    Parameters
    ----------
    table : columns actual, predicted (text) and count (from 0), a row for each pair of classes
        A pair without a row was never seen.
    """
    need_columns(table, ("actual", "predicted", "count"), "the table of classes")
    if not table["count"].sum() > 0:
        fail("G202", "nothing was classified, so there is nothing to draw")
    classes = list(dict.fromkeys([*table["actual"], *table["predicted"]]))
    counts = table.pivot_table(index="actual", columns="predicted", values="count", aggfunc="sum", fill_value=0)
    matrix = counts.reindex(index=classes, columns=classes, fill_value=0).to_numpy(dtype=float)
    right = float(np.trace(matrix) / matrix.sum())
    caption = (
        f"Rows: what a case was; columns: what it was taken for; {right:.1%} of {matrix.sum():,.0f} are right. "
        "The stronger the blue, the larger the share of its row."
    )
    return small_multiples(name, title, caption, [panel(matrix, classes)], per_row=1)


def panel(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]], classes: list[str]) -> Spec:
    """The squares, with their counts where they fit."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
    data = columns(
        actual=[each for each in classes for _ in classes],
        predicted=[each for _ in classes for each in classes],
        count=numbers(matrix.ravel()),
        share=numbers(shares.ravel()),
    )
    axis = {"grid": False, "domain": False, "ticks": False, "labelLimit": 140}
    x = {
        "field": "predicted",
        "type": "nominal",
        "sort": classes,
        "axis": {**axis, "title": "taken for", "labelAngle": -40},
    }
    y = {"field": "actual", "type": "nominal", "sort": classes, "axis": {**axis, "title": "was"}}
    share = {"field": "share", "type": "quantitative"}
    shade = {**share, "scale": {"range": ["#F7F7F7", BLUE], "domain": [0, 1]}, "legend": None}
    shown = [
        {"field": "actual", "type": "nominal", "title": "Was"},
        {"field": "predicted", "type": "nominal", "title": "Taken for"},
        {"field": "count", "type": "quantitative", "title": "How often", "format": ",.3~r"},
        {**share, "title": "Share of its row", "format": ".1%"},
    ]
    tile = {"mark": "rect", "encoding": {"x": x, "y": y, "color": shade, "tooltip": shown}}
    ink = {"condition": {"test": "datum.share > 0.6", "value": PAPER}, "value": INK}
    count = {"field": "count", "type": "quantitative", "format": ",.4~r"}
    text = {"mark": {"type": "text", "fontSize": 12}, "encoding": {"x": x, "y": y, "text": count, "color": ink}}
    return {"height": HEIGHT, **data, "layer": [tile, text] if len(classes) <= MOST_WITH_NUMBERS else [tile]}
