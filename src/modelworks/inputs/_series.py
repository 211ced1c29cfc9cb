"""A target's observations as arrays, and what may be wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelworks import units
from modelworks.errors import Letter, Letters, ModelworksError, counted, fail, near
from modelworks.inputs.catalogue import Catalogue, Dataset
from modelworks.inputs.likelihoods import ByDate, FromColumn

if TYPE_CHECKING:
    from modelworks.inputs.columns import Column
    from modelworks.inputs.study_file import TimeSpan
    from modelworks.inputs.targets import TargetEntry


class Row(NamedTuple):
    """One value; NaN where nothing was observed.

    Where it is `limited` only that is known that the true value lies below it. `arguments` are those of the
    likelihood that each value has its own of, `labels` the strata of the target's `by`.
    """

    day: date
    value: float
    limited: bool = False
    arguments: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


Observed: TypeAlias = list[Row]


@dataclass(frozen=True, slots=True)
class Series:
    """Observations in the order of time: `dates` and `values`, both (point,), in the target's unit.

    `limited` says of which only a limit is known; `arguments` are the likelihood's that each value has its own of;
    `labels` the strata it is of, in the order of the target's `by`.
    """

    dates: tuple[date, ...]
    values: NDArray[np.float64]
    limited: NDArray[np.bool_]
    arguments: Mapping[str, NDArray[np.float64]]
    labels: tuple[tuple[str, ...], ...]


def series_of(target: TargetEntry, catalogue: Catalogue) -> Series:
    """The observations of a target within its window; what was not observed is left out."""
    seen = _seen(_windowed(target, catalogue))
    return Series(
        tuple(row.day for row in seen),
        np.array([row.value for row in seen], dtype=float),
        np.array([row.limited for row in seen], dtype=bool),
        {name: np.array([row.arguments[k] for row in seen]) for k, name in enumerate(_own_arguments(target))},
        tuple(row.labels for row in seen),
    )


def _own_arguments(target: TargetEntry) -> dict[str, FromColumn | ByDate]:
    """The likelihood's arguments that each value has its own of."""
    given = target.likelihood.arguments
    return {name: value for name, value in given.items() if isinstance(value, (FromColumn, ByDate))}


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
    return [row for row in found if not np.isnan(row.value)]


def _windowed(target: TargetEntry, catalogue: Catalogue) -> Observed:
    """All that lies from `start` to `end`, in the order of time."""
    low, high = target.start or date.min, target.end or date.max
    found = _of_dataset(target, catalogue.dataset(target.dataset)) if target.dataset else _of_values(target)
    return sorted((row for row in found if low <= row.day <= high), key=lambda row: row.day)


def _of_values(target: TargetEntry) -> Observed:
    """The values written in the target itself, with arguments written by the same dates."""
    rows = []
    for day, value in target.values.items():
        arguments = []
        for name, given in _own_arguments(target).items():
            if isinstance(given, FromColumn) or day not in given.values:
                fail(
                    "T105",
                    f"the target `{target.name}` has no `{name}` for its value of {day}",
                    hint=f"write `{name}: {{{day}: 100, …}}` with a number for each date, as the values are",
                )
            arguments.append(given.values[day])
        rows.append(Row(day, value, day in target.limits, tuple(arguments)))
    return rows


def _of_dataset(target: TargetEntry, dataset: Dataset) -> Observed:
    """Columns of a dataset; a row without a date and without a value says nothing and is passed over."""
    values, days = str(target.column), str(target.date_column)
    _check_column(target, dataset, values, "number")
    _check_column(target, dataset, days, "date")
    for column in target.by.values():
        _check_column(target, dataset, column, "text")
    table = dataset.table()
    arguments = []
    for name, given in _own_arguments(target).items():
        if isinstance(given, ByDate):
            fail(
                "T105",
                f"the target `{target.name}` has its `{name}` by date, but its values from a dataset",
                hint=f"write `{name}: {{column: ...}}`",
            )
        _check_column(target, dataset, given.column, "number", of_values=False)
        arguments.append(given.column)
    undated = int((table[days].isna() & table[values].notna()).sum())
    if undated:
        fail("T108", f"the target `{target.name}` has {undated} values without a date", hint=f"look at `{days}`")
    table = table.dropna(subset=[days])
    seen = table[values].to_numpy(dtype=float)
    limits = np.full(len(table), np.nan)
    if target.below is not None:
        _check_column(target, dataset, target.below, "number")
        limits = table[target.below].to_numpy(dtype=float)
        _check_limits(target, seen, limits)
    limited = ~np.isnan(limits)
    beside = [table[column].to_numpy(dtype=float) for column in arguments]
    labels = [table[column].astype(str) for column in target.by.values()]
    return [
        Row(day.date(), float(value), bool(is_limit), tuple(map(float, own)), tuple(strata))
        for day, value, is_limit, own, strata in zip(
            table[days],
            np.where(limited, limits, seen),
            limited,
            zip(*beside, strict=True) if beside else [()] * len(table),
            zip(*labels, strict=True) if labels else [()] * len(table),
            strict=True,
        )
    ]


def _check_limits(target: TargetEntry, values: NDArray[np.float64], limits: NDArray[np.float64]) -> None:
    both = int((~np.isnan(values) & ~np.isnan(limits)).sum())
    if both:
        fail(
            "T119",
            f"the target `{target.name}` has {both} rows with both a value and a limit that it lies below",
            hint=f"`{target.column}` is empty where only the limit in `{target.below}` is known",
            file=target.at("below").file,
            line=target.at("below").line,
        )


def _check_column(target: TargetEntry, dataset: Dataset, name: str, wanted: str, *, of_values: bool = True) -> None:
    """The column is there, of the kind wanted; one of values or limits in the target's unit."""
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
    if wanted == "number" and of_values:
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
    what, days = f"the target `{target.name}`", [row.day for row in _seen(found)]
    if not days:
        window = f"between {target.start or 'its beginning'} and {target.end or 'its end'}"
        yield Letter("T110", f"{what} has no observation {window}", "look at `from:` and `to:`, and at the data")
    keys = Counter((row.day, row.labels) for row in _seen(found))
    twice = sorted({day for (day, _), number in keys.items() if number > 1})
    if twice:
        yield Letter(
            "T112",
            f"{what} has more than one value on {counted(len(twice), 'day')}, the first on {twice[0]}",
            "keep one a day; of a series of several places `by:` names the column that says the place",
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
    missing = [row.day for row in found if np.isnan(row.value)]
    if missing and target.likelihood.counts and not target.skips_missing:
        yield Letter(
            "T108",
            f"{what} has {counted(len(missing), 'value')} missing, the first on {missing[0]}",
            f"a missing count is not zero, and `{family}` is for counts: write `missing: skip` where nobody counted, "
            "or `below:` with the column of limits where few were",
        )
    for row in _seen(found):
        if target.likelihood.counts and (row.value < 0 or row.value != int(row.value)):
            rule, hint = "counts: whole numbers from 0 on", "a share or a rate needs a normal or log_normal likelihood"
        elif target.likelihood.counts and row.limited and row.value < 1:
            rule, hint = "counts, of which none lies below 0", "fewer than 5 is `<5`"
        elif target.likelihood.above_zero and row.value <= 0:
            rule, hint = "numbers above 0", "take a normal likelihood, or one for counts"
        else:
            continue
        shown = f"{'<' if row.limited else ''}{row.value:g}"
        yield Letter("T107", f"{what} has {shown} on {row.day}, but `{family}` is for {rule}", hint)
        break
    yield from _about_arguments(target, found)


def _about_arguments(target: TargetEntry, found: Observed) -> Iterator[Letter]:
    """Arguments beside the values that can not be, and more who had it than were examined."""
    what, own = f"the target `{target.name}`", list(_own_arguments(target))
    for row in _seen(found):
        for name, value in zip(own, row.arguments, strict=True):
            if not value > 0 or (name == "trials" and value != int(value)):
                rule = "a whole number above 0" if name == "trials" else "above 0"
                message = f"{what} has a `{name}` of {value:g} on {row.day}, but must be {rule}"
                yield Letter("T105", message, "correct the data, or leave the row out")
                return
    fixed = target.likelihood.arguments.get("trials")
    for row in _seen(found):
        trials = row.arguments[own.index("trials")] if "trials" in own else fixed
        if isinstance(trials, float) and row.value > trials:
            message = f"{what} has {row.value:g} on {row.day}, more than its {trials:g} trials"
            yield Letter("T114", message, "check `trials`")
            return
