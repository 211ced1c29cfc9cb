"""Scenarios from the posterior: the same draws in each, so that differences are due to the scenario alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import LogDensity, Posterior, Predictions, Settings, predictions
from modelworks.errors import ModelworksError, fail
from modelworks.model import CompiledModel, run_in_blocks, run_many
from modelworks.study._binding import BoundStudy
from modelworks.study._decisions import numbers_of
from modelworks.study._questions import BASELINE, allowed, projection_times, quantity_unit, row_shares, takes
from modelworks.study._scaled import ScaledModel
from modelworks.study._words import chance, in_words

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.inputs import Quantity, Scenario
    from modelworks.runs import Progress

Array = NDArray[np.float64]
ByTarget: TypeAlias = dict[str, Array]

# Which branch of the study's seed new observations around the targets come from.
NEW_OBSERVATIONS = 7
# So many draws foretell what was held out: enough for the 2.5% quantile, whatever is carried into the scenarios.
DRAWS_JUDGED = 1000
# A row shorter than the others by more than this part of them is cut short; less is round-off.
SHORT = 1e-3
LEVELS = {"q025": 0.025, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q975": 0.975}


@dataclass(frozen=True)
class Projected:
    """Quantiles of every output by scenario, of its difference from the baseline and its ratio to it; named numbers.

    A ratio is missing where the baseline is zero in some draw.

    `fitted` and `predictive` are the baseline held against the targets, each over its own time and in its
    own unit: what the model expects at every observation, and where a new observation would fall.
    """

    outputs: pd.DataFrame
    differences: pd.DataFrame
    ratios: pd.DataFrame
    fitted: pd.DataFrame
    predictive: pd.DataFrame
    quantities: dict[str, Any]


def project(study: BoundStudy, posterior: Posterior, progress: Progress, cores: int | None) -> Projected:
    """Run every scenario for the same thinned draws of the posterior."""
    import pandas as pd

    draws = thinned_draws(study, posterior, study.inputs.study.projection.draws)
    times = projection_times(study.inputs, study.calendar)
    scenarios = study.inputs.study.scenarios
    number = len(next(iter(draws.values()), ()))
    progress.start("project", total=number * max(len(scenarios), 1))
    prepared = {}
    for name in scenarios or (BASELINE,):
        with _told_of(name):
            prepared[name] = _prepared(study, scenarios.get(name), times, draws)
    # Derived numbers are those of the baseline's model: a scenario with other data has a model of its own.
    compiled = prepared[baseline_name(study)][0]
    found: dict[str, Array] = {}
    for name, (model, changed) in prepared.items():
        with _told_of(name):
            found[name] = run_many(
                model, changed, cores=cores, progress=lambda done: progress.update(number * len(found) + done)
            )
    progress.finish()
    tables = [quantile_table(study, compiled, values, name) for name, values in found.items()]
    baseline = found[baseline_name(study)]
    with np.errstate(divide="ignore", invalid="ignore"):
        compared = [
            (quantile_table(study, compiled, values - baseline, name), _ratios(study, compiled, values, baseline, name))
            for name, values in found.items()
            if name != baseline_name(study)
        ]
    differences, ratios = (
        pd.concat(each, ignore_index=True)
        for each in (zip(*compared, strict=True) if compared else 2 * [[tables[0][:0]]])
    )
    quantities = _quantities(study, posterior, compiled, found, draws)
    expected, new = _beside_targets(study, draws, progress, cores)
    return Projected(pd.concat(tables, ignore_index=True), differences, ratios, expected, new, quantities)


def _ratios(study: BoundStudy, compiled: CompiledModel, values: Array, baseline: Array, name: str) -> pd.DataFrame:
    """Quantiles over draws of how many times the baseline a scenario's outputs (draw, time, column) are."""
    return quantile_table(study, compiled, np.where(baseline == 0, np.nan, values / baseline), name)


def _beside_targets(
    study: BoundStudy, draws: Mapping[str, Array], progress: Progress, cores: int | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """At every observation, also those held out: quantiles of what is expected, and of new observations."""
    import pandas as pd

    if not study.observations or not study.free:
        empty = pd.DataFrame(columns=["output", "time", *LEVELS])
        return empty, empty.copy()
    found = predicted(study, draws, progress, cores)
    return (
        at_observations(study, found.expected()),
        at_observations(study, found.observations(_key(study))),
    )


def held_out(
    study: BoundStudy, posterior: Posterior, progress: Progress, cores: int | None
) -> tuple[ByTarget, ByTarget]:
    """Of each target, what was kept from the calibration: as predicted (draw, point), and as observed (point,)."""
    if all(each.included.all() for each in study.observations):
        return {}, {}
    draws = thinned_draws(study, posterior, DRAWS_JUDGED)
    new = predicted(study, draws, progress, cores).observations(_key(study))
    later: ByTarget = {}
    unseen: ByTarget = {}
    for each, values in zip(study.observations, new, strict=True):
        for name in dict.fromkeys(each.names):
            points = each.of(name) & ~each.included
            if points.any():
                later[name], unseen[name] = values[:, points], each.exact[points]
    return later, unseen


def predicted(study: BoundStudy, draws: Mapping[str, Array], progress: Progress, cores: int | None) -> Predictions:
    """What is predicted for every observation, also those held out."""
    model = study.compiled(study.calibration_times())
    density = log_density(study, model, every=True)
    values = np.column_stack([draws[name] for name in study.free])
    return predictions(density, values, Settings(cores=cores).threads(), progress)


def log_density(study: BoundStudy, model: ScaledModel, *, every: bool = False) -> LogDensity:
    """What is believed of a study times the likelihood of its targets; with `every` also of those held out."""
    known, targets = study.parameters, study.targets(model, every=every)
    return LogDensity(priors=known.priors, groups=known.groups, fixed=known.fixed, simulator=model, targets=targets)


def _key(study: BoundStudy) -> np.random.Generator:
    """A stream of its own beside those of the calibration, from the study's one seed."""
    return np.random.default_rng([study.inputs.study.calibration.seed, NEW_OBSERVATIONS])


def at_observations(study: BoundStudy, by_target: Sequence[Array]) -> pd.DataFrame:
    """Quantiles over draws (draw, point) of each target, in the middle of what each value stands for."""
    import pandas as pd

    parts = []
    for each, values in zip(study.observations, by_target, strict=True):
        levels = np.quantile(values, list(LEVELS.values()), axis=0)
        time = moments(study, (each.starts + each.ends) / 2)
        parts.append(pd.DataFrame({"output": each.names, "time": time, **dict(zip(LEVELS, levels, strict=True))}))
    return pd.concat(parts, ignore_index=True)


def thinned_draws(study: BoundStudy, posterior: Posterior, number: int) -> dict[str, Array]:
    """Evenly spaced draws over all chains, each parameter's as an array (draw,), in the files' units."""
    flat = {name: np.asarray(posterior.draws(name)).reshape(-1) for name in study.free}
    total = next(iter(flat.values())).size if flat else 1
    chosen = np.unique(np.linspace(0, total - 1, min(number, total)).round().astype(int))
    fixed = {name: np.full(chosen.size, value) for name, value in study.fixed.items()}
    return {**{name: values[chosen] for name, values in flat.items()}, **fixed}


def baseline_name(study: BoundStudy) -> str:
    """The scenario others are compared with: the one called so, or else the first."""
    scenarios = study.inputs.study.scenarios
    return BASELINE if BASELINE in scenarios or not scenarios else next(iter(scenarios))


def _prepared(
    study: BoundStudy, scenario: Scenario | None, times: Array, draws: Mapping[str, Array]
) -> tuple[CompiledModel, Array]:
    """The model of a scenario, and a row of values for each draw, in the model's units."""
    data = dict(study.data)
    changed = dict(draws)
    if scenario is not None:
        data.update({name: study.inputs.catalogue[dataset].table() for name, dataset in scenario.data.items()})
        for name, change in scenario.parameters.items():
            for member in study.members(name):
                changed[member] = (
                    changed[member] * change.multiply
                    if hasattr(change, "multiply")
                    else np.full_like(changed[member], float(change))
                )
                _check_taken(study, scenario, name, member, changed[member])
    scaled = study.compiled(times, data if scenario is not None and scenario.data else None)
    rows = np.column_stack([changed[name] for name in scaled.parameters])
    return scaled.compiled, np.array([scaled.given(row) for row in rows])


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """Whatever stops a scenario's runs says which scenario it was."""
    try:
        yield
    except ModelworksError as error:
        said = [
            each if each.file else replace(each, message=f"in the scenario `{name}`: {each.message}")
            for each in error.letters
        ]
        raise ModelworksError(said) from error


def _check_taken(study: BoundStudy, scenario: Scenario, name: str, member: str, values: Array) -> None:
    """What a scenario makes of the draws is what the model takes."""
    entry = study.entry(member)
    limits = allowed(study.model.parameters[member], entry, study.factors[member])
    beyond = [value for value in values if not takes(limits, value)]
    if beyond:
        fail(
            "Y202",
            f"the scenario `{scenario.name}` brings `{member}` out of its limits in {len(beyond)} of {len(values)} "
            f"draws, as to {beyond[0]:g}, but it lies {limits} ({entry.unit})",
            hint="take a factor nearer to 1, or set the parameter to a number",
            file=scenario.places[name].file,
            line=scenario.places[name].line,
        )


def moments(study: BoundStudy, times: Array) -> NDArray[np.datetime64]:
    """Model times as dates with a time of day."""
    return np.array([study.calendar.moment(float(t)) for t in times], dtype="datetime64[ns]")


def row_times(times: Array, *, counts_events: bool) -> Array:
    """Where the rows of an output lie: a stock at its moment, a count in the middle of the time it counts.

    The first row of a count has no time behind it and is left out by those who show it.
    """
    if not counts_events:
        return times
    return np.concatenate([times[:1], (times[:-1] + times[1:]) / 2])


def series_table(study: BoundStudy, compiled: CompiledModel, outputs: Array) -> pd.DataFrame:
    """One run as a table: output, time, value."""
    import pandas as pd

    parts = []
    for k, column in enumerate(compiled.columns):
        first = 1 if column.counts_events else 0
        time = moments(study, row_times(compiled.times, counts_events=column.counts_events))
        parts.append(pd.DataFrame({"output": column.name, "time": time[first:], "value": outputs[first:, k]}))
    return pd.concat(parts, ignore_index=True)


def quantile_table(study: BoundStudy, compiled: CompiledModel, values: Array, scenario: str) -> pd.DataFrame:
    """Quantiles over draws: scenario, output, time, q025 … q975; `values` is (draw, time, column)."""
    import pandas as pd

    levels = np.quantile(values, list(LEVELS.values()), axis=0)
    parts = []
    for k, column in enumerate(compiled.columns):
        first = 1 if column.counts_events else 0
        time = moments(study, row_times(compiled.times, counts_events=column.counts_events))
        ribbon = {name: levels[level, first:, k] for level, name in enumerate(LEVELS)}
        parts.append(pd.DataFrame({"scenario": scenario, "output": column.name, "time": time[first:], **ribbon}))
    return pd.concat(parts, ignore_index=True)


# -- named numbers ---------------------------------------------------------------------------------


def _quantities(
    study: BoundStudy,
    posterior: Posterior,
    compiled: CompiledModel,
    found: Mapping[str, Array],
    draws: Mapping[str, Array],
) -> dict[str, Any]:
    """Each named number of the study: median and 95% interval over draws."""
    every = {name: np.asarray(posterior.draws(name)) for name in study.free}
    every |= {name: np.asarray(value) for name, value in study.fixed.items()}
    in_model = {name: values * study.factors[name] for name, values in every.items() if name in study.model.parameters}
    derived = compiled.derived(in_model)
    result: dict[str, Any] = {}
    for name, asked in study.inputs.study.quantities.items():
        if asked.derived is not None:
            values = derived[asked.derived]
        elif asked.parameter is not None:
            values = every[asked.parameter]
        else:
            values = _statistic(study, compiled, asked, found)
        factor, unit = quantity_unit(asked, study.inputs, study.model)
        result[name] = _summary(asked, factor * np.asarray(values, dtype=float).reshape(-1), unit, study)
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
    study: BoundStudy, asked: Quantity, draws: Mapping[str, Array], cores: int | None, progress: Progress | None = None
) -> Array:
    """A named number (draw,), in its own unit, for values of every parameter in the files' units, each (draw,)."""
    factor, _ = quantity_unit(asked, study.inputs, study.model)
    if asked.parameter is not None:
        return factor * draws[asked.parameter]
    if asked.derived is not None:
        in_model = {name: draws[name] * study.factors[name] for name in study.model.parameters}
        return factor * np.asarray(study.compiled(study.report_times).compiled.derived(in_model)[asked.derived])
    times, known = projection_times(study.inputs, study.calendar), study.inputs.study.scenarios
    reduced = {}
    for name in needed_scenarios(study, asked):
        with _told_of(name):
            compiled, rows = _prepared(study, known.get(name), times, draws)
            # Block by block, for the outputs of all runs may not fit into memory.
            blocks = []
            for block in run_in_blocks(compiled, rows, cores=cores):
                blocks.append(_reduce(study, compiled, asked, block))
                if progress is not None:
                    progress.advance(len(block))
            reduced[name] = np.concatenate(blocks)
    return factor * _combined(study, asked, reduced)


def needed_scenarios(study: BoundStudy, asked: Quantity) -> list[str]:
    """The scenarios that a named number of an output is made from, each once."""
    return list(dict.fromkeys([asked.scenario or baseline_name(study), *asked.scenarios]))


def _statistic(study: BoundStudy, compiled: CompiledModel, asked: Quantity, found: Mapping[str, Array]) -> Array:
    """One number a draw: a statistic of an output in a scenario, less or divided by the same in another."""
    names = needed_scenarios(study, asked)
    return _combined(study, asked, {name: _reduce(study, compiled, asked, found[name]) for name in names})


def _combined(study: BoundStudy, asked: Quantity, reduced: Mapping[str, Array]) -> Array:
    values = reduced[asked.scenario or baseline_name(study)]
    if asked.minus is not None:
        values = values - reduced[asked.minus]
    if asked.divided_by is None:
        return values
    below = reduced[asked.divided_by]
    if (below == 0).any():
        fail(
            "Y208",
            f"the quantity `{asked.name}` is divided by zero in {int((below == 0).sum())} of {below.size} draws",
            hint=f"take its difference from `{asked.divided_by}` instead, or days on which there is something",
            file=asked.file,
            line=asked.line,
        )
    return values / below


def _reduce(study: BoundStudy, compiled: CompiledModel, asked: Quantity, values: Array) -> Array:
    """A statistic of one output (draw, time, column) over the days asked for, one a draw."""
    column = [c.name for c in compiled.columns].index(str(asked.output))
    counting = compiled.columns[column].counts_events
    times = compiled.times
    share = row_shares(study.calendar, times, asked, counts_events=counting)
    if asked.statistic == "sum":
        return np.asarray(values[:, :, column] @ share)
    # A row that lies partly outside belongs to the side that has most of it.
    inside = share >= min(0.5, share.max())
    if counting:
        # Where the end cuts a row short, its count is of less time than the others' and compares with none.
        length = np.diff(times, prepend=-np.inf)
        whole = inside & (length >= (1 - SHORT) * np.diff(times).max())
        inside = whole if whole.any() else inside
    chosen = values[:, inside, column]
    if asked.statistic == "max":
        return np.asarray(chosen.max(axis=1))
    if asked.statistic == "mean":
        return np.asarray(chosen.mean(axis=1))
    if asked.statistic == "peak_date":
        at = row_times(times, counts_events=counting)[inside]
        return np.asarray(at[chosen.argmax(axis=1)])
    return np.asarray(chosen[:, -1])


def _summary(asked: Quantity, values: Array, unit: str, study: BoundStudy) -> dict[str, Any]:
    if asked.above is not None:
        return chance(asked.title, float((values > asked.above).mean()))
    low, middle, high = (float(x) for x in np.quantile(values, [0.025, 0.5, 0.975]))
    words = [said(study, asked, value) for value in (low, middle, high)]
    text = f"{words[1]} ({words[0]} to {words[2]})"
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
    return study.calendar.date(value).isoformat() if asked.statistic == "peak_date" else in_words(value)


def answer(template: str | None, quantities: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The study's sentence, each `{name}` replaced by that number and its interval."""
    if template is None:
        return None
    return template.format_map({name: each["text"] for name, each in quantities.items()})
