"""Several series in one panel: a line each, with its 95% band, told apart by colour and by dashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

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

# In a page it goes by the room that there is: the width is less once the axis has its own.
ROOM = "(containerSize()[0] - 50 || width)"
# As the line itself, so that dashes can be told apart.
STROKES: Spec = {"symbolType": "stroke", "symbolSize": 320}
# In pixels: a letter of a legend, which is somewhat wider than most, and the line before it with the gaps around it.
LEGEND_LETTER, LEGEND_LINE = 6.8, 46


def look(names: Sequence[str], colours: Sequence[str], dashes: Sequence[Sequence[int]]) -> Look:
    """The colour and the dashes of each series, by its name."""
    domain = list(names)
    return {
        "color": {"domain": domain, "range": list(colours)},
        "strokeDash": {"domain": domain, "range": [list(each) for each in dashes]},
    }


def legend(names: Sequence[str]) -> Spec:
    """Titles of series in a single line where they have room, and otherwise below each other, so that none is cut off.

    >>> legend(["Baseline", "Schools closed"])["columns"]["expr"]
    '(containerSize()[0] - 50 || width) < 243 ? max(1, floor((containerSize()[0] - 50 || width) / 142)) : 0'
    """
    widths = [ceil(LEGEND_LETTER * len(name) + LEGEND_LINE) for name in names]
    in_columns = f"max(1, floor({ROOM} / {max(widths)}))"
    # 0 columns is a single line.
    return {"title": None, "columns": {"expr": f"{ROOM} < {sum(widths)} ? {in_columns} : 0"}}


def channels(by: str, drawn_as: Look) -> tuple[Spec, Spec]:
    """The encodings that tell the series of a column apart: by colour and by dashes, with one legend of both."""
    told = {"field": by, "type": "nominal", "legend": legend(drawn_as["color"]["domain"]) | STROKES}
    return told | {"scale": drawn_as["color"]}, told | {"scale": drawn_as["strokeDash"]}


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows of several series: of which each is, as a place among `names`, at what time, and its quantiles `SHOWN`."""

    names: Sequence[str]
    series: NDArray[np.intp]
    time: NDArray[np.datetime64]
    values: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, rows: pd.DataFrame, by: str) -> Lines:
        """The series of a table, one for each value of its column `by`."""
        import pandas as pd

        # By positions: of two runs side by side, tables of tables cost more than all else of a page.
        series, names = pd.factorize(rows[by])
        values = {name: rows[name].to_numpy() for name in SHOWN}
        return cls([str(name) for name in names], series, rows["time"].to_numpy(), values)

    def at(self, places: NDArray[np.intp]) -> Lines:
        """Some of the rows."""
        values = {name: each[places] for name, each in self.values.items()}
        return Lines(self.names, self.series[places], self.time[places], values)

    def drawn(self) -> Lines:
        """The rows to draw, series by series and each in the order of time, at most `MOST_ROWS` of it."""
        series = [np.flatnonzero(self.series == number) for number in range(len(self.names))]
        in_time = [each[np.argsort(self.time[each])] for each in series]
        return self.at(np.concatenate([each[thin(len(each), MOST_ROWS)] for each in in_time]))


def lines_panel(lines: Lines, title: str | Spec, drawn_as: Look, by: str, index: int) -> Spec:
    """The series in one panel, told apart by what the figure's data call `by`; the last lies on top."""
    shown = lines.drawn()
    data = columns(
        time=moments(shown.time),
        **{by: [shown.names[number] for number in shown.series.tolist()]},
        **{name: numbers(each) for name, each in shown.values.items()},
    )
    x, y = time_axis(shown.time), value_axis("q50", shown.values["q025"], shown.values["q975"])
    colour, dash = channels(by, drawn_as)
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
