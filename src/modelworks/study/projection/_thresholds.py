"""The probability that an output lies above a threshold, day by day and up to each day, in every scenario.

A quantity asks for it that has `above` and is the largest value (`statistic: max`) of an output in one scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._questions import quantity_unit, row_times
from modelworks.study.binding._scaled import Compiled
from modelworks.study.projection._statistic import chosen_rows

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.inputs import Quantity

Array = NDArray[np.float64]


def thresholds(study: BoundStudy) -> list[Quantity]:
    """The quantities that are about a threshold which every scenario has."""
    return [
        each
        for each in study.inputs.study.quantities.values()
        if each.above is not None and each.statistic == "max" and each.minus is None and each.divided_by is None
    ]


def threshold_table(study: BoundStudy, compiled: Compiled, found: Mapping[str, Array]) -> pd.DataFrame:
    """By quantity, scenario and time: the share of draws above on that day (`that_day`), and by then (`by_then`).

    `found` are the outputs of each scenario (draw, time, column).
    """
    import pandas as pd

    parts = [pd.DataFrame(columns=["name", "scenario", "time", "that_day", "by_then"])]
    for asked in thresholds(study):
        column, inside = chosen_rows(study, compiled, asked)
        factor, _ = quantity_unit(asked, study.inputs, study.model)
        counting = compiled.columns[column].counts_events
        days = row_times(compiled.times, counts_events=counting)[inside]
        time = np.array([study.calendar.moment(float(t)) for t in days], dtype="datetime64[ns]")
        for name, values in found.items():
            above = factor * values[:, inside, column] > float(asked.above or 0.0)
            part = {"that_day": above.mean(axis=0), "by_then": np.maximum.accumulate(above, axis=1).mean(axis=0)}
            parts.append(pd.DataFrame({"name": asked.name, "scenario": name, "time": time, **part}))
    return pd.concat(parts[1:] or parts, ignore_index=True)
