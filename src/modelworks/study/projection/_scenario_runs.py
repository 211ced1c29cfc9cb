"""A scenario's runs: which model it needs, and which values each draw gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import ModelworksError, fail
from modelworks.model import settle_step
from modelworks.study.binding._binding import ACCURACY, BoundStudy
from modelworks.study.binding._questions import BASELINE, allowed, takes
from modelworks.study.binding._scaled import Scaled, ScaledModel

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.inputs import Scenario

Array = NDArray[np.float64]

# So many draws of each scenario settle the solver's step.
SETTLED_BY = 5


def baseline_name(study: BoundStudy) -> str:
    """The scenario others are compared with: the one called so, or else the first."""
    scenarios = study.inputs.study.scenarios
    return BASELINE if BASELINE in scenarios or not scenarios else next(iter(scenarios))


def all_prepared(
    study: BoundStudy, names: Sequence[str], times: Array, draws: Mapping[str, Array]
) -> dict[str, tuple[Scaled, Array]]:
    """The model and the rows of values of each of some scenarios, all with the step that the most demanding needs.

    It was settled at the middle of what was believed, and a scenario may take its rates far from there. With one step
    for all, what two scenarios differ by is none of the solver's error.
    """
    made = {}
    for name in names:
        with told_of(name):
            made[name] = _prepared(study, study.inputs.study.scenarios.get(name), times, draws)
            settle(*made[name])
    compiled = [model.compiled for model, _ in made.values() if isinstance(model, ScaledModel)]
    if compiled:
        step, tolerance = min(each.step for each in compiled), min(each.tolerance for each in compiled)
        for each in compiled:
            each.with_step(step, tolerance)
    return made


def settle(model: Scaled, rows: Array) -> None:
    """Shorten the solver's step where some of the rows (draw, parameter) need it, spread evenly over them."""
    if not isinstance(model, ScaledModel):
        return
    compiled = model.compiled
    step, tolerance = compiled.step, compiled.tolerance
    for k in np.unique(np.linspace(0, len(rows) - 1, min(SETTLED_BY, len(rows))).astype(int)):
        settle_step(compiled, rows[k], ACCURACY)
        # A tolerance is settled from the start for each.
        step, tolerance = min(step, compiled.step), min(tolerance, compiled.tolerance)
    compiled.with_step(step, tolerance)


def _prepared(
    study: BoundStudy, scenario: Scenario | None, times: Array, draws: Mapping[str, Array]
) -> tuple[Scaled, Array]:
    """The model of a scenario, and a row of values for each draw, in the model's units."""
    rows = changed_draws(study, scenario, draws)
    scaled = study.simulator(times, other_data(study, scenario))
    return scaled, scaled.given(np.column_stack([rows[name] for name in scaled.parameters]))


def changed_draws(study: BoundStudy, scenario: Scenario | None, draws: Mapping[str, Array]) -> dict[str, Array]:
    """The draws of each parameter as a scenario has them, in the files' units."""
    changed = dict(draws)
    if scenario is None:
        return changed
    for name, change in scenario.parameters.items():
        for member in study.members(name):
            changed[member] = (
                changed[member] * change.multiply
                if hasattr(change, "multiply")
                else np.full_like(changed[member], float(change))
            )
            _check_taken(study, scenario, name, member, changed[member])
    return changed


def other_data(study: BoundStudy, scenario: Scenario | None) -> dict[str, pd.DataFrame] | None:
    """The data that a scenario's model is built from; None where they are the study's."""
    if scenario is None or not scenario.data:
        return None
    changed = {name: study.inputs.catalogue[dataset].table() for name, dataset in scenario.data.items()}
    return {**study.data, **changed}


@contextmanager
def told_of(name: str) -> Iterator[None]:
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
    limits = allowed(study.declared[member], entry, study.factors[member])
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
