"""Whether the solver's steps are short enough for a calibration: measured where its draws are.

The step is settled before anything is known, at the middle of what is believed. The posterior may lie where people move
faster, and be so narrow that an error far below what the eye sees moves it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import LogDensity, Posterior
from modelworks.diagnostics.checks.solver_steps import MOVED
from modelworks.errors import ModelworksError
from modelworks.model import CompiledModel, difference, halved_runs, settle_step
from modelworks.study.binding._scaled import ScaledModel

Array = NDArray[np.float64]

# Draws over all chains that are looked at, beside the optimum and those that are extreme in some parameter.
EVENLY, MOST = 5, 24
# Steps that have to be shorter are made so by this much below where they begin to matter.
SPARE = 0.2
# Nothing is asked to be more exact than this.
SHARPEST = 1e-10
# Where the density is there with one step and not with another, it moves by more than any number.
BEYOND = 1e6


@dataclass(frozen=True)
class StepEffect:
    """What the step in use does at some draws: the largest error of an output as a part of its largest value, and how
    far the log density moves against that of the others. `rows` are the values of those it matters to most, in the
    order and the units of the model, and `errors` the error of each.
    """

    error: float
    shift: float
    rows: Array
    errors: Array

    @property
    def matters(self) -> bool:
        return self.shift >= MOVED.look


def step_effect(density: LogDensity, posterior: Posterior) -> StepEffect | None:
    """What the step does at the optimum, at extreme draws and at some others; None where it is part of the model, or
    people move by chance."""
    model = density.simulator
    if not isinstance(model, ScaledModel) or model.compiled.method.order is None or not density.free:
        return None
    halved = 2.0**model.compiled.method.order
    rows, errors, moves = [], [], []
    for values in density.all_values(_looked_at(density, posterior)):
        given = model.given(values)
        try:
            coarse, fine = halved_runs(model.compiled, given)
        except ModelworksError:
            continue  # a draw of no density, which no step would give one
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            pairs = [(each.total(coarse, values), each.total(fine, values)) for each in density.observations]
        rows.append(given)
        errors.append(difference(coarse, fine) * halved / (halved - 1))
        moves.append(sum(after - before for before, after in pairs) * halved / (halved - 1))
    if not rows:
        return None
    # What moves all of them alike moves none.
    known = np.isfinite(moves)
    apart = np.where(known, np.abs(np.array(moves) - np.median(np.array(moves)[known] if known.any() else 0.0)), BEYOND)
    worst = np.argsort(-apart)[:EVENLY]
    return StepEffect(float(max(errors)), float(apart.max()), np.array(rows)[worst], np.array(errors)[worst])


def _looked_at(density: LogDensity, posterior: Posterior) -> Array:
    """Values of the free parameters (place, free): the optimum, the ends of each, and some in between."""
    draws = np.column_stack([np.asarray(posterior.draws(name)).ravel() for name in density.free])
    extreme = np.concatenate([draws.argmin(axis=0), draws.argmax(axis=0)])
    even = np.linspace(0, len(draws) - 1, min(EVENLY, len(draws))).astype(int)
    chosen = np.unique(np.concatenate([even, extreme]))
    chosen = chosen[np.unique(np.linspace(0, chosen.size - 1, min(MOST, chosen.size)).astype(int))]
    optimum = posterior.attributes.get("optimum")
    best = np.array([[optimum[name] for name in density.free]]) if optimum is not None else draws[:0]
    found: Array = np.concatenate([draws[chosen], best])
    return found


def shorten(compiled: CompiledModel, effect: StepEffect) -> None:
    """Make the steps so short that they no longer matter at the draws to which they did."""
    step, tolerance = compiled.step, compiled.tolerance
    for row, error in zip(effect.rows, effect.errors, strict=True):
        wanted = min(error, 1.0) * SPARE * MOVED.look / effect.shift
        settle_step(compiled, row, max(wanted, SHARPEST))
        step, tolerance = min(step, compiled.step), min(tolerance, compiled.tolerance)
    compiled.with_step(step, tolerance)
