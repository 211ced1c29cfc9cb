"""Which parameters the data can not tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.plots._bands import tooltip
from modelworks.plots._density import density
from modelworks.plots._draws import as_draws, worth_seeing
from modelworks.plots._figure import TOGETHER, Figure, Spec, whole
from modelworks.plots._panels import SHORT_NUMBER, columns, label, numbers, thin
from modelworks.plots._theme import BLUE, FAINT_INK, VERMILLION

MOST_PARAMETERS = 6
MOST_POINTS = 600
CELL = 108

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
    last = len(names) - 1
    x_title = titles[column] if row == last else None
    y_title = titles[row] if column == 0 and row > 0 else None
    if row == column:
        view = diagonal(flat[names[row]], x_title)
    elif row < column:
        view = upper(float(np.corrcoef(flat[names[row]], flat[names[column]])[0, 1]))
    else:
        view = lower(row, column, x_title, y_title)
    return {"width": CELL, "height": CELL, **view}


def edge_axis(title: str | None) -> Spec | None:
    """An axis with a title at the edge of the grid, none inside."""
    if title is None:
        return None
    return {"title": title, "titleLimit": CELL + 10, "tickCount": 3, "labelExpr": SHORT_NUMBER, "grid": False}


def square_scale() -> Spec:
    return {"zero": False, "nice": False, "padding": 6}


def brush(count: int) -> Spec:
    """A frame drawn in one cloud, which marks the same draws in all of them."""
    views = [view_name(row, column) for row in range(count) for column in range(row)]
    return {"name": "brush", "select": {"type": "interval", "resolve": "global"}, "views": views}


def view_name(row: int, column: int) -> str:
    return f"cloud_{row}_{column}"


def lower(row: int, column: int, x_title: str | None, y_title: str | None) -> Spec:
    """A cloud of draws."""
    is_broken = {"test": "datum.broken === 1"}
    return {
        "name": view_name(row, column),
        "mark": {"type": "circle", "size": 9, "clip": True},
        "encoding": {
            "x": {"field": f"p{column}", "type": "quantitative", "scale": square_scale(), "axis": edge_axis(x_title)},
            "y": {"field": f"p{row}", "type": "quantitative", "scale": square_scale(), "axis": edge_axis(y_title)},
            "color": {"condition": {**is_broken, "value": VERMILLION}, "value": BLUE},
            "opacity": {"condition": [{**is_broken, "value": 0.9}, {"param": "brush", "value": 0.35}], "value": 0.05},
        },
    }


def diagonal(sample: NDArray[np.float64], x_title: str | None) -> Spec:
    """The density of one parameter."""
    places, heights = density(sample)
    return {
        **columns(place=numbers(places), height=numbers(heights)),
        "mark": {"type": "area", "color": BLUE, "opacity": 0.3, "line": {"color": BLUE, "strokeWidth": 1.5}},
        "encoding": {
            "x": {"field": "place", "type": "quantitative", "scale": square_scale(), "axis": edge_axis(x_title)},
            "y": {"field": "height", "type": "quantitative", "axis": None},
            "tooltip": [tooltip("place", "Value")],
        },
    }


def upper(correlation: float) -> Spec:
    """A correlation, larger type for a stronger one."""
    smallest, largest = TYPE_SIZES
    strength = abs(correlation) if np.isfinite(correlation) else 0.0
    return {
        "data": {"values": [{"text": f"{correlation:.2f}".replace("-", "−") if np.isfinite(correlation) else ""}]},
        "mark": {"type": "text", "fontSize": round(smallest + (largest - smallest) * strength), "color": FAINT_INK},
        "encoding": {"text": {"field": "text", "type": "nominal"}},
    }
