"""Scenarios from the posterior: the same draws in each, so that differences are due to the scenario alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import LogDensity, Posterior, Predictions, Settings, predictions, rows_predicted
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._questions import BASELINE, projection_times, row_times
from modelworks.study.binding._scaled import Compiled, Scaled
from modelworks.study.projection._averted import averted_table
from modelworks.study.projection._every_run import (
    Elsewhere,
    Share,
    bound,
    every_run,
    step_of,
    threads_for,
    with_step,
)
from modelworks.study.projection._quantities import told_of_each, values_by_name
from modelworks.study.projection._scenario_runs import all_prepared, baseline_name, settle
from modelworks.study.projection._thresholds import threshold_table

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.runs import Progress

Array = NDArray[np.float64]
ByTarget: TypeAlias = dict[str, Array]

# Which branch of the study's seed new observations around the targets come from.
NEW_OBSERVATIONS = 7
# So many draws foretell what was held out: enough for the 2.5% quantile, whatever is carried into the scenarios.
DRAWS_JUDGED = 1000
LEVELS = {"q025": 0.025, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q975": 0.975}


@dataclass(frozen=True)
class Projected:
    """Quantiles of every output by scenario, of its difference from the baseline and its ratio to it; named numbers.

    A ratio is missing where the baseline is zero in some draw.

    `fitted` and `predictive` are the baseline held against the targets, each over its own time and in its
    own unit: what the model expects at every observation, and where a new observation would fall. `values` are
    those of each named number, one a draw; `averted` and `thresholds` are as in the files of these names.
    """

    outputs: pd.DataFrame
    differences: pd.DataFrame
    ratios: pd.DataFrame
    fitted: pd.DataFrame
    predictive: pd.DataFrame
    quantities: dict[str, Any]
    values: dict[str, Array]
    averted: pd.DataFrame
    thresholds: pd.DataFrame


def project(
    study: BoundStudy,
    posterior: Posterior,
    progress: Progress,
    cores: int | None,
    elsewhere: Elsewhere | None = None,
) -> Projected:
    """Run every scenario for the same thinned draws of the posterior."""
    import pandas as pd

    draws = thinned_draws(study, posterior, study.inputs.study.projection.draws)
    times = projection_times(study.inputs, study.calendar)
    scenarios = study.inputs.study.scenarios
    number = len(next(iter(draws.values()), ()))
    made = all_prepared(study, tuple(scenarios) or (BASELINE,), times, draws)
    # Derived numbers are those of the baseline's model: a scenario with other data has a model of its own.
    compiled = made[baseline_name(study)][0].compiled
    progress.start("project", total=number * len(made))
    found = every_run(study, made, cores, progress, elsewhere)
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
    values = values_by_name(study, posterior, compiled, found)
    quantities = told_of_each(study, values, compiled, found, draws)
    averted = averted_table(study, compiled, found)
    beyond = threshold_table(study, compiled, found)
    expected, new = _beside_targets(study, draws, progress, cores, elsewhere)
    return Projected(
        pd.concat(tables, ignore_index=True), differences, ratios, expected, new, quantities, values, averted, beyond
    )


def _ratios(study: BoundStudy, compiled: Compiled, values: Array, baseline: Array, name: str) -> pd.DataFrame:
    """Quantiles over draws of how many times the baseline a scenario's outputs (draw, time, column) are."""
    return quantile_table(study, compiled, np.where(baseline == 0, np.nan, values / baseline), name)


def _beside_targets(
    study: BoundStudy, draws: Mapping[str, Array], progress: Progress, cores: int | None, elsewhere: Elsewhere | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """At every observation, also those held out: quantiles of what is expected, and of new observations."""
    import pandas as pd

    if not study.observations or not study.free:
        empty = pd.DataFrame(columns=["output", "time", *LEVELS])
        return empty, empty.copy()
    found = predicted(study, draws, progress, cores, are_posterior=True, elsewhere=elsewhere)
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
    new = predicted(study, draws, progress, cores, are_posterior=True).observations(_key(study))
    later: ByTarget = {}
    unseen: ByTarget = {}
    for each, values in zip(study.observations, new, strict=True):
        for name in dict.fromkeys(each.names):
            points = each.of(name) & ~each.included
            if points.any():
                later[name], unseen[name] = values[:, points], each.exact[points]
    return later, unseen


def predicted(
    study: BoundStudy,
    draws: Mapping[str, Array],
    progress: Progress,
    cores: int | None,
    *,
    are_posterior: bool = False,
    elsewhere: Elsewhere | None = None,
) -> Predictions:
    """What is predicted for every observation, also those held out; draws of a posterior settle the solver's step."""
    model = study.simulator(study.calibration_times())
    if are_posterior:
        settle(model, model.given(np.column_stack([draws[name] for name in model.parameters])))
    density = log_density(study, model, every=True)
    values = np.column_stack([draws[name] for name in study.free])
    others = None if elsewhere is None else _handed_over(elsewhere, density, model, cores, progress)
    return predictions(density, values, Settings(cores=cores).threads(), progress, others)


def _handed_over(
    elsewhere: Elsewhere, density: LogDensity, model: Scaled, cores: int | None, progress: Progress
) -> Callable[[Array], Array]:
    """What does as `rows_predicted`, by other machines."""

    def found(rows: Array) -> Array:
        def here(first: int, last: int, threads: int) -> Array:
            return rows_predicted(density, rows[first:last], threads)

        share = Share(rows, here, step_of(model), threads_for(model, cores))
        return elsewhere.results(some_predictions, {"targets": share}, progress)["targets"]

    return found


def some_predictions(folder: str, step: float, tolerance: float, of: int, first: int, rows: Array) -> Array:
    """What is predicted for every observation of the study in a folder, as `rows_predicted` gives it.

    For machines that are given no more than this: rows (draw, parameter) of which nothing depends on their number.
    """
    return rows_predicted(_every_target(folder, step, tolerance), rows)


@functools.lru_cache(maxsize=2)
def _every_target(folder: str, step: float, tolerance: float) -> LogDensity:
    study = bound(folder)
    return log_density(study, with_step(study.simulator(study.calibration_times()), step, tolerance), every=True)


def log_density(study: BoundStudy, model: Scaled, *, every: bool = False) -> LogDensity:
    """What is believed of a study times the likelihood of its targets; with `every` also of those held out."""
    known, targets = study.parameters, study.targets(model, every=every)
    return LogDensity(
        priors=known.priors,
        groups=known.groups,
        fixed=known.fixed,
        simulator=model,
        targets=targets,
        distance=study.distance(),
        inference=study.inputs.study.calibration.inference,
    )


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
    chosen = thinned(next(iter(flat.values())).size if flat else 1, number)
    fixed = {name: np.full(chosen.size, value) for name, value in study.fixed.items()}
    return {**{name: values[chosen] for name, values in flat.items()}, **fixed}


def thinned(total: int, number: int) -> NDArray[np.intp]:
    """Which of all draws, over all chains, are taken."""
    return np.unique(np.linspace(0, total - 1, min(number, total)).round().astype(np.intp))


def moments(study: BoundStudy, times: Array) -> NDArray[np.datetime64]:
    """Model times as dates with a time of day."""
    return np.array([study.calendar.moment(float(t)) for t in times], dtype="datetime64[ns]")


def series_table(study: BoundStudy, compiled: Compiled, outputs: Array) -> pd.DataFrame:
    """One run as a table: output, time, value."""
    import pandas as pd

    parts = []
    for k, column in enumerate(compiled.columns):
        first = 1 if column.counts_events else 0
        time = moments(study, row_times(compiled.times, counts_events=column.counts_events))
        parts.append(pd.DataFrame({"output": column.name, "time": time[first:], "value": outputs[first:, k]}))
    return pd.concat(parts, ignore_index=True)


def quantile_table(study: BoundStudy, compiled: Compiled, values: Array, scenario: str) -> pd.DataFrame:
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
