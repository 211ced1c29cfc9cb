"""A target's observations as arrays, and what may be wrong with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import Letters, ModelworksError, fail, near
from modelworks.inputs.catalogue import Catalogue

if TYPE_CHECKING:
    from modelworks.inputs.study_file import TimeSpan
    from modelworks.inputs.targets import TargetEntry


@dataclass(frozen=True, slots=True)
class Series:
    """Observations in the order of time: `dates` and `values`, both (point,), in the target's unit."""

    dates: tuple[date, ...]
    values: NDArray[np.float64]


def series_of(target: TargetEntry, catalogue: Catalogue) -> Series:
    """The observations of a target within its window; what was not observed is left out."""
    found = _windowed(target, _everything(target, catalogue))
    kept = [(day, value) for day, value in found if not np.isnan(value)]
    return Series(tuple(day for day, _ in kept), np.array([value for _, value in kept], dtype=float))


def check_series(target: TargetEntry, catalogue: Catalogue, time: TimeSpan | None, letters: Letters) -> None:
    """Whether a target's data are there, fit its likelihood, and lie in the time of the study."""
    try:
        found = _windowed(target, _everything(target, catalogue))
    except ModelworksError as error:
        letters.extend(letter if letter.file else letter.at(*target.place) for letter in error.letters)
        return
    for code, message, hint in _mistakes(target, found, time):
        letters.add(code, f"the target `{target.name}` {message}", hint=hint, file=target.file, line=target.line)


def _everything(target: TargetEntry, catalogue: Catalogue) -> list[tuple[date, float]]:
    """Dates with values, whether in the window or not; NaN where nothing was observed."""
    if target.dataset is None:
        return sorted(target.values.items())
    dataset = catalogue.dataset(target.dataset)
    for column, wanted in ((target.column, "number"), (target.date_column, "date")):
        declared = dataset.columns.get(str(column))
        if declared is None:
            fail(
                "T103",
                f"the target `{target.name}` wants a column `{column}`, which `{dataset.name}` does not have",
                hint=near(str(column), dataset.columns),
            )
        if declared.kind != wanted:
            fail(
                "T103",
                f"the target `{target.name}` wants a column of {wanted}s, but `{column}` of `{dataset.name}` "
                f"is declared as `{declared.unit}`",
                hint="`date:` names the column of dates, `column:` the one of values",
            )
    table = dataset.table()
    dated = table.dropna(subset=[target.date_column]).sort_values(str(target.date_column), kind="stable")
    return [
        (day.date(), float(value)) for day, value in zip(dated[target.date_column], dated[target.column], strict=True)
    ]


def _windowed(target: TargetEntry, found: list[tuple[date, float]]) -> list[tuple[date, float]]:
    low, high = target.start or date.min, target.end or date.max
    return [(day, value) for day, value in found if low <= day <= high]


def _mistakes(
    target: TargetEntry, found: list[tuple[date, float]], time: TimeSpan | None
) -> list[tuple[str, str, str]]:
    """Code, message and hint of each thing that is wrong with a series."""
    mistakes = []
    seen = [(day, value) for day, value in found if not np.isnan(value)]
    if not seen:
        where = f" between {target.start or 'its beginning'} and {target.end or 'its end'}"
        mistakes.append(("T110", f"has no observation{where}", "look at `from:`, `to:`, and at the data"))
    twice = [day for day, count in Counter(day for day, _ in seen).items() if count > 1]
    if twice:
        mistakes.append(
            (
                "T112",
                f"has more than one value on {len(twice)} days, the first on {twice[0]}",
                "keep one a day; a series of several places needs a column for each",
            )
        )
    mistakes += _likelihood_mistakes(target, found)
    if time is not None:
        outside = [day for day, _ in seen if not time.start <= day <= time.end]
        if outside:
            mistakes.append(
                (
                    "T109",
                    f"has {len(outside)} values outside the study's time, the first on {outside[0]}",
                    f"the study runs from {time.start} to {time.end}: move its `time:`, or limit the target with "
                    "`from:` and `to:`",
                )
            )
    return mistakes


def _likelihood_mistakes(target: TargetEntry, found: list[tuple[date, float]]) -> list[tuple[str, str, str]]:
    """What the likelihood can not be asked about."""
    family = target.likelihood.family
    mistakes = []
    if target.likelihood.counts:
        missing = [day for day, value in found if np.isnan(value)]
        if missing:
            mistakes.append(
                (
                    "T108",
                    f"has {len(missing)} values missing, the first on {missing[0]}",
                    f"a missing count is not zero: leave the row out of the data, or out of the window; `{family}` "
                    "is for counts",
                )
            )
        odd = [(day, value) for day, value in found if value < 0 or (value == value and value != int(value))]
        if odd:
            mistakes.append(
                (
                    "T107",
                    f"has {odd[0][1]:g} on {odd[0][0]}, but `{family}` is for counts: whole numbers from 0 on",
                    "a share or a rate needs a normal or log_normal likelihood",
                )
            )
        trials = target.likelihood.arguments.get("trials")
        above = [(day, value) for day, value in found if isinstance(trials, float) and value > trials]
        if above:
            mistakes.append(
                ("T114", f"has {above[0][1]:g} on {above[0][0]}, more than its {trials:g} trials", "check `trials`")
            )
    elif target.likelihood.above_zero:
        low = [(day, value) for day, value in found if value <= 0]
        if low:
            mistakes.append(
                (
                    "T107",
                    f"has {low[0][1]:g} on {low[0][0]}, but `{family}` is for numbers above 0",
                    "take a normal or a count likelihood",
                )
            )
    return mistakes
