"""Who meets whom: contacts between strata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from modelworks.errors import fail
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import columns, label, numbers, small_multiples, wrapped
from modelworks.plots._theme import BLUE, INK, PAPER

# Beyond this many, numbers would not fit into the squares.
MOST_WITH_NUMBERS = 8
# More panels than this in one figure and nobody looks at any of them.
MOST_MATRICES = 8
HEIGHT = 260
# In pixels: the squares are narrower than the panel, as the names of the strata stand beside them.
TITLE_WIDTH = 230


def draw(
    matrices: Mapping[str, ArrayLike],
    strata: Mapping[str, Sequence[str]],
    *,
    labels: Mapping[str, str] | None = None,
    title: str = "Who meets whom",
) -> Figure:
    """Each matrix of contacts as a table of shades.

    Parameters
    ----------
    matrices : mapping of a name to float array, shape (stratum, stratum)
        Row: the person who reports; column: whom they met.
    strata : mapping of the same names to the names of the strata, in the order of rows and columns
    labels : name of a matrix to its title with unit
    """
    if not matrices:
        fail("G202", "there are no contacts, so there is nothing to draw")
    chosen = list(matrices)[:MOST_MATRICES]
    panels = [panel(np.asarray(matrices[name], dtype=float), strata[name], label(name, labels)) for name in chosen]
    caption = "Rows: the person who reports; columns: whom they met; the stronger the colour, the more contacts."
    caption += " Each matrix has its own shades." if len(chosen) > 1 else ""
    if len(matrices) > len(chosen):
        caption += f" The first {len(chosen)} of {len(matrices)} matrices."
    return small_multiples("contacts", title, caption, panels)


def panel(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]], strata: Sequence[str], title: str) -> Spec:
    """One matrix, with its numbers where they fit."""
    data = columns(
        reporter=[each for each in strata for _ in strata],
        met=[each for _ in strata for each in strata],
        number=numbers(matrix.ravel()),
    )
    axis = {"grid": False, "domain": False, "ticks": False, "labelLimit": 110}
    x = {"field": "met", "type": "nominal", "sort": list(strata), "axis": {**axis, "title": "met", "labelAngle": -40}}
    y = {"field": "reporter", "type": "nominal", "sort": list(strata), "axis": {**axis, "title": "who reports"}}
    value = {"field": "number", "type": "quantitative"}
    shade = {**value, "scale": {"range": ["#F7F7F7", BLUE], "zero": True}, "legend": None}
    shown = [
        {"field": "reporter", "type": "nominal", "title": "Who reports"},
        {"field": "met", "type": "nominal", "title": "Whom they met"},
        {**value, "title": "Contacts", "format": ",.3~r"},
    ]
    tile = {"mark": "rect", "encoding": {"x": x, "y": y, "color": shade, "tooltip": shown}}
    ink = {"condition": {"test": f"datum.number > {0.6 * float(matrix.max()):.6g}", "value": PAPER}, "value": INK}
    text = {
        "mark": {"type": "text", "fontSize": 12},
        "encoding": {"x": x, "y": y, "text": {**value, "format": ",.3~r"}, "color": ink},
    }
    layers = [tile, text] if len(strata) <= MOST_WITH_NUMBERS else [tile]
    return {"title": wrapped(title, TITLE_WIDTH), "height": HEIGHT, **data, "layer": layers}
