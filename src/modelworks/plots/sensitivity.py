"""What moves a number: a bar for each parameter, the strongest on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelworks.plots._figure import Figure, Spec, single, whole
from modelworks.plots._panels import columns, need_columns, numbers
from modelworks.plots._theme import BLUE, GREY, SKY, VERMILLION

if TYPE_CHECKING:
    import pandas as pd

# In pixels.
BAR = 26
MOST = 30

TORNADO = (
    "Each parameter in turn at the lower and the upper end of 95% of what is believed of it, the others in the middle; "
    "the line is where all of them are in the middle."
)
CORRELATION = (
    "Partial rank correlations, from -1 to 1: whether the number rises or falls with a parameter while the others are "
    "held in place, in whichever form; the thin lines are 95% intervals."
)
SHARES = (
    "Shares of the variance: narrow bar, what a parameter explains by itself; broad, with everything it acts together "
    "with. The thin lines are 95% intervals of the broad bars, from the finite number of runs."
)


def draw(table: pd.DataFrame, middle: float = 0.0, *, title: str = "What moves it") -> Figure:
    """Bars from a table of one row a parameter, in its order.

    Parameters
    ----------
    table : columns parameter, at_low, at_high (a tornado); or parameter, value, low, high (rank correlations); or
        these with total, total_low, total_high (shares of the variance)
    middle : where a tornado's bars begin
    """
    if "at_low" in table.columns:
        kind, caption = _tornado, TORNADO
    else:
        kind, caption = (_shares, SHARES) if "total" in table.columns else (_correlations, CORRELATION)
    need = {_tornado: ("at_low", "at_high"), _shares: ("value", "total"), _correlations: ("value", "low", "high")}[kind]
    need_columns(table, ("parameter", *need), "the table of sensitivities")
    shown = table.head(MOST)
    spec = single({"title": title, **kind(shown, middle)}, height=BAR * len(shown) + BAR)
    return Figure("sensitivity", title, caption, whole(spec, caption))


def _bars(table: pd.DataFrame, starts: object, ends: object, colours: object, size: float = 0.7) -> Spec:
    """Horizontal bars, each with its own colour."""
    y = {"field": "parameter", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 260}}
    x = {"field": "from", "type": "quantitative", "scale": {"zero": False}, "axis": {"title": None}}
    return {
        **columns(parameter=list(table["parameter"]), **{"from": numbers(starts), "to": numbers(ends)}),
        "mark": {"type": "bar", "height": {"band": size}, "color": colours},
        "encoding": {"y": y, "x": x, "x2": {"field": "to"}},
    }


def _line(at: float) -> Spec:
    return {"data": {"values": [{}]}, "mark": {"type": "rule", "color": GREY}, "encoding": {"x": {"datum": at}}}


def _tornado(table: pd.DataFrame, middle: float) -> Spec:
    begin = [middle] * len(table)
    low = _bars(table, begin, table["at_low"], SKY)
    return {"layer": [low, _bars(table, begin, table["at_high"], BLUE), _line(middle)]}


def _correlations(table: pd.DataFrame, middle: float) -> Spec:
    del middle
    bars = _bars(table, [0] * len(table), table["value"], BLUE)
    return {"layer": [bars, _bars(table, table["low"], table["high"], VERMILLION, 0.1), _line(0)]}


def _shares(table: pd.DataFrame, middle: float) -> Spec:
    del middle
    begin = [0] * len(table)
    broad, narrow = _bars(table, begin, table["total"], SKY), _bars(table, begin, table["value"], BLUE, 0.45)
    return {"layer": [broad, narrow, _bars(table, table["total_low"], table["total_high"], VERMILLION, 0.1)]}
