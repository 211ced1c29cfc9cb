"""The named numbers of a study: one a draw, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Posterior
from modelworks.errors import fail
from modelworks.report import words
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._questions import projection_times, quantity_unit
from modelworks.study.binding._scaled import Compiled
from modelworks.study.projection._decisions import numbers_of
from modelworks.study.projection._every_run import Elsewhere, every_run
from modelworks.study.projection._scenario_runs import all_prepared, baseline_name
from modelworks.study.projection._statistic import reduced
from modelworks.study.projection._words import chance, without_rounding_error

if TYPE_CHECKING:
    from modelworks.inputs import Quantity
    from modelworks.runs import Progress

Array = NDArray[np.float64]


def values_by_name(
    study: BoundStudy, posterior: Posterior, compiled: Compiled, found: Mapping[str, Array]
) -> dict[str, Array]:
    """Each named number of the study in its unit (draw,): of an output at the draws projected, else at every draw."""
    every = {name: np.asarray(posterior.draws(name)) for name in study.free}
    every |= {name: np.asarray(value) for name, value in study.fixed.items()}
    in_model = {name: values * study.factors[name] for name, values in every.items() if name in study.model.parameters}
    derived = compiled.derived(in_model)
    result = {}
    for name, asked in study.inputs.study.quantities.items():
        if asked.derived is not None:
            values = derived[asked.derived]
        elif asked.parameter is not None:
            values = every[asked.parameter]
        else:
            values = _statistic(study, compiled, asked, found)
        factor, _ = quantity_unit(asked, study.inputs, study.model)
        result[name] = factor * np.asarray(values, dtype=float).reshape(-1)
    return result


def told_of_each(
    study: BoundStudy,
    values: Mapping[str, Array],
    compiled: Compiled,
    found: Mapping[str, Array],
    draws: Mapping[str, Array],
) -> dict[str, Any]:
    """What is said of each named number: median and 95% interval over draws; and of each decision."""
    result: dict[str, Any] = {}
    for name, asked in study.inputs.study.quantities.items():
        result[name] = _summary(asked, values[name], quantity_unit(asked, study.inputs, study.model)[1], study)
    for decision in study.inputs.study.decisions.values():
        asked = study.inputs.study.quantities[decision.quantity]
        factor, unit = quantity_unit(asked, study.inputs, study.model)
        each = {
            name: factor * _statistic(study, compiled, replace(asked, scenario=name), found) for name in decision.among
        }
        free = {name: draws[name] for name in study.free}
        result |= numbers_of(decision, study.inputs.study.scenarios, each, free, unit)
    return result


def values_of(
    study: BoundStudy,
    asked: Quantity,
    draws: Mapping[str, Array],
    cores: int | None,
    progress: Progress,
    elsewhere: Elsewhere | None = None,
) -> Array:
    """A named number (draw,), in its own unit, for values of every parameter in the files' units, each (draw,)."""
    factor, _ = quantity_unit(asked, study.inputs, study.model)
    if asked.parameter is not None:
        return factor * draws[asked.parameter]
    if asked.derived is not None:
        in_model = {name: draws[name] * study.factors[name] for name in study.model.parameters}
        return factor * np.asarray(study.simulator(study.report_times).compiled.derived(in_model)[asked.derived])
    made = all_prepared(study, needed_scenarios(study, asked), projection_times(study.inputs, study.calendar), draws)
    return factor * _combined(study, asked, every_run(study, made, cores, progress, elsewhere, asked))


def needed_scenarios(study: BoundStudy, asked: Quantity) -> list[str]:
    """The scenarios that a named number of an output is made from, each once."""
    return list(dict.fromkeys([asked.scenario or baseline_name(study), *asked.scenarios]))


def _statistic(study: BoundStudy, compiled: Compiled, asked: Quantity, found: Mapping[str, Array]) -> Array:
    """One number a draw: a statistic of an output in a scenario, less or divided by the same in another."""
    names = needed_scenarios(study, asked)
    return _combined(study, asked, {name: reduced(study, compiled, asked, found[name]) for name in names})


def _combined(study: BoundStudy, asked: Quantity, numbers: Mapping[str, Array]) -> Array:
    values = numbers[asked.scenario or baseline_name(study)]
    if asked.minus is not None:
        values = values - numbers[asked.minus]
    if asked.divided_by is None:
        return values
    below = numbers[asked.divided_by]
    if (below == 0).any():
        fail(
            "Y208",
            f"the quantity `{asked.name}` is divided by zero in {int((below == 0).sum())} of {below.size} draws",
            hint=f"take its difference from `{asked.divided_by}` instead, or days on which there is something",
            file=asked.file,
            line=asked.line,
        )
    return values / below


def _summary(asked: Quantity, values: Array, unit: str, study: BoundStudy) -> dict[str, Any]:
    if asked.above is not None:
        return chance(asked.title, float((values > asked.above).mean()))
    low, middle, high = (float(x) for x in np.quantile(values, [0.025, 0.5, 0.975]))
    told = [said(study, asked, value) for value in without_rounding_error((low, middle, high))]
    text = f"{told[1]} ({told[0]} to {told[2]})"
    return {
        "title": asked.title,
        "unit": unit,
        "median": middle,
        "low": low,
        "high": high,
        "mean": float(values.mean()),
        "text": text,
    }


def said(study: BoundStudy, asked: Quantity, value: float) -> str:
    """A value of a named number in words; a date as the day it is."""
    return study.calendar.date(value).isoformat() if asked.statistic == "peak_date" else words.rounded(value)


def answer(template: str | None, quantities: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The study's sentence, each `{name}` replaced by that number and its interval."""
    if template is None:
        return None
    return template.format_map({name: each["text"] for name, each in quantities.items()})
