"""What is not people: counted apart, in its own unit, and never mistaken for people."""

from __future__ import annotations

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
    Output,
    Parameter,
    Pool,
    Pulse,
    Stratification,
    Transition,
    amount,
    by,
    diagram,
    people,
    simulate,
    simulate_stochastic,
)
from modelworks.model.library import library_example
from modelworks.model.library.siwr import siwr
from modelworks.model.library.vector_borne import vector_borne

WATER = Pool("water", unit="cells per ml")


def dirty(**changes: Any) -> Model:
    """Ill people who foul the water that makes others ill, with anything changed."""
    given: dict[str, Any] = {
        "flows": [
            Infection("infection", "well", "ill", 0.01, infectious="water", density_dependent=True),
            Transition("recovery", "ill", "well", 0.1),
            Entry("shedding", "water", 2.0 * people("ill")),
            Exit("decay", "water", 0.5),
        ],
        "initial": {"well": 90.0, "ill": 10.0},
        "outputs": {"everybody": people(), "water": Output(amount("water"), "cells per ml")},
        "pools": [WATER],
    }
    return Model("dirty", ["well", "ill"], **{**given, **changes})


def letters(model: Model) -> str:
    return "\n".join(str(letter) for letter in model.check())


def test_water_is_not_people() -> None:
    """It fills and decays, and everybody stay a hundred."""
    result = simulate(dirty(), {}, range(20))
    np.testing.assert_allclose(result["everybody"], 100.0, rtol=1e-12)
    assert result["water"][0] == 0.0
    assert result["water"][-1] > 1.0


def test_water_decays_as_an_exponential() -> None:
    model = dirty(initial={"well": 100.0, "water": 7.0})
    model = model.extended(flows=[Entry("shedding", "water", 0.0 * people("ill"))], replacing="shedding")
    still = model.extended(flows=[Infection("infection", "well", "ill", 0.0, "water")], replacing="infection")
    times = np.arange(0.0, 20.0)
    found = simulate(still, {}, times, accuracy=1e-9)["water"]
    np.testing.assert_allclose(found, 7.0 * np.exp(-0.5 * times), atol=1e-7)


def test_ages_split_people_and_not_the_water() -> None:
    """A stratification of all compartments is one of people; both ages drink from one water."""
    aged = dirty(
        stratifications=[Stratification("age", ["young", "old"], split=[0.25, 0.75])],
        outputs={
            "water": Output(amount("water"), "cells per ml"),
            "ill": Output(people("ill", by=["age"]), by=["age"]),
        },
    )
    result, whole = (simulate(each, {}, range(20), accuracy=1e-9) for each in (aged, dirty()))
    np.testing.assert_allclose(result["water"], whole["water"], rtol=1e-6)
    np.testing.assert_allclose(result["ill"] / result["ill"].sum(axis=1, keepdims=True), [[0.25, 0.75]] * 20)


def test_pools_may_be_split_too() -> None:
    """Two wells, named where they are meant."""
    places = Stratification("place", ["east", "west"], compartments=["well", "ill", "water"], split=[0.5, 0.5])
    model = dirty(
        stratifications=[places],
        flows=[
            Transition("illness", "well", "ill", 0.01 * amount("water", by=["place"])),
            Transition("recovery", "ill", "well", 0.1),
            Entry("shedding", "water", by("place", [2.0, 0.0]) * people("ill", by=["place"])),
            Exit("decay", "water", 0.5),
        ],
        outputs={"water": Output(amount("water", by=["place"]), "cells per ml", by=["place"])},
    )
    east, west = simulate(model, {}, range(10))["water"].T
    assert east[-1] > 1
    assert not west.any()


def test_a_pool_is_emptied_and_filled_at_an_instant() -> None:
    """Chlorine takes nine tenths, a bucket ten; then a lorry brings fifty."""
    quiet = [Transition("recovery", "ill", "well", 0.1), Exit("decay", "water", 0.0)]
    pulses = [
        Pulse("chlorine", 1.0, source="water", share=0.9),
        Pulse("bucket", 2.0, source="water", number=10.0),
        Pulse("lorry", 3.0, destination="water", number=Parameter("load", "cells per ml")),
    ]
    model = dirty(flows=[*quiet, *pulses], initial={"well": 90.0, "ill": 10.0, "water": 200.0})
    found = simulate(model, {"load": 50.0}, [0.0, 1.5, 2.5, 3.5])["water"]
    np.testing.assert_allclose(found, [200.0, 20.0, 10.0, 60.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"outputs": {"x": people("water")}}, 'write amount("water")'),
        ({"outputs": {"x": amount("ill")}}, 'write people("ill")'),
        ({"flows": [*dirty().flows, Transition("drowning", "ill", "water", 0.1)]}, "turns people into a pool"),
        ({"pools": [WATER, Pool("ill", unit="people")]}, "2 compartments named `ill`"),
        ({"pools": [Pool("water", unit="buckets")]}, "the pool `water` has the unit `buckets`"),
        ({"outputs": {"x": Output(amount("water"))}}, "its unit is `people`"),
        (
            {"pools": [Pool("water", unit="mosquitoes")], "outputs": {"x": Output(amount("water"), "vectors")}},
            "is mosquitoes, but its unit is `vectors`",
        ),
        ({"outputs": {"x": Output(amount("water") + people(), "people")}}, "adds cells per litres"),
    ],
)
def test_what_can_not_be_is_told(changes: Any, told: str) -> None:
    assert told in letters(dirty(**changes))


def test_contacts_of_people_with_a_pool_that_has_no_ages_are_told() -> None:
    """People meet people of their age; the water has none, and would be met by nobody."""
    aged = Contacts({"age": [[1.0, 1.0], [1.0, 1.0]]})
    model = dirty(
        stratifications=[Stratification("age", ["young", "old"], split=[0.25, 0.75])],
        flows=[Infection("infection", "well", "ill", 0.01, infectious="water", contacts=aged), *dirty().flows[1:]],
    )
    assert "by `age`, which does not split `water`" in letters(model)


def test_a_rate_in_the_unit_of_something_else_is_told() -> None:
    """Decay per year in a model of days; shedding of mosquitoes into water."""
    flows = dirty().flows
    slow = Exit("decay", "water", Parameter("decay", "per year"))
    strange = Entry("shedding", "water", Parameter("shed", "mosquitoes per day") * people("ill"))
    assert "rate of the flow `decay` is per year" in letters(dirty(flows=[*flows[:3], slow]))
    assert "number of the flow `shedding`" in letters(dirty(flows=[*flows[:2], strange, flows[3]]))


def test_the_infected_at_the_start_foul_no_water_of_the_disease_free() -> None:
    """Water that begins dirty is clean where nobody is infected, and turns into no people."""
    from modelworks.model import basic_reproduction_number

    clean, foul = dirty(), dirty(initial={"well": 90.0, "ill": 10.0, "water": 50.0})
    # 2 cells a day, for 10 days, that live for 2, each infecting 0.01 of 100 people a day.
    assert basic_reproduction_number(clean, {}) == pytest.approx(2 * 10 * 2 * 0.01 * 100)
    assert basic_reproduction_number(foul, {}) == pytest.approx(basic_reproduction_number(clean, {}))


def test_a_concentration_is_not_moved_by_chance() -> None:
    with pytest.raises(ModelworksError, match="S123"):
        simulate_stochastic(siwr(), library_example("siwr").values, range(5), seed=1)


def test_mosquitoes_are_moved_by_chance_one_by_one() -> None:
    """Their number swings about what is born and dies, in whole mosquitoes; people stay as many."""
    values = {**library_example("vector_borne").values, "population": 1000.0, "vectors_per_person": 1.6666}
    model = vector_borne().extended(outputs={"everybody": people()})
    runs = simulate_stochastic(model, values, range(0, 100, 5), draws=200, seed=4, step=0.25)
    assert (runs["everybody"] == 1000).all()
    assert (runs["vectors"][:, 0] == 1667).all()
    assert (runs["vectors"] == np.round(runs["vectors"])).all()
    at_end = runs["vectors"][:, -1]
    # Born as a Poisson process, each surviving a step with exp(-h m): Poisson of this mean once the first are dead.
    lost = values["vector_death_rate"] * 0.25
    mean = 1666.6 * lost / (1 - np.exp(-lost))
    assert abs(at_end.mean() - mean) < 4 * np.sqrt(mean / 200)


def test_the_picture_and_the_equations_tell_them_apart() -> None:
    model = siwr()
    assert "water: not people, counted in cells per ml" in diagram(model)
    assert "stroke-dasharray" in diagram(model)
    text = model.equations()
    assert r"\frac{\mathrm{d}W}{\mathrm{d}t}" in text
    assert "cells per ml" in text


def test_less_than_no_water_is_told_of_water() -> None:
    """A letter names what there is too little of; nobody left."""
    flows = [
        Infection("infection", "well", "ill", 1e-9, infectious="water", density_dependent=True),
        Transition("recovery", "ill", "well", 0.1),
        Exit("decay", "water", 3.0),
    ]
    model = dirty(flows=flows, initial={"well": 90.0, "ill": 10.0, "water": 5.0})
    compiled = CompiledModel(model, np.arange(3.0), solver="euler", step=1.0)
    with pytest.raises(ModelworksError, match=r"S101: there are -10 cells per ml in water") as told:
        compiled.run(np.array([]))
    assert "people" not in str(told.value)
