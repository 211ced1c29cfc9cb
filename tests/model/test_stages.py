"""Stages within a compartment: how long people stay follows a gamma distribution of the same mean."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Entry,
    Exit,
    Infection,
    Model,
    Output,
    Parameter,
    Stratification,
    Transition,
    basic_reproduction_number,
    by,
    equilibrium,
    events,
    people,
    simulate,
)
from modelworks.model._lower import lower


def epidemic(stages: int, **more: Any) -> Model:
    return Model(
        "epidemic",
        ["s", "e", "i", "r"],
        [
            Infection("infection", "s", "e", Parameter("rate"), "i"),
            Transition("onset", "e", "i", Parameter("onset"), stages=stages),
            Transition("recovery", "i", "r", Parameter("recovery"), stages=stages),
        ],
        {"s": 990.0, "i": 10.0},
        {"e": people("e"), "i": people("i"), "r": people("r"), "all": people(), "onsets": events("onset")},
        **more,
    )


VALUES = {"rate": 0.5, "onset": 0.3, "recovery": 0.2}


@pytest.mark.parametrize("stages", [1, 2, 5, 12])
def test_the_time_spent_follows_a_gamma_distribution(stages: int) -> None:
    model = Model(
        "dwell",
        ["a", "b"],
        [Transition("leaving", "a", "b", 0.25, stages=stages)],
        {"a": 100.0},
        {"still": people("a"), "left": events("leaving")},
    )
    times = np.linspace(0, 20, 41)
    found = simulate(model, {}, times, accuracy=1e-10)
    time_spent = stats.gamma(stages, scale=1 / (0.25 * stages))
    np.testing.assert_allclose(found["still"], 100 * time_spent.sf(times), atol=1e-7)
    np.testing.assert_allclose(found["left"][1:], 100 * np.diff(time_spent.cdf(times)), atol=1e-7)


def test_the_mean_time_spent_is_kept() -> None:
    """At rest, those who are there are those who come per day times the days they stay (Little's law)."""
    for stages in (1, 3, 7):
        model = Model(
            "ward",
            ["ward", "home"],
            [Entry("admission", "ward", 5.0), Transition("discharge", "ward", "home", 1 / 8, stages=stages)],
            {"ward": 0.0},
            {"ward": people("ward")},
        )
        np.testing.assert_allclose(simulate(model, {}, [0, 400])["ward"][-1], 40, rtol=1e-5)


def test_stages_are_the_chain_one_would_write_by_hand() -> None:
    chain = ["e1", "e2", "e3"]
    steps = [Transition(f"{a} to {b}", a, b, 3 * Parameter("onset")) for a, b in itertools.pairwise([*chain, "i"])]
    by_hand = Model(
        "chain",
        ["s", *chain, "i", "r"],
        [
            Infection("infection", "s", "e1", Parameter("rate"), "i"),
            *steps,
            Transition("recovery", "i", "r", Parameter("recovery")),
        ],
        {"s": 990.0, "i": 10.0},
        {"e": people(*chain), "onsets": events("e3 to i")},
    )
    staged = replace(epidemic(1), flows=[replace(f, stages=3) if f.name == "onset" else f for f in epidemic(1).flows])
    runs = [CompiledModel(model, [0, 10, 20], step=0.5) for model in (by_hand, staged)]
    (e, onsets), found = (each.run(each.vector(VALUES)).T for each in runs)
    np.testing.assert_allclose(e, found[0], rtol=1e-12)
    np.testing.assert_allclose(onsets, found[-1], rtol=1e-12)


def test_one_stage_is_none() -> None:
    assert len(lower(epidemic(1)).rows) == 4 + 1
    assert len(lower(epidemic(2)).rows) == 6 + 1


def test_stages_change_when_people_fall_ill_but_not_how_many() -> None:
    """The final size depends on the reproduction number alone."""

    def missed(r: float) -> float:
        return r + 10 - 1000 + 990 * float(np.exp(-0.5 / 0.2 * (r + 10) / 1000))

    size = optimize.brentq(missed, 100, 989.9) + 10
    runs = [simulate(epidemic(stages), VALUES, np.arange(0.0, 401.0, 10.0)) for stages in (1, 4)]
    for run in runs:
        np.testing.assert_allclose(run["r"][-1], size, rtol=2e-5)
        np.testing.assert_allclose(run["all"], 1000, rtol=1e-12)
    assert np.abs(runs[0]["i"] - runs[1]["i"]).max() > 30


def test_other_ways_out_leave_every_stage() -> None:
    """Of those who stay a gamma time, the part that dies first has the gamma's Laplace transform."""
    model = Model(
        "hospital",
        ["bed", "home"],
        [Transition("discharge", "bed", "home", 0.2, stages=3), Exit("death", "bed", 0.05)],
        {"bed": 100.0},
        {"home": people("home"), "deaths": events("death")},
    )
    found = simulate(model, {}, [0, 300])
    survived = (1 + 0.05 / 0.6) ** -3
    np.testing.assert_allclose(found["home"][-1], 100 * survived, rtol=1e-5)
    np.testing.assert_allclose(found["deaths"][-1], 100 * (1 - survived), rtol=1e-5)


def test_stages_go_with_strata() -> None:
    """Each age passes the stages at its own rate, and only those selected go on."""
    model = Model(
        "ages",
        ["a", "b"],
        [Transition("t", "a", "b", by("age", [0.1, 0.3, 0.2]), stages=2, where={"age": ["0", "1"]})],
        {"a": 300.0},
        {"a": Output(people("a", by=["age"]), by=["age"]), "t": Output(events("t", by=["age"]), by=["age"])},
        [Stratification("age", ["0", "1", "2"], split=[1 / 3, 1 / 3, 1 / 3])],
    )
    found = simulate(model, {}, [0, 4, 8], accuracy=1e-9)
    for age, rate in enumerate([0.1, 0.3]):
        np.testing.assert_allclose(found["a"][:, age], 100 * stats.gamma(2, scale=0.5 / rate).sf([0, 4, 8]), atol=1e-6)
    np.testing.assert_allclose(found["a"][:, 2], 100)
    np.testing.assert_allclose(found["t"].sum(), 300 - found["a"][-1].sum())


def test_the_gradient_passes_through_stages() -> None:
    compiled = CompiledModel(epidemic(3), np.arange(0.0, 41.0, 10.0), step=0.5)
    point = compiled.vector(VALUES)
    _, pullback = compiled.run_with_pullback(point)
    weights = np.random.default_rng(1).normal(size=(5, len(compiled.columns)))
    h = 1e-5
    slopes = [
        np.sum(weights * (compiled.run(point + h * e) - compiled.run(point - h * e))) / (2 * h) for e in np.eye(3)
    ]
    np.testing.assert_allclose(pullback(weights), slopes, rtol=1e-6)


@pytest.mark.parametrize("stages", [0, -1, 2.0, True, "4"])
def test_stages_are_a_whole_number(stages: Any) -> None:
    with pytest.raises(ModelworksError, match="M130"):
        Transition("onset", "e", "i", 0.1, stages=stages)


def test_people_are_in_one_stage_only() -> None:
    flows = [Transition("better", "a", "b", 0.1, stages=2), Transition("worse", "a", "c", 0.1, stages=3)]
    model = Model("two", ["a", "b", "c"], flows, {"a": 1.0}, {"a": people("a")})
    assert [letter.code for letter in model.check()] == ["M130"]


def test_the_reproduction_number_is_that_of_the_mean_times_spent() -> None:
    for stages in (1, 4):
        assert basic_reproduction_number(epidemic(stages), VALUES) == pytest.approx(2.5, rel=1e-10)


def test_a_model_with_stages_stays_at_its_rest() -> None:
    """Where it comes to rest, people are spread over the stages as they pass them."""
    again = Transition("waning", "r", "s", 0.05, stages=2)
    model = replace(epidemic(3), flows=[*epidemic(3).flows, again])
    rest = equilibrium(model, VALUES).start(model)
    found = simulate(rest, VALUES, [0, 50, 100])
    for name in ("e", "i", "r"):
        np.testing.assert_allclose(found[name], found[name][0], rtol=1e-6)
    assert found["i"][0] > 10
