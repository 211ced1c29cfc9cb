"""How probable it is that a threshold is passed, day by day and up to each day, in every scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from modelworks.plots._bands import tooltip
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._lines import MOST_ROWS, Look, channels
from modelworks.plots._panels import (
    columns,
    label,
    moments,
    need_columns,
    numbers,
    small_multiples,
    thin,
    time_axis,
)
from modelworks.plots.scenarios import scenario_look

if TYPE_CHECKING:
    import pandas as pd

SHOWN = {
    "that_day": "Probability of being above",
    "by_then": "Probability of having been above by then",
}
CAPTION = (
    "The share of draws above the threshold. Left: on that day; right: on any day until then, which is what capacity "
    "has to be planned for."
)


def draw(
    table: pd.DataFrame,
    *,
    baseline: str = "baseline",
    labels: Mapping[str, str] | None = None,
    title: str = "Beyond the threshold",
) -> Figure:
    """Two panels for each threshold, a line for each scenario.

    Parameters
    ----------
    table : table with columns name, scenario, time, that_day, by_then
    baseline : name of the scenario drawn in dark grey
    labels : name of a threshold or of a scenario to its title
    """
    need_columns(table, ("name", "scenario", "time", *SHOWN), "the table of thresholds")
    drawn_as = scenario_look(list(dict.fromkeys(table["scenario"])), baseline, labels)
    panels = [
        panel(table[table["name"] == name], column, label(str(name), labels), drawn_as, labels)
        for name in dict.fromkeys(table["name"])
        for column in SHOWN
    ]
    return small_multiples("thresholds", title, CAPTION, panels)


def panel(rows: pd.DataFrame, column: str, title: str, drawn_as: Look, labels: Mapping[str, str] | None) -> Spec:
    """The probability in every scenario, in percent."""
    import pandas as pd

    parts = [each.iloc[thin(len(each), MOST_ROWS)] for _, each in rows.groupby("scenario", sort=False)]
    shown = pd.concat(parts)
    data = columns(
        time=moments(shown["time"]),
        scenario=[label(str(each), labels) for each in shown["scenario"]],
        chance=numbers(100 * shown[column]),
    )
    colour, dash = channels("scenario", drawn_as)
    axis = {"title": None, "values": [0, 25, 50, 75, 100], "labelExpr": "datum.value + '%'"}
    return {
        "title": {"text": title, "subtitle": SHOWN[column]},
        **data,
        "mark": {"type": "line", "strokeWidth": 2, "clip": True},
        "encoding": {
            "x": time_axis(shown["time"]),
            "y": {"field": "chance", "type": "quantitative", "scale": {"domain": [0, 100]}, "axis": axis},
            "color": colour,
            "strokeDash": dash,
            "tooltip": [tooltip("scenario", "Scenario"), tooltip("time", "Day"), tooltip("chance", "Percent")],
        },
    }
