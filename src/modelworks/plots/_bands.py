"""A series with its uncertainty: the median as a line, half of the draws in an inner band, 95% in an outer one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelworks.plots._figure import Spec
from modelworks.plots._panels import QUANTILES, columns, moments, numbers, thin
from modelworks.plots._theme import BLUE, FAINT_INK

if TYPE_CHECKING:
    import pandas as pd

# More rows than a panel has pixels change nothing one can see.
MOST_ROWS = 400

# Of the bars that stand for bands where there is a single moment, in pixels.
BAR_WIDTH = 30

# In square pixels: wide enough to be met by a finger's worth of pointing.
POINTER_SIZE = 160

DAY = "%-d %B %Y"

WHAT_BANDS_MEAN = "Line: the median; inner band: half of the draws; outer band: 95% of them."

# The fields of our data that hold text.
WORDS = frozenset({"scenario", "stratum", "kind", "chain", "member", "run"})

INTERVAL_SHOWN = [("time", "Date"), ("q50", "Median"), ("q025", "95% from"), ("q975", "to")]


def band_data(table: pd.DataFrame) -> Spec:
    """The rows of one output as data that unfold in the figure, at most `MOST_ROWS` of them."""
    rows = table.sort_values("time").iloc[thin(len(table), MOST_ROWS)]
    return columns(time=moments(rows["time"]), **{name: numbers(rows[name]) for name in QUANTILES})


def band_layers(x: Spec, y: Spec, *, hover: str, fill: str = BLUE, is_moment: bool = False) -> list[Spec]:
    """The outer band, the inner band, the median, and a rule that tells the numbers under the pointer.

    `x` and `y` are axes; `hover` names the pointer's selection, and must differ between panels of a figure. Of a
    single moment the bands are bars.
    """
    between = bar if is_moment else area
    return [
        between(x, y, "q025", "q975", 0.18, fill),
        between(x, y, "q25", "q75", 0.32, fill),
        edge(x, y, "q50", is_moment=is_moment, color=fill, strokeWidth=2),
        pointer_rule(x, hover),
    ]


def area(x: Spec, y: Spec, low: str, high: str, opacity: float, fill: str = BLUE) -> Spec:
    """The area between two quantiles."""
    return {
        "mark": {"type": "area", "color": fill, "opacity": opacity, "clip": True},
        "encoding": {"x": x, "y": {**y, "field": low}, "y2": {"field": high}},
    }


def bar(x: Spec, y: Spec, low: str, high: str, opacity: float, fill: str = BLUE) -> Spec:
    """What `area` shows, at a single moment, where an area has no width."""
    mark = {"type": "rule", "color": fill, "opacity": opacity, "strokeWidth": BAR_WIDTH}
    return {**area(x, y, low, high, opacity, fill), "mark": mark}


def edge(x: Spec, y: Spec, field: str, *, is_moment: bool, **style: Any) -> Spec:
    """A quantile as a line over time, or as a stroke at a single moment."""
    mark = {"type": "line", "clip": True, **style}
    if is_moment:
        thickness = style.pop("strokeWidth")
        mark = {"type": "tick", "orient": "horizontal", "size": BAR_WIDTH, "thickness": thickness, **style}
    return {"mark": mark, "encoding": {"x": x, "y": {**y, "field": field}}}


def pointer_rule(x: Spec, hover: str) -> Spec:
    """A vertical line at the time nearest to the pointer, with a tooltip."""
    select = {"type": "point", "fields": ["time"], "nearest": True, "on": "pointerover", "clear": "pointerout"}
    mark = {"type": "rule", "color": FAINT_INK, "strokeWidth": 1}
    encoding = {"x": x, **pointed_at(hover, INTERVAL_SHOWN)}
    return {"params": [{"name": hover, "select": select}], "mark": mark, "encoding": encoding}


def pointer_point(x: Spec, y: Spec, hover: str, by: str) -> Spec:
    """A point of the line under the pointer, with a tooltip: for a panel with several lines, one of each `by`.

    Not the nearest one, as for a rule: Vega-Lite 6.4 loses text, here the scenario, from the tooltip of a nearest
    point (it reads `datum.scenario` where `datum.datum.scenario` is meant).
    """
    select = {"type": "point", "fields": ["time", by], "on": "pointerover", "clear": "pointerout"}
    mark = {"type": "circle", "color": FAINT_INK, "size": POINTER_SIZE}
    encoding = {"x": x, "y": y, **pointed_at(hover, [(by, by.capitalize()), *INTERVAL_SHOWN])}
    return {"params": [{"name": hover, "select": select}], "mark": mark, "encoding": encoding}


def pointed_at(hover: str, shown: list[tuple[str, str]]) -> Spec:
    """Seen only while selected; what is not seen still has its tooltip."""
    return {
        "opacity": {"condition": {"param": hover, "empty": False, "value": 0.8}, "value": 0},
        "tooltip": [tooltip(field, title) for field, title in shown],
    }


def tooltip(field: str, title: str) -> Spec:
    """One line of a tooltip; numbers to three digits, dates as the day they are in UTC."""
    if field in WORDS:
        return {"field": field, "type": "nominal", "title": title}
    if field == "time":
        return {"field": field, "type": "temporal", "timeUnit": "utcyearmonthdate", "title": title, "format": DAY}
    return {"field": field, "type": "quantitative", "title": title, "format": ",.3~r"}
