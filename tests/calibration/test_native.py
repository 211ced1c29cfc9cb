"""A log density as machine code is the one in Python, but for round-off, and leaves to it what is not regular."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelworks.calibration import LogDensity, Prior, Settings, Target, calibrate, group
from modelworks.calibration import native as native_room
from modelworks.calibration._progress import Silence
from modelworks.calibration.likelihoods._rising import log_rising, log_rising_slope
from modelworks.calibration.native import _likelihoods as routines
from modelworks.diagnostics import ess_bulk
from modelworks.model import CompiledModel
from modelworks.model.library.sir import sir

Array = NDArray[np.float64]

DAYS = np.arange(31.0)
TRUE = {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 763.0, "first_cases": 1.0}
MODEL = CompiledModel(sir().checked(), DAYS, step=0.5)
OUTPUT = "incidence"
EXPECTED = MODEL.run(MODEL.vector(TRUE))[1:, MODEL.outputs.index(OUTPUT)]
COUNTS = np.random.default_rng(1).poisson(EXPECTED).astype(float)

# Every family, and every way from the line.
PRIORS = {
    "normal": Prior.of("normal", {"mean": 0.5, "sd": 0.2}),
    "cut below": Prior.of("normal", {"mean": 0.5, "sd": 0.2}, bounds=(0, None)),
    "cut above": Prior.of("normal", {"mean": 0.5, "sd": 0.2}, bounds=(None, 2)),
    "cut twice": Prior.of("normal", {"mean": 0.5, "sd": 0.2}, bounds=(0, 2)),
    "log_normal": Prior.of("log_normal", {"median": 0.5, "sigma": 0.3}),
    "uniform": Prior.of("uniform", {"lower": 0.1, "upper": 2}),
    "log_uniform": Prior.of("log_uniform", {"lower": 0.1, "upper": 2}),
    "beta": Prior.of("beta", {"a": 4, "b": 3}),
    "gamma": Prior.of("gamma", {"mean": 0.5, "sd": 0.2}),
    "logit_normal": Prior.of("logit_normal", {"median": 0.5, "sigma": 0.6}),
    "student_t": Prior.of("student_t", {"location": 0.5, "scale": 0.1, "df": 5}),
    "cauchy": Prior.of("cauchy", {"location": 0.5, "scale": 0.02}),
    "half_normal": Prior.of("half_normal", {"sd": 0.6}),
    "half_cauchy": Prior.of("half_cauchy", {"scale": 0.5}),
    "exponential": Prior.of("exponential", {"mean": 0.5}),
}
ERROR = {"error": Prior.of("gamma", {"mean": 0.5, "sd": 0.4})}
LIKELIHOODS: dict[str, Mapping[str, Any]] = {
    "normal": {"sd": "error"},
    "log_normal": {"sigma": "error"},
    "poisson": {},
    "negative_binomial": {"overdispersion": "error"},
    "binomial": {"trials": 763.0},
}


def target(likelihood: str = "negative_binomial", arguments: Mapping[str, Any] | None = None, **more: Any) -> Target:
    observed = COUNTS + 1 if likelihood == "log_normal" else COUNTS
    weights = np.eye(DAYS.size)[1:]
    if likelihood == "binomial":
        weights = weights / 763.0
    given = LIKELIHOODS[likelihood] if arguments is None else arguments
    return Target(
        name="cases",
        output=OUTPUT,
        observed=observed,
        weights=weights,
        likelihood=likelihood,
        arguments=given,
        **more,
    )


def density(*targets: Target, prior: str = "log_normal", simulator: Any = MODEL) -> LogDensity:
    priors = {"contact_rate": PRIORS[prior], "recovery_rate": PRIORS["uniform"]}
    used = {name for each in targets for name in each.names}
    priors |= {name: value for name, value in ERROR.items() if name in used}
    fixed = {name: value for name, value in TRUE.items() if name not in priors}
    fixed |= {"reported": 0.7} if "reported" in used else {}
    return LogDensity(priors=priors, simulator=simulator, targets=targets, fixed=fixed)


def check_same(asked: LogDensity, key: int = 2, number: int = 20) -> None:
    """At draws of the prior, of value and gradient and in coordinates of any shape."""
    random = np.random.default_rng(key)
    size = asked.dimension
    origin, factor = random.normal(size=size), np.eye(size) + 0.3 * random.normal(size=(size, size))
    refused: list[Array] = []

    def otherwise(z: Array) -> tuple[float, Array]:
        refused.append(z)
        return -np.inf, np.zeros(size)

    make = asked.native()
    assert make is not None
    machine = make(origin, factor, otherwise, 2)
    compared = 0
    for position in asked.prior_positions(random, number):
        z = np.linalg.solve(factor, position - origin)
        value, gradient = asked.value_and_gradient(origin + factor @ z)
        found, slopes = machine(z)
        if np.isfinite(value):
            compared += 1
            assert found == pytest.approx(value, rel=1e-12)
            np.testing.assert_allclose(slopes, gradient @ factor, rtol=1e-12, atol=1e-12 * np.abs(gradient).max())
    assert compared > 0.9 * (number - asked.failed_runs.count)
    assert len(refused) == number - compared


@pytest.mark.parametrize("prior", PRIORS)
def test_of_every_prior_it_is_the_same(prior: str) -> None:
    check_same(density(target(), prior=prior))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_of_every_likelihood_it_is_the_same(likelihood: str) -> None:
    check_same(density(target(likelihood)))


def test_of_targets_of_every_shape_it_is_the_same() -> None:
    """Several of them, weekly sums, missing values, a weight, and a share that is reported."""
    weekly = np.kron(np.eye(4), np.ones(7)) @ np.eye(DAYS.size)[1:29]
    weeks = np.where([1, 0, 1, 1], weekly[:, 1:] @ COUNTS, np.nan)
    sums = replace(target("poisson"), name="weeks", observed=weeks, weights=weekly)
    shared = target("normal", {"sd": np.linspace(1, 9, 30)}, multipliers=["reported"] * 30, weight=0.5)
    check_same(density(target(), sums, replace(shared, name="reported")))


@given(st.integers(0, 100_000), st.floats(-12, 6))
def test_the_sum_of_rising_counts_is_the_same(count: int, power: float) -> None:
    """From a Poisson to counts that scatter a million times as widely: here as plain Python, as it is compiled."""
    step, kept = 10.0**power, np.zeros(routines.SCRATCH)
    routines.begin_rising(step, kept)
    routines.rising(float(count), kept)
    counts = np.array([float(count)])
    # The difference of two log-gammas loses what they have in common.
    lost = 1e-15 * (count + 1 / step) * np.log(count + 1 / step + 3) if step >= 0.05 else 0.0
    assert kept[routines.VALUE] == pytest.approx(log_rising(counts, step)[0], rel=1e-12, abs=4 * lost)
    assert kept[routines.BY_ARGUMENT] == pytest.approx(log_rising_slope(counts, step)[0], rel=1e-11)


def test_what_is_not_regular_is_left_to_python() -> None:
    """A point too far out, and whatever is asked once it was told to stop."""
    asked = density(target())
    seen: list[Array] = []

    def otherwise(z: Array) -> tuple[float, Array]:
        seen.append(z)
        return asked.value_and_gradient(z)

    make = asked.native()
    assert make is not None
    machine = make(np.zeros(3), np.eye(3), otherwise, 1)
    for far in (np.array([800.0, 0.0, 0.0]), np.array([np.nan, 0.0, 0.0])):
        assert machine(far)[0] == -np.inf
    assert len(seen) == 2
    machine(np.zeros(3))
    assert len(seen) == 2
    machine.stop()
    assert machine(np.zeros(3))[0] == asked.value_and_gradient(np.zeros(3))[0]
    assert len(seen) == 3


class InPython:
    """A simulator that says nothing of machine code."""

    def __init__(self) -> None:
        self.parameters, self.outputs, self.times = MODEL.parameters, MODEL.outputs, MODEL.times

    def run(self, values: Array) -> Array:
        return MODEL.run(values)

    def run_with_pullback(self, values: Array) -> tuple[Array, Callable[[Array], Array]]:
        return MODEL.run_with_pullback(values)


def test_what_has_no_machine_code_goes_on_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulators of one's own, values below a limit, families without a routine, groups, and runs that take long."""
    assert density(target()).native() is not None
    scattered = target("beta_binomial", {"trials": 763.0, "overdispersion": 0.01})
    assert density(target(), simulator=InPython()).native() is None
    assert density(target("poisson", censored=(COUNTS > 5))).native() is None
    assert density(replace(scattered, weights=scattered.weights / 763.0)).native() is None
    shares = group("dirichlet", "share", ["seen", "unseen"], {"concentration": 1.0})
    seen = target("poisson", multipliers=["share[seen]"] * COUNTS.size)
    assert LogDensity(priors={}, groups=[shares], simulator=MODEL, targets=[seen], fixed=TRUE).native() is None
    monkeypatch.setattr(native_room, "MOST_WORK", 10)
    assert density(target()).native() is None


def counted(asked: LogDensity, monkeypatch: pytest.MonkeyPatch) -> list[Array]:
    """The points at which Python works out a gradient from now on."""
    points: list[Array] = []
    in_python = asked.value_and_gradient

    def value_and_gradient(position: Array) -> tuple[float, Array]:
        points.append(position)
        return in_python(position)

    monkeypatch.setattr(asked, "value_and_gradient", value_and_gradient)
    return points


def test_draws_by_machine_code_are_the_same_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = density(target("poisson"))
    points = counted(asked, monkeypatch)
    settings = Settings("nuts", chains=3, draws=100, warmup=60, seed=4)
    one, two = (calibrate(asked, replace(settings, cores=cores)) for cores in (1, 2))
    # Those of the search and of the starts, of some thousands.
    assert len(points) < 600
    for name in one.parameters:
        np.testing.assert_array_equal(one.draws(name), two.draws(name))


@pytest.mark.slow
def test_draws_by_machine_code_and_by_python_are_of_one_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = density(target("poisson"))
    settings = Settings("nuts", chains=3, draws=300, warmup=100, seed=4)
    by_machine = calibrate(asked, settings)
    monkeypatch.setattr(native_room, "MOST_WORK", 0)
    points = counted(asked, monkeypatch)
    by_python = calibrate(asked, settings)
    assert len(points) > 3000
    for name in by_machine.parameters:
        draws, others = by_machine.draws(name), by_python.draws(name)
        error = np.hypot(draws.std() / ess_bulk(draws) ** 0.5, others.std() / ess_bulk(others) ** 0.5)
        assert abs(draws.mean() - others.mean()) < 4 * error


class Heard(Silence):
    """Rings when so many draws were made."""

    def __init__(self, draws: int) -> None:
        self.draws = draws
        self.rings = False

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        self.rings = self.rings or (total is not None and total > self.draws and done > self.draws)


def test_when_the_time_is_up_the_draws_there_are_are_kept() -> None:
    """They are the first of those there would be."""
    asked, heard = density(target("poisson")), Heard(500)
    settings = Settings("nuts", chains=2, draws=100_000, warmup=100, seed=4)
    found = calibrate(asked, settings, heard, time_is_up=lambda: heard.rings)
    said = found.attributes
    assert 4 <= said["draws"] < 100_000
    assert said["stopped"].startswith("stopped by the time limit after ")
    number = min(said["draws"], 100)
    first = calibrate(asked, replace(settings, draws=100))
    for name in found.parameters:
        kept = found.draws(name)[:, :number]
        assert all(any((chain == other[:number]).all() for other in first.draws(name)) for chain in kept)
