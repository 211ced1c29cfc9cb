"""The first series of a run as a picture that stands beside a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modelworks.report import words
from modelworks.website._house import Workspace
from modelworks.website._render import dated

SERIES = "project/outputs.parquet"
WIDTH, HEIGHT, MOST_POINTS = 220.0, 60.0, 150
COLUMNS = ["scenario", "output", "time", "q025", "q50", "q975"]


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The paths of a ribbon and of its median, with what they are of: in a word, and for whom they are not drawn."""

    title: str
    about: str
    ribbon: str
    median: str


def sparkline(workspace: Workspace, key: str) -> Sparkline | None:
    """The first output of a run in its first scenario; None for a run without, and for one that lies in a bucket."""
    stamp = workspace.store.stamp(key)
    return workspace.remembered(("sparkline", key, stamp), lambda: _drawn(workspace.store.root / key / SERIES))


def _drawn(file: Path) -> Sparkline | None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not file.is_file():
        return None
    try:
        table = pq.read_table(file, columns=COLUMNS).drop_null()
    except (OSError, pa.ArrowException):
        # Of a run that an older version made, or that somebody damaged: its own page says so.
        return None
    if table.num_rows == 0 or set(table.column_names) != set(COLUMNS):
        return None
    for name in ("scenario", "output"):
        table = table.filter(pc.equal(table[name], table[name][0]))
    every = table.to_pylist()
    low, median, high = ([float(each[name]) for each in every] for name in ("q025", "q50", "q975"))
    bottom, top = min(0.0, min(low)), max(high)
    if len(every) < 2 or not all(map(math.isfinite, (*low, *median, *high))) or not top > bottom:
        return None

    drawn = _drawn_points(median)

    def path(values: Sequence[float]) -> list[str]:
        across = WIDTH / (len(values) - 1)
        return [f"{k * across:.1f},{HEIGHT * (top - values[k]) / (top - bottom):.1f}" for k in drawn]

    title = str(every[0]["output"]).replace("_", " ").capitalize()
    first, last = (dated(str(every[k]["time"])[:10]) for k in (0, -1))
    about = f"{title} from {first} to {last}: the median is {words.number(max(median))} at its highest"
    ribbon = f"M{'L'.join([*path(high), *reversed(path(low))])}Z"
    return Sparkline(title, about, ribbon, f"M{'L'.join(path(median))}")


def _drawn_points(median: Sequence[float]) -> list[int]:
    """Which points of a series are drawn, in their order: some, evenly spread, with both ends and the highest."""
    step = len(median) // MOST_POINTS + 1
    return sorted({*range(0, len(median), step), max(range(len(median)), key=median.__getitem__), len(median) - 1})
