"""Where a study's files meet the model: names, units, bounds and dates must fit, or file and line are told.

The model declares what it needs and knows no files; the files know no model. Both are brought
together here, and every mistake of the meeting is collected.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks import units
from modelworks.calibration import Prior, Target
from modelworks.dates import Calendar
from modelworks.errors import Letters, ModelworksError, counted, near
from modelworks.inputs import ParameterEntry, PriorEntry, Series, StudyInputs, TargetEntry, check_files
from modelworks.model import (
    CompiledModel,
    Model,
    OutputColumn,
    longest_stable_step,
    output_columns,
    settle_step,
)
from modelworks.study._model_file import ModelFile, load_model
from modelworks.study._parameters import BoundParameters, bind_parameters
from modelworks.study._questions import check_figures, check_quantities, check_scenario_models, check_scenarios, grid
from modelworks.study._scaled import ScaledModel

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# The solver's error wanted in any output, as a part of the output's largest value: far below what
# any likelihood can tell, and still reached in milliseconds.
ACCURACY = 1e-5
# So many draws of the priors are looked at for the fastest rates. It takes a tenth of a second.
DRAWS_TRIED = 64
# Events per person now living add up but for the change of their number within a row; a share of events
# doubles with the rows.
UNEVEN = 0.1
# How long each `covers` is, in days, to be compared.
LENGTHS = {"instant": 0, "day": 1, "week": 7, "month": 30, "year": 365}


@dataclass(frozen=True)
class Observations:
    """One target's data laid beside the model's time.

    `starts` and `ends` (point,) are model times; equal for a value at an instant. `values` are as
    observed; `included` says which the calibration may see.
    """

    entry: TargetEntry
    column: str
    dates: tuple[date, ...]
    starts: Array
    ends: Array
    values: Array
    included: NDArray[np.bool_]
    factor: float


@dataclass(frozen=True)
class BoundStudy:
    """A study whose files fit its model."""

    inputs: StudyInputs
    file: ModelFile
    calendar: Calendar
    data: Mapping[str, pd.DataFrame]
    parameters: BoundParameters
    observations: tuple[Observations, ...]

    @property
    def factors(self) -> Mapping[str, float]:
        """What turns each parameter's unit into the model's."""
        return self.parameters.factors

    @property
    def priors(self) -> Mapping[str, Prior]:
        """The parameters to find that are believed in one by one; see `free`."""
        return self.parameters.priors

    @property
    def fixed(self) -> Mapping[str, float]:
        return self.parameters.fixed

    @property
    def free(self) -> tuple[str, ...]:
        """Every parameter to find: those with a prior, then the members of groups."""
        return self.parameters.beliefs.free

    @property
    def name(self) -> str:
        return self.inputs.folder.name

    @property
    def model(self) -> Model:
        return self.file.model

    @property
    def names(self) -> tuple[str, ...]:
        """Every parameter of the study: those to find, then those with a value."""
        return self.parameters.beliefs.names

    def entry(self, name: str) -> ParameterEntry:
        """What the files say of a parameter, or of its group."""
        return self.parameters.entries[name]

    def members(self, name: str) -> tuple[str, ...]:
        """The parameters that a name of the files stands for: itself, or the members of its group."""
        return tuple(each for each in self.names if each == name or each.startswith(f"{name}["))

    @cached_property
    def report_times(self) -> Array:
        """Model times of the study's reported outputs, from its start to its end."""
        time = self.inputs.study.time
        return grid(self.calendar.number(time.start), self.calendar.number(time.end), float(time.every))

    def in_words(self) -> str:
        points = sum(int(o.included.sum()) for o in self.observations)
        return (
            f"model {self.model.name}, {counted(len(self.free), 'parameter')} to find, {len(self.fixed)} fixed, "
            f"{counted(len(self.observations), 'target')} with {counted(points, 'value')}, "
            f"{counted(len(self.inputs.study.scenarios), 'scenario')}"
        )

    def summary(self) -> dict[str, Any]:
        return {
            "study": self.name,
            "model": self.model.name,
            "free_parameters": list(self.free),
            "fixed_parameters": dict(self.fixed),
            "targets": {o.entry.name: int(o.included.sum()) for o in self.observations},
            "scenarios": list(self.inputs.study.scenarios),
        }

    def belief(self, name: str) -> str:
        """What is believed of a parameter, in words; with the interval it was stated by."""
        if name in self.fixed:
            return f"{self.fixed[name]:g}"
        if name not in self.priors:
            return next(group.in_words() for group in self.parameters.groups if name in group.members)
        words, prior = self.priors[name].in_words(), self.entry(name).prior
        stated = prior.stated if isinstance(prior, PriorEntry) else ""
        cut = " before the cut" if ", cut at" in words else ""
        return f"{words} ({stated}{cut})" if stated else words

    def support(self, name: str) -> tuple[float, float]:
        """Between which values a parameter to find lies."""
        if name in self.priors:
            return self.priors[name].support
        return next(group.support for group in self.parameters.groups if name in group.members)

    def centre(self) -> Array:
        """The middle of what is believed: each prior's median, each fixed value; in the order of `names`."""
        return np.array(list(self.parameters.centre.values()), dtype=float)

    def spread(self) -> Array:
        """What is believed, far and wide: always the same draws of the priors, shape (draw, name), as in `names`."""
        draws = self.prior_draws(np.random.default_rng(0), DRAWS_TRIED)
        return np.column_stack([draws[name] for name in self.names]) if self.names else np.zeros((1, 0))

    def prior_draws(self, key: np.random.Generator, number: int) -> dict[str, Array]:
        """Independent draws of what is believed, each parameter's as an array (draw,); the fixed ones repeated."""
        beliefs = self.parameters.beliefs
        return dict(zip(beliefs.names, beliefs.everything(beliefs.sample(key, number)).T, strict=True))

    def compiled(self, times: Array, data: Mapping[str, pd.DataFrame] | None = None) -> ScaledModel:
        """The model for some output times, its step settled at the centre of the priors and stable all over them."""
        if data is None:
            compiled = self._compiled.at(times)
        else:
            model = load_model(self.file.path, data, self.shown_model, self.inputs.repository.root).model
            compiled = CompiledModel(model, times, calendar=self.calendar)
        scaled = ScaledModel(compiled, self.names, self.factors)
        spread = np.array([scaled.given(row) for row in self.spread()])
        compiled.with_step(min(compiled.step, longest_stable_step(compiled, spread)))
        scaled.accuracy = settle_step(compiled, scaled.given(self.centre()), ACCURACY)
        return scaled

    @cached_property
    def _compiled(self) -> CompiledModel:
        return CompiledModel(self.model, self.report_times, calendar=self.calendar)

    @property
    def shown_model(self) -> str:
        return str(self.inputs.study.model)

    def calibration_times(self) -> Array:
        """Where the model is looked at while it is calibrated: the ends of every observation."""
        ends = [time for o in self.observations for time in (*o.starts, *o.ends)]
        return np.unique(np.concatenate([[self.calendar.number(self.inputs.study.time.start)], ends]))

    def targets(self, compiled: ScaledModel, *, every: bool = False) -> list[Target]:
        """The observations as the calibration takes them; with `every`, also those it may not see."""
        found = []
        for each in self.observations:
            chosen = np.ones_like(each.included) if every else each.included
            if chosen.any():
                found.append(
                    Target(
                        name=each.entry.name,
                        output=each.column,
                        observed=each.values[chosen],
                        weights=each.factor * weights(each, compiled.compiled, chosen),
                        likelihood=each.entry.likelihood.family,
                        arguments=dict(each.entry.likelihood.arguments),
                    )
                )
        return found

    def check_sums(self, model: ScaledModel) -> None:
        """What a target counts over a period is the same however that time is cut; T206 where it is not.

        A share of events, say, is summed over as many rows as other targets happen to cut the period into.
        """
        times = model.times
        finer = model.compiled.at(np.sort(np.concatenate([times, (times[1:] + times[:-1]) / 2])))
        finer.with_step(model.compiled.step)
        values = model.given(self.centre())
        letters = Letters()
        for each in self.observations:
            if (each.starts == each.ends).all():
                continue
            column, every = model.outputs.index(each.column), np.ones_like(each.included)
            found, cut = (
                weights(each, compiled, every) @ compiled.run(values)[:, column] for compiled in (model.compiled, finer)
            )
            if (np.abs(cut - found) > UNEVEN * np.abs(found).max()).any():
                letters.add(
                    "T206",
                    f"the target `{each.entry.name}` counts `{each.column}` over a {each.entry.covers}, but its sum is "
                    "another when the same time is cut into more rows: it does not add up over time",
                    hint="divide by people, not by events; or take the events themselves as the output, and a count "
                    "of them as the target",
                    file=each.entry.file,
                    line=each.entry.line,
                )
        letters.raise_if_any()


def bind(folder: Path) -> BoundStudy:
    """Read a study and fit it to its model; a `ModelworksError` with every mistake otherwise."""
    inputs, found = check_files(folder)
    letters = Letters(list(found))
    if inputs is None:
        raise ModelworksError(found)
    try:
        data = _tables(inputs)
    except ModelworksError as error:
        # They leave no model to hold the other files against; who read the files told of them, and where.
        raise ModelworksError(found or error.letters) from error
    try:
        root = inputs.repository.root
        file = load_model(root / inputs.study.model, data, inputs.study.model, root)
    except ModelworksError as error:
        letters.extend(letter for letter in error.letters if letter not in letters.collected)
        raise ModelworksError(letters) from error
    calendar = _calendar(inputs, file.model, letters)
    parameters = bind_parameters(inputs, file.model, letters)
    observations = _observations(inputs, file.model, calendar, letters)
    check_twice(observations, letters)
    check_scenarios(inputs, file.model, parameters, letters)
    check_quantities(inputs, file.model, calendar, letters)
    check_figures(inputs, file.model, calendar, letters)
    if not letters:
        # Each is a model to build, which waits until the study's own is sound.
        check_scenario_models(inputs, file, data, calendar, letters)
    if letters:
        raise ModelworksError(dict.fromkeys(letters))
    return BoundStudy(inputs, file, calendar, data, parameters, tuple(observations))


def weights(observed: Observations, compiled: CompiledModel, chosen: NDArray[np.bool_]) -> Array:
    """Which rows of the model's outputs make up each observation, shape (point, time).

    A count of events is the sum over the rows after its start, up to its end; a stock is its one row.
    """
    times = compiled.times
    starts, ends = observed.starts[chosen, None], observed.ends[chosen, None]
    tolerance = 1e-9 * np.maximum(1.0, np.abs(times))
    reached = times <= ends + tolerance
    after = times > starts + tolerance
    counted = np.where(starts == ends, np.abs(times - ends) <= tolerance, reached & after)
    return counted.astype(float)


def _tables(inputs: StudyInputs) -> dict[str, pd.DataFrame]:
    known = {name: dataset for name, dataset in inputs.study.data.items() if dataset in inputs.catalogue}
    return {name: inputs.catalogue[dataset].table() for name, dataset in known.items()}


def _calendar(inputs: StudyInputs, model: Model, letters: Letters) -> Calendar:
    time = inputs.study.time
    if time.unit != model.time:
        file, line = inputs.study.place("time")
        letters.add(
            "Y201",
            f"the study counts time in {time.unit}, but the model `{model.name}` in {model.time}",
            hint=f"write `unit: {model.time}` under `time:`",
            file=file,
            line=line,
        )
    return Calendar(model.time, time.start)


def _observations(inputs: StudyInputs, model: Model, calendar: Calendar, letters: Letters) -> list[Observations]:
    found = []
    columns = {column.name: column for column in output_columns(model, calendar)}
    for entry in inputs.targets.values():
        if entry.output not in columns:
            letters.add(
                "T201",
                f"the target `{entry.name}` looks at an output `{entry.output}`, which `{model.name}` does not have",
                hint=near(entry.output, columns),
                file=entry.at("output").file,
                line=entry.at("output").line,
            )
            continue
        try:
            series = _series(entry, inputs, letters)
            if series is not None:
                found.append(_observation(entry, series, inputs, model, columns[entry.output], calendar))
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


def _observation(
    entry: TargetEntry, series: Series, inputs: StudyInputs, model: Model, column: OutputColumn, calendar: Calendar
) -> Observations:
    counting = column.counts_events
    spans = [period(day, entry.covers, dated_end=entry.dated == "end") for day in series.dates]
    letters = Letters()
    if counting:
        _about_periods(entry, series, spans, letters)
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
    return Observations(entry, entry.output, tuple(series.dates), starts, ends, series.values, included, factor)


def _about_periods(entry: TargetEntry, series: Series, spans: Sequence[tuple[date, date]], letters: Letters) -> None:
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
    said = spacing(series.dates)
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
        raise ModelworksError([letter.at(*entry.at("unit")) for letter in error.letters]) from error


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
    """No value of a dataset is held against the model by two targets: it would count twice."""
    for one, other in combinations(observations, 2):
        if one.entry.dataset is None or (one.entry.dataset, one.entry.column) != (
            other.entry.dataset,
            other.entry.column,
        ):
            continue
        both = sorted(set(one.dates) & set(other.dates))
        if both:
            letters.add(
                "T208",
                f"the targets `{one.entry.name}` and `{other.entry.name}` both take `{one.entry.column}` of "
                f"`{one.entry.dataset}` on {counted(len(both), 'day')}, the first on {both[0]}: "
                "each value would count twice",
                hint="remove one of them, or part them with `from:` and `to:`",
                file=other.entry.file,
                line=other.entry.line,
            )


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
