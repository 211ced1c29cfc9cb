"""The model beside the data it was fitted to, and the data it was not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks.errors import fail, near
from modelworks.plots._bands import area, band_data, band_layers, bar, edge, tooltip
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import (
    MOST_POINTS,
    QUANTILES,
    chosen,
    columns,
    label,
    moments,
    need_columns,
    numbers,
    small_multiples,
    thin,
    time_axis,
    value_axis,
)
from modelworks.plots._theme import GREY, INK, PAPER

if TYPE_CHECKING:
    import pandas as pd

# What is drawn of the model before the first and after the last observation: a part of their span and at least two
# steps; more around a single observation, so that it stands within a curve.
MARGIN = 0.1
FEWEST_STEPS, STEPS_AROUND_ONE = 2, 6

INTERVAL = ("value", "low", "high")
USED, HELD_OUT = "used in the fit", "held out"
# What each of the tables below a panel holds.
EXPECTED, NEW, OBSERVED = "expected", "new observations", "observed"


def draw(
    quantiles: pd.DataFrame,
    observed: pd.DataFrame,
    *,
    predictive: pd.DataFrame | None = None,
    targets: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Fit to the data",
) -> Figure:
    """Each target's observations over the model's output, in a panel with scales of its own.

    Parameters
    ----------
    quantiles : table with columns output, time, q025, q25, q50, q75, q975
        The model's outputs.
    observed : table with columns target, output, time, value, included
        `included` is False for what was held out of the fit. Columns `low` and `high`, where there are any, are
        the ends of an observation's own interval, and are drawn as a bar.
    predictive : table like `quantiles`, optional
        Its `output` is the name of a target: where new observations would fall, noise included.
    targets : names of the targets to draw, in order; all where not given
    labels : name of a target to its title with unit
    """
    need_columns(quantiles, ("output", "time", *QUANTILES), "the table of quantiles")
    need_columns(observed, ("target", "output", "time", "value", "included"), "the table of observations")
    if predictive is not None:
        need_columns(predictive, ("output", "time", *QUANTILES), "the table of predictions")
    names = chosen(targets, observed["target"], "target")
    panels = []
    for index, name in enumerate(names):
        points = observed[observed["target"] == name]
        new = None if predictive is None else predictive[predictive["output"] == name]
        panels.append(panel(series_of(points, quantiles), points, new, label(name, labels), index))
    held_out = not bool(observed["included"].all())
    return small_multiples("fit", title, caption(predictive is not None, held_out), panels)


def caption(has_predictive: bool, has_held_out: bool) -> str:
    """What to look for, and what the marks mean."""
    sentences = [
        "The points should scatter around the line without a pattern.",
        "Line: the model's median; inner and outer band: 50% and 95% of its draws.",
    ]
    if has_predictive:
        sentences.append("About 95% of points should lie between the dashed lines, where new observations would fall.")
    if has_held_out:
        sentences.append("Hollow points were held out of the fit.")
    return " ".join(sentences)


def series_of(points: pd.DataFrame, quantiles: pd.DataFrame) -> pd.DataFrame:
    """The output that a target observes, around the time it is observed."""
    output = str(points["output"].iloc[0])
    table = quantiles[quantiles["output"] == output].sort_values("time")
    if not len(table):
        fail(
            "G203", f"there is no output `{output}` to draw", hint=near(output, map(str, quantiles["output"].unique()))
        )
    times = points["time"].to_numpy(dtype="datetime64[ns]")
    step = (
        np.median(np.diff(table["time"].to_numpy(dtype="datetime64[ns]"))) if len(table) > 1 else np.timedelta64(1, "D")
    )
    span = times.max() - times.min()
    margin = max(MARGIN * span, (FEWEST_STEPS if span else STEPS_AROUND_ONE) * step)
    near_enough = (table["time"] >= times.min() - margin) & (table["time"] <= times.max() + margin)
    return table[near_enough] if near_enough.any() else table


def panel(table: pd.DataFrame, points: pd.DataFrame, new: pd.DataFrame | None, title: str, index: int) -> Spec:
    """One target: where new observations would fall, the bands, the points."""
    times: list[Any] = [table["time"], points["time"]]
    heights: list[Any] = [table["q025"], table["q975"], *(points[name] for name in INTERVAL if name in points)]
    if new is not None and len(new):
        times.append(new["time"])
        heights += [new["q025"], new["q975"]]
    x = time_axis(np.concatenate([each.to_numpy(dtype="datetime64[ns]") for each in times]))
    y = value_axis("q50", *heights)
    bands = band_layers(x, y, hover=f"hover_{index}", is_moment=len(table) == 1)
    layers: list[Spec] = [{"description": EXPECTED, **band_data(table), "layer": bands}]
    if new is not None and len(new):
        beyond = predictive_layers(x, y, is_moment=len(new) == 1)
        layers.insert(0, {"description": NEW, **band_data(new), "layer": beyond})
    layers += observed_layers(points, x, y)
    return {"title": title, "layer": layers}


def predictive_layers(x: Spec, y: Spec, *, is_moment: bool = False) -> list[Spec]:
    """Where 95% of new observations would fall: a faint area between dashed lines."""
    edges = [
        edge(x, y, each, is_moment=is_moment, color=GREY, strokeDash=[4, 3], strokeWidth=1) for each in ("q025", "q975")
    ]
    return [(bar if is_moment else area)(x, y, "q025", "q975", 0.10, GREY), *edges]


def observed_layers(points: pd.DataFrame, x: Spec, y: Spec) -> list[Spec]:
    """The observations; those held out are hollow; a bar where they come with an interval."""
    rows = points.sort_values("time").iloc[thin(len(points), MOST_POINTS)]
    kinds = [USED if included else HELD_OUT for included in rows["included"]]
    there = {name: numbers(rows[name]) for name in INTERVAL if name in rows}
    fill = {"condition": {"test": f"datum.kind === '{HELD_OUT}'", "value": PAPER}, "value": INK}
    marks: list[Spec] = [
        {
            "mark": {"type": "circle", "size": 42, "stroke": INK, "strokeWidth": 1.3, "opacity": 1},
            "encoding": {
                "x": x,
                "y": {**y, "field": "value"},
                "fill": fill,
                "tooltip": [tooltip("time", "Date"), tooltip("value", "Observed"), tooltip("kind", "This point was")],
            },
        }
    ]
    if "low" in there and "high" in there:
        bar = {"type": "rule", "color": INK, "strokeWidth": 1.3}
        marks.insert(0, {"mark": bar, "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}})
    return [{"description": OBSERVED, **columns(time=moments(rows["time"]), kind=kinds, **there), "layer": marks}]
