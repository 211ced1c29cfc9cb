"""A table of data as it is: every column of numbers along its days, or how often each value occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import (
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
from modelworks.plots._theme import BLUE, COLOURS

if TYPE_CHECKING:
    import pandas as pd

# Lines that can be told apart in one panel.
MOST_SERIES = 6
# Of each line, as several share a panel.
MOST_ROWS = 400
# A line of so few is also shown as points, so that one sees where something was reported.
FEW_POINTS = 60
BINS = 30


def draw(
    table: pd.DataFrame,
    values: Sequence[str],
    *,
    day: str = "",
    by: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    title: str = "The data",
) -> Figure:
    """Each of the columns `values` in a panel.

    Parameters
    ----------
    table : one row for each day and stratum
    values : names of columns of numbers
    day : name of a column of dates; without one, each panel shows how many rows have which value
    by : names of columns of texts; each of their combinations is a line, the largest six are shown
    labels : name of a column to its title with unit
    """
    need_columns(table, [*values, *([day] if day else []), *by], "the table")
    if not day:
        panels = [_histogram(table, name, label(name, labels)) for name in values]
        return small_multiples("dataset", title, "How many rows have which value.", panels)
    panels = [_lines(table.dropna(subset=[day]), name, day, by, label(name, labels)) for name in values]
    several = len(table.groupby(list(by))) if by else 1
    most = f" The {MOST_SERIES} largest of {several:,} series are shown." if several > MOST_SERIES else ""
    caption = f"As they stand in the table; where a line is broken, nothing is known.{most}"
    return small_multiples("dataset", title, caption, panels)


def _lines(table: pd.DataFrame, name: str, day: str, by: Sequence[str], title: str) -> Spec:
    import pandas as pd

    series = table[list(by)].astype(str).agg(", ".join, axis=1) if by else pd.Series("", index=table.index)
    sizes = table[name].abs().groupby(series).sum().sort_values(ascending=False)
    shown = [str(each) for each in sizes.index[:MOST_SERIES]]
    parts = [table[series == each].sort_values(day) for each in shown]
    parts = [part.iloc[thin(len(part), MOST_ROWS)] for part in parts]
    rows = pd.concat(parts)
    named = [each for each, part in zip(shown, parts, strict=True) for _ in range(len(part))]
    mark: Spec = {"type": "line", "strokeWidth": 1.5, "clip": True}
    if max(map(len, parts)) <= FEW_POINTS:
        mark["point"] = {"size": 18}
    colour: Spec = {"value": BLUE}
    if len(shown) > 1:
        scale = {"domain": shown, "range": list(COLOURS[: len(shown)])}
        colour = {"field": "series", "type": "nominal", "scale": scale, "legend": {"title": None, "columns": 2}}
    encoding = {"x": time_axis(rows[day]), "y": value_axis("value", rows[name]), "color": colour}
    data = columns(time=moments(rows[day]), value=numbers(rows[name]), series=named)
    return {"title": title, **data, "mark": mark, "encoding": encoding}


def _histogram(table: pd.DataFrame, name: str, title: str) -> Spec:
    values = table[name].dropna().to_numpy(dtype=float)
    counts, edges = np.histogram(values, bins=BINS) if len(values) else (np.zeros(1), np.array([0.0, 1.0]))
    x = {**value_axis("low", edges, from_zero=False), "bin": "binned"}
    encoding = {"x": x, "x2": {"field": "high"}, "y": value_axis("rows", counts, from_zero=True)}
    data = columns(low=numbers(edges[:-1]), high=numbers(edges[1:]), rows=numbers(counts))
    return {"title": title, **data, "mark": {"type": "bar", "color": BLUE}, "encoding": encoding}
