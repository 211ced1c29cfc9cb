"""One solution of the boarding-school model: ours, a plain loop in NumPy, and SciPy's solver.

The school: 763 boys, 14 days (BMJ, 4 March 1978). Errors are against SciPy's eighth-order method at a tolerance of
1e-12, in boys ill, relative to the peak.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from measurement import Measurement, compared, seconds_each
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from modelworks.model import CompiledModel, settle_step
from modelworks.model.library.sir import sir

Array = NDArray[np.float64]

TIMES = np.arange(15.0)
VALUES = {"contact_rate": 1.7, "recovery_rate": 0.5, "population": 763.0, "first_cases": 1.0}
RATES = (VALUES["contact_rate"], VALUES["recovery_rate"])
STEPS_A_DAY = 8


def slope(_: float, state: Array, contact_rate: float, recovery_rate: float) -> Array:
    """People per day into susceptible, infectious and recovered."""
    susceptible, infectious, _recovered = state
    infected = contact_rate * susceptible * infectious / VALUES["population"]
    recovered = recovery_rate * infectious
    return np.array([-infected, infected - recovered, recovered])


def start() -> Array:
    first = VALUES["first_cases"]
    return np.array([VALUES["population"] - first, first, 0.0])


def by_scipy(**settings: Any) -> Array:
    """Boys ill on each day, by SciPy."""
    solved = solve_ivp(slope, (TIMES[0], TIMES[-1]), start(), t_eval=TIMES, args=RATES, **settings)
    return np.asarray(solved.y[1])


def by_scipy_at(contact_rate: float, recovery_rate: float) -> Array:
    """Boys ill on each day but the first, at other rates."""
    span = (TIMES[0], TIMES[-1])
    rates = (contact_rate, recovery_rate)
    solved = solve_ivp(slope, span, start(), t_eval=TIMES, args=rates, method="LSODA", rtol=1e-6)
    return np.asarray(solved.y[1, 1:])


def by_numpy_loop() -> Array:
    """Boys ill on each day, by the fourth-order Runge-Kutta method as one writes it first."""
    state, ill, step = start(), [start()[1]], 1 / STEPS_A_DAY
    for _ in TIMES[1:]:
        for _ in range(STEPS_A_DAY):
            first = slope(0, state, *RATES)
            second = slope(0, state + step / 2 * first, *RATES)
            third = slope(0, state + step / 2 * second, *RATES)
            fourth = slope(0, state + step * third, *RATES)
            state = state + step / 6 * (first + 2 * second + 2 * third + fourth)
        ill.append(state[1])
    return np.array(ill)


def error_of(ill: Array, truth: Array) -> float:
    return float(np.max(np.abs(ill - truth)) / np.max(truth))


def measure() -> Iterator[Measurement]:
    truth = by_scipy(method="DOP853", rtol=1e-12, atol=1e-9)
    compiled = CompiledModel(sir().checked(), TIMES)
    vector = compiled.vector(VALUES)
    settle_step(compiled, vector, 1e-5)
    ours = seconds_each(partial(compiled.run, vector))
    error = error_of(compiled.run(vector)[:, compiled.outputs.index("prevalence")], truth)

    loop = seconds_each(by_numpy_loop)
    yield compared("simulate: boarding school, one run", ours * 1e3, "ms", "a loop in NumPy", loop * 1e3, error)
    yield Measurement("simulate: a loop in NumPy", loop * 1e3, "ms", error=error_of(by_numpy_loop(), truth))
    for method, settings in {"LSODA": {"rtol": 1e-6}, "RK45": {"rtol": 1e-6}}.items():
        solve = partial(by_scipy, method=method, **settings)
        theirs = seconds_each(solve)
        peer = f"scipy {method}, rtol {settings['rtol']:g}"
        yield compared("simulate: boarding school, one run", ours * 1e3, "ms", peer, theirs * 1e3, error)
        yield Measurement(f"simulate: {peer}", theirs * 1e3, "ms", error=error_of(solve(), truth))

    yield gradient(compiled, vector, ours)


def gradient(compiled: CompiledModel, vector: Array, run_seconds: float) -> Measurement:
    """Value and exact gradient, in runs: differences would take one run more than there are parameters."""
    cotangent = np.ones_like(compiled.run(vector))

    def value_and_gradient() -> Array:
        _, pullback = compiled.run_with_pullback(vector)
        return pullback(cotangent)

    runs = seconds_each(value_and_gradient) / run_seconds
    differences = float(len(vector) + 1)
    return compared("simulate: value and gradient", runs, "runs", "one-sided differences", differences)
