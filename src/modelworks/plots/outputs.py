"""What the model says about each output over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelworks.plots._bands import WHAT_BANDS_MEAN, band_data, band_layers
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import (
    QUANTILES,
    chosen,
    label,
    need_columns,
    small_multiples,
    time_axis,
    value_axis,
    zoom,
)

if TYPE_CHECKING:
    import pandas as pd


def draw(
    quantiles: pd.DataFrame,
    *,
    outputs: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "What the model says",
) -> Figure:
    """Each output over time, with its uncertainty, in a panel of its own.

    Parameters
    ----------
    quantiles : table with columns output, time, q025, q25, q50, q75, q975
    outputs : names of the outputs to draw, in order; all where not given
    labels : name of an output to its title with unit, as in "Deaths (people per day)"
    """
    need_columns(quantiles, ("output", "time", *QUANTILES), "the table of quantiles")
    names = chosen(outputs, quantiles["output"], "output")
    panels = [
        panel(quantiles[quantiles["output"] == name], label(name, labels), index) for index, name in enumerate(names)
    ]
    return small_multiples("outputs", title, WHAT_BANDS_MEAN, panels)


def panel(table: pd.DataFrame, title: str, index: int) -> Spec:
    """The series of one output."""
    x, y = time_axis(table["time"]), value_axis("q50", table["q025"], table["q975"])
    layers = band_layers(x, y, hover=f"hover_{index}")
    layers[0]["params"] = [zoom(f"zoom_{index}")]
    return {"title": title, **band_data(table), "layer": layers}
