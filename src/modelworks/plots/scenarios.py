"""What would have happened otherwise, and by how much it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelworks.errors import fail, near
from modelworks.plots._bands import area, pointer_point
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import (
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
    zoom,
)
from modelworks.plots._theme import BLACK, COLOURS, GREY

if TYPE_CHECKING:
    import pandas as pd

# For each scenario: half of what a single series may have, as several share the panel.
MOST_ROWS = 200

# Titles of scenarios are sentences: on a phone they stand below each other. 0 columns is a single line.
LEGEND: Spec = {"title": None, "symbolType": "stroke", "columns": {"expr": "width < 480 ? 1 : 0"}}

COLUMNS = ("output", "scenario", "time", *QUANTILES)


def draw(
    quantiles: pd.DataFrame,
    differences: pd.DataFrame | None = None,
    *,
    baseline: str = "baseline",
    outputs: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Scenarios",
) -> Figure:
    """Each output under every scenario and, beside it, the difference from the baseline.

    Parameters
    ----------
    quantiles : table with columns output, scenario, time, q025, q25, q50, q75, q975
    differences : the same table, of scenario minus baseline in each draw, optional
        Quantiles of differences can not be had from differences of quantiles, so they are given.
    baseline : name of the scenario that the others are compared with, drawn in dark grey
    outputs : names of the outputs to draw, in order; all where not given
    labels : name of an output or of a scenario to its title
    """
    need_columns(quantiles, COLUMNS, "the table of scenarios")
    scenarios = list(dict.fromkeys(map(str, quantiles["scenario"])))
    if baseline not in scenarios:
        fail("G203", f"there is no scenario `{baseline}` to compare with", hint=near(baseline, scenarios))
    scale = scenario_colours(scenarios, baseline, labels)
    panels: list[Spec] = []
    for name in chosen(outputs, quantiles["output"], "output"):
        rows = quantiles[quantiles["output"] == name]
        heading = {"text": label(name, labels), "subtitle": "In each scenario"}
        panels.append(panel(rows, heading, scale, labels, len(panels)))
        if differences is not None:
            need_columns(differences, COLUMNS, "the table of differences")
            other = differences[(differences["output"] == name) & (differences["scenario"] != baseline)]
            if len(other):
                heading = {**heading, "subtitle": f"Difference from: {label(baseline, labels)}"}
                panels.append(with_zero(panel(other, heading, scale, labels, len(panels))))
    return small_multiples("scenarios", title, caption(differences is not None, label(baseline, labels)), panels)


def caption(has_differences: bool, baseline: str) -> str:
    """What the marks mean, and what to look for in the differences."""
    bands = "Lines: medians; bands: 95% of the draws."
    if not has_differences:
        return bands
    return (
        f"{bands} Differences from the baseline ({baseline}) are taken draw by draw; where their band keeps clear of "
        "zero, the model is 95% sure of the direction."
    )


def scenario_colours(scenarios: Sequence[str], baseline: str, labels: Mapping[str, str] | None) -> Spec:
    """Dark grey for the baseline, which comes first; a colour for each other one, the same in every panel."""
    others = [name for name in scenarios if name != baseline]
    colours = [each for each in COLOURS if each != BLACK]
    return {
        "domain": [label(name, labels) for name in (baseline, *others)],
        "range": [BLACK, *(colours[index % len(colours)] for index in range(len(others)))],
    }


def panel(rows: pd.DataFrame, title: Spec, scale: Spec, labels: Mapping[str, str] | None, index: int) -> Spec:
    """One output under the scenarios that the rows hold."""
    import pandas as pd

    thinned = pd.concat(
        [each.sort_values("time").iloc[thin(len(each), MOST_ROWS)] for _, each in rows.groupby("scenario", sort=False)]
    )
    titles = [label(str(name), labels) for name in thinned["scenario"]]
    values = {name: numbers(thinned[name]) for name in QUANTILES}
    data = columns(time=moments(thinned["time"]), scenario=titles, **values)
    x, y = time_axis(thinned["time"]), value_axis("q50", thinned["q025"], thinned["q975"])
    colour = {"field": "scenario", "type": "nominal", "scale": scale, "legend": LEGEND}
    band = coloured(area(x, y, "q025", "q975", 0.16), colour)
    line = {"mark": {"type": "line", "strokeWidth": 2, "clip": True}, "encoding": {"x": x, "y": y, "color": colour}}
    pointer = coloured(pointer_point(x, y, f"hover_{index}"), colour)
    return {"title": title, **data, "layer": [{**band, "params": [zoom(f"zoom_{index}")]}, line, pointer]}


def coloured(layer: Spec, colour: Spec) -> Spec:
    """A layer with the colour of its scenario in place of its own."""
    mark = {key: value for key, value in layer["mark"].items() if key != "color"}
    return {**layer, "mark": mark, "encoding": {**layer["encoding"], "color": colour}}


def with_zero(spec: Spec) -> Spec:
    """A panel with a line where there is no difference."""
    # Last of the layers, as the first one decides about the grid, and a constant has none.
    zero = {"data": {"values": [{}]}, "mark": {"type": "rule", "color": GREY}, "encoding": {"y": {"datum": 0}}}
    return {**spec, "layer": [*spec["layer"], zero]}
