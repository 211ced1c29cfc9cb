"""Density-dependent infection, and births that replace deaths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Parameter,
    Stratification,
    Transition,
    basic_reproduction_number,
    by,
    events,
    leaving,
    people,
    simulate,
)

AGE = Stratification("age", ["young", "old"], split=[0.4, 0.6])
MATRIX = [[3.0, 1.0], [0.5, 2.0]]


def epidemic(everybody: float, rate: float, density: bool, contacts: bool = False) -> Model:
    return Model(
        "epidemic",
        ["s", "i", "r"],
        [
            Infection(
                "infection",
                "s",
                "i",
                rate,
                "i",
                Contacts({"age": MATRIX}) if contacts else None,
                density_dependent=density,
            ),
            Transition("recovery", "i", "r", 0.2),
        ],
        {"s": 0.99 * everybody, "i": 0.01 * everybody},
        {"i": people("i")},
        [AGE],
    )


def test_doubling_everyone_doubles_the_force_of_a_density_dependent_infection() -> None:
    """Twice as many people at half the rate per person are the same epidemic twice."""
    times = np.arange(0.0, 50.0, 7.0)
    one, two = (simulate(epidemic(n, 0.5 / n, True), {}, times)["i"] for n in (1000.0, 2000.0))
    np.testing.assert_allclose(two, 2 * one, rtol=1e-9)
    frequency = simulate(epidemic(1000.0, 0.5, False), {}, times)["i"]
    np.testing.assert_allclose(one, frequency, rtol=1e-9)
    crowded = simulate(epidemic(2000.0, 0.5 / 1000, True), {}, times)["i"]
    assert crowded[1] > 3 * one[1]


@pytest.mark.parametrize("n", [100.0, 1000.0])
def test_the_reproduction_number_grows_with_the_population(n: float) -> None:
    fresh = replace(epidemic(n, 0.001, True), initial={"s": n})
    assert basic_reproduction_number(fresh, {}) == pytest.approx(0.001 * n / 0.2, rel=1e-10)
    # With contacts: the largest eigenvalue of rate * C_ij * N_i over recovery.
    mixed = replace(epidemic(n, 0.001, True, contacts=True), initial={"s": n})
    expected = np.abs(np.linalg.eigvals(0.001 * np.array(MATRIX) * np.array([[0.4 * n], [0.6 * n]]))).max() / 0.2
    assert basic_reproduction_number(mixed, {}) == pytest.approx(expected, rel=1e-10)


def test_the_unit_of_a_density_dependent_rate_is_held_against_it() -> None:
    wrong = epidemic(100.0, Parameter("rate", "per year"), True)  # type: ignore[arg-type]
    assert [letter.code for letter in wrong.check()] == ["M129"]
    assert not epidemic(100.0, Parameter("rate", "per day per person"), True).check()  # type: ignore[arg-type]


def turnover(*more: Any) -> Model:
    return Model(
        "turnover",
        ["s", "i", "r"],
        [
            Entry("birth", "s", leaving("death", "illness"), {"age": "young"}),
            Infection("infection", "s", "i", Parameter("rate", "per day"), "i"),
            Transition("recovery", "i", "r", 0.2),
            Exit("death", None, by("age", [0.01, 0.03])),
            Exit("illness", "i", Parameter("fatality", "per day")),
            *more,
        ],
        {"s": 990.0, "i": 10.0},
        {"all": people(), "births": events("birth"), "deaths": events("death") + events("illness"), "i": people("i")},
        [AGE],
    )


VALUES = {"rate": 0.6, "fatality": 0.05}


def test_births_that_replace_deaths_keep_everybody_as_many() -> None:
    found = simulate(turnover(), VALUES, np.arange(0.0, 101.0, 20.0))
    np.testing.assert_allclose(found["all"], 1000, rtol=1e-12)
    np.testing.assert_allclose(found["births"], found["deaths"], rtol=1e-12)
    assert found["births"][1:].min() > 100


def test_the_gradient_passes_through_replacement() -> None:
    compiled = CompiledModel(turnover(), np.arange(0.0, 41.0, 10.0), step=0.5)
    point = compiled.vector(VALUES)
    outputs, pullback = compiled.run_with_pullback(point)
    weights = np.random.default_rng(4).normal(size=outputs.shape)
    h = 1e-5
    slopes = [
        np.sum(weights * (compiled.run(point + h * e) - compiled.run(point - h * e))) / (2 * h) for e in np.eye(2)
    ]
    np.testing.assert_allclose(pullback(weights), slopes, rtol=1e-6)


def test_who_leaves_by_no_flow_can_not_be_counted() -> None:
    with pytest.raises(ModelworksError, match="M111"):
        simulate(turnover(Entry("more", "s", leaving("deth"))), VALUES, [0, 1])
    with pytest.raises(ModelworksError, match="waits for others"):
        simulate(turnover(Entry("more", "s", leaving("last")), Entry("last", "s", leaving("birth"))), VALUES, [0, 1])


def test_the_equations_show_them() -> None:
    assert "people leaving by death, illness" in turnover().equations()
    assert r"\frac" not in epidemic(100.0, 0.01, True).equations().split("force of infection")[1].split("from the")[0]
