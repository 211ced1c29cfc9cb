"""How many others one case infects, over time, above the counts it was taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelworks.plots._bands import band_data, band_layers
from modelworks.plots._figure import Figure
from modelworks.plots._panels import (
    QUANTILES,
    columns,
    moments,
    need_columns,
    numbers,
    small_multiples,
    time_axis,
    value_axis,
    with_level,
)
from modelworks.plots._theme import GREY

if TYPE_CHECKING:
    import pandas as pd

CAPTION = (
    "Each window is shown at its last day: what changed on a day is seen in full a window later. Above the grey line "
    "the epidemic grew. Line: the median; inner and outer band: 50% and 95% of what the counts leave possible."
)


def draw(quantiles: pd.DataFrame, counts: pd.DataFrame, *, title: str = "Reproduction number") -> Figure:
    """The reproduction number with its uncertainty, and the daily counts.

    Parameters
    ----------
    quantiles : table with columns time (the last day of a window), q025, q25, q50, q75, q975
    counts : table with columns time, value
    """
    need_columns(quantiles, ("time", *QUANTILES), "the table of reproduction numbers")
    need_columns(counts, ("time", "value"), "the table of counts")
    x = time_axis(counts["time"])
    y = value_axis("q50", quantiles["q025"], quantiles["q975"], from_zero=True)
    number = {
        "title": "Others infected by one case",
        **band_data(quantiles),
        "layer": band_layers(x, y, hover="hover_number"),
    }
    bars = {
        "title": "Cases a day",
        **columns(time=moments(counts["time"]), value=numbers(counts["value"])),
        "mark": {"type": "bar", "color": GREY, "width": {"band": 0.9}},
        "encoding": {"x": x, "y": value_axis("value", counts["value"], from_zero=True)},
    }
    return small_multiples("reproduction_number", title, CAPTION, [with_level(number, 1.0), bars])
