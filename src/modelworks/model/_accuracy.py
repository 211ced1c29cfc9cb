"""How long a step may be: from the fastest rate of leaving, then from the error itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from modelworks.errors import ModelworksError, fail
from modelworks.model._compiled import CompiledModel
from modelworks.model._graph import Array
from modelworks.model._kinds import is_number
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.backends.native import Tape
from modelworks.model.solvers._method import ChosenStep
from modelworks.model.solvers.rk4 import stable_step

# Below this an error is round-off, and halving the step would chase noise.
ROUND_OFF = 1e-13
MOST_STEPS = 2_000_000
# Where stability alone asks for more, a solver that need not follow what is fast is quicker.
MOST_STABLE_STEPS = 100_000
# Below this the error of one step is round-off too.
SHARPEST = 1e-13
TIGHTER = 10.0

# A promised step is taken a little shorter, so that it is rarely tried in vain, and only where it saves a tenth.
MARGIN = 0.95
WORTHWHILE = 1.1
# With fewer, a step and its half may meet a season at the same phases, or both miss a quick change:
# they then agree on a wrong number.
FEWEST_STEPS = 50
# Runs that break down at every step of so many halvings do so for another reason than the step.
MOST_BREAKDOWNS = 12


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The step in use, and the error it makes in any output, as a part of that output's largest value.

    The error is not a number where the step is part of the model.
    """

    step: float
    error: float

    def __str__(self) -> str:
        if np.isnan(self.error):
            return f"steps of {self.step:g}; no error estimate: the step is part of the model"
        return f"steps of at most {self.step:.3g}; the largest error is {self.error:.1e} of an output's largest value"


def settle_step(compiled: CompiledModel, values: Array, wanted: float = 1e-5, *, at_most: float = np.inf) -> Accuracy:
    """Set the longest step whose error is at most `wanted`, and say what the error is.

    `at_most` limits the step further, for runs with other values: see `longest_stable_step`.
    The error is measured, by halving the step: Richardson's estimate for the order of the method. A solver that
    chooses its own steps takes shorter ones by its tolerance. Where the step is part of the model it stays, and there
    is no error.
    """
    if not (is_number(wanted) and wanted >= 0):
        fail(
            "S128",
            f"an accuracy of {wanted!r} was asked for",
            hint="give the part of an output's largest value that an error may have, such as 1e-5",
        )
    if compiled.method.order is None:
        compiled.run(values)  # tells what is impossible, and where
        return Accuracy(compiled.step, np.nan)
    if isinstance(compiled.method, ChosenStep):
        return _settle_tolerance(compiled, values, wanted)
    span = float(compiled.times[-1] - compiled.times[0])
    fastest = largest_exit_rate(compiled, values)
    if not np.isfinite(fastest):
        compiled.run(values)  # tells which rate it is
    stable = stable_step(fastest)
    if span / stable > MOST_STABLE_STEPS and compiled.step > stable:
        _tell_of_stiffness(compiled, fastest, stable, span)
    step = longest = min(compiled.step, stable, span / FEWEST_STEPS, at_most)
    if span / step > MOST_STEPS:
        _tell_of_unsettled(compiled, step, wanted)
    coarse = _attempt(compiled, step, values)
    breakdowns = 0
    while span / step < MOST_STEPS:
        fine = _attempt(compiled, step / 2, values)
        breakdowns = breakdowns + 1 if fine is None else 0
        if breakdowns > MOST_BREAKDOWNS:
            break
        error = np.inf if coarse is None or fine is None else _halving_error(compiled, coarse, fine)
        if error <= max(wanted, ROUND_OFF):
            compiled.with_step(step)
            settled = Accuracy(step, error)
            return settled if step == longest else _lengthened(compiled, values, settled, wanted)
        step, coarse = step / 2, fine
    if coarse is None:
        compiled.with_step(step).run(values)  # tells what is impossible, and where
    _tell_of_unsettled(compiled, step, wanted)


def _lengthened(compiled: CompiledModel, values: Array, settled: Accuracy, wanted: float) -> Accuracy:
    """The step between a settled one and its double that the order of the method promises, if it keeps the promise.

    Halving alone leaves the error up to sixteen times smaller than was asked for, and a run up to twice as long.
    """
    promised = settled.step * (wanted / max(settled.error, ROUND_OFF)) ** (1 / 4) * MARGIN
    step = min(promised, 2 * settled.step)
    if step < WORTHWHILE * settled.step:
        return settled
    coarse, fine = _attempt(compiled, step, values), _attempt(compiled, step / 2, values)
    if coarse is not None and fine is not None and (error := _halving_error(compiled, coarse, fine)) <= wanted:
        compiled.with_step(step)
        return Accuracy(step, error)
    compiled.with_step(settled.step)
    return settled


def _settle_tolerance(compiled: CompiledModel, values: Array, wanted: float) -> Accuracy:
    """Tighten the tolerance until the outputs do not change by more than is wanted when steps are halved."""
    span = float(compiled.times[-1] - compiled.times[0])
    compiled.with_step(min(compiled.step, span / FEWEST_STEPS), max(wanted, SHARPEST))
    while compiled.tolerance >= SHARPEST:
        try:
            coarse, tape = compiled.run_with_tape(values)
            error = _halving_error(compiled, coarse, _finer(compiled, tape).run(values))
        except ModelworksError as failure:
            if not {"S101", "S102"} & set(failure.codes) or compiled.tolerance < SHARPEST * TIGHTER:
                raise
            error = np.inf
        if error <= max(wanted, ROUND_OFF):
            return Accuracy(tape.longest, error)
        compiled.with_step(compiled.step, compiled.tolerance / TIGHTER)
    _tell_of_unsettled(compiled, tape.longest, wanted)


def _finer(compiled: CompiledModel, tape: Tape) -> CompiledModel:
    """A copy that takes steps half as long as a run did; it shares the machine code, and leaves the model as it is."""
    method, other = compiled.method, copy.copy(compiled)
    if isinstance(method, ChosenStep):
        return other.with_step(tape.longest / 2, compiled.tolerance / 2**method.order)
    return other.with_step(compiled.step / 2)


def _halving_error(compiled: CompiledModel, coarse: Array, fine: Array) -> float:
    """The error of a run, from one with half the step: by the order of the method, the difference falls short of it."""
    halved = 2.0 ** (compiled.method.order or 1)
    return difference(coarse, fine) * halved / (halved - 1)


def longest_stable_step(compiled: CompiledModel, draws: Array) -> float:
    """The longest step at which a run with none of some values, shape (draw, parameter), blows up.

    A step that is settled at one place may be too long at another, where people leave faster: the runs there
    break down, and a calibration takes for impossible what is not. Values with rates that are no numbers break down
    at any step and do not count. A solver that chooses its own steps needs no such limit, and a step that is part of
    the model is not to be changed: it is infinite for both.
    """
    if isinstance(compiled.method, ChosenStep) or compiled.method.order is None:
        return np.inf
    fastest = [largest_exit_rate(compiled, values) for values in draws]
    return min((stable_step(rate) for rate in fastest if np.isfinite(rate)), default=np.inf)


def measure_error(compiled: CompiledModel, values: Array) -> float:
    """The error of the step in use at other parameter values; not a number where the step is part of the model."""
    if compiled.method.order is None:
        return np.nan
    return _halving_error(compiled, *halved_runs(compiled, values))


def halved_runs(compiled: CompiledModel, values: Array) -> tuple[Array, Array]:
    """Outputs (time, column) with the step in use, and with one half as long."""
    coarse, tape = compiled.run_with_tape(values)
    return coarse, _finer(compiled, tape).run(values)


def difference(coarse: Array, fine: Array) -> float:
    """The largest difference in any column, as a part of the column's largest value."""
    peak = np.max(np.abs(fine), axis=0)
    gap = np.max(np.abs(coarse - fine), axis=0)
    return float(np.max(np.divide(gap, peak, out=np.zeros_like(gap), where=peak > 0), initial=0.0))


def largest_exit_rate(compiled: CompiledModel, values: Array) -> float:
    """The largest total rate at which people leave any row, as far as it does not depend on the state."""
    program = compiled.program
    found = evaluate(program.graph, program.exit_rates, parameters=values[None, :], times=compiled.grid.moments)
    return max((float(np.max(rate)) for rate in found.values()), default=0.0)


def _tell_of_unsettled(compiled: CompiledModel, step: float, wanted: float) -> NoReturn:
    fail(
        "S106",
        f"the outputs of `{compiled.model.name}` do not settle within {wanted:g} "
        f"even at a step of {step:g} {compiled.model.time}",
        hint="a rate is extremely large, or something jumps within a step: look for rates far above the others",
    )


def _tell_of_stiffness(compiled: CompiledModel, fastest: float, stable: float, span: float) -> NoReturn:
    unit = compiled.model.time
    fail(
        "S126",
        f"people of `{compiled.model.name}` leave at rates up to {fastest:.3g} per {unit.removesuffix('s')}, which "
        f"`{compiled.method.name}` follows only in steps of {stable:.2g} {unit}: {span / stable:,.0f} of them",
        hint='use solver="implicit", or in study.yaml `solver: implicit` under `time:`; or let those who leave so '
        "fast be where they go: a compartment that is always in balance can be left out; "
        f"with step={stable:.1g} it is run all the same",
    )


def _attempt(compiled: CompiledModel, step: float, values: Array) -> Array | None:
    """A run at a step, or nothing where that step is too long to hold people above zero."""
    try:
        return compiled.with_step(step).run(values)
    except ModelworksError as error:
        # A rate made of people is below zero where they are; one that is so by itself is told at the shortest step.
        if {"S101", "S102", "S103"} & set(error.codes):
            return None
        raise
