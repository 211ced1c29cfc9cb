"""What each scenario averts of every output that is a number of events, in all and in each stratum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._questions import adds_up
from modelworks.study.binding._scaled import Compiled
from modelworks.study.projection._scenario_runs import baseline_name

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

COLUMNS = ("scenario", "output", "median", "low", "high", "share", "share_low", "share_high")


def averted_table(study: BoundStudy, compiled: Compiled, found: Mapping[str, Array]) -> pd.DataFrame:
    """By scenario and output: the baseline's events of the whole time less the scenario's, and their share of them.

    `found` are the outputs of each scenario (draw, time, column). Differences are taken draw by draw: median and 95%
    interval. A share is missing where nothing happens in the baseline.
    """
    import pandas as pd

    baseline, rows = baseline_name(study), []
    for name, values in found.items():
        for k, column in enumerate(compiled.columns):
            if name == baseline or not adds_up(study.model, column):
                continue
            before = found[baseline][:, 1:, k].sum(axis=1)
            less = before - values[:, 1:, k].sum(axis=1)
            share = less / before if (before > 0).all() else np.full_like(less, np.nan)
            rows.append((name, column.name, *_middle(less), *_middle(share)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _middle(values: Array) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    return float(middle), float(low), float(high)
