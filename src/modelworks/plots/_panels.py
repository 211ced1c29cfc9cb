"""What the figures are put together from: data, axes, ribbons and small multiples."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail, near
from modelworks.plots._figure import Figure, Spec, single, whole
from modelworks.plots._theme import GREY, PANEL_HEIGHT, PANEL_WIDTH

if TYPE_CHECKING:
    import pandas as pd

# What a panel may hold. More can not be told apart at its size, and a report with thirty panels has to open on a
# phone.
MOST_POINTS = 2000

QUANTILES = ("q025", "q25", "q50", "q75", "q975")

# In pixels: a letter of a title, which is somewhat wider than most.
LETTER_WIDTH = 7.6

# Figures keep this many digits: a thousandth of an axis is below a pixel.
DIGITS = 5
# Below this every whole number is one of its own.
EXACT = 2.0**53

# Thousands as 12k and millions as 3M from where they get long; 0.05 stays 0.05, which `s` alone would call 50m.
SHORT_NUMBER = "abs(datum.value) >= 10000 ? replace(format(datum.value, '~s'), 'G', 'bn') : format(datum.value, ',~g')"

# In days: up to four months show dates, up to three years show months.
LONGEST_IN_DAYS = 125
LONGEST_IN_MONTHS = 1100


# A short name, so that five of them fit a phone; the year stands below where it begins.
MONTHS = (
    "[utcFormat(datum.value, '%b'), datum.index === 0 || utcmonth(datum.value) === 0 "
    "? utcFormat(datum.value, '%Y') : '']"
)


def need_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """A letter where a table lacks a column the figure reads, and one where it has no rows."""
    for column in columns:
        if column not in table.columns:
            fail("G201", f"{what} has no column `{column}`", hint=near(column, map(str, table.columns)))
    if not len(table):
        fail("G202", f"{what} has no rows, so there is nothing to draw")


def chosen(asked: Sequence[str] | None, there: Iterable[str], what: str) -> list[str]:
    """The names to draw: those asked for, or all; one that is not there is a letter."""
    known = list(dict.fromkeys(there))
    for name in asked or ():
        if name not in known:
            fail("G203", f"there is no {what} `{name}` to draw", hint=near(name, known))
    if not known:
        fail("G202", f"there is no {what}, so there is nothing to draw")
    return list(known if asked is None else asked)


def label(name: str, labels: Mapping[str, str] | None) -> str:
    """How a name is written in a figure; without a label, the name with spaces.

    >>> label("in_bed", {"in_bed": "Boys in bed"}), label("contact_rate", None)
    ('Boys in bed', 'Contact rate')
    """
    words = name.replace("_", " ").strip()
    return (labels or {}).get(name, words[:1].upper() + words[1:])


def numbers(values: Any) -> list[float | None]:
    """Values for JSON, to the digits an eye can use; what is not finite is left blank.

    A whole number, as of people who were counted, is written exactly and without its point.

    >>> numbers([1.23456789, 1234.5678, float("nan"), 1234567.0, 1e300])
    [1.2346, 1234.6, None, 1234567, 1e+300]
    """
    array = np.asarray(values, dtype=np.float64)
    # Written by one call, as a figure has thousands.
    written = f"%.{DIGITS}g " * len(array) % tuple(array.tolist())
    short = np.where(_is_whole(array), array, np.array(written.split(), dtype=np.float64))
    known, whole = np.isfinite(short), _is_whole(short)
    return [
        int(value) if is_whole else value if is_known else None
        for value, is_whole, is_known in zip(short.tolist(), whole.tolist(), known.tolist(), strict=True)
    ]


def _is_whole(array: NDArray[np.float64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (np.rint(array) == array) & (np.abs(array) < EXACT)
    return found


def moments(times: Any) -> list[int]:
    """Dates as milliseconds since 1970 in UTC: read as text, a browser west of London would show the day before."""
    return [int(each) for each in np.asarray(times, dtype="datetime64[ms]").astype(np.int64)]


def columns(**values: Sequence[Any]) -> Spec:
    """Data given column by column, and unfolded by the figure: half the size of rows that repeat every name."""
    return {
        "data": {"values": [dict(values)]},
        "transform": [{"flatten": list(values)}],
    }


def thin(length: int, most: int = MOST_POINTS) -> NDArray[np.intp]:
    """Which of so many rows to draw, evenly spread, the first and the last among them.

    >>> thin(5, 3).tolist(), thin(3, 5).tolist()
    ([0, 2, 4], [0, 1, 2])
    """
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(np.intp))


def time_axis(times: Any) -> Spec:
    """Dates along the bottom, from the first to the last of `times`, read as UTC.

    Days show their date, with the year once, as the title; longer spans show months, with the year below the first
    of each, or years.
    """
    # To the moment and not the day: a week's count lies at noon, and what is beyond the axis is cut off.
    exact = np.asarray(times, dtype="datetime64[ms]")
    first, last = exact.min(), exact.max()
    days = int((last - first).astype("timedelta64[D]").astype(np.int64))
    years = sorted({str(first)[:4], str(last)[:4]})
    domain = [first, last]
    # What has no room is left out evenly: "Feb, –, Apr" reads as if March were missing.
    axis: Spec = {"title": None, "tickCount": 5, "labelOverlap": "parity"}
    if days <= LONGEST_IN_DAYS:
        axis |= {"title": " to ".join(years), "format": "%-d %b"}
    elif days <= LONGEST_IN_MONTHS:
        axis |= {"labelExpr": MONTHS}
    else:
        axis |= {"format": "%Y"}
    if first == last:
        # A single moment stands in the middle, under its own date.
        axis["values"] = moments([first])
        domain = [first - np.timedelta64(1, "D"), last + np.timedelta64(1, "D")]
    return {
        "field": "time",
        "type": "temporal",
        "scale": {"type": "utc", "domain": moments(domain)},
        "axis": axis,
    }


def value_axis(field: str, *values: Any, from_zero: bool | None = None) -> Spec:
    """Numbers along the side. Zero is shown where that costs less than half of the height, unless told."""
    finite = np.concatenate([np.ravel(np.asarray(each, dtype=np.float64)) for each in values])
    finite = finite[np.isfinite(finite)]
    near_zero = finite.size == 0 or finite.min() <= 0 or finite.max() > 2 * finite.min()
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"zero": bool(near_zero) if from_zero is None else from_zero, "nice": True},
        "axis": {"title": None, "tickCount": 5, "labelExpr": SHORT_NUMBER},
    }


def small_multiples(name: str, title: str, caption: str, panels: Sequence[Spec], *, per_row: int = 2) -> Figure:
    """Panels in a grid, each with its own scales; a single one fills its place.

    Those of the first row have the legend; where others are told apart in the same way, it is not said again.
    """
    if len(panels) == 1:
        return Figure(name, title, caption, whole(single(panels[0]), caption))
    told = list(told_apart(panels[0]))
    panels = [panel if index < per_row else untold(panel, told) for index, panel in enumerate(panels)]
    sized = [{"width": PANEL_WIDTH, "height": PANEL_HEIGHT, **panel} for panel in panels]
    sized = [{**panel, "title": wrapped(panel["title"], panel["width"])} for panel in sized]
    return Figure(name, title, caption, whole({"columns": per_row, "concat": sized}, caption))


def told_apart(part: Any) -> Iterator[Spec]:
    """Every encoding of a spec that has a legend."""
    if isinstance(part, dict):
        if part.get("legend"):
            yield part
        # Of the numbers themselves there are many.
        inner = [each for name, each in part.items() if name != "data"]
    else:
        inner = part if isinstance(part, list) else []
    for each in inner:
        yield from told_apart(each)


def untold(part: Any, told: Sequence[Spec]) -> Any:
    """A spec without the legends that another one shows."""
    if isinstance(part, dict):
        kept = {**part, "legend": None} if part in told else part
        return {name: inner if name == "data" else untold(inner, told) for name, inner in kept.items()}
    return [untold(inner, told) for inner in part] if isinstance(part, list) else part


def wrapped(title: str | Spec, width: int) -> Spec:
    """A title in lines that fit a panel; Vega-Lite does not break them. One in lines stays as it is."""
    spec: Spec = {"text": title} if isinstance(title, str) else dict(title)
    return spec if isinstance(spec["text"], list) else {**spec, "text": lines(spec["text"], int(width / LETTER_WIDTH))}


def lines(text: str, letters: int) -> list[str]:
    """A text in lines of so many letters; a name breaks behind an underscore.

    >>> lines("recovery_rate_of_children (per day)", 16)
    ['recovery_rate_', 'of_children', '(per day)']
    """
    return [line.replace("_ ", "_") for line in textwrap.wrap(text.replace("_", "_ "), letters)]


def zoom(name: str, axes: Sequence[str] = ("x",)) -> Spec:
    """Zoom by the wheel and move by dragging, both with Shift held, so that scrolling the page stays scrolling."""
    drag = "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!"
    select = {
        "type": "interval",
        "encodings": list(axes),
        "zoom": "wheel![event.shiftKey]",
        "translate": drag,
        "on": drag,
    }
    return {"name": name, "select": select, "bind": "scales"}


def with_level(spec: Spec, level: float) -> Spec:
    """A panel of layers with a line at a level that means something: no difference, no growth."""
    # Last of the layers, as the first one decides about the grid, and a constant has none.
    line = {"data": {"values": [{}]}, "mark": {"type": "rule", "color": GREY}, "encoding": {"y": {"datum": level}}}
    return {**spec, "layer": [*spec["layer"], line]}
