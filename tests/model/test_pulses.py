"""People who move at an instant: exactly, on time, counted, and differentiable."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Exit,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Pulse,
    Stratification,
    Transition,
    by,
    diagram,
    events,
    people,
    run_many,
    simulate,
    table,
)
from modelworks.model._lower import lower
from modelworks.model.solvers._grid import Grid

AGE = Stratification("age", ["child", "adult", "old"], split=[0.2, 0.5, 0.3])
DOSE = Stratification("dose", ["none", "one"], split="none")


def decay(*pulses: Any, initial: Any = None, outputs: Any = None, strata: Any = ()) -> Model:
    """People leave a for b at a tenth a day, and whatever pulses do."""
    return Model(
        "decay",
        ["a", "b"],
        [Transition("leaving", "a", "b", 0.1), *pulses],
        initial or {"a": 100.0},
        outputs or {"a": people("a"), "b": people("b"), "all": people()},
        strata,
    )


def after(times: Any, start: float, moment: float, kept: float) -> Any:
    """What is left of exponential decay of which a part is taken away at one moment, and stays away."""
    times = np.asarray(times)
    return start * np.exp(-0.1 * times) * np.where(times > moment, kept, 1.0)


@pytest.mark.parametrize("moment", [3.0, 3.3, 0.0, 9.9, 0.3])
def test_a_share_of_people_moves_at_the_moment(moment: float) -> None:
    times = np.arange(0.0, 10.05, 0.1)
    found = simulate(decay(Pulse("p", moment, "a", "b", share=0.4)), {}, times, accuracy=1e-9)
    # The times of the outputs miss some of the moments by round-off; a pulse at an output comes after it.
    np.testing.assert_allclose(found["a"], after(times, 100, moment + 1e-9, 0.6), rtol=1e-8)
    np.testing.assert_allclose(found["all"], 100, rtol=1e-13)


def test_all_may_move_and_nobody_is_left() -> None:
    found = simulate(decay(Pulse("p", 5, "a", "b", share=1)), {}, [0, 5, 6, 10])
    assert found["a"][1] > 60
    np.testing.assert_array_equal(found["a"][2:], 0.0)


def test_a_pulse_is_as_exact_as_the_rest_at_any_step() -> None:
    """Split the run at the pulse by hand: the same steps give the same numbers."""
    pulsed = CompiledModel(decay(Pulse("p", 4, "a", None, share=0.25)), [0, 4, 8], step=2.0).run(np.array([]))
    plain = CompiledModel(decay(), [0, 4], step=2.0).run(np.array([]))[1, 0] / 100
    np.testing.assert_allclose(pulsed[:, 0], [100, 100 * plain, 75 * plain**2], rtol=1e-14)


def test_people_come_from_outside_on_dates_and_are_counted_afterwards() -> None:
    days = [date(2021, 1, 4), date(2021, 1, 8)]
    model = decay(
        Pulse("arrival", days, None, "b", number=by("age", [1.0, 2.0, 3.0])),
        outputs={
            "b": Output(people("b", by=["age"]), by=["age"]),
            "new": Output(events("arrival", by=["age"]), by=["age"]),
            "twice": events("arrival", times=2.0),
        },
        initial={"a": 0.0, "b": 0.0},
        strata=[AGE],
    )
    found = simulate(model, {}, np.arange(0.0, 11.0), start=date(2021, 1, 1))
    come = np.zeros(11)
    come[[4, 8]] = 1.0
    np.testing.assert_allclose(found["new"], np.outer(come, [1, 2, 3]), atol=1e-14)
    np.testing.assert_allclose(found["b"], np.outer(np.cumsum(come), [1, 2, 3]), atol=1e-14)
    np.testing.assert_allclose(found["twice"], 12 * come, atol=1e-13)


def test_a_number_of_people_is_taken_in_proportion_and_never_more_than_there_are() -> None:
    model = decay(
        Pulse("p", [2, 4], "a", None, number=90.0),
        outputs={"a": Output(people("a", by=["age"]), by=["age"]), "p": events("p"), "b": people("b")},
        strata=[AGE],
    )
    found = simulate(model, {}, [0, 2, 3, 4, 5], accuracy=1e-9)
    there = 100 * np.exp(-0.2)
    assert there < 90
    np.testing.assert_allclose(found["p"], [0, 0, there, 0, 0], atol=1e-6)
    few = decay(Pulse("p", 2, "a", "b", number=10.0), strata=[AGE], outputs=model.outputs)
    found = simulate(few, {}, [0, 2, 3], accuracy=1e-10)
    np.testing.assert_allclose(found["a"][2], (there - 10) * np.exp(-0.1) * np.array([0.2, 0.5, 0.3]), rtol=1e-7)


@pytest.mark.parametrize("spare", [[], [Stratification("spare", list("vwxyz"), split="v")]], ids=["lanes", "rows"])
def test_a_campaign_moves_people_between_strata(spare: Any) -> None:
    """Doses to adults only, in every compartment; and a school year moves part of an age on."""
    model = decay(
        Pulse("campaign", 1, {"dose": "none"}, {"dose": "one"}, share=0.5, where={"age": "adult"}),
        Pulse("birthday", 2, {"age": "child"}, {"age": "adult"}, share=0.1),
        outputs={
            "who": Output(people(by=["age", "dose"]), by=["age", "dose"]),
            "doses": events("campaign", dose="one"),
            "grown": events("birthday", age="adult"),
        },
        strata=[AGE, DOSE, *spare],
    )
    found = simulate(model, {}, [0, 1, 2, 3])
    np.testing.assert_allclose(found["who"][1], [[20, 0], [50, 0], [30, 0]], rtol=1e-12)
    np.testing.assert_allclose(found["who"][2], [[20, 0], [25, 25], [30, 0]], rtol=1e-12)
    np.testing.assert_allclose(found["who"][3], [[18, 0], [27, 25], [30, 0]], rtol=1e-12)
    np.testing.assert_allclose(found["doses"], [0, 0, 25, 0], atol=1e-12)
    np.testing.assert_allclose(found["grown"], [0, 0, 0, 2], atol=1e-12)


def test_pulses_of_one_moment_see_the_same_people() -> None:
    pulses = [
        Pulse("p", 1, "a", "b", share=0.5),
        Pulse("q", 1, "b", "a", share=0.5),
        Pulse("r", 1, "a", None, share=0.5),
    ]
    found = simulate(decay(*pulses, initial={"a": 100.0, "b": 60.0}), {}, [0, 1, 1.5, 2], accuracy=1e-10)
    a, b = 100 * np.exp(-0.1), 160 - 100 * np.exp(-0.1)
    np.testing.assert_allclose(found["a"][2], b / 2 * np.exp(-0.05), rtol=1e-8)
    np.testing.assert_allclose(found["all"][2], b + a / 2, rtol=1e-8)


def test_a_share_may_be_another_each_time() -> None:
    model = decay(Pulse("p", [1, 2], "a", None, share=table([1, 2], [0.5, 0.2], "step")))
    found = simulate(model, {}, [0, 1, 2, 3], accuracy=1e-9)
    np.testing.assert_allclose(found["all"][1:] - found["b"][1:], 100 * np.exp([-0.1, -0.2, -0.3]) * [1, 0.5, 0.4])


def vaccinated() -> Model:
    coverage, rate, come = Parameter("coverage"), Parameter("rate"), Parameter("come")
    return Model(
        "vaccinated",
        ["s", "i", "r"],
        [
            Infection("infection", "s", "i", rate, "i"),
            Transition("recovery", "i", "r", 0.2, stages=2),
            Pulse("campaign", [5, 15], "s", "r", share=coverage * by("age", [1.0, 0.5, 0.8])),
            Pulse("import", [3.5, 15], None, "i", number=come),
            Pulse("stock", 12, {"age": "old"}, {"age": "adult"}, number=50 * come),
            Exit("death", None, 0.01 * rate),
            Move("ageing", "age", "child", "adult", 0.01),
        ],
        {"s": 990.0, "i": 10.0},
        {
            "i": Output(people("i", by=["age"]), by=["age"]),
            "doses": events("campaign"),
            "new": Output(events("infection", by=["age"]), by=["age"]),
            "come": events("import", times=rate),
        },
        [AGE],
    )


VALUES = {"rate": 0.7, "coverage": 0.4, "come": 2.0}


def test_the_gradient_of_a_run_with_pulses_is_exact() -> None:
    compiled = CompiledModel(vaccinated(), np.arange(0.0, 21.0, 2.5), step=0.5)
    point = compiled.vector(VALUES)
    outputs, pullback = compiled.run_with_pullback(point)
    weights = np.random.default_rng(2).normal(size=outputs.shape)
    h = 1e-5
    slopes = [
        np.sum(weights * (compiled.run(point + h * e) - compiled.run(point - h * e))) / (2 * h) for e in np.eye(3)
    ]
    np.testing.assert_allclose(pullback(weights), slopes, rtol=1e-7)


def test_machine_code_takes_pulses_as_numpy_does(interpreted: Any) -> None:
    model, times = vaccinated(), np.arange(0.0, 21.0, 2.5)
    compiled = CompiledModel(model, times, step=1.0)
    program = lower(model)
    grid = Grid.covering(times, program.knots, 1.0, program.pulses)
    point = compiled.vector(VALUES)
    np.testing.assert_allclose(compiled.run(point), interpreted(program, grid, point), rtol=1e-12, atol=1e-12)


def test_runs_side_by_side_have_the_same_pulses() -> None:
    model = decay(Pulse("p", [2, 7], "a", "b", share=Parameter("share")))
    compiled = CompiledModel(model, np.arange(0.0, 11.0))
    draws = np.linspace(0, 1, 20)[:, None]
    alone = np.stack([compiled.run(row) for row in draws])
    np.testing.assert_allclose(run_many(compiled, draws), alone, rtol=1e-12, atol=1e-12)


def test_pulses_before_the_start_have_happened_and_those_at_the_end_have_not() -> None:
    model = decay(Pulse("p", [-5, 10], "a", "b", share=0.5))
    np.testing.assert_allclose(simulate(model, {}, [0, 10])["a"], [100, 100 * np.exp(-1)], rtol=1e-4)


def test_a_picture_and_the_equations_show_pulses_and_stages() -> None:
    assert "campaign" in diagram(vaccinated())
    assert "recovery (2 stages)" in diagram(vaccinated())
    tex = vaccinated().equations()
    assert "of those there, at an instant: 5, 15" in tex
    assert "in 2 stages, $(2)$ the last" in tex
    assert "^{(2)}" in tex.split("with the force")[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "a", "destination": "b"},
        {"source": "a", "destination": "b", "share": 0.1, "number": 1},
        {"destination": "b", "share": 0.1},
        {"share": 0.1},
        {"source": {"dose": "none"}, "destination": {"age": "child"}, "share": 0.1},
        {"source": {"dose": "none"}, "destination": "b", "share": 0.1},
        {"source": "a", "share": 0.1, "at": []},
    ],
)
def test_a_pulse_that_can_not_be_is_told(wrong: Any) -> None:
    with pytest.raises(ModelworksError, match="M131"):
        Pulse("p", **{"at": [1.0], **wrong})


def test_a_share_above_one_is_told() -> None:
    with pytest.raises(ModelworksError, match="M110"):
        simulate(decay(Pulse("p", 1, "a", "b", share=40)), {}, [0, 5])
    with pytest.raises(ModelworksError, match="S103"):
        simulate(decay(Pulse("p", 1, "a", "b", share=Parameter("share"))), {"share": 1.1}, [0, 5])
