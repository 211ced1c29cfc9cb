"""Where a model comes to rest: the closed form where there is one, and a start from which nothing moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Output,
    Parameter,
    Pool,
    Stratification,
    Transition,
    by,
    equilibrium,
    people,
    simulate,
    table,
)
from modelworks.model._expression import Constant
from modelworks.model.library.sir import sir


def shown(**given: Any) -> Model:
    return Model(name="m", outputs={name: people(name) for name in given["compartments"]}, **given)


def demographic(contact_rate: Any = 0.5, first: float = 1.0) -> Model:
    return shown(
        compartments=["s", "i", "r"],
        flows=[
            Infection("infection", "s", "i", contact_rate, "i"),
            Transition("recovery", "i", "r", 0.1),
            Entry("birth", "s", 0.001 * people()),
            Exit("death", None, 0.001),
        ],
        initial={"s": 1e6 - first, "i": first},
    )


def value(found: Any, name: str) -> float:
    number = found.initial[name]
    assert isinstance(number, Constant)
    return number.value


def test_an_sir_with_births_comes_to_rest_where_the_textbook_says() -> None:
    """S = N / R0 and I = mu N (1 - 1 / R0) / (gamma + mu), from one case in a million."""
    found = equilibrium(demographic(), {})
    r0 = 0.5 / 0.101
    assert value(found, "s") == pytest.approx(1e6 / r0, rel=1e-9)
    assert value(found, "i") == pytest.approx(0.001 * 1e6 * (1 - 1 / r0) / 0.101, rel=1e-9)
    # Births keep everybody's number; no step may lose anyone.
    assert sum(value(found, name) for name in "sir") == pytest.approx(1e6, rel=1e-9)


def test_a_disease_below_its_threshold_is_gone() -> None:
    """R0 = 0.05 / 0.101."""
    found = equilibrium(demographic(0.05, first=1000.0), {})
    assert value(found, "i") == pytest.approx(0.0, abs=1e-4)
    assert value(found, "s") == pytest.approx(1e6, rel=1e-9)


def test_rates_are_those_of_the_moment_asked_for() -> None:
    """The same model at two times of a table: two resting places."""
    rate = Parameter("rate")
    model = demographic(rate * table([0.0, 100.0], [1.0, 0.6]))
    for time, contact_rate in ((0.0, 0.5), (100.0, 0.3), (50.0, 0.4)):
        found = equilibrium(model, {"rate": 0.5}, time=time)
        assert value(found, "s") == pytest.approx(1e6 * 0.101 / contact_rate, rel=1e-9)


def tuberculosis() -> Model:
    """Two ways to fall ill, relapse and treatment, deaths replaced; three ages that meet and grow older, two places."""
    contacts = np.array([[8.0, 4.0, 1.0], [4.0, 9.0, 3.0], [1.0, 3.0, 3.0]])
    bands = ["child", "adult", "old"]
    strata = [
        Stratification("age", bands, split=[0.3, 0.5, 0.2], widths=[15.0, 45.0]),
        Stratification("place", ["town", "country"], split=[0.6, 0.4]),
    ]
    return Model(
        "tb",
        ["s", "early", "late", "ill", "treated", "r"],
        [
            Infection("infection", "s", "early", by("place", [0.9, 0.6]), "ill", Contacts({"age": contacts})),
            Infection("again", "r", "early", 0.3, "ill", Contacts({"age": contacts})),
            Transition("fast", "early", "ill", by("age", [0.05, 0.1, 0.1])),
            Transition("settling", "early", "late", 1.0),
            Transition("slow", "late", "ill", 0.002),
            Transition("detection", "ill", "treated", 0.6),
            Transition("self cure", "ill", "r", 0.2),
            Transition("cure", "treated", "r", 2.0),
            Transition("relapse", "r", "ill", 0.005),
            Exit("death", None, by("age", [0.01, 0.01, 0.06])),
            Exit("death of it", "ill", 0.1),
            Entry(
                "birth",
                "s",
                0.01 * people(age=["child", "adult"]) + 0.06 * people(age="old") + 0.1 * people("ill"),
                split={"age": "child"},
            ),
        ],
        {"s": 99000.0, "ill": 1000.0},
        {name: Output(people(name, by=["age", "place"]), by=["age", "place"]) for name in ("s", "late", "ill", "r")},
        strata,
        time="years",
    )


def test_tuberculosis_stays_where_it_starts_for_two_centuries() -> None:
    """What a team runs three hundred years of burn-in for."""
    model = tuberculosis()
    found = equilibrium(model, {})
    run = simulate(found.start(model), {}, np.arange(0.0, 201.0, 10.0))
    assert run["ill"][0].sum() > 10
    for name in ("s", "late", "ill", "r"):
        np.testing.assert_allclose(run[name], np.broadcast_to(run[name][0], run[name].shape), rtol=1e-7)


def test_it_is_where_a_long_run_ends() -> None:
    """An independent way to the same place: three thousand years."""
    model = tuberculosis()
    start = equilibrium(model, {}).start(model)
    rest, run = simulate(start, {}, [0.0, 1.0]), simulate(model, {}, [0.0, 3000.0], accuracy=1e-8)
    for name in ("s", "late", "ill", "r"):
        np.testing.assert_allclose(rest[name][0], run[name][-1], rtol=1e-6)


def test_letters_where_nothing_rests() -> None:
    """A closed epidemic ends where it happens to; a population that grows never rests; the dead gather."""
    values = {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 1000.0, "first_cases": 10.0}
    with pytest.raises(ModelworksError, match=r"S117.*depends on how it began"):
        equilibrium(sir(), values)
    growing = shown(
        compartments=["s"], flows=[Entry("birth", "s", 0.02 * people()), Exit("death", None, 0.01)], initial={"s": 9.0}
    )
    with pytest.raises(ModelworksError, match=r"S117.*does not come to rest: the people in s"):
        equilibrium(growing, {})
    gathering = shown(
        compartments=["s", "dead"],
        flows=[Entry("birth", "s", 3.0), Transition("death", "s", "dead", 0.01)],
        initial={"s": 300.0},
    )
    with pytest.raises(ModelworksError, match=r"S117.*people in dead"):
        equilibrium(gathering, {})
    filling = shown(
        compartments=["s"],
        flows=[Entry("birth", "s", 3.0), Exit("death", "s", 0.01), Entry("shedding", "water", 0.1 * people("s"))],
        initial={"s": 300.0, "water": 1.0},
        pools=[Pool("water", unit="cells per ml")],
    )
    with pytest.raises(ModelworksError, match=r"S117.*the cells per ml in water") as told:
        equilibrium(filling, {})
    assert "people" not in str(told.value)
    with pytest.raises(ModelworksError, match="S105"):
        equilibrium(sir(), {})
