"""The series that a run's record tells in brief, as a picture that stands beside a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from modelworks.report import words
from modelworks.website._house import Workspace
from modelworks.website._render import dated
from modelworks.website._studies import record

WIDTH, HEIGHT = 220.0, 60.0
LINES = ("low", "median", "high")


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The paths of a ribbon, of its median and of the data, with what they are of: in a word, and for whom they are not
    drawn."""

    title: str
    about: str
    ribbon: str
    median: str
    seen: str


def sparkline(workspace: Workspace, key: str) -> Sparkline | None:
    """The series that a run tells in brief; None for a run without. Nothing but its record is read."""
    stamp = workspace.store.stamp(key)
    return workspace.remembered(("sparkline", key, stamp), lambda: drawn(record(workspace, key).get("in_brief")))


def drawn(told: Mapping[str, Any] | None) -> Sparkline | None:
    """A series as the record has it; None where it is nothing that can be drawn."""
    try:
        return None if told is None else _drawn(told)
    except (KeyError, TypeError, ValueError):
        # Of a run that an older version made, or that somebody damaged: its own page says so.
        return None


def _drawn(told: Mapping[str, Any]) -> Sparkline | None:
    low, median, high = ([float(each) for each in told[name]] for name in LINES)
    moments = [datetime.fromisoformat(each) for each in told["time"]]
    days = [(each - moments[0]) / timedelta(days=1) for each in moments]
    seen = [(day, float(each)) for day, each in zip(days, told["seen"], strict=True) if each is not None]
    heights = [*low, *median, *high, *(each for _, each in seen)]
    bottom, top = min(0.0, *heights), max(heights)
    if not all(map(math.isfinite, heights)) or not top > bottom or not days[-1] > 0:
        return None

    def at(day: float, value: float) -> str:
        return f"{WIDTH * day / days[-1]:.1f},{HEIGHT * (top - value) / (top - bottom):.1f}"

    def path(values: Sequence[float]) -> list[str]:
        return [at(*each) for each in zip(days, values, strict=True)]

    ribbon = f"M{'L'.join([*path(high), *reversed(path(low))])}Z"
    # A line of no length with round ends is a dot, which stays round where the picture is stretched.
    dots = "".join(f"M{at(*each)}h0" for each in seen)
    return Sparkline(
        told["title"], _about(told, max(median), [each for _, each in seen]), ribbon, f"M{'L'.join(path(median))}", dots
    )


def _about(told: Mapping[str, Any], highest: float, seen: Sequence[float]) -> str:
    first, last = (dated(str(told["time"][k])[:10]) for k in (0, -1))
    data = f", and the data {words.number(max(seen))}" if seen else ""
    return f"{told['title']} from {first} to {last}: the median is {words.number(highest)} at its highest{data}"
