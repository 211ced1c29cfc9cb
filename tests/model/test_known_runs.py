"""Runs that are begun in the midst of known ones: the same to the last bit, and never later than they may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Contacts,
    Delay,
    Entry,
    Exit,
    Infection,
    KnownRuns,
    Model,
    Output,
    Parameter,
    Pulse,
    Stratification,
    Transition,
    by,
    delayed,
    events,
    exp,
    lasting,
    log,
    maximum,
    people,
    run_many,
    seasonal,
    smooth_change,
    smooth_step,
    table,
)

Array = NDArray[np.float64]
DAYS = np.arange(0.0, 61.0, 4.0)
DRAWS = 5
AGES = Stratification("age", ["child", "adult", "old"], split=[0.3, 0.5, 0.2], widths=[400.0, 900.0])
PLACES = Stratification("place", ["town", "land"], split=[0.6, 0.4])
CONTACTS = np.array([[4.0, 2.0, 0.5], [2.0, 3.0, 1.0], [0.5, 1.0, 1.5]])
moved = Parameter("moved", lower=-10, upper=10)
spare = Parameter("spare", lower=0, upper=10)


def epidemic(factor: Any = 1.0, *more: Any, first: Any = 20.0, mean: Any = 6.0, seen: Any = 1.0) -> Model:
    """Ages and places, births, ageing and deaths, counted events and such that show later; `factor` is of infection."""
    infections = events("infection")
    return Model(
        "epidemic",
        ["susceptible", "infectious", "recovered"],
        [
            Infection(
                "infection",
                "susceptible",
                "infectious",
                0.04 * spare * seasonal(0.2, 5.0, 30.0) * factor,
                "infectious",
                Contacts({"age": CONTACTS}),
                by("place", [1.0, 0.7]),
            ),
            Transition("recovery", "infectious", "recovered", 0.2),
            Entry("birth", "susceptible", 1.0, {"age": "child"}),
            Exit("death", None, 0.001),
            *more,
        ],
        {"susceptible": 1000.0, "infectious": first},
        {
            "ill": Output(people("infectious", by=["age"]), by=["age"]),
            "new": Output(seen * events("infection", by=["age", "place"]), by=["age", "place"]),
            "since": people() - people("susceptible"),
            "reports": delayed(infections, Delay.gamma(mean, 2.0)),
            "beds": lasting(0.1 * infections, Delay.lognormal(7.0, 4.0)),
        },
        [AGES, PLACES],
    )


def compiled(model: Model, times: Array = DAYS, **options: Any) -> CompiledModel:
    return CompiledModel(model.checked(), times, step=0.5, **options)


def values_of(model: CompiledModel, seed: int = 1) -> Array:
    """Some draws of every parameter, shape (draw, parameter)."""
    return np.random.default_rng(seed).uniform(0.6, 1.4, (DRAWS, len(model.parameters)))


def with_others(model: CompiledModel, rows: Array, names: list[str], value: float | None = None) -> Array:
    changed = rows.copy()
    for name in names:
        place = model.parameters.index(name)
        changed[:, place] = changed[:, place] * 0.61 + 0.17 if value is None else value
    return changed


def assert_same(model: CompiledModel, names: list[str], *values: float | None) -> KnownRuns:
    """A run with other values of some parameters is the whole run, bit by bit, for all draws and for some."""
    rows = values_of(model)
    known = KnownRuns(model, rows, model.parameters)
    for value in values or (None,):
        changed = with_others(model, rows, names, value)
        whole = run_many(model, changed)
        assert (known.run(changed, np.arange(DRAWS)) == whole).all()
        some = np.array([0, 3])
        assert (known.run(changed[some], some) == whole[some]).all()
    assert (known.run(rows, np.arange(DRAWS)) == run_many(model, rows)).all()
    return known


LATE = (20.0, 30.0, 40.0)
CASES: dict[str, tuple[Model, float]] = {
    # What it is: the model, and the output at which another value is begun.
    "a step on a day": (epidemic(table(LATE, [1.0, moved, 1.0], "step")), 30.0),
    "a line from the knot before": (epidemic(table(LATE, [1.0, moved, 1.0])), 20.0),
    "a smooth curve, with a slope that looks one further back": (
        epidemic(table(LATE, [1.0, 1.0, moved], "monotone")),
        20.0,
    ),
    "a rise without a kink": (epidemic(smooth_step(33.0, 41.0, 1.0, moved)), 33.0),
    "a logistic curve, whose tail reaches back to the first day": (epidemic(smooth_change(1.0, moved, 40.0, 8.0)), 0.0),
    "its earlier values as well": (epidemic(moved + table(LATE, [0.0, 0.1, 0.2])), 0.0),
    "more than one moment": (epidemic(table(LATE, [1.0, 1.0, moved]) * table([9.0, 13.0], [1.0, moved], "step")), 13.0),
    "a rate from its logarithm": (
        epidemic(
            1.0, Transition("screening", "infectious", "recovered", table([24, 25], [0, log(2.0 + moved)], "step"))
        ),
        25.0,
    ),
    "a product within a larger": (epidemic(maximum(table(LATE, [0.0, 0.0, 1.0]) * moved, 0.2)), 30.0),
    "the exponential of what is nothing": (epidemic(exp(table(LATE, [0.0, 0.0, 1.0]) * moved)), 30.0),
    "a pulse": (epidemic(1.0, Pulse("campaign", 26.0, "susceptible", "recovered", share=0.1 * moved)), 26.0),
    "a pulse at an output, which shows what was before": (
        epidemic(1.0, Pulse("campaign", 28.0, "susceptible", "recovered", share=0.1 * moved)),
        28.0,
    ),
    "people at the start": (epidemic(first=10.0 * moved), 0.0),
    "a delay": (epidemic(mean=4.0 + moved), 0.0),
    "what is seen of events, late": (epidemic(seen=table(LATE, [1.0, 1.0, moved], "step")), 40.0),
    "what is seen of events, always": (epidemic(seen=moved), 0.0),
    "after the end": (epidemic(table([100.0, 110.0], [1.0, moved])), 60.0),
}


QUICK = ("a line from the knot before", "a logistic curve, whose tail reaches back to the first day", "a delay")


@pytest.mark.parametrize(
    "case", [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in CASES]
)
def test_a_run_is_begun_where_a_parameter_first_has_a_part(case: str) -> None:
    """Known from the declaration: on the first day before which another value is no other rate; delays are daily."""
    model, begin = CASES[case]
    known = assert_same(compiled(model), ["moved"])
    assert (known.begin("moved"), known.begin("spare")) == (begin, 0.0)


def test_a_run_is_begun_between_the_outputs_asked_for() -> None:
    """Delays need every day; a run is begun at one of these, in the midst of events that are being counted."""
    known = assert_same(
        compiled(epidemic(table(LATE, [1.0, moved, 1.0], "step")), np.array([0.0, 21.0, 60.0])), ["moved"]
    )
    assert known.begin("moved") == 30.0


def test_the_earliest_of_what_is_moved_decides() -> None:
    other = Parameter("other", lower=0, upper=10)
    model = compiled(epidemic(table(LATE, [1.0, 1.0, moved], "step") * table([9.0, 13.0], [1.0, other], "step")))
    known = assert_same(model, ["moved", "other"])
    assert (known.begin("other"), known.begin("moved")) == (13.0, 40.0)
    assert_same(model, ["moved", "spare"])


def test_a_number_that_is_none_is_told_as_by_a_whole_run() -> None:
    """Nothing times infinity is not nothing: with 1 / 0 the first day is another, though its weight there is zero."""
    model = compiled(epidemic(maximum(table(LATE, [0.0, 0.0, 1.0], "step") * (1.0 / moved), 0.2)))
    rows = values_of(model)
    known = KnownRuns(model, rows, ["moved"])
    assert known.begin("moved") == 40.0
    for value in (0.0, -1.0, np.inf, np.nan):
        told = []
        for run in (lambda rows: run_many(model, rows), lambda rows: known.run(rows, np.arange(DRAWS))):
            try:
                told.append(run(with_others(model, rows, ["moved"], value)).tobytes())
            except ModelworksError as error:
                told.append(str(error))
        assert told[0] == told[1]


@pytest.mark.parametrize("value", [-3.0, 12.0])
def test_what_can_not_be_is_told_as_by_a_whole_run(value: float) -> None:
    """A rate below zero, and a share of people above one."""
    model = compiled(
        epidemic(
            table(LATE, [1.0, moved, 1.0]),
            Pulse("campaign", 26.0, "susceptible", "recovered", share=0.1 * maximum(moved, 0.0)),
        )
    )
    rows = values_of(model)
    known = KnownRuns(model, rows, ["moved"])
    assert known.begin("moved") == 20.0
    wrong = with_others(model, rows, ["moved"], value)
    with pytest.raises(ModelworksError) as whole:
        run_many(model, wrong)
    with pytest.raises(ModelworksError) as begun:
        known.run(wrong, np.arange(DRAWS))
    assert str(whole.value) == str(begun.value)


@pytest.mark.slow
def test_other_ways_to_run_are_whole() -> None:
    """Solvers with steps of their own, models without strata, and known runs that were impossible."""
    late = epidemic(table(LATE, [1.0, moved, 1.0], "step"))
    assert assert_same(CompiledModel(late, DAYS, solver="adaptive"), ["moved"]).begin("moved") == 0.0
    euler = compiled(replace(late, outputs={"ill": people("infectious")}), solver="euler")
    assert assert_same(euler, ["moved"]).begin("moved") == 28.0
    plain = Model(
        "plain",
        ["here", "gone"],
        [Transition("leaving", "here", "gone", table(LATE, [0.1, moved, 0.1], "step"))],
        {"here": 100.0},
        {"here": people("here")},
    )
    assert assert_same(compiled(plain), ["moved"]).begin("moved") == 0.0
    model = compiled(late)
    rows = values_of(model)
    impossible = with_others(model, rows, ["moved"], -3.0)
    known = KnownRuns(model, impossible, ["moved"])
    assert (known.run(rows, np.arange(DRAWS)) == run_many(model, rows)).all()


def test_with_another_step_runs_are_whole_again() -> None:
    """Its numbers would be those of two steps, else."""
    model = compiled(epidemic(table(LATE, [1.0, moved, 1.0], "step")))
    rows = values_of(model)
    known = KnownRuns(model, rows, ["moved"])
    model.with_step(0.25)
    changed = with_others(model, rows, ["moved"])
    assert (known.run(changed, np.arange(DRAWS)) == run_many(model, changed)).all()


def test_mistakes_are_told() -> None:
    model = compiled(epidemic(table(LATE, [1.0, moved, 1.0], "step")))
    rows = values_of(model)
    known = KnownRuns(model, rows, ["moved", "of_the_study_alone"])
    with pytest.raises(ModelworksError, match="did you mean `moved`") as caught:
        known.begin("movd")
    assert caught.value.codes == ("S104",)
    with pytest.raises(ModelworksError) as caught:
        known.run(rows[:, :1], np.arange(DRAWS))
    assert caught.value.codes == ("S111",)


def random_model(seed: int) -> Model:
    """A model in which some parameters work at moments, and in ways, that are drawn by chance."""
    dice = np.random.default_rng(seed)
    named = [Parameter(f"p{k}", lower=-10, upper=10) for k in range(6)]

    def some() -> Any:
        parameter = named[dice.integers(len(named))]
        shape = dice.integers(7)
        at = float(dice.uniform(0, 60))
        if shape == 0:
            return table(
                np.sort(dice.uniform(0, 60, 3)).tolist(), [1.0, parameter, 1.0], str(dice.choice(["linear", "step"]))
            )
        if shape == 1:
            return table(np.sort(dice.uniform(0, 60, 4)).tolist(), [1.0, 1.2, parameter, 1.0], "monotone")
        if shape == 2:
            return smooth_step(at, at + 7.0, 1.0, parameter)
        if shape == 3:
            return smooth_change(1.0, parameter, at, float(dice.uniform(0.01, 5.0)))
        if shape == 4:
            return exp(parameter * table([at, at + 3.0], [0.0, 0.3]))
        if shape == 5:
            return 1.0 / (1.0 + table([at, at + 3.0], [0.0, 0.3], "step") * parameter)
        return 1.0 + table([at, at + 3.0], [0.0, 0.1]) * log(1.0 + parameter**2)

    pulse = Pulse("campaign", float(dice.uniform(0, 60)), "susceptible", "recovered", share=0.05 * some())
    screening = Transition("screening", "infectious", "recovered", by("place", [0.1 * some(), 0.05]))
    return epidemic(some() * some(), pulse, screening, seen=some(), mean=6.0)


@pytest.mark.slow
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, 10_000))
def test_random_models_are_the_same_and_nothing_moved_before(seed: int) -> None:
    """Also looked at from within: before the begin, all that the run computed and every state are the known run's."""
    model = compiled(random_model(seed))
    rows = values_of(model, seed)
    known = KnownRuns(model, rows, model.parameters)
    for name in model.parameters:
        changed = with_others(model, rows, [name])
        assert (known.run(changed, np.arange(DRAWS)) == run_many(model, changed)).all()
        place = int(np.searchsorted(model.grid.outputs, known.begin(name)))
        before = 3 * int(model.grid.steps_before[place])
        (_, one), (_, other) = (model._forward(each[0], keep=True) for each in (rows, changed))
        assert (one.moment[:before] == other.moment[:before]).all()
        assert (one.at_outputs[: place + 1] == other.at_outputs[: place + 1]).all()
