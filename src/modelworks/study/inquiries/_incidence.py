"""A quick look at a dataset of the repository before any model: the reproduction number over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from modelworks.calibration import ReproductionNumbers, reproduction_numbers, serial_interval
from modelworks.errors import fail, near
from modelworks.study.projection._projection import LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.inputs import Catalogue, Dataset
    from modelworks.plots import Figure


@dataclass(frozen=True)
class QuickLook:
    """The days' counts (columns time, value), and the reproduction number of each window by its last day."""

    dataset: str
    counts: pd.DataFrame
    found: ReproductionNumbers

    def table(self) -> pd.DataFrame:
        """Columns start, time (the window's last day), mean, sd, q025, q25, q50, q75, q975, above_one."""
        import pandas as pd

        days = self.counts["time"].to_numpy()
        return pd.DataFrame(
            {
                "start": days[self.found.first],
                "time": days[self.found.last],
                "mean": self.found.mean,
                "sd": self.found.sd,
                **{name: self.found.quantile(level) for name, level in LEVELS.items()},
                "above_one": self.found.above_one(),
            }
        )

    def figure(self) -> Figure:
        from modelworks import plots

        return plots.figure("reproduction_number")(self.table(), self.counts)


def quick_look(
    catalogue: Catalogue,
    name: str,
    column: str,
    interval: tuple[float, float],
    *,
    window: int = 7,
    date_column: str | None = None,
    start: date | None = None,
    end: date | None = None,
) -> QuickLook:
    """The reproduction number from a column of daily counts.

    `interval` is the mean and the standard deviation of the serial interval, in days.

    Raises
    ------
    ModelworksError
        Y501, Y502 about the dataset; C701, C703 about the interval and the window.
    """
    counts = _daily(catalogue.dataset(name), column, date_column, start, end)
    found = reproduction_numbers(counts["value"].to_numpy(), serial_interval(*interval), window=window)
    return QuickLook(name, counts, found)


def _daily(
    dataset: Dataset, column: str, date_column: str | None, start: date | None, end: date | None
) -> pd.DataFrame:
    """One count for each day, in order."""
    import pandas as pd

    days = date_column or _only_dates(dataset)
    for name, kind in ((column, "number"), (days, "date")):
        if name not in dataset.columns:
            fail("Y501", f"`{dataset.name}` has no column `{name}`", hint=near(name, dataset.columns))
        if dataset.columns[name].kind != kind:
            fail(
                "Y501",
                f"`{name}` of `{dataset.name}` holds {dataset.columns[name].kind}s, not {kind}s",
                hint=near(name, [each for each, said in dataset.columns.items() if said.kind == kind]),
            )
    table = dataset.table()
    found = pd.DataFrame({"time": table[days], "value": table[column]}).dropna(subset=["time"])
    within = found["time"].between(pd.Timestamp(start or pd.Timestamp.min), pd.Timestamp(end or pd.Timestamp.max))
    found = found[within].sort_values("time", ignore_index=True)
    fault = _fault(found)
    if fault:
        fail("Y502", f"`{column}` of `{dataset.name}` {fault[0]}", hint=fault[1])
    return found


def _only_dates(dataset: Dataset) -> str:
    dates = [name for name, column in dataset.columns.items() if column.kind == "date"]
    if len(dates) != 1:
        fail(
            "Y501",
            f"`{dataset.name}` has {len(dates) or 'no'} columns of dates",
            hint="name one with --date" if dates else "declare the column of days with `unit: date`",
        )
    return dates[0]


def _fault(found: pd.DataFrame) -> tuple[str, str] | None:
    """Why the rows are not one count a day, and what to try."""
    gaps = np.diff(found["time"].to_numpy(dtype="datetime64[D]")).astype(int)
    if (gaps == 0).any():
        day = found["time"][int(np.argmax(gaps == 0))]
        return f"has more than one row for {day:%Y-%m-%d}", "prepare a dataset of one place, or of their sum"
    if len(gaps) and gaps.min() > 1:
        return (
            f"has a row every {gaps.min()} days or less often, and a serial interval is of days",
            "take daily counts: those of a week do not say when within it people fell ill",
        )
    if (gaps > 1).any():
        day = found["time"][int(np.argmax(gaps > 1))] + np.timedelta64(1, "D")
        return f"has no row for {day:%Y-%m-%d}", "write 0 where nobody fell ill; else take a part with --from and --to"
    wrong = np.flatnonzero(~(found["value"].to_numpy() >= 0))
    if wrong.size:
        value, day = found["value"][wrong[0]], found["time"][wrong[0]]
        what = "no count" if np.isnan(value) else f"{value:g} cases"
        return f"has {what} on {day:%Y-%m-%d}", "correct it in a prepared dataset, or take a part with --from and --to"
    return None
