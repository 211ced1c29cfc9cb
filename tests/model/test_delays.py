"""Events that show later: convolution with a delay, against integrals, chains of compartments and differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Delay,
    Infection,
    Model,
    Output,
    Parameter,
    StochasticModel,
    Stratification,
    Time,
    Transition,
    by,
    delayed,
    events,
    jax_function,
    lasting,
    output_columns,
    particle_filter,
    people,
    run_many,
    settle_step,
    simulate,
    simulate_stochastic,
    written_numbers,
)

Array = NDArray[np.float64]
MEAN, SPREAD = Parameter("mean", "days", lower=0.1), Parameter("spread", lower=0.1)
WIDE = Parameter("spread", "days", lower=0.1)
LOG_SD = math.sqrt(math.log1p((2.5 / 6) ** 2))
# A delay, and the same distribution of SciPy at a mean of 6 and another number of 2.5.
FAMILIES: dict[str, tuple[Delay, Any]] = {
    "gamma": (Delay.gamma(MEAN, SPREAD), stats.gamma(2.5, scale=6 / 2.5)),
    "lognormal": (Delay.lognormal(MEAN, WIDE), stats.lognorm(LOG_SD, scale=6 * math.exp(-(LOG_SD**2) / 2))),
    "weibull": (Delay.weibull(MEAN, SPREAD), stats.weibull_min(2.5, scale=6 / math.gamma(1.4))),
}
VALUES = {"mean": 6.0, "spread": 2.5}
RATE = 0.3


def leaving(**outputs: Any) -> Model:
    """300 people a day leave at first, and fewer by and by: events whose number is known in closed form."""
    return Model("leaving", ["a", "b"], [Transition("exit", "a", "b", RATE)], {"a": 1000.0}, outputs)


def epidemic(outputs: dict[str, Any], ages: int = 0, doses: bool = False) -> Model:
    strata = [Stratification("age", [f"age {k}" for k in range(ages)], split=[1 / ages] * ages)] if ages else []
    strata += [Stratification("dose", ["none", "one"], split=[0.4, 0.6])] if doses else []
    flows = [
        Infection("infection", "s", "i", Parameter("rate"), "i"),
        Transition("recovery", "i", "r", Parameter("recovery")),
    ]
    return Model("epidemic", ["s", "i", "r"], flows, {"s": 9900.0, "i": 100.0}, outputs, strata)


EPIDEMIC = {"rate": 0.5, "recovery": 0.2}
DAYS = np.arange(0.0, 61.0, 4.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_integral_and_its_error_is_of_second_order(family: str) -> None:
    delay, distribution = FAMILIES[family]
    times = np.array([0.0, 1.0, 4.0, 9.5, 20.0, 30.25])

    def seen(until: float) -> float:
        """How many have been reported: each who left, times the chance that it has been told."""
        rate = RATE * 1000.0
        return float(
            integrate.quad(lambda s: rate * math.exp(-RATE * s) * distribution.cdf(until - s), 0, until, limit=200)[0]
        )

    cumulative = np.array([seen(float(t)) for t in times])
    happened = 1000 * (1 - np.exp(-RATE * times))
    errors = []
    for step in (0.5, 0.25):
        reports, waiting = (each(events("exit"), delay, step=step) for each in (delayed, lasting))
        model = leaving(reports=reports, waiting=waiting)
        found = simulate(model, VALUES, times, accuracy=1e-11)
        np.testing.assert_allclose(np.cumsum(found["reports"]), happened - found["waiting"], rtol=0, atol=1e-7)
        errors.append(np.abs(np.cumsum(found["reports"]) - cumulative).max())
    assert errors[1] < (RATE * 0.25) ** 2 / 12 * 1000
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_a_gamma_delay_of_whole_shape_is_a_chain_of_compartments() -> None:
    chain = Model(
        "chain",
        ["s", "i", "r", "waiting", "told"],
        [
            Infection("infection", "s", "i", 0.5, "i"),
            Transition("recovery", "i", "waiting", 0.2),
            Transition("report", "waiting", "told", 1 / 6, stages=3),
        ],
        {"s": 9900.0, "i": 100.0, "r": 0.0},
        {"reports": events("report"), "waiting": people("waiting")},
    )
    chain = chain.extended(flows=[Transition("never", "r", "told", 0.0)])
    expected = simulate(chain, {}, DAYS, accuracy=1e-8)
    delay = Delay.gamma(6.0, 3)
    series = {"reports": delayed(events("recovery"), delay, step=0.1), "waiting": lasting(events("recovery"), delay)}
    found = simulate(epidemic(series), EPIDEMIC, DAYS, accuracy=1e-8)
    np.testing.assert_allclose(found["reports"], expected["reports"], atol=1e-4 * expected["reports"].max())
    np.testing.assert_allclose(found["waiting"], expected["waiting"], atol=3e-3 * expected["waiting"].max())


@pytest.mark.parametrize(
    "delay",
    [Delay.gamma(9.0, 0.7), Delay.lognormal(9.0, 6.0), Delay.weibull(9.0, 0.8), Delay.discrete([0.1, 0.2, 0.7])],
)
def test_nobody_is_lost_and_nothing_is_below_zero(delay: Delay) -> None:
    times = [0.0, 3.0, 10.0, 100.0, 700.0]
    found = simulate(leaving(now=events("exit"), later=delayed(events("exit"), delay)), {}, times)
    assert np.all(found["later"] >= 0)
    np.testing.assert_allclose(found["later"].sum(), found["now"].sum(), rtol=1e-9)


def test_it_depends_neither_on_the_times_of_outputs_nor_on_the_step_of_the_solver() -> None:
    model = epidemic({"late": delayed(events("infection"), Delay.gamma(8.0, 2.0))})

    def total(times: Array, step: float) -> Array:
        compiled = CompiledModel(model, times, step=step)
        return np.cumsum(compiled.run(compiled.vector(EPIDEMIC))[:, 0])

    daily = total(np.arange(0.0, 61.0), 0.25)
    np.testing.assert_allclose(total(np.arange(0.0, 61.0, 10.0), 0.25), daily[::10], rtol=1e-9, atol=1e-9)
    some = total(np.array([0.0, 2.5, 10.0, 13.7, 20.0, 60.0]), 0.25)
    np.testing.assert_allclose(some[[2, 4, 5]], daily[[10, 20, 60]], rtol=1e-4)
    np.testing.assert_allclose(some[1], (daily[2] + daily[3]) / 2, rtol=1e-4)
    np.testing.assert_allclose(total(np.arange(0.0, 61.0), 0.1), daily, rtol=1e-5)


@pytest.mark.parametrize(
    ("solver", "step", "within"), [("adaptive", None, 1e-4), ("implicit", None, 1e-3), ("euler", 0.01, 3e-2)]
)
def test_every_solver_gives_the_same(solver: str, step: float | None, within: float) -> None:
    series = {"new": events("infection"), "late": delayed(events("infection"), Delay.gamma(8.0, 2.0))}
    expected = simulate(epidemic(series), EPIDEMIC, DAYS, accuracy=1e-8)
    found = simulate(epidemic(series), EPIDEMIC, DAYS, solver=solver, step=step)
    for name in series:
        np.testing.assert_allclose(found[name], expected[name], atol=within * expected[name].max())


def test_probabilities_are_those_of_whole_steps() -> None:
    model = leaving(now=events("exit"), later=delayed(0.5 * events("exit"), Delay.discrete([0.2, 0.0, 0.8])))
    found = simulate(model, {}, range(11))
    now = found["now"][1:]
    expected = 0.1 * now + 0.4 * np.concatenate([[0, 0], now[:-2]])
    np.testing.assert_allclose(found["later"][1:], expected, rtol=1e-12)


def test_other_outputs_are_what_they_were() -> None:
    """Also those that are not sums of events, which outputs in between would change."""
    others = {
        "new": events("infection"),
        "ratio": Output(events("recovery") / (1.0 + events("infection")), "dimensionless"),
        "ill": people("i"),
    }
    alone = simulate(epidemic(others), EPIDEMIC, DAYS, accuracy=1e-9)
    late = delayed(events("infection"), Delay.gamma(8.0, 2.0))
    found = simulate(epidemic({**others, "late": late}), EPIDEMIC, DAYS, accuracy=1e-9)
    for name in others:
        np.testing.assert_allclose(found[name], alone[name], rtol=1e-7)
    joined = {"both": events("infection") + late, "rest": events("infection") - (late - events("recovery"))}
    together = simulate(epidemic(joined), EPIDEMIC, DAYS, accuracy=1e-9)
    np.testing.assert_allclose(together["both"], found["new"] + found["late"], rtol=1e-7)
    recovered = found["ratio"] * (1.0 + found["new"])
    np.testing.assert_allclose(together["rest"], found["new"] - found["late"] + recovered, rtol=1e-7, atol=1e-9)


def everything() -> Model:
    """Three ages as lanes, doses as rows; delays by age and dose, and probabilities that are parameters."""
    mean = MEAN * by("age", [1.0, 1.5, 0.5])
    apart = events("infection", by=["age", "dose"])
    share = Parameter("share")
    return epidemic(
        {
            "gamma": Output(delayed(share * apart, Delay.gamma(mean, SPREAD)), by=["age", "dose"]),
            "lognormal": Output(
                delayed(events("infection", by=["dose"]), Delay.lognormal(by("dose", [1.0, 2.0]) * MEAN, 3.0))
                + events("recovery", by=["dose"]),
                by=["dose"],
            ),
            "weibull": lasting(events("recovery", times=0.01 * Time()), Delay.weibull(8.0, SPREAD), step=0.5),
            "discrete": delayed(events("infection"), Delay.discrete([share, 0.2, 0.8 - share])),
            "lasting": lasting(events("infection"), Delay.discrete([share, 0.2, 0.8 - share])),
            "new": events("infection"),
        },
        ages=3,
        doses=True,
    )


GIVEN = {**EPIDEMIC, **VALUES, "share": 0.3}


def test_strata_are_delayed_each_by_its_own() -> None:
    found = simulate(everything(), GIVEN, DAYS, accuracy=1e-8)
    for k, factor in enumerate([1.0, 1.5, 0.5]):
        one = epidemic({"late": delayed(0.3 * events("infection"), Delay.gamma(factor * 6.0, 2.5))})
        expected = simulate(one, EPIDEMIC, DAYS, accuracy=1e-8)["late"]
        np.testing.assert_allclose(found["gamma"][:, k, 1], 0.6 / 3 * expected, rtol=1e-6, atol=1e-9)
    counting = {column.output for column in output_columns(everything()) if column.counts_events}
    assert counting == {"gamma", "lognormal", "discrete", "new"}


def compiled_everything() -> tuple[CompiledModel, Array]:
    compiled = CompiledModel(everything().checked(), np.append(DAYS, 62.3), step=0.5)
    return compiled, compiled.vector(GIVEN)


def test_the_gradient_is_that_of_the_outputs() -> None:
    compiled, at = compiled_everything()
    outputs, pullback = compiled.run_with_pullback(at)
    cotangent = np.random.default_rng(5).normal(size=outputs.shape) / np.maximum(np.abs(outputs).max(axis=0), 1e-9)
    np.testing.assert_array_equal(outputs, compiled.run(at))
    gradient = pullback(cotangent)
    for k in range(at.size):
        step = 2e-3 * at[k] * np.eye(at.size)[k]
        stencil = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
        moved = sum(
            factor * np.sum((compiled.run(at + n * step) - compiled.run(at - n * step)) * cotangent)
            for n, factor in stencil.items()
        )
        assert gradient[k] == pytest.approx(moved / step[k], rel=1e-8), compiled.parameters[k]


def test_many_runs_are_the_runs_one_by_one() -> None:
    compiled = CompiledModel(leaving(late=delayed(events("exit"), FAMILIES["gamma"][0])), DAYS)
    rows = np.array([[6.0, 2.5], [3.0, 1.5], [9.0, 0.8]])
    expected = np.stack([compiled.run(row) for row in rows])
    np.testing.assert_allclose(run_many(compiled, rows), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.needs("jax")
@pytest.mark.slow
def test_in_jax_they_are_the_same_numbers_and_derivatives() -> None:
    import jax

    compiled, at = compiled_everything()
    outputs, pullback = compiled.run_with_pullback(at)
    found, backwards = jax.vjp(jax.jit(jax_function(compiled)), at)
    np.testing.assert_allclose(np.asarray(found), outputs, rtol=1e-8, atol=1e-8)
    cotangent = np.random.default_rng(5).normal(size=outputs.shape) / np.maximum(np.abs(outputs).max(axis=0), 1e-9)
    np.testing.assert_allclose(np.asarray(backwards(cotangent)[0]), pullback(cotangent), rtol=1e-7)


def test_by_chance_a_draw_is_the_same_whichever_are_beside_it() -> None:
    """To the last bit: parts that other machines ran are put together."""
    compiled = StochasticModel(everything().checked(), DAYS)
    factors = np.linspace(0.5, 1.5, 7)
    rows = compiled.rows({name: GIVEN[name] * factors for name in compiled.parameters})
    whole = compiled.run(rows, 7, 3)
    parts = [compiled.run(rows[a:b], b - a, 3, first=a) for a, b in ((0, 1), (1, 4), (4, 7))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_by_chance_it_is_what_is_expected_of_the_events_that_happened() -> None:
    delay = Delay.discrete([0.5, 0.5])
    model = epidemic({"new": events("infection"), "late": delayed(events("infection"), delay), "ill": people("i")})
    runs = simulate_stochastic(model, EPIDEMIC, range(31), seed=2, draws=5)
    new = runs["new"]
    assert np.all(new == np.round(new))
    np.testing.assert_allclose(runs["late"][:, 1:], (new[:, 1:] + new[:, :-1]) / 2, rtol=1e-12)
    weekly = simulate_stochastic(model, EPIDEMIC, range(0, 31, 5), seed=2, draws=5)
    np.testing.assert_allclose(np.cumsum(weekly["late"], axis=1), np.cumsum(runs["late"], axis=1)[:, ::5], rtol=1e-12)
    with pytest.raises(ModelworksError, match="S125"):
        particle_filter(model, EPIDEMIC, range(5), lambda outputs, k: outputs["late"], seed=1)


LETTERS: dict[str, tuple[Callable[[], Any], str]] = {
    "people": (lambda: delayed(people("i"), Delay.gamma(8.0, 2.0)), r"M135.*not a number of events"),
    "a product of events": (
        lambda: delayed(events("recovery") * events("infection"), Delay.gamma(8.0, 2.0)),
        r"M135.*not a number of events",
    ),
    "a factor that changes": (lambda: delayed(Time() * events("exit"), Delay.gamma(8.0, 2.0)), r"(?s)M135.*`times`"),
    "a number for a delay": (lambda: delayed(events("exit"), 8.0), r"(?s)M135.*Delay\.gamma"),  # type: ignore[arg-type]
    "a step of nothing": (lambda: delayed(events("exit"), Delay.gamma(8.0, 2.0), step=0.0), "M135.*takes some time"),
    "no probabilities": (lambda: Delay.discrete([]), r"M135.*list of numbers"),
    "a mean of nothing": (
        lambda: leaving(late=delayed(events("exit"), Delay.gamma(0.0, 2.0))).checked(),
        r"(?s)M135.*above zero",
    ),
    "probabilities that do not sum to one": (
        lambda: leaving(late=delayed(events("exit"), Delay.discrete([0.2, 0.3]))).checked(),
        "M107.*sum to 0.5",
    ),
    "a delay that changes": (
        lambda: leaving(late=delayed(events("exit"), Delay.gamma(1.0 + Time(), 2.0))).checked(),
        "M135.*changes with time",
    ),
    "a multiple of a delayed series": (
        lambda: leaving(late=0.5 * delayed(events("exit"), Delay.gamma(8.0, 2.0))).checked(),
        r"(?s)M135.*inside, before the events",
    ),
    "a rate that waits": (
        lambda: (
            epidemic({"i": people("i")})
            .extended(flows=[Transition("x", "r", "s", 0.1 * delayed(events("recovery"), Delay.gamma(8.0, 2.0)))])
            .checked()
        ),
        r"(?s)M135.*people in stages can",
    ),
    "a delay by the rate of it": (
        lambda: leaving(late=delayed(events("exit"), Delay.gamma(Parameter("r", "per day"), 2.0))).checked(),
        "M129.*mean of the delay of `late` is per day",
    ),
    "a delay by an age that the output sums over": (
        lambda: epidemic(
            {"late": delayed(events("infection"), Delay.gamma(by("age", [1.0, 2.0]), 2.0))}, ages=2
        ).checked(),
        "M105.*is one number",
    ),
    "a mean below nothing in a run": (
        lambda: simulate(leaving(late=delayed(events("exit"), Delay.gamma(Parameter("m"), 2.0))), {"m": -1.0}, DAYS),
        "S103.*delay's numbers are above zero",
    ),
}


@pytest.mark.parametrize("mistake", LETTERS)
def test_a_mistake_is_told(mistake: str) -> None:
    build, words = LETTERS[mistake]
    with pytest.raises(ModelworksError, match=words):
        build()


def test_the_numbers_of_a_delay_are_assumptions() -> None:
    found = {
        each.name: each.value for each in written_numbers(leaving(late=delayed(events("exit"), Delay.gamma(8, 2))))
    }
    assert found["late: delay"] == "gamma, mean 8, shape 2"


def test_the_step_of_a_solver_settles_as_ever() -> None:
    compiled = CompiledModel(everything(), DAYS)
    assert settle_step(compiled, compiled.vector(GIVEN), 1e-6).error <= 1e-6
