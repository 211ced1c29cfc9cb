"""What a study asks of its model: whether the model can say it, for which time, and in which unit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks import units
from modelworks.dates import Calendar
from modelworks.errors import Letters, ModelworksError, near
from modelworks.inputs import Bounds, Multiply, ParameterEntry, Quantity, StudyInputs, largest_share, turns_sign
from modelworks.model import OutputColumn, Parameter, output_columns
from modelworks.study.binding._model_file import AnyModel, ModelFile, load_model
from modelworks.study.binding._parameters import BoundParameters

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# The scenario that others are compared with, and that is held against the targets.
BASELINE = "baseline"


def grid(start: float, end: float, every: float) -> Array:
    """Times from start to end, `every` apart; the end is always among them."""
    number = int(np.floor((end - start) / every + 1e-9))
    times = np.asarray(start + every * np.arange(number + 1), dtype=float)
    return times if end - times[-1] < 1e-9 * max(1.0, abs(end)) else np.append(times, end)


def projection_times(inputs: StudyInputs, calendar: Calendar) -> Array:
    """The report's times, carried on to the end of the projection."""
    time = inputs.study.time
    end = max(inputs.study.projection.end or time.end, time.end)
    return grid(calendar.number(time.start), calendar.number(end), float(time.every))


def row_shares(calendar: Calendar, times: Array, asked: Quantity, *, counts_events: bool) -> Array:
    """How much of each row (time,) lies within the days a quantity is over, from 0 to 1.

    A stock's row is a moment, within or not. A count's row is of the time since the row before, and is
    taken as even within it; the first has no time behind it and no share.
    """
    low = -np.inf if asked.from_ is None else calendar.number(asked.from_)
    tolerance = 1e-9 * np.maximum(1.0, np.abs(times))
    if not counts_events:
        high = np.inf if asked.to is None else calendar.number(asked.to)
        return ((times >= low - tolerance) & (times <= high + tolerance)).astype(float)
    # The last day counts, to its end.
    high = np.inf if asked.to is None else calendar.number(asked.to + timedelta(days=1))
    within = np.minimum(times[1:], high) - np.maximum(times[:-1], low)
    return np.concatenate([[0.0], np.clip(within / np.diff(times), 0.0, 1.0)])


def row_times(times: Array, *, counts_events: bool) -> Array:
    """Where the rows of an output lie: a stock at its moment, a count in the middle of the time it counts.

    The first row of a count has no time behind it and is left out by those who show it.
    """
    if not counts_events:
        return times
    return np.concatenate([times[:1], (times[:-1] + times[1:]) / 2])


def adds_up(model: AnyModel, column: OutputColumn) -> bool:
    """Whether the rows of an output are events that can be added up over any time.

    Incidence per 100,000 people is made of events, too; but a sum of many years' is no incidence, and no number of
    events: the people among whom each year's were are others.
    """
    return column.counts_events and units.adds_up(model.series[column.output].unit)


def check_scenarios(inputs: StudyInputs, model: AnyModel, parameters: BoundParameters, letters: Letters) -> None:
    """A scenario changes parameters the model has, to values the model takes."""
    for scenario in inputs.study.scenarios.values():
        if scenario.name == BASELINE and (scenario.parameters or scenario.data):
            letters.add(
                "Y206",
                f"the scenario `{BASELINE}` changes {', '.join(f'`{name}`' for name in scenario.places)}, "
                "but it is the study as calibrated",
                hint="give a scenario that changes something another name",
                file=scenario.file,
                line=scenario.line,
            )
        for name, change in scenario.parameters.items():
            place = scenario.places[name]
            if not inputs.parameters.have(name):  # whoever read the files told so
                continue
            members = [each for each in model.parameters if each == name or each.startswith(f"{name}[")]
            if not members:
                letters.add(
                    "Y204",
                    f"the scenario `{scenario.name}` changes `{name}`, which `{model.name}` does not have: "
                    "nothing that is projected depends on it",
                    hint=near(name, model.parameters),
                    file=place.file,
                    line=place.line,
                )
            # One whose own mistake is told where it is has no middle.
            known = (model.parameters[each] for each in members if each in parameters.centre)
            fault = next(filter(None, (_beyond(each, change, parameters) for each in known)), "")
            if fault:
                letters.add(
                    "Y202",
                    f"the scenario `{scenario.name}` {fault}",
                    hint="correct the number; limits are the model's, a share's, and `bounds:` in parameters.yaml",
                    file=place.file,
                    line=place.line,
                )


def _beyond(parameter: Parameter, change: float | Multiply, parameters: BoundParameters) -> str:
    """How a change takes a parameter out of its limits, or nothing."""
    name = parameter.name
    entry = parameters.entries[name]
    limits = allowed(parameter, entry, parameters.factors[name])
    if not isinstance(change, Multiply):
        value, how = float(change), f"sets `{name}` to {change:g}"
    elif turns_sign(change.multiply, entry):
        return ""
    else:
        # Other draws are looked at when there are some: with the middle one outside, most are.
        value = parameters.centre[name] * change.multiply
        middle = "" if entry.prior is None else " from its prior's median"
        how = f"multiplies `{name}` by {change.multiply:g}, to {value:g}{middle}"
        limits = narrower(limits, entry.bounds)
    return "" if takes(limits, value) else f"{how}, but it lies {limits} ({entry.unit})"


def allowed(parameter: Parameter, entry: ParameterEntry, factor: float) -> Bounds:
    """Between which values, in the files' unit, the model takes a parameter; a share lies between none and all.

    The parameter's own `bounds:` are no part of it: they may only cut a prior.
    """
    declared = Bounds(*(None if limit is None else limit / factor for limit in (parameter.lower, parameter.upper)))
    most = min(largest_share(entry.unit), largest_share(parameter.unit) / factor)
    return narrower(declared, Bounds(0.0, most) if most < np.inf else None)


def narrower(one: Bounds, other: Bounds | None) -> Bounds:
    """What lies within both."""
    if other is None:
        return one
    low, high = max(one.low, other.low), min(one.high, other.high)
    return Bounds(None if low == -np.inf else low, None if high == np.inf else high)


def takes(limits: Bounds, value: float) -> bool:
    """Whether a value lies within limits; round-off apart."""
    spare = 1e-12 * max(1.0, abs(value))
    return limits.low - spare <= value <= limits.high + spare


def check_scenario_models(
    inputs: StudyInputs, file: ModelFile, data: Mapping[str, pd.DataFrame], calendar: Calendar, letters: Letters
) -> None:
    """With other data the model is still the same model: its outputs and parameters, in their order and units."""
    wanted = _shape(file.model, calendar)
    root = inputs.repository.root
    for scenario in inputs.study.scenarios.values():
        if not scenario.data:
            continue
        changed = {name: inputs.catalogue[dataset].table() for name, dataset in scenario.data.items()}
        try:
            found = _shape(load_model(file.path, {**data, **changed}, inputs.study.model, root).model, calendar)
        except ModelworksError as error:
            letters.extend(error.letters)
            continue
        other = [name for pair in zip(wanted, found, strict=True) for name in sorted(set(pair[0]) ^ set(pair[1]))]
        if found != wanted:
            letters.add(
                "Y205",
                f"with the data of the scenario `{scenario.name}` the model has other outputs or parameters than the "
                f"study's: {', '.join(f'`{name}`' for name, *_ in other[:4]) or 'the same in another order'}",
                hint="give the scenario's data the same strata, in the same order",
                file=scenario.file,
                line=scenario.line,
            )


def _shape(model: AnyModel, calendar: Calendar) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The columns of a model with their units, and its parameters with theirs."""
    columns = tuple((each.name, model.series[each.output].unit) for each in output_columns(model, calendar))
    return columns, tuple((name, each.unit) for name, each in model.parameters.items())


def check_quantities(inputs: StudyInputs, model: AnyModel, calendar: Calendar, letters: Letters) -> None:
    """A named number is of something the model has, at a time at which it is reported, in a unit it can have."""
    columns = {column.name: column for column in output_columns(model, calendar)}
    for asked in inputs.study.quantities.values():
        fault = _fault(asked, inputs, model, calendar, columns)
        if fault is not None:
            message, hint = fault
            letters.add("Y203", f"the quantity `{asked.name}` {message}", hint=hint, file=asked.file, line=asked.line)
            continue
        if asked.parameter is not None and not inputs.parameters.reads(asked.parameter):
            continue  # the files' own letters say so
        try:
            quantity_unit(asked, inputs, model)
        except ModelworksError as error:
            letters.extend(letter.at(asked.file, asked.line) for letter in error.letters)


def _fault(
    asked: Quantity, inputs: StudyInputs, model: AnyModel, calendar: Calendar, columns: Mapping[str, OutputColumn]
) -> tuple[str, str] | None:
    """Why a quantity can not be had, and what to try."""
    for kind, known in (("derived", model.derived), ("output", columns)):
        name = getattr(asked, kind)
        if name is not None and name not in known:
            return f"is of the {kind} `{name}`, which is not there", near(str(name), known)
    if (asked.unit == "date") != (asked.statistic == "peak_date") and asked.unit:
        return (
            f"is in `{asked.unit}`, and a `{asked.statistic}` is not",
            "the unit of a peak's date, and of it alone, is `date`",
        )
    if asked.output is None:
        return None
    time, column = inputs.study.time, columns[asked.output]
    end = max(inputs.study.projection.end or time.end, time.end)
    if (asked.from_ or time.start) < time.start or (asked.to or end) > end:
        message = f"is from {asked.from_ or 'the start'} to {asked.to or 'the end'}"
        message += f", but the model runs from {time.start} to {end}"
        return message, "move `from:` and `to:`, or `time:` and the `end:` of the projection"
    times = projection_times(inputs, calendar)
    if not row_shares(calendar, times, asked, counts_events=column.counts_events).any():
        message = f"is from {asked.from_ or 'the start'} to {asked.to or 'the end'}, but nothing is reported then"
        return message, "widen `from:` and `to:`, or make `every:` under `time:` smaller"
    if asked.statistic == "sum" and not column.counts_events:
        message = (
            f"is the sum of `{asked.output}`, which counts no events: it would grow with every time it is reported"
        )
        return message, "take `mean`, `max` or `last`, or an output of events"
    if asked.statistic == "peak_date" and (asked.minus is not None or asked.divided_by is not None):
        return "is made of two dates, which is no date", "ask for the peak's date in each scenario"
    if asked.statistic == "peak_date" and asked.above is not None:
        return "is a date, which lies above no number", "ask for the largest value until a day: `max` with `to:`"
    return None


def check_figures(inputs: StudyInputs, model: AnyModel, calendar: Calendar, letters: Letters) -> None:
    """A figure is of an output, or of one of its strata."""
    known = dict.fromkeys(name for each in output_columns(model, calendar) for name in (each.output, each.name))
    place = inputs.study.place("figures")
    for name in inputs.study.figures:
        if name not in known:
            letters.add(
                "Y207",
                f"a figure of `{name}` is asked for, but `{model.name}` has no such output",
                hint=near(name, known),
                file=place.file,
                line=place.line,
            )


def quantity_unit(asked: Quantity, inputs: StudyInputs, model: AnyModel) -> tuple[float, str]:
    """What turns a quantity into its own unit, and that unit: as it is where none is asked for.

    A derived number has no unit in the model, and is taken to be in the one it is given; a date is a date.
    """
    if asked.statistic == "peak_date":
        return 1.0, "date"
    if asked.derived is not None:
        return 1.0, asked.unit
    if asked.divided_by is not None:
        given = "ratio"
    elif asked.parameter is not None:
        given = inputs.parameters.of(asked.parameter).unit
    else:
        given = model.series[str(asked.output).partition("[")[0]].unit
    if asked.unit in ("", given):
        return 1.0, given
    return units.parse(given).factor_to(units.parse(asked.unit)), asked.unit
