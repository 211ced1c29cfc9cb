"""A number of each run: a statistic of one output over some days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._questions import row_shares, row_times
from modelworks.study.binding._scaled import Compiled

if TYPE_CHECKING:
    from modelworks.inputs import Quantity

Array = NDArray[np.float64]

# A row shorter than the others by more than this part of them is cut short; less is round-off.
SHORT = 1e-3


def reduced(study: BoundStudy, compiled: Compiled, asked: Quantity, values: Array) -> Array:
    """A statistic of one output (draw, time, column) over the days asked for, one a draw."""
    # Each run's by itself, in a row of its own: the last digit is no matter of how many runs there are.
    if asked.statistic == "sum":
        shares = row_shares(study.calendar, compiled.times, asked, counts_events=True)
        return np.asarray(np.ascontiguousarray(values[:, :, _column(compiled, asked)] * shares).sum(axis=1))
    column, inside = chosen_rows(study, compiled, asked)
    chosen = np.ascontiguousarray(values[:, inside, column])
    if asked.statistic == "max":
        return np.asarray(chosen.max(axis=1))
    if asked.statistic == "mean":
        return np.asarray(chosen.mean(axis=1))
    if asked.statistic == "peak_date":
        at = row_times(compiled.times, counts_events=compiled.columns[column].counts_events)[inside]
        return np.asarray(at[chosen.argmax(axis=1)])
    return np.asarray(chosen[:, -1])


def _column(compiled: Compiled, asked: Quantity) -> int:
    return [column.name for column in compiled.columns].index(str(asked.output))


def chosen_rows(study: BoundStudy, compiled: Compiled, asked: Quantity) -> tuple[int, NDArray[np.bool_]]:
    """The column a quantity is of, and which rows (time,) belong to its days."""
    column, times = _column(compiled, asked), compiled.times
    counting = compiled.columns[column].counts_events
    share = row_shares(study.calendar, times, asked, counts_events=counting)
    # A row that lies partly outside belongs to the side that has most of it.
    inside = share >= min(0.5, share.max())
    if counting:
        # Where the end cuts a row short, its count is of less time than the others' and compares with none.
        length = np.diff(times, prepend=-np.inf)
        whole = inside & (length >= (1 - SHORT) * np.diff(times).max())
        inside = whole if whole.any() else inside
    return column, inside
