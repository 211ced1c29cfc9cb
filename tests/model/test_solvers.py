"""Every deterministic solver: what it is right about, and what it says of its own error."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from modelworks.dates import Calendar
from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Delay,
    Entry,
    Infection,
    Model,
    Parameter,
    Pulse,
    Time,
    Transition,
    cos,
    delayed,
    events,
    jax_function,
    people,
    run_many,
    settle_step,
    simulate,
    table,
)

OWN_STEPS = ["adaptive", "implicit"]
CONTACTS, RECOVERY = 0.8, 0.3


def outbreak(**more: Any) -> Model:
    flows = [
        Infection("infection", "s", "i", CONTACTS, "i"),
        Transition("recovery", "i", "r", RECOVERY),
        *more.pop("flows", []),
    ]
    outputs = {"s": people("s"), "i": people("i"), "new": events("infection")}
    return Model("outbreak", ["s", "i", "r"], flows, {"s": 990.0, "i": 10.0}, outputs, **more)


# -- euler -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1.0, 0.25])
def test_euler_is_the_difference_equation_of_the_textbook(step: float) -> None:
    """S(t+h) = S(t) - h λ(t) S(t), and so on, written out by hand."""
    found = simulate(outbreak(), {}, np.arange(0.0, 41.0), solver="euler", step=step)
    s, i, new, rows = 990.0, 10.0, 0.0, [(990.0, 10.0, 0.0)]
    for number in range(1, round(40 / step) + 1):
        infected, recovered = step * CONTACTS * i / 1000 * s, step * RECOVERY * i
        s, i, new = s - infected, i + infected - recovered, new + infected
        if abs(number * step - round(number * step)) < 1e-9:
            rows.append((s, i, new))
            new = 0.0
    np.testing.assert_allclose(np.stack([found["s"], found["i"], found["new"]], 1), rows, rtol=1e-12)
    assert np.isnan(found.error)
    assert found.step == step


def test_euler_reads_tables_where_its_steps_begin() -> None:
    """A table that changes within a step is seen at the next: no step is cut in two."""
    rate = table([0.5, 2.0], [0.1, 0.4], "step")
    model = Model("leaving", ["a", "b"], [Transition("leave", "a", "b", rate)], {"a": 1.0}, {"a": people("a")})
    found = simulate(model, {}, [0.0, 1.0, 2.0, 3.0], solver="euler", step=1.0)["a"]
    np.testing.assert_allclose(found, np.cumprod([1.0, 0.9, 0.9, 0.6]), rtol=1e-14)


def test_a_pulse_moves_its_share_whatever_the_solver() -> None:
    """It takes no time, so no step enters it."""
    pulse = Pulse("campaign", 2.0, "s", "r", share=0.4)
    model = outbreak(flows=[pulse])
    found = simulate(model, {}, [0.0, 1.0, 2.0, 3.0], solver="euler", step=1.0)
    left = 0.6 * found["s"][2]
    infected = CONTACTS * found["i"][2] / 1000 * left
    assert found["s"][3] == pytest.approx(left - infected, rel=1e-12)


def test_eulers_error_halves_with_its_step() -> None:
    """The method is of order one; no number of it is a converged one."""
    exact = simulate(outbreak(), {}, [0.0, 10.0, 20.0], accuracy=1e-10)["i"]
    errors = [
        np.abs(simulate(outbreak(), {}, [0.0, 10.0, 20.0], solver="euler", step=h)["i"] - exact).max()
        for h in (0.02, 0.01, 0.005)
    ]
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.02)


def test_there_is_no_error_estimate_where_the_step_is_part_of_the_model() -> None:
    """Settling leaves the step as it was named, and says so."""
    compiled = CompiledModel(outbreak(), [0.0, 10.0], step=0.5, solver="euler")
    settled = settle_step(compiled, np.empty(0))
    assert (settled.step, compiled.step) == (0.5, 0.5)
    assert "the step is part of the model" in str(settled)
    assert compiled.at([0.0, 3.0]).step == 0.5


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("S122", {"solver": "eular", "step": 1.0}),
        ("S120", {"solver": "euler"}),
        ("S120", {"solver": "euler", "step": -1.0}),
        ("S120", {"solver": "euler", "step": 0.3}),
        ("S101", {"solver": "euler", "step": 5.0}),
    ],
)
def test_what_can_not_be_solved_is_told(code: str, settings: dict[str, Any]) -> None:
    """A misspelt solver, no step, one backwards, one that misses the outputs, one that empties."""
    model = outbreak(flows=[Transition("loss", "s", "r", 0.3)])
    with pytest.raises(ModelworksError) as caught:
        simulate(model, {}, [0.0, 10.0, 20.0], **settings)
    assert caught.value.codes == (code,)
    if code == "S122":
        assert "did you mean `euler`?" in str(caught.value)


# -- solvers that choose their own steps -------------------------------------------------------------


def decay(rate: Any, **more: Any) -> Model:
    outputs = {"a": people("a"), "b": people("b"), "left": events("leave")}
    return Model("decay", ["a", "b"], [Transition("leave", "a", "b", rate)], {"a": 1.0}, outputs, **more)


@pytest.mark.parametrize("solver", OWN_STEPS)
@pytest.mark.parametrize("wanted", [1e-4, 1e-6, 1e-9])
def test_the_error_that_is_told_is_the_one_that_is_made(solver: str, wanted: float) -> None:
    """Against the closed form of a rate that grows with time, and never above what was asked for."""
    found = simulate(decay(0.4 * Time()), {}, np.arange(0.0, 9.0), accuracy=wanted, solver=solver)
    exact = np.exp(-0.2 * found.times**2)
    made = max(np.abs(found["a"] - exact).max(), np.abs(found["left"][1:] + np.diff(exact)).max() / found["left"].max())
    assert found.error <= wanted
    assert made <= 1.3 * found.error + 1e-13


@pytest.mark.slow
@pytest.mark.parametrize(("solver", "order"), [("adaptive", 5), ("implicit", 4)])
def test_a_method_has_its_order(solver: str, order: int) -> None:
    """With a tolerance that no step exceeds all steps are the longest allowed: halving divides the error."""
    flows = [Transition("waning", "r", "s", 0.05 * (1.5 + cos(Time() * 0.7)))]
    compiled = CompiledModel(outbreak(flows=flows), [0.0, 8.0, 16.0], solver=solver)
    exact = CompiledModel(outbreak(flows=flows), [0.0, 8.0, 16.0], step=0.01).run(np.empty(0))
    errors = [np.abs(compiled.with_step(h, 1e300).run(np.empty(0)) - exact).max() for h in (2.0, 1.0, 0.5, 0.25)]
    steps = np.log2(errors[1:-1]) - np.log2(errors[2:])
    assert steps.min() > order - 0.5


@pytest.mark.parametrize("solver", OWN_STEPS)
def test_no_step_crosses_a_table_or_a_pulse(solver: str) -> None:
    """Rates that jump, and people who move at an instant, between outputs and on them."""
    rate = table([0.3, 1.7, 4.0], [0.1, 0.9, 0.2], "step")
    model = decay(rate).extended(flows=[Pulse("p", [2.2, 5.0], "a", "b", share=0.5)])
    found = simulate(model, {}, [0.0, 1.0, 4.0, 5.0, 8.0], accuracy=1e-10, solver=solver)
    kept = np.exp(-np.array([0.0, 0.1, 0.17 + 0.9 * 2.3, 0.17 + 2.07 + 0.2, 0.17 + 2.07 + 0.8]))
    np.testing.assert_allclose(found["a"], kept * [1, 1, 0.5, 0.5, 0.25], rtol=1e-9)


@pytest.mark.parametrize("solver", OWN_STEPS)
def test_few_people_are_followed_as_closely_as_many(solver: str) -> None:
    """Growth from a millionth of everybody: the error is weighed against each number, not against everybody."""
    model = outbreak()
    model = Model("growth", model.compartments, model.flows, {"s": 1e9, "i": 1.0}, model.outputs)
    found = simulate(model, {}, [0.0, 10.0, 20.0], solver=solver, accuracy=1e-7)
    np.testing.assert_allclose(found["i"], np.exp(0.5 * found.times), rtol=1e-4)
    exact = simulate(model, {}, [0.0, 10.0, 20.0], accuracy=1e-10)
    np.testing.assert_allclose(found["new"], exact["new"], rtol=1e-6)


def stiff(speed: Any) -> Model:
    """Between two compartments people go to and fro at a speed, and leave both slowly."""
    flows = [
        Transition("there", "a", "b", speed),
        Transition("back", "b", "a", 3.0 * speed),
        Transition("leave", "b", "c", 0.2),
    ]
    return Model(
        "stiff", ["a", "b", "c"], flows, {"a": 1.0}, {"a": people("a"), "b": people("b"), "to": events("leave")}
    )


@pytest.mark.slow
@pytest.mark.parametrize("speed", [1e1, 1e3, 1e5, 1e8])
def test_what_is_faster_than_a_step_is_in_balance(speed: float) -> None:
    """Rates up to a billion times apart, against the closed form, in steps of days."""
    found = simulate(stiff(speed), {}, np.arange(0.0, 101.0, 10.0), accuracy=1e-6, solver="implicit")
    matrix = np.array([[-speed, 3 * speed], [speed, -3 * speed - 0.2]])
    exact = np.stack([expm(matrix * t) @ [1.0, 0.0] for t in found.times])
    np.testing.assert_allclose(found["a"], exact[:, 0], atol=2e-6)
    np.testing.assert_allclose(found["b"], exact[:, 1], atol=1e-6)
    assert found.step > 0.1
    assert found.error <= 1e-6


def test_a_stiff_epidemic_agrees_with_scipy() -> None:
    """Vectors that live for minutes and bite, hosts who are ill for weeks: rates more than 100,000 times apart."""
    fast = Parameter("fast", "per day", lower=0)
    flows = [
        Infection("infection", "s", "e", 0.5, "i"),
        Transition("onset", "e", "i", fast),
        Transition("relapse", "i", "e", 0.5 * fast),
        Transition("recovery", "i", "r", 0.2),
    ]
    outputs = {"i": people("i"), "e": people("e"), "new": events("infection")}
    model = Model("fast", ["s", "e", "i", "r"], flows, {"s": 999.0, "i": 1.0}, outputs)
    days = np.arange(0.0, 121.0, 10.0)
    found = simulate(model, {"fast": 2e4}, days, solver="implicit", accuracy=1e-7)

    def slopes(_: float, y: Any) -> Any:
        s, e, i, _, _ = y
        infected, moved = 0.5 * s * i / 1000, 2e4 * e - 1e4 * i
        return [-infected, infected - moved, moved - 0.2 * i, 0.2 * i, infected]

    solved = solve_ivp(slopes, (0, 120), [999.0, 0, 1, 0, 0], "Radau", days, rtol=1e-10, atol=1e-10).y
    np.testing.assert_allclose(found["i"], solved[2], rtol=1e-6)
    np.testing.assert_allclose(found["e"], solved[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found["new"][1:], np.diff(solved[4]), rtol=1e-6)


def test_who_needs_a_million_explicit_steps_is_told_of_the_implicit_solver() -> None:
    """Before anything is run; who names a step is let go on."""
    with pytest.raises(ModelworksError) as caught:
        simulate(stiff(1e5), {}, [0.0, 50.0, 100.0])
    assert caught.value.codes == ("S126",)
    assert 'solver="implicit"' in str(caught.value)
    found = simulate(stiff(1e4), {}, [0.0, 5.0, 10.0], step=5e-5)
    assert found["a"][-1] == pytest.approx(0.75 * np.exp(-0.05 * 10), rel=1e-4)


# -- every solver ------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [*OWN_STEPS, "rk4"])
def test_what_is_no_number_is_told_with_compartment_and_date(solver: str) -> None:
    """Growth that reaches infinity within the run."""
    growth = Parameter("growth")
    flows = [Entry("birth", "herd", growth * people("herd") ** 2)]
    model = Model("herd", ["herd"], flows, {"herd": 1.0}, {"herd": people("herd")})
    with pytest.raises(ModelworksError) as caught:
        simulate(model, {"growth": 0.2}, [0.0, 4.0, 8.0], solver=solver, start=date(2021, 3, 1))
    assert caught.value.codes[0] in ("S102", "S103", "S106")
    assert "on 2021-03-09" in str(caught.value)


@pytest.mark.parametrize("solver", [*OWN_STEPS, "rk4", "euler"])
def test_fewer_than_no_people_are_told_with_compartment_date_and_values(solver: str) -> None:
    """In steps that are far too long for how fast people leave, whatever the tolerance."""
    rate = Parameter("rate", "per day")
    calendar = Calendar("days", date(2021, 3, 1))
    # A rate that grows within the step is what the stable method does not foresee either.
    compiled = CompiledModel(decay(rate * (1 + Time() ** 3)), [0.0, 3.0], solver=solver, step=3.0, calendar=calendar)
    with pytest.raises(ModelworksError) as caught:
        compiled.with_step(3.0, 1e300).run(np.array([1.5]))
    assert caught.value.codes == ("S101",)
    for part in (" people in ", "on 2021-03-04", "rate = 1.5"):
        assert part in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [*OWN_STEPS, "rk4", "euler"])
def test_a_rate_that_turns_negative_is_told_with_its_date(solver: str) -> None:
    """Where it is met, whoever chooses the moments that are looked at."""
    model = decay(0.2 - 0.02 * Time())
    with pytest.raises(ModelworksError) as caught:
        simulate(model, {}, [0.0, 9.0, 12.0], solver=solver, step=0.5, start=date(2021, 3, 1))
    assert caught.value.codes == ("S103",)
    assert "on 2021-03-1" in str(caught.value)


@pytest.mark.parametrize("solver", OWN_STEPS)
def test_the_same_numbers_come_from_many_threads(solver: str) -> None:
    """A kernel keeps nothing between runs, and copies for other times share it."""
    compiled = CompiledModel(decay(Parameter("rate")), [0.0, 1.0, 2.0], solver=solver)
    draws = np.linspace(0.1, 3.0, 20)[:, None]
    alone = np.stack([compiled.run(draw) for draw in draws])
    np.testing.assert_array_equal(run_many(compiled, draws, cores=4), alone)
    np.testing.assert_allclose(alone[:, 1, 0], np.exp(-draws[:, 0]), rtol=1e-5)
    np.testing.assert_allclose(compiled.at([0.0, 2.0]).run(draws[3])[1, 0], alone[3, 2, 0], rtol=1e-5)


@pytest.mark.parametrize("solver", OWN_STEPS)
def test_who_has_no_gradient_says_so(solver: str) -> None:
    """And names the solver that has."""
    with pytest.raises(ModelworksError) as caught:
        CompiledModel(decay(0.1), [0.0, 1.0], solver=solver).run_with_pullback(np.empty(0))
    assert caught.value.codes == ("S121",)
    assert "`rk4`" in str(caught.value)


@pytest.mark.parametrize("solver", OWN_STEPS)
def test_outputs_that_come_later_are_the_same_by_every_solver(solver: str) -> None:
    """They are made of events between the outputs that were asked for, which are counted on."""
    series = {"reports": delayed(events("infection"), Delay.gamma(4.0, 2.0)), "new": events("infection")}
    model = Model("late", ["s", "i", "r"], outbreak().flows, {"s": 990.0, "i": 10.0}, series)
    weeks = np.arange(0.0, 43.0, 7.0)
    found, expected = (simulate(model, {}, weeks, solver=each, accuracy=1e-8) for each in (solver, "rk4"))
    for name in series:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("solver", [*OWN_STEPS, "rk4", "euler"])
def test_nobody_is_lost_on_the_way(solver: str) -> None:
    """Every flow takes from one place what it gives to another, in every stage of every method."""
    found = simulate(outbreak(), {}, np.arange(0.0, 61.0), solver=solver, step=0.5)
    gone = 990.0 - found["s"]
    np.testing.assert_allclose(np.cumsum(found["new"]), gone, rtol=0, atol=1e-9)
    assert found["s"][-1] < 300


@pytest.mark.parametrize("solver", [*OWN_STEPS, "euler"])
def test_jax_takes_the_steps_of_one_solver(solver: str) -> None:
    """And says which."""
    with pytest.raises(ModelworksError) as caught:
        jax_function(CompiledModel(decay(0.1), [0.0, 1.0], solver=solver, step=0.5))
    assert caught.value.codes == ("S121",)
