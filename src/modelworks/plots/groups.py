"""Parameters of a group, label by label: what was assumed of each, and what the data made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.plots._bands import tooltip
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import chosen, columns, label, moments, numbers, small_multiples, time_axis, value_axis
from modelworks.plots._theme import BLUE, GREY

# The names of so many members can be read side by side.
FEW = 5
LEVELS = {"low": 0.025, "middle": 0.5, "high": 0.975}
CAPTION = (
    "Blue: median and 95% of what is believed of each member after the data; grey: 95% of it before. Where blue is as "
    "long as grey, the data said nothing of that member."
)

# What the pointer is told.
TOLD = [
    tooltip("member", "Member"),
    tooltip("middle", "Median"),
    tooltip("low", "95% from"),
    tooltip("high", "to"),
]


def draw(
    draws: Mapping[str, Mapping[str, ArrayLike]],
    prior_draws: Mapping[str, Mapping[str, ArrayLike]],
    *,
    groups: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Group by group",
) -> Figure:
    """Each group in a panel, its members side by side; along time where their labels are dates.

    Parameters
    ----------
    draws : mapping of group to a mapping of label to float array, any shape
    prior_draws : the same, of the prior
    groups : names to draw, in order; all where not given
    labels : name of a group to its title with unit
    """
    names = chosen(groups, draws, "group")
    panels = [_panel(draws[name], prior_draws.get(name, {}), label(name, labels)) for name in names]
    return small_multiples("groups", title, CAPTION, panels)


def _panel(after: Mapping[str, ArrayLike], before: Mapping[str, ArrayLike], title: str) -> Spec:
    days = _days(after)
    upright = {"labelAngle": 0} if len(after) <= FEW else {}
    axis: Spec = {"field": "member", "type": "nominal", "sort": None, "axis": {"title": None, **upright}}
    x = axis if days is None else time_axis(days)
    spans = [np.quantile(np.asarray(each), [0.025, 0.975]) for each in (*after.values(), *before.values())]
    y = value_axis("low", *spans)
    layers = []
    for draws, colour, width in ((before, GREY, 7), (after, BLUE, 2)):
        levels = {k: [float(np.quantile(np.asarray(each), q)) for each in draws.values()] for k, q in LEVELS.items()}
        where = {"member": list(draws)} if days is None else {"member": list(draws), "time": moments(_days(draws))}
        bar = {"type": "rule", "color": colour, "strokeWidth": width, "opacity": 0.35 if colour == GREY else 1}
        marks: list[Spec] = [{"mark": bar, "encoding": {"x": x, "y": y, "y2": {"field": "high"}}}]
        if colour == BLUE:
            dot = {"type": "circle", "color": colour, "size": 45, "opacity": 1}
            marks.append({"mark": dot, "encoding": {"x": x, "y": {**y, "field": "middle"}, "tooltip": TOLD}})
        data = columns(**where, **{k: numbers(each) for k, each in levels.items()})
        layers.append({"description": "prior" if colour == GREY else "posterior", **data, "layer": marks})
    return {"title": title, "layer": layers}


def _days(members: Iterable[str]) -> NDArray[np.datetime64] | None:
    """The labels as dates, where all of them are."""
    try:
        return np.array([date.fromisoformat(member) for member in members], dtype="datetime64[ms]")
    except ValueError:
        return None
