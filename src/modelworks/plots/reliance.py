"""What each number rests on: a bar for each prior and each series that would move it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelworks.diagnostics.checks.prior_sensitivity import SENSITIVE as MARKEDLY
from modelworks.plots._bands import tooltip
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import chosen, columns, label, need_columns, numbers, small_multiples
from modelworks.plots._theme import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    import pandas as pd

# Bars in a panel, and their height in pixels.
MOST, BAR = 8, 22
# In pixels: names of parameters of about thirty letters are whole, and a phone has as much left for the bars.
LONGEST_NAME = 195
# An axis ends here at least, so that what matters little looks so.
SHORTEST = 0.2
COLOURS = {"prior": ORANGE, "series": BLUE}

CAPTION = (
    "How far each number's distribution moves, from 0 to 1, when one prior (orange) or the data of one series (blue) "
    "are trusted twice as much (power-scaling). Beyond the line it moves markedly: a long orange bar is an assumption "
    "that the number rests on, and that needs a good source."
)


def draw(
    table: pd.DataFrame,
    *,
    quantities: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "What the numbers rest on",
) -> Figure:
    """A panel of bars for each number, the longest on top.

    Parameters
    ----------
    table : table with columns name, kind, source, distance
        `kind` is prior or series.
    quantities : names to draw, in order; all where not given
    labels : name of a number to its title
    """
    need_columns(table, ("name", "kind", "source", "distance"), "the table of what numbers rest on")
    panels = [
        panel(table[table["name"] == name], label(name, labels))
        for name in chosen(quantities, table["name"], "quantity")
    ]
    return small_multiples("reliance", title, CAPTION, panels)


def panel(rows: pd.DataFrame, title: str) -> Spec:
    """One number: its strongest sources."""
    shown = rows.sort_values("distance", ascending=False, kind="stable").head(MOST)
    end = max(SHORTEST, float(shown["distance"].max()))
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
        "legend": {"title": None},
    }
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "y": {
                "field": "source",
                "type": "nominal",
                "sort": None,
                "axis": {"title": None, "labelLimit": LONGEST_NAME},
            },
            "x": {
                "field": "distance",
                "type": "quantitative",
                "scale": {"domain": numbers([0.0, end])},
                "axis": {"title": None, "tickCount": 5},
            },
            "color": colour,
            "tooltip": [{"field": "source", "type": "nominal", "title": "Source"}, tooltip("distance", "Moves it by")],
        },
    }
    line = {"data": {"values": [{}]}, "mark": {"type": "rule", "color": GREY}, "encoding": {"x": {"datum": MARKEDLY}}}
    return {
        # Above the names too, which leave it little room otherwise.
        "title": {"text": title, "frame": "bounds"},
        "height": BAR * (len(shown) + 1),
        **columns(source=list(shown["source"]), kind=list(shown["kind"]), distance=numbers(shown["distance"])),
        "layer": [bars, line],
    }
