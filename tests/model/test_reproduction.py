"""The next-generation matrix gives what is derived by hand, for every kind of model whose number has a closed form."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
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
    Stratification,
    Transition,
    basic_reproduction_number,
    basic_reproduction_numbers,
    by,
    effective_reproduction_number,
    effective_reproduction_numbers,
    people,
    simulate,
    table,
)
from modelworks.model._tangents import Moment
from modelworks.model.library.seir import seir
from modelworks.model.library.sir import sir

SIR = {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 1000.0, "first_cases": 10.0}


def shown(**given: Any) -> Model:
    """A model that reports the people in each compartment."""
    return Model(name="m", outputs={name: people(name) for name in given["compartments"]}, **given)


def test_an_sir_has_contacts_over_recovery() -> None:
    """Kermack and McKendrick."""
    assert basic_reproduction_number(sir(), SIR) == pytest.approx(2.5, rel=1e-12)


def test_rt_of_an_sir_is_r0_times_the_susceptible() -> None:
    """At every moment of the epidemic; it passes one where most are infectious."""
    times = np.arange(0.0, 120.0)
    model = replace(sir(), outputs={"s": people("susceptible"), "i": people("infectious")})
    found = effective_reproduction_number(model, SIR, times)
    run = simulate(model, SIR, times)
    np.testing.assert_allclose(found, 2.5 * run["s"] / 1000.0, rtol=1e-4)
    peak = int(np.argmax(run["i"]))
    assert found[peak - 1] > 1 > found[peak + 1]


def test_an_seir_with_deaths_loses_those_who_die_before_they_infect() -> None:
    """sigma / (sigma + mu) * beta / (gamma + mu + delta)."""
    model = shown(
        compartments=["s", "e", "i", "r"],
        flows=[
            Infection("infection", "s", "e", 0.9, "i"),
            Transition("onset", "e", "i", 0.2),
            Transition("recovery", "i", "r", 0.1),
            Entry("birth", "s", 0.02 * people()),
            Exit("death", None, 0.02),
            Exit("death of it", "i", 0.05),
        ],
        initial={"s": 990.0, "i": 10.0},
    )
    assert basic_reproduction_number(model, {}) == pytest.approx(0.2 / 0.22 * 0.9 / 0.17, rel=1e-12)


@pytest.mark.parametrize("lanes", [True, False])
def test_groups_have_the_largest_eigenvalue_of_their_contacts(lanes: bool) -> None:
    """K_ij = p S_i C_ij / N_j / gamma; a third stratification of more strata makes the groups rows instead of lanes."""
    contacts = np.array([[9.0, 3.0], [1.5, 4.0]])
    size = np.array([300.0, 600.0])
    strata = [Stratification("age", ["young", "old"], split=[1 / 3, 2 / 3])]
    if not lanes:
        strata.append(Stratification("place", ["a", "b", "c"], split=[0.2, 0.3, 0.5]))
    model = shown(
        compartments=["s", "i", "r"],
        flows=[
            Infection(
                "infection", "s", "i", 0.1, "i", Contacts({"age": contacts}), susceptibility=by("age", [0.5, 1.0])
            ),
            Transition("recovery", "i", "r", 0.25),
        ],
        initial={"s": 890.0, "i": 10.0},
        stratifications=strata,
    )
    expected = np.abs(np.linalg.eigvals(0.4 * np.diag(size * [0.5, 1.0]) @ contacts / size)).max()
    assert basic_reproduction_number(model, {}) == pytest.approx(expected, rel=1e-10)


def two_strains(cross: float = 0.0) -> Model:
    flows = [
        Infection("infection", "s", "i", by("strain", [0.3, 0.5]), "i", strain="strain"),
        Transition("recovery", "i", "r", by("strain", [0.1, 0.25])),
        Infection("again", "r", "i", cross * by("strain", [0.3, 0.5]), "i", strain="strain"),
    ]
    return shown(
        compartments=["s", "i", "r"],
        flows=flows,
        initial={"s": 980.0, "i": 20.0},
        stratifications=[Stratification("strain", ["old", "new"], compartments=["i"], split=[0.7, 0.3])],
    )


def test_each_strain_has_its_own() -> None:
    """3 and 2; the larger is that of the model."""
    model = two_strains()
    assert basic_reproduction_number(model, {}, strain="old") == pytest.approx(3.0, rel=1e-12)
    assert basic_reproduction_number(model, {}, strain="new") == pytest.approx(2.0, rel=1e-12)
    assert basic_reproduction_number(model, {}) == pytest.approx(3.0, rel=1e-12)


def test_the_numbers_of_all_strains_come_together() -> None:
    """Those asked for one by one; who is of no strain, or of another disease's, has no number among them."""
    model, times = two_strains(0.4), np.arange(0.0, 60.0, 5.0)
    assert basic_reproduction_numbers(model, {}) == pytest.approx({"old": 3.0, "new": 2.0}, rel=1e-12)
    found = effective_reproduction_numbers(model, {}, times)
    for strain, series in found.items():
        np.testing.assert_array_equal(series, effective_reproduction_number(model, {}, times, strain=strain))
    largest = effective_reproduction_number(model, {}, times)
    np.testing.assert_allclose(np.maximum(*found.values()), largest, rtol=1e-12)
    with pytest.raises(ModelworksError, match=r"S116.*with a `strain`"):
        basic_reproduction_numbers(sir(), SIR)
    late = model.extended(
        compartments=["e"],
        flows=[Infection("meals", "s", "e", 0.1, "i"), Transition("onset", "e", "i", 0.1, split={"strain": "old"})],
    )
    with pytest.raises(ModelworksError, match=r"S116.*infected in e carry no strain"):
        basic_reproduction_numbers(late, {})


def test_people_who_can_be_infected_again_count_in_rt() -> None:
    """R0 (S + c R) / N for a strain to which the recovered are susceptible to a part c."""
    model, times = two_strains(0.4), np.arange(0.0, 60.0, 5.0)
    run = simulate(model, {}, times)
    expected = 2.0 * (run["s"] + 0.4 * run["r"]) / 1000.0
    np.testing.assert_allclose(effective_reproduction_number(model, {}, times, strain="new"), expected, rtol=1e-4)


def test_a_vector_makes_it_a_square_root() -> None:
    """Ross and Macdonald: two steps are one generation of the disease, and the matrix counts each as one."""
    bites = np.array([[0.0, 6.0], [0.6, 0.0]])
    model = shown(
        compartments=["s", "i", "r"],
        flows=[
            Infection("bite", "s", "i", by("kind", [0.5, 0.3]), "i", Contacts({"kind": bites})),
            Transition("recovery", "i", "r", 0.2, where={"kind": "host"}),
            Exit("vector death", None, 0.1, where={"kind": "vector"}),
            Entry("vector birth", "s", 0.1 * people(kind="vector"), split={"kind": "vector"}),
        ],
        initial={"s": 10990.0, "i": 10.0},
        stratifications=[Stratification("kind", ["host", "vector"], split=[1 / 11, 10 / 11])],
    )
    expected = np.sqrt((0.5 * 6.0 / 0.1) * (0.3 * 0.6 / 0.2))
    assert basic_reproduction_number(model, {}) == pytest.approx(expected, rel=1e-12)


def test_stages_and_branches_add_their_time_and_weight() -> None:
    """Three stages of infectiousness (Erlang), and a part treated, less infectious for another time."""
    model = shown(
        compartments=["s", "e", "i1", "i2", "i3", "t", "r"],
        flows=[
            Infection("infection", "s", "e", 0.8, {"i1": 1.0, "i2": 1.0, "i3": 1.0, "t": 0.3}),
            Transition("onset", "e", "i1", 0.7 * 0.5),
            Transition("early treatment", "e", "t", 0.3 * 0.5),
            Transition("first", "i1", "i2", 3 * 0.2),
            Transition("second", "i2", "i3", 3 * 0.2),
            Transition("third", "i3", "r", 3 * 0.2),
            Transition("cure", "t", "r", 0.4),
            Transition("waning", "r", "s", 0.01),
        ],
        initial={"s": 990.0, "e": 10.0},
    )
    expected = 0.8 * (0.7 / 0.2 + 0.3 * 0.3 / 0.4)
    assert basic_reproduction_number(model, {}) == pytest.approx(expected, rel=1e-12)


def test_rates_are_those_of_the_moment() -> None:
    """A lockdown on day ten, asked for before, during and after."""
    rate = table([0.0, 10.0, 20.0], [0.6, 0.1, 0.4], "step")
    model = shown(
        compartments=["s", "i", "r"],
        flows=[Infection("infection", "s", "i", rate, "i"), Transition("recovery", "i", "r", 0.2)],
        initial={"s": 1e9, "i": 1.0},
    )
    assert [basic_reproduction_number(model, {}, time=t) for t in (5, 15, 25)] == pytest.approx([3.0, 0.5, 2.0])
    found = effective_reproduction_number(model, {}, [0.0, 15.0, 25.0])
    np.testing.assert_allclose(found, [3.0, 0.5, 2.0], rtol=1e-6)


def test_the_threshold_is_where_the_disease_begins_to_grow(animal: Any) -> None:
    """Above one the infected grow from few, below they shrink: two independent ways, for every animal of the zoo.

    The sign of the largest growth rate of the infected, -V + F, is that of R - 1 (their theorem 2).
    """
    from modelworks.model._reproduction import _Generations

    generations = _Generations(animal.model, None)
    vector = generations.vector(animal.values)
    state = generations.disease_free(vector, float(animal.times[0]))
    F, V, _ = generations.matrices(vector, float(animal.times[0]), state)
    inside = generations.infected(F, V)
    F, V = F[np.ix_(inside, inside)], V[np.ix_(inside, inside)]
    number = basic_reproduction_number(animal.model, animal.values, time=float(animal.times[0]))
    assert number > 0
    critical = np.linalg.eigvals(F / number - V).real.max()
    assert critical == pytest.approx(0.0, abs=1e-9 * np.abs(V).max())
    assert np.linalg.eigvals(F / number * 1.01 - V).real.max() > 0 > np.linalg.eigvals(F / number / 1.01 - V).real.max()


def test_the_jacobian_is_that_of_small_steps(animal: Any) -> None:
    """Differences of the derivative itself, one state at a time."""
    from modelworks.model._lower import lower

    program = lower(animal.model)
    vector = np.array([animal.values[name] for name in program.parameters])
    state = np.random.default_rng(4).uniform(50, 100, len(program.stocks) * program.width)
    time = float(animal.times[0]) + 4.321
    found = Moment(program, vector, time, state).jacobian()
    for k in range(0, state.size, max(1, state.size // 12)):
        step = np.zeros_like(state)
        step[k] = 1e-4
        sides = [Moment(program, vector, time, state + sign * step).change for sign in (1, -1)]
        np.testing.assert_allclose(found[:, k], (sides[0] - sides[1]) / 2e-4, rtol=1e-6, atol=1e-7)


@pytest.mark.needs("references")
def test_an_epidemic_is_as_large_as_its_r0_says(references: Path) -> None:
    """The final sizes other people computed for given numbers are those of models that have these numbers here."""
    for case in json.loads((references / "final_size.json").read_text())["homogeneous"]:
        values = {"contact_rate": case["R0"] * 0.3, "recovery_rate": 0.3, "population": 1e9, "first_cases": 1.0}
        number = basic_reproduction_number(sir(), values)
        size = case["final_size"]
        assert -np.log1p(-size) / size == pytest.approx(number, rel=1e-6)


def test_letters_where_it_has_no_meaning() -> None:
    """No infection, no end, no such strain, no such parameter."""
    alone = shown(compartments=["s", "i"], flows=[Transition("onset", "s", "i", 0.1)], initial={"s": 1.0})
    with pytest.raises(ModelworksError, match=r"S116.*has no infection"):
        basic_reproduction_number(alone, {})
    forever = shown(
        compartments=["s", "e", "i"],
        flows=[Infection("infection", "s", "e", 0.1, "i"), Transition("onset", "e", "i", 0.1)],
        initial={"s": 1.0},
    )
    with pytest.raises(ModelworksError, match=r"S116.*look at i\)"):
        basic_reproduction_number(forever, {})
    with pytest.raises(ModelworksError, match=r"S116.*has no strain `newest`"):
        basic_reproduction_number(two_strains(), {}, strain="newest")
    with pytest.raises(ModelworksError, match=r"S105.*recovery_rate"):
        basic_reproduction_number(sir(), {k: v for k, v in SIR.items() if k != "recovery_rate"})


def test_it_is_what_the_library_derives() -> None:
    """The number a model of the library writes down by hand."""
    values = {**SIR, "latency_rate": 0.3}
    assert basic_reproduction_number(seir(), values) == pytest.approx(2.5, rel=1e-12)


def test_who_is_born_infected_was_infected_by_who_bore_them() -> None:
    """(beta + b q) / (gamma + mu): vertical transmission is transmission, births of the healthy are none."""
    model = shown(
        compartments=["s", "i"],
        flows=[
            Infection("infection", "s", "i", 0.3, "i"),
            Entry("birth", "s", 0.05 * people("s") + 0.04 * people("i")),
            Entry("birth infected", "i", 0.01 * people("i")),
            Exit("death", None, 0.05),
            Exit("death of it", "i", 0.1),
        ],
        initial={"s": 99.0, "i": 1.0},
    )
    assert basic_reproduction_number(model, {}) == pytest.approx(0.31 / 0.15, rel=1e-12)
