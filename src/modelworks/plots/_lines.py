"""Several series in one panel: a line each, with its 95% band, told apart by colour and by dashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from modelworks.plots._bands import area, pointer_point
from modelworks.plots._figure import Spec
from modelworks.plots._panels import columns, moments, numbers, thin, time_axis, value_axis, zoom

if TYPE_CHECKING:
    import pandas as pd

# How colours and dashes belong to the series.
Look: TypeAlias = dict[str, Spec]

# For each series: half of what one alone may have, as several share the panel.
MOST_ROWS = 200

# Where two lines lie on each other, the one below shows through the gaps of the one above.
DASHES = ([1, 0], [7, 5], [2, 4])

# Of the quantiles, those that are drawn; bands of several series on each other would hide what lies below.
SHOWN = ("q025", "q50", "q975")

# Titles are sentences: on a phone they stand below each other. 0 columns is a single line. In a page it goes by the
# room that there is: the width is less once the axis has its own, and a legend that is another then hides the title.
ROOM = "(containerSize()[0] - 50 || width)"
LEGEND: Spec = {"title": None, "symbolType": "stroke", "symbolSize": 320, "columns": {"expr": f"{ROOM} < 480 ? 1 : 0"}}


def look(names: Sequence[str], colours: Sequence[str], dashes: Sequence[Sequence[int]]) -> Look:
    """The colour and the dashes of each series, by its name."""
    domain = list(names)
    return {
        "color": {"domain": domain, "range": list(colours)},
        "strokeDash": {"domain": domain, "range": [list(each) for each in dashes]},
    }


def lines_panel(rows: pd.DataFrame, title: str | Spec, drawn_as: Look, by: str, index: int) -> Spec:
    """The series of `rows`, one for each value of the column `by`; the last lies on top."""
    import pandas as pd

    # By positions: of two runs side by side, tables of tables cost more than all else of a page.
    series, names = pd.factorize(rows[by])
    time = rows["time"].to_numpy()
    places = [np.flatnonzero(series == number) for number in range(len(names))]
    kept = np.concatenate([each[np.argsort(time[each])][thin(len(each), MOST_ROWS)] for each in places])
    time, values = time[kept], {name: rows[name].to_numpy()[kept] for name in SHOWN}
    data = columns(
        time=moments(time),
        **{by: [str(names[number]) for number in series[kept]]},
        **{name: numbers(each) for name, each in values.items()},
    )
    x, y = time_axis(time), value_axis("q50", values["q025"], values["q975"])
    colour, dash = (
        {"field": by, "type": "nominal", "scale": drawn_as[channel], "legend": LEGEND}
        for channel in ("color", "strokeDash")
    )
    band = coloured(area(x, y, "q025", "q975", 0.16), colour)
    line = {
        "mark": {"type": "line", "strokeWidth": 2, "clip": True},
        "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash},
    }
    pointer = coloured(pointer_point(x, y, f"hover_{index}", by), colour)
    return {"title": title, **data, "layer": [{**band, "params": [zoom(f"zoom_{index}")]}, line, pointer]}


def coloured(layer: Spec, colour: Spec) -> Spec:
    """A layer with the colour of its series in place of its own."""
    mark = {key: value for key, value in layer["mark"].items() if key != "color"}
    return {**layer, "mark": mark, "encoding": {**layer["encoding"], "color": colour}}
