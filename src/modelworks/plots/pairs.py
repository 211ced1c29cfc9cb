"""Which parameters the data can not tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.plots._bands import tooltip
from modelworks.plots._density import density
from modelworks.plots._draws import as_draws, worth_seeing
from modelworks.plots._figure import TOGETHER, Figure, Spec, whole
from modelworks.plots._panels import SHORT_NUMBER, columns, label, lines, numbers, thin
from modelworks.plots._theme import BLUE, FAINT_INK, VERMILLION

MOST_PARAMETERS = 6
MOST_POINTS = 600
CELL = 108
# Letters in a line of an axis title, at the size of a cell.
TITLE_LENGTH = 16

# The smallest and the largest type of a correlation.
TYPE_SIZES = (12, 22)


def draw(
    draws: Mapping[str, ArrayLike],
    *,
    diverging: ArrayLike | None = None,
    parameters: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Parameters in pairs",
) -> Figure:
    """Each pair of up to six parameters: a cloud below, the correlation above, each one's density between.

    Parameters
    ----------
    draws : mapping of parameter to float array, shape (chain, draw)
    diverging : bool array, shape (chain, draw), optional
        True where the sampler broke off; such draws are marked, as they crowd where it could not follow.
    parameters : names to draw, in order; where not given, all, or the six that mixed worst
    labels : name of a parameter to its title with unit
    """
    arrays = as_draws(draws)
    names, left_out = worth_seeing(arrays, parameters, MOST_PARAMETERS)
    names = names[:MOST_PARAMETERS]
    flat = {name: arrays[name].ravel() for name in names}
    size = len(flat[names[0]])
    broken = np.zeros(size, dtype=bool) if diverging is None else np.ravel(np.asarray(diverging, dtype=bool))
    kept = np.union1d(thin(size, MOST_POINTS), np.flatnonzero(broken)[:MOST_POINTS])
    caption = (
        "A round cloud means that the data settle both parameters; a narrow ridge, or a correlation near 1 or -1, that "
        "they settle only a combination of the two."
    )
    caption += " Orange: draws at which the sampler broke off." if broken[kept].any() else ""
    caption += f" Clouds show {len(kept):,} of {size:,} draws." if len(kept) < size else ""
    titles = [label(name, labels) for name in names]
    cells = [cell(row, column, flat, titles, names) for row in range(len(names)) for column in range(len(names))]
    spec = {
        "columns": len(names),
        "spacing": 8,
        "align": "all",
        "bounds": "flush",
        "usermeta": TOGETHER,
        **cloud(flat, kept, broken),
        "params": [brush(len(names))] if len(names) > 1 else [],
        "concat": cells,
    }
    return Figure("pairs", title, caption + left_out, whole(spec, caption))


def cloud(flat: Mapping[str, NDArray[np.float64]], kept: NDArray[np.intp], broken: NDArray[np.bool_]) -> Spec:
    """The draws that all clouds share, a column `p0`, `p1`, … for each parameter."""
    places = {f"p{index}": numbers(values[kept]) for index, values in enumerate(flat.values())}
    return columns(**places, broken=broken[kept].astype(int).tolist())


def cell(
    row: int, column: int, flat: Mapping[str, NDArray[np.float64]], titles: Sequence[str], names: Sequence[str]
) -> Spec:
    """One square of the grid; only the left and the bottom edge have axes."""
    across, along = flat[names[column]], flat[names[row]]
    x = square_axis(f"p{column}", across, titles[column] if row == len(names) - 1 else None)
    if row == column:
        view = diagonal(across, x)
    elif row < column:
        view = upper(correlation_of(along, across))
    else:
        view = lower(x, square_axis(f"p{row}", along, titles[row] if column == 0 else None), view_name(row, column))
    return {"width": CELL, "height": CELL, **view}


def square_axis(field: str, sample: NDArray[np.float64], title: str | None) -> Spec:
    """An axis over all draws of a parameter, shown at the edge of the grid and not inside it."""
    low, high = numbers([sample.min(), sample.max()])
    axis = (
        {
            "title": lines(title, TITLE_LENGTH),
            "tickCount": 3,
            "labelExpr": SHORT_NUMBER,
            # A number that reaches over the edge of its cell would run into the next one's.
            "labelBound": True,
            "grid": False,
        }
        if title
        else None
    )
    scale = {"domain": [low, high], "nice": False, "zero": False, "padding": 6}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def correlation_of(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson's correlation; NaN where one of the two does not vary."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def brush(count: int) -> Spec:
    """A frame drawn in one cloud, which marks the same draws in all of them."""
    views = [view_name(row, column) for row in range(count) for column in range(row)]
    return {"name": "brush", "select": {"type": "interval", "resolve": "global"}, "views": views}


def view_name(row: int, column: int) -> str:
    """What the brush calls a cloud."""
    return f"cloud_{row}_{column}"


def lower(x: Spec, y: Spec, name: str) -> Spec:
    """A cloud of draws."""
    is_broken = {"test": "datum.broken === 1"}
    return {
        "name": name,
        "mark": {"type": "circle", "size": 9, "clip": True},
        "encoding": {
            "x": x,
            "y": y,
            "color": {"condition": {**is_broken, "value": VERMILLION}, "value": BLUE},
            "opacity": {"condition": [{**is_broken, "value": 0.9}, {"param": "brush", "value": 0.35}], "value": 0.05},
        },
    }


def diagonal(sample: NDArray[np.float64], x: Spec) -> Spec:
    """The density of one parameter."""
    places, heights = density(sample)
    return {
        **columns(place=numbers(places), height=numbers(heights)),
        "mark": {"type": "area", "color": BLUE, "opacity": 0.3, "line": {"color": BLUE, "strokeWidth": 1.5}},
        "encoding": {
            "x": {**x, "field": "place"},
            "y": {"field": "height", "type": "quantitative", "axis": None},
            "tooltip": [tooltip("place", "Value")],
        },
    }


def upper(correlation: float) -> Spec:
    """A correlation, larger type for a stronger one; blank where there is none."""
    smallest, largest = TYPE_SIZES
    is_known = bool(np.isfinite(correlation))
    text = f"{round(correlation, 2) + 0.0:.2f}".replace("-", "−") if is_known else ""
    size = round(smallest + (largest - smallest) * abs(correlation)) if is_known else smallest
    return {
        "data": {"values": [{"text": text}]},
        "mark": {"type": "text", "fontSize": size, "color": FAINT_INK},
        "encoding": {"text": {"field": "text", "type": "nominal"}},
    }
