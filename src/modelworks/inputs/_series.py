"""A target's observations as arrays, and what may be wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelworks import units
from modelworks.errors import Letter, Letters, ModelworksError, counted, fail, near
from modelworks.inputs.catalogue import Catalogue, Dataset

if TYPE_CHECKING:
    from modelworks.inputs.columns import Column
    from modelworks.inputs.study_file import TimeSpan
    from modelworks.inputs.targets import TargetEntry

# Dates with values; NaN where nothing was observed.
Observed: TypeAlias = list[tuple[date, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """Observations in the order of time: `dates` and `values`, both (point,), in the target's unit."""

    dates: tuple[date, ...]
    values: NDArray[np.float64]


def series_of(target: TargetEntry, catalogue: Catalogue) -> Series:
    """The observations of a target within its window; what was not observed is left out."""
    seen = _seen(_windowed(target, catalogue))
    return Series(tuple(day for day, _ in seen), np.array([value for _, value in seen], dtype=float))


def check_series(target: TargetEntry, catalogue: Catalogue, time: TimeSpan | None, letters: Letters) -> None:
    """Whether a target's data are there, fit its likelihood, and lie in the time of the study."""
    try:
        found = _windowed(target, catalogue)
    except ModelworksError as error:
        letters.extend(letter if letter.file else letter.at(*target.place) for letter in error.letters)
        return
    for letter in (*_about_days(target, found, time), *_about_values(target, found)):
        letters.extend([letter if letter.file else letter.at(*target.place)])


def _seen(found: Observed) -> Observed:
    return [(day, value) for day, value in found if not np.isnan(value)]


def _windowed(target: TargetEntry, catalogue: Catalogue) -> Observed:
    """All that lies from `start` to `end`, in the order of time."""
    low, high = target.start or date.min, target.end or date.max
    found = _of_dataset(target, catalogue.dataset(target.dataset)) if target.dataset else list(target.values.items())
    return sorted(((day, value) for day, value in found if low <= day <= high), key=lambda pair: pair[0])


def _of_dataset(target: TargetEntry, dataset: Dataset) -> Observed:
    """Two columns of a dataset; a row without a date and without a value says nothing and is passed over."""
    values, days = str(target.column), str(target.date_column)
    _check_column(target, dataset, values, "number")
    _check_column(target, dataset, days, "date")
    table = dataset.table()
    undated = int((table[days].isna() & table[values].notna()).sum())
    if undated:
        fail("T108", f"the target `{target.name}` has {undated} values without a date", hint=f"look at `{days}`")
    dated = table.dropna(subset=[days])
    return [(day.date(), float(value)) for day, value in zip(dated[days], dated[values], strict=True)]


def _check_column(target: TargetEntry, dataset: Dataset, name: str, wanted: str) -> None:
    declared = dataset.columns.get(name)
    place = target.at("date" if wanted == "date" else "column")
    if declared is None:
        fail(
            "T103",
            f"the target `{target.name}` wants a column `{name}`, which `{dataset.name}` does not have",
            hint=near(name, dataset.columns),
            file=place.file,
            line=place.line,
        )
    if declared.kind != wanted:
        fail(
            "T103",
            f"the target `{target.name}` wants a column of {wanted}s, but the unit of `{name}` is `{declared.unit}`",
            hint="`date:` names the column of dates, `column:` the one of values",
            file=place.file,
            line=place.line,
        )
    if wanted == "number":
        _check_unit(target, declared)


def _check_unit(target: TargetEntry, column: Column) -> None:
    """Values are taken as they stand in the column, so its unit is the target's."""
    here, there = units.parse(target.unit), units.parse(column.unit)
    if not there.fits(here) or there.factor != here.factor:
        fail(
            "T116",
            f"the target `{target.name}` is in `{target.unit}`, but the column `{column.name}` in `{column.unit}`",
            hint=f"write `unit: {column.unit}` for the target, or correct the catalogue",
            file=target.at("unit").file,
            line=target.at("unit").line,
        )


def _about_days(target: TargetEntry, found: Observed, time: TimeSpan | None) -> Iterator[Letter]:
    """No observation, two for one day, or one outside the study's time."""
    what, days = f"the target `{target.name}`", [day for day, _ in _seen(found)]
    if not days:
        window = f"between {target.start or 'its beginning'} and {target.end or 'its end'}"
        yield Letter("T110", f"{what} has no observation {window}", "look at `from:` and `to:`, and at the data")
    twice = [day for day, number in Counter(days).items() if number > 1]
    if twice:
        yield Letter(
            "T112",
            f"{what} has more than one value on {counted(len(twice), 'day')}, the first on {twice[0]}",
            "keep one a day; a series of several places needs a column for each",
        )
    outside = [] if time is None else [day for day in days if not time.start <= day <= time.end]
    if outside and time is not None:
        yield Letter(
            "T109",
            f"{what} has {counted(len(outside), 'value')} outside the study's time, the first on {outside[0]}",
            f"the study runs from {time.start} to {time.end}: move its `time:`, or limit the target with "
            "`from:` and `to:`",
            *target.at("values", "dataset"),
        )


def _about_values(target: TargetEntry, found: Observed) -> Iterator[Letter]:
    """Values that the likelihood can not be asked about."""
    what, family = f"the target `{target.name}`", target.likelihood.family
    missing = [day for day, value in found if np.isnan(value)]
    if missing and target.likelihood.counts:
        yield Letter(
            "T108",
            f"{what} has {counted(len(missing), 'value')} missing, the first on {missing[0]}",
            f"a missing count is not zero, and `{family}` is for counts: leave the row out of the data, or limit "
            "the target with `from:` and `to:`",
        )
    for day, value in _seen(found):
        if target.likelihood.counts and (value < 0 or value != int(value)):
            rule, hint = "counts: whole numbers from 0 on", "a share or a rate needs a normal or log_normal likelihood"
        elif target.likelihood.above_zero and value <= 0:
            rule, hint = "numbers above 0", "take a normal likelihood, or one for counts"
        else:
            continue
        yield Letter("T107", f"{what} has {value:g} on {day}, but `{family}` is for {rule}", hint)
        break
    trials = target.likelihood.arguments.get("trials")
    above = [(day, value) for day, value in found if isinstance(trials, float) and value > trials]
    if above:
        day, value = above[0]
        yield Letter("T114", f"{what} has {value:g} on {day}, more than its {trials:g} trials", "check `trials`")
