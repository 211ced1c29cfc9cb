"""Where targets.yaml and its data meet the outputs of the model: each value beside what the model says of it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import combinations, pairwise
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from modelworks import units
from modelworks.calibration import Target
from modelworks.dates import Calendar
from modelworks.errors import Letters, ModelworksError, counted, fail, near
from modelworks.inputs import WEEKDAYS, Series, StudyInputs, TargetEntry
from modelworks.model import OutputColumn, output_columns
from modelworks.study.binding._model_file import AnyModel

Array = NDArray[np.float64]

# How long each `covers` is, in days, to be compared.
LENGTHS = {"instant": 0, "day": 1, "week": 7, "month": 30, "year": 365}
DAYS_OF_WEEK = len(WEEKDAYS)
# Days on which two series have the same values by chance are fewer than this.
MANY = 3


@dataclass(frozen=True)
class Observations:
    """One target's data laid beside the model's time; of categories, all of one before those of the next.

    `columns` are the outputs that the points look at and `names` what they are shown as; all the same but for
    categories. `starts` and `ends` (point,) are model times; equal for a value at an instant. `values` are as
    observed, a limit where they are `limited`; `included` says which the calibration may see. `arguments` are
    the likelihood's that each point has its own of, `multipliers` the parameters that its prediction is multiplied by.
    """

    entry: TargetEntry
    columns: tuple[str, ...]
    names: tuple[str, ...]
    dates: tuple[date, ...]
    starts: Array
    ends: Array
    values: Array
    included: NDArray[np.bool_]
    factor: float
    limited: NDArray[np.bool_]
    arguments: Mapping[str, Array] = field(default_factory=dict)
    multipliers: tuple[str, ...] | None = None

    @property
    def exact(self) -> Array:
        """The values (point,); NaN where only a limit is known."""
        return np.where(self.limited, np.nan, self.values)

    @property
    def is_the_output(self) -> bool:
        """Whether what is expected is the output itself, at any time, and not a count out of trials, say."""
        own = self.multipliers is None and not self.entry.likelihood.categories
        return own and "trials" not in self.entry.likelihood.arguments

    @property
    def labels(self) -> list[str]:
        """What each value that the calibration may see is called: its date, and which of several it is."""
        several = len(set(self.names)) > 1
        return [
            f"{day.isoformat()} ({name})" if several else day.isoformat()
            for day, name, seen in zip(self.dates, self.names, self.included, strict=True)
            if seen
        ]

    def of(self, name: str) -> NDArray[np.bool_]:
        """Which points are shown under a name."""
        return np.array([each == name for each in self.names])


def target_of(observed: Observations, times: Array, chosen: NDArray[np.bool_]) -> Target:
    """Some of the observations as a calibration takes them."""
    entry, points = observed.entry, np.flatnonzero(chosen)
    arguments: dict[str, float | str | Array] = {
        name: value for name, value in entry.likelihood.arguments.items() if isinstance(value, (float, str))
    }
    arguments |= {name: values[chosen] for name, values in observed.arguments.items()}
    if entry.likelihood.categories:
        arguments["categories"] = float(len(set(observed.names)))
    return Target(
        name=entry.name,
        output=[observed.columns[k] for k in points],
        observed=observed.values[chosen],
        weights=observed.factor * weights(observed, times, chosen),
        likelihood=entry.likelihood.family,
        arguments=arguments,
        censored=observed.limited[chosen],
        multipliers=None if observed.multipliers is None else [observed.multipliers[k] for k in points],
        weight=entry.weight,
    )


def weights(observed: Observations, times: Array, chosen: NDArray[np.bool_]) -> Array:
    """Which rows of the model's outputs make up each observation, shape (point, time).

    A count of events is the sum over the rows after its start, up to its end; a stock is its one row.
    """
    starts, ends = observed.starts[chosen, None], observed.ends[chosen, None]
    tolerance = 1e-9 * np.maximum(1.0, np.abs(times))
    reached = times <= ends + tolerance
    after = times > starts + tolerance
    counted = np.where(starts == ends, np.abs(times - ends) <= tolerance, reached & after)
    return counted.astype(float)


def bind_observations(inputs: StudyInputs, model: AnyModel, calendar: Calendar, letters: Letters) -> list[Observations]:
    """Every target's observations, with a letter for each target that does not fit the model."""
    found = []
    columns = {column.name: column for column in output_columns(model, calendar)}
    for entry in inputs.targets.values():
        known = {column.output: None for column in columns.values()} if entry.by else columns
        if entry.output not in known:
            letters.add(
                "T201",
                f"the target `{entry.name}` looks at an output `{entry.output}`, which `{model.name}` does not have",
                hint=near(entry.output, known),
                file=entry.at("output").file,
                line=entry.at("output").line,
            )
            continue
        try:
            series = _series(entry, inputs, letters)
            # That a series is empty was told with the files.
            if series is not None and series.dates:
                for one, part, its in _by_strata(entry, series, list(columns.values())):
                    found.append(_observation(one, part, inputs, model, its, calendar))
        except ModelworksError as error:
            letters.extend(letter if letter.file else letter.at(entry.file, entry.line) for letter in error.letters)
    return found


def _series(entry: TargetEntry, inputs: StudyInputs, letters: Letters) -> Series | None:
    """The observations; None where they can not be read, which whoever read the files told of."""
    try:
        return entry.series(inputs.catalogue)
    except ModelworksError:
        if not letters:
            raise
        return None


def _by_strata(
    entry: TargetEntry, series: Series, columns: Sequence[OutputColumn]
) -> Iterator[tuple[TargetEntry, Series, tuple[OutputColumn, ...]]]:
    """A target by strata as one for each stratum that has data, or as one of categories; any other as it is.

    With each comes the column that each of its points looks at.
    """
    if not entry.by:
        column = next(each for each in columns if each.name == entry.output)
        yield entry, series, (column,) * len(series.dates)
        return
    by = {_labels(column, entry): column for column in columns if column.output == entry.output}
    if None in by:
        _fail_of(
            entry, f"is by {', '.join(entry.by)}, but `{entry.output}` is not", "name the stratifications it is by"
        )
    strange = next((labels for labels in series.labels if labels not in by), None)
    if strange is not None:
        hint = near(strange[0], dict.fromkeys(each[0] for each in by if each is not None))
        _fail_of(entry, f"has values of {', '.join(strange)}, which the model does not have", hint)
    if entry.likelihood.categories:
        yield entry, *_categories(entry, series, {labels[0]: each for labels, each in by.items() if labels})
        return
    for labels, column in by.items():
        points = [k for k, each in enumerate(series.labels) if each == labels]
        if points and labels is not None:
            said = ", ".join(labels)
            one = replace(entry, name=f"{entry.name}[{said}]", title=f"{entry.title}, {said}", output=column.name)
            yield one, _part(series, points), (column,) * len(points)


def _labels(column: OutputColumn, entry: TargetEntry) -> tuple[str, ...] | None:
    """The strata of a column in the order of the target's `by`; None where these are not its stratifications."""
    strata = dict(column.strata)
    return tuple(strata[name] for name in entry.by) if set(strata) == set(entry.by) else None


def _categories(
    entry: TargetEntry, series: Series, by: Mapping[str, OutputColumn]
) -> tuple[Series, tuple[OutputColumn, ...]]:
    """All points of the first category, then those of the next; days on which nobody was counted are left out."""
    days = sorted(set(series.dates))
    place = {(day, labels[0]): k for k, (day, labels) in enumerate(zip(series.dates, series.labels, strict=True))}
    lacking = next(((day, label) for day in days for label in by if (day, label) not in place), None)
    if lacking is not None:
        _fail_of(
            entry,
            f"has no value of `{lacking[1]}` on {lacking[0]}, where it has others",
            "where others were counted and this was not among them write 0; a day on which nobody counted has no row",
        )
    counted_on = [day for day in days if sum(series.values[place[day, label]] for label in by) > 0]
    if not counted_on:
        _fail_of(entry, "has counted nobody on any day", "look at its column and its window")
    points = [place[day, label] for label in by for day in counted_on]
    trials = [sum(series.values[place[day, label]] for label in by) for day in counted_on]
    part = _part(series, points)
    part = replace(part, arguments={**part.arguments, "trials": np.array(trials * len(by), dtype=float)})
    return part, tuple(column for column in by.values() for _ in counted_on)


def _part(series: Series, points: Sequence[int]) -> Series:
    chosen = np.array(points, dtype=np.intp)
    return Series(
        tuple(series.dates[k] for k in points),
        series.values[chosen],
        series.limited[chosen],
        {name: values[chosen] for name, values in series.arguments.items()},
        tuple(series.labels[k] for k in points),
    )


def _fail_of(entry: TargetEntry, message: str, hint: str) -> NoReturn:
    place = entry.at("by")
    fail("T210", f"the target `{entry.name}` {message}", hint=hint, file=place.file, line=place.line)


def _observation(
    entry: TargetEntry,
    series: Series,
    inputs: StudyInputs,
    model: AnyModel,
    columns: Sequence[OutputColumn],
    calendar: Calendar,
) -> Observations:
    column = columns[0]
    counting = column.counts_events
    spans = [period(day, entry.covers, dated_end=entry.dated == "end") for day in series.dates]
    letters = Letters()
    if counting:
        once = dict(zip(series.dates, spans, strict=True))
        _about_periods(entry, list(once), list(once.values()), letters)
    _about_likelihood(entry, inputs, letters)
    factor = _factor_of(entry, model.series[column.output].unit)
    starts = np.array([calendar.number(a) for a, _ in spans])
    ends = np.array([calendar.number(b) for _, b in spans])
    if not counting:
        starts = ends = (starts + ends) / 2
    time = inputs.study.time
    begin, finish = calendar.number(time.start), calendar.number(time.end)
    outside = [
        day.isoformat()
        for day, a, b in zip(series.dates, starts, ends, strict=True)
        # A date that is itself outside is told with the files.
        if (a < begin or b > finish) and time.start <= day <= time.end
    ]
    if outside:
        letters.add(
            "T203",
            f"the target `{entry.name}` has {counted(len(outside), 'value')} outside the model's time, "
            f"the first on {outside[0]}",
            hint=f"the model runs from {time.start} to {time.end}: move `time:` in "
            "study.yaml, or limit the target with `from:` and `to:`",
            file=entry.at("values", "dataset").file,
            line=entry.at("values", "dataset").line,
        )
    letters.raise_if_any()
    until = inputs.study.calibration.until
    # A period is seen whole on its last day, the one before its end; that day counts as `until` does.
    last = [a if a == b else b - timedelta(days=1) for a, b in spans]
    included = np.array([until is None or day <= until for day in last], dtype=bool)
    multipliers, times = _multipliers(entry, series, inputs)
    names = tuple(f"{entry.name}[{labels[0]}]" for labels in series.labels) if entry.likelihood.categories else ()
    return Observations(
        entry,
        tuple(each.name for each in columns),
        names or (entry.name,) * len(columns),
        tuple(series.dates),
        starts,
        ends,
        series.values,
        included,
        times * factor,
        series.limited,
        dict(series.arguments),
        multipliers,
    )


def _multipliers(entry: TargetEntry, series: Series, inputs: StudyInputs) -> tuple[tuple[str, ...] | None, float]:
    """The effect of each point's weekday, and what makes one of all days that are alike."""
    if entry.weekday is None:
        return None, 1.0
    names = tuple(f"{entry.weekday}[{WEEKDAYS[day.weekday()]}]" for day in series.dates)
    known = inputs.parameters.reads(entry.weekday)
    # The share of a week that falls on a day is held against the seventh part that would if all were alike.
    return names, DAYS_OF_WEEK if known and _is_share(inputs.parameters.of(entry.weekday).unit) else 1.0


def _is_share(unit: str) -> bool:
    return unit.strip().lower() in ("proportion", "fraction", "probability")


def _about_periods(
    entry: TargetEntry, days: Sequence[date], spans: Sequence[tuple[date, date]], letters: Letters
) -> None:
    """Counts are over a time, each over its own, and over the one that their dates say."""
    if entry.covers == "instant":
        letters.add(
            "T202",
            f"`{entry.output}` counts events, but the target `{entry.name}` does not say over which time",
            hint="add `covers: day`, `week`, `month` or `year`",
            file=entry.at("covers", "output").file,
            line=entry.at("covers", "output").line,
        )
    overlapping = [b[0] for a, b in pairwise(spans) if a[0] < b[0] < a[1]]
    if overlapping:
        letters.add(
            "T205",
            f"the target `{entry.name}` counts over a {entry.covers}, but {len(overlapping)} of its values begin "
            f"before the one before is over, the first on {overlapping[0]}",
            hint="`covers:` is the time that one value counts over; of moving sums keep every one that stands alone",
            file=entry.at("covers").file,
            line=entry.at("covers").line,
        )
    said = spacing(days)
    if 0 < LENGTHS[entry.covers] < LENGTHS[said]:
        letters.add(
            "T207",
            f"the target `{entry.name}` says that a value counts over a {entry.covers}, but its dates are a {said} "
            "apart",
            hint=f"write `covers: {said}`; where a single {entry.covers} of each {said} was counted, make the output "
            "a rate, and the target one of an instant",
            file=entry.at("covers").file,
            line=entry.at("covers").line,
        )


def _factor_of(entry: TargetEntry, given: str) -> float:
    """What turns an output into the unit of its target."""
    try:
        return units.parse(given).factor_to(units.parse(entry.unit))
    except ModelworksError as error:
        said = f"the target `{entry.name}` is in `{entry.unit}`, and its output `{entry.output}` in `{given}`"
        hint = "write the unit that the data are in, or name an output of the same kind"
        told = (replace(each, message=f"{said}: {each.message}", hint=hint) for each in error.letters)
        raise ModelworksError([letter.at(*entry.at("unit")) for letter in told]) from error


def spacing(days: Sequence[date]) -> str:
    """How far apart the dates of a series lie: a week, a month or a year where all of them say so, else an instant.

    Some may be missing. Two dates say nothing: any two lie some number of days apart.

    >>> spacing([date(2021, 1, 4), date(2021, 1, 11), date(2021, 1, 25)])
    'week'
    """
    gaps = [(b - a).days for a, b in pairwise(days)]
    if len(gaps) < 2:
        return "instant"
    if min(gaps) == 7 and all(gap % 7 == 0 for gap in gaps):
        return "week"
    # The first or the last day of each month, or any one day.
    firsts, lasts = {day.day for day in days}, {(day + timedelta(days=1)).day for day in days}
    if len(firsts) == 1 or lasts == {1}:
        return "year" if len({day.month for day in days}) == 1 else "month"
    return "instant"


def check_twice(observations: Sequence[Observations], letters: Letters) -> None:
    """No value is held against the model by two targets: it would count twice.

    It is the same value where it is of the same column of a dataset, and where all that two targets have of the same
    days is the same.
    """
    for one, other in combinations(observations, 2):
        if one.entry.place == other.entry.place:
            continue  # strata of one target
        mine, theirs = _values_by_place(one), _values_by_place(other)
        both = sorted(mine.keys() & theirs.keys())
        if not both:
            continue
        column = (one.entry.dataset, one.entry.column)
        if one.entry.dataset is not None and column == (other.entry.dataset, other.entry.column):
            what = f"both take `{one.entry.column}` of `{one.entry.dataset}`"
        elif len(both) >= MANY and all(mine[at] == theirs[at] for at in both) and len({mine[at] for at in both}) > 1:
            what = f"have the same values of `{one.entry.output}`"
        else:
            continue
        letters.add(
            "T208",
            f"the targets `{one.entry.name}` and `{other.entry.name}` {what} on {counted(len(both), 'day')}, the first "
            f"on {both[0][0]}: each value would count twice",
            hint="remove one of them, or part them with `from:` and `to:`",
            file=other.entry.file,
            line=other.entry.line,
        )


def _values_by_place(observed: Observations) -> dict[tuple[date, str], float]:
    """The value of each day and output."""
    places = zip(observed.dates, observed.columns, strict=True)
    return dict(zip(places, observed.values.tolist(), strict=True))


def period(day: date, covers: str, *, dated_end: bool) -> tuple[date, date]:
    """The first day of what a value stands for, and the first day after it.

    >>> period(date(2021, 1, 4), "week", dated_end=False)
    (datetime.date(2021, 1, 4), datetime.date(2021, 1, 11))
    """
    if covers == "instant":
        return day, day
    days = {"day": 1, "week": 7}.get(covers)
    if dated_end:
        after = day + timedelta(days=1)
        return _back(after, covers) if days is None else after - timedelta(days=days), after
    return day, _ahead(day, covers) if days is None else day + timedelta(days=days)


def _ahead(day: date, covers: str) -> date:
    return _moved(day, 1 if covers == "month" else 12)


def _back(day: date, covers: str) -> date:
    return _moved(day, -1 if covers == "month" else -12)


def _moved(day: date, months: int) -> date:
    """The same day some months away, or the last of that month where it is shorter."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _about_likelihood(entry: TargetEntry, inputs: StudyInputs, letters: Letters) -> None:
    """A parameter of a likelihood is taken as it stands in the files, so its unit is the likelihood's own."""
    for argument, name in entry.likelihood.arguments.items():
        if not isinstance(name, str) or not inputs.parameters.reads(name):
            continue
        parameter = inputs.parameters.of(name)
        wanted = units.parse({"sd": entry.unit, "trials": "people"}.get(argument, "dimensionless"))
        given = units.parse(parameter.unit)
        # Trials may be people, or a number without a unit.
        fits = given.fits(wanted) or (argument == "trials" and given.time == 0)
        if not fits or given.factor != wanted.factor:
            letters.add(
                "T204",
                f"`{name}` is in `{parameter.unit}`, but the target `{entry.name}` takes it as its `{argument}`, "
                f"in `{wanted.text}`",
                hint=f"give `{name}` in `{wanted.text}`, with its value or prior",
                file=parameter.file,
                line=parameter.line,
            )
