"""Epidemics among single people in households: published tables, closed forms, and the model without households."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from modelworks.errors import ModelworksError
from modelworks.model import Infection, Model, Parameter, Transition, people, simulate, simulate_stochastic, table
from modelworks.model.agents import HouseholdModel, Period, simulate_households

HOUSEHOLDS = 20_000
ONE_DAY = Period(1.0, stages=None)


def tables(references: Path) -> Any:
    return json.loads((references / "household_final_size.json").read_text())


def assert_shares(counts: Any, expected: Any) -> None:
    """Each share within four standard errors, and all together by chi-square."""
    p, number = np.asarray(expected), counts.sum()
    assert np.all(np.abs(counts / number - p) <= 4 * np.sqrt(p * (1 - p) / number)), (counts / number, p)
    assert stats.chisquare(counts, number * p).pvalue > 1e-4


def test_households_end_as_longini_and_koopman_say(references: Path) -> None:
    """The community infects for a season, an infectious person for a day: when and in which order changes nothing."""
    case = tables(references)["probability_table"]
    season = table([0.0, 10.0], [-log(case["B"]) / 10, 0.0], "step")
    sizes = {int(size): expected for size, expected in case["by_household_size"].items()}
    model = HouseholdModel(
        "study", dict.fromkeys(sizes, HOUSEHOLDS), ONE_DAY, at_home=-log(case["Q"]), from_outside=season
    )
    found = simulate_households(model, {}, [0.0, 30.0], seed=1)["households"][0, -1]
    for row, (size, expected) in zip(found, sizes.items(), strict=True):
        assert_shares(row[: size + 1], expected)
        assert not row[size + 1 :].any()


def test_households_end_as_reed_and_frost_say(references: Path) -> None:
    """One case in each household."""
    for case in tables(references)["reed_frost"]:
        size = case["initial_susceptibles"] + case["initial_infectives"]
        rate = -log(case["escape_prob_q"])
        model = HouseholdModel(
            "chains", {size: HOUSEHOLDS}, ONE_DAY, at_home=rate, first_infected=1, in_each_household=True
        )
        found = simulate_households(model, {}, [0.0, 30.0], seed=2)["households"][0, -1, 0]
        assert found[0] == 0
        assert_shares(found[1:], case["P_new_infections"])


def test_people_alone_are_a_model_without_households() -> None:
    """In a large population of single people the epidemic is that of the differential equations, and its final size."""
    number, contact, first = 200_000, 0.5, 2_000
    model = HouseholdModel(
        "town", {1: number}, Period(4.0), latent=Period(2.0, stages=2), in_community=contact, first_infected=first
    )
    days = np.arange(0.0, 301.0, 20.0)
    runs = simulate_households(model, {}, days, seed=3)
    flows = [
        Infection("infection", "s", "e", contact, "i"),
        Transition("onset", "e", "i", 0.5, stages=2),
        Transition("recovery", "i", "r", 0.25),
    ]
    outputs = {"susceptible": people("s"), "exposed": people("e"), "infectious": people("i"), "removed": people("r")}
    expected = simulate(
        Model("town", ["s", "e", "i", "r"], flows, {"s": number - first, "i": first}, outputs), {}, days
    )
    for name in outputs:
        np.testing.assert_allclose(runs[name][0, :, 0], expected[name], atol=0.01 * number)

    # The share s who stay susceptible: s = s0 exp(-R0 (1 - s)).
    def rest(s: float) -> float:
        return s - (1 - first / number) * np.exp(-contact * 4.0 * (1 - s))

    share = optimize.brentq(rest, 1e-6, 0.9)
    assert runs["susceptible"][0, -1, 0] / number == pytest.approx(share, abs=0.005)


def test_a_household_by_itself_is_an_epidemic_among_few() -> None:
    """One case and three others with exponential periods, against the exact stochastic run of compartments."""
    model = HouseholdModel("home", {4: HOUSEHOLDS}, Period(2.0), at_home=0.3, first_infected=1, in_each_household=True)
    found = simulate_households(model, {}, [0.0, 3.0], seed=4)
    flows = [Transition("infection", "s", "i", 0.3 * people("i")), Transition("recovery", "i", "r", 0.5)]
    home = Model("home", ["s", "i", "r"], flows, {"s": 3.0, "i": 1.0}, {"s": people("s"), "i": people("i")})
    exact = simulate_stochastic(home, {}, [0.0, 3.0], draws=HOUSEHOLDS, seed=5, method="exact")
    counts = np.bincount(4 - exact["s"][:, -1].astype(int), minlength=5)
    both = np.stack([found["households"][0, -1, 0][1:], counts[1:]])
    assert stats.chi2_contingency(both).pvalue > 1e-4
    assert found["infectious"][0, -1, 0] / HOUSEHOLDS == pytest.approx(exact["i"][:, -1].mean(), abs=0.03)


def test_everybody_is_somewhere_and_counted_once() -> None:
    """People, households and infections add up at every moment, wherever people are infected."""
    model = HouseholdModel(
        "all ways",
        {1: 200, 2: 300, 5: 100},
        Period(3.0, 3),
        latent=Period(1.0, None),
        at_home=0.2,
        in_community=table([0, 10, 30], [0.1, 0.8, 0.1]),
        from_outside=0.001,
        dilution=1.0,
        first_infected=3,
    )
    runs = simulate_households(model, {}, np.arange(0.0, 60.0, 2.5), seed=6, draws=30)
    parts = [runs[name] for name in ("susceptible", "exposed", "infectious", "removed")]
    np.testing.assert_array_equal(sum(parts).sum(axis=-1), model.people)
    np.testing.assert_array_equal(runs["households"].sum(axis=-1)[0, 0], [200, 300, 100])
    infected = (runs["households"] * np.arange(6)).sum(axis=(2, 3))
    np.testing.assert_array_equal(infected, runs["incidence"].sum(axis=(2, 3)).cumsum(axis=1) + 3)
    assert np.all(runs["incidence"].sum(axis=(0, 1))[1:] > 0)
    assert runs["incidence"][..., 0, 0].sum() == 0, "who lives alone is not infected at home"


def test_dilution_shares_contacts_among_housemates() -> None:
    """With dilution one, a case in a household of five infects each of the four at a quarter of the rate."""
    pair = HouseholdModel(
        "diluted", {5: 4000}, ONE_DAY, at_home=0.8, dilution=1.0, first_infected=1, in_each_household=True
    )
    same = HouseholdModel("alike", {5: 4000}, ONE_DAY, at_home=0.2, first_infected=1, in_each_household=True)
    for_one, for_other = (simulate_households(m, {}, [0.0, 9.0], seed=7)["households"] for m in (pair, same))
    np.testing.assert_array_equal(for_one, for_other)


def test_contacts_follow_their_table() -> None:
    """While nobody is met nobody is infected, and afterwards they are at the rate of the time."""
    closed = HouseholdModel(
        "closed", {1: 50_000}, Period(1e9), in_community=table([0, 5], [0, 0.5], "step"), first_infected=500
    )
    new = simulate_households(closed, {}, [0.0, 5.0, 6.0], seed=8)["incidence"][0, :, 0, 1]
    assert new[1] == 0
    # Nobody is removed: the odds of being infected grow by exp(0.5) in a day.
    odds = 500 / 49_500 * np.exp(0.5)
    expected = 50_000 * odds / (1 + odds) - 500
    assert abs(new[2] - expected) < 5 * np.sqrt(expected)


def test_a_run_that_ends_within_a_step_has_the_rate_of_that_step() -> None:
    """Three days of the second week, each at the rate of the whole week."""
    alone = HouseholdModel("alone", {1: 20_000}, Period(3.0), from_outside=table([0, 7], [0, 0.05], "step"))
    new = simulate_households(alone, {}, [0.0, 7.0, 10.0], seed=8, step=7)["incidence"][0, :, 0, 2]
    expected = 20_000 * -np.expm1(-0.05 * 3)
    assert new[1] == 0
    assert abs(new[2] - expected) < 5 * np.sqrt(expected)


def test_a_draw_depends_on_its_seed_and_number_alone() -> None:
    """On any number of cores, among any number of draws, and with values of its own."""
    rate = Parameter("rate", "per day", lower=0)
    model = HouseholdModel("some", {2: 50, 3: 50}, Period(2.0), at_home=rate, in_community=0.4, first_infected=5)
    many = simulate_households(model, {"rate": 0.3}, range(20), seed=9, draws=20, cores=2).values
    few = simulate_households(model, {"rate": 0.3}, range(20), seed=9, draws=5, cores=1).values
    np.testing.assert_array_equal(many[:5], few)
    assert len({tuple(draw[:, 0]) for draw in many}) > 15
    assert not np.array_equal(few, simulate_households(model, {"rate": 0.3}, range(20), seed=10, draws=5).values)
    own = simulate_households(model, {"rate": np.array([0.0, 0.3])}, range(20), seed=9)
    assert own["incidence"][0, ..., 0].sum() == 0
    np.testing.assert_array_equal(own.values[1], many[1])


def test_outputs_are_labelled() -> None:
    """What the rest of the tool reads by name."""
    model = HouseholdModel("named", {1: 5, 3: 5}, Period(2.0), at_home=0.3, first_infected=2)
    found = simulate_households(model, {}, range(5), seed=1, draws=2).to_dataset()
    assert found["incidence"].dims == ("draw", "time", "size", "source")
    assert found["households"].sel(size="3").isel(time=0).sum("infected").values.tolist() == [5, 5]


PER_DAY = Parameter("rate", "per day")
MISTAKES: dict[str, tuple[str, Mapping[str, Any], Mapping[str, float]]] = {
    "half a household": ("M151", {"households": {2: 1.5}}, {}),
    "households of nobody": ("M151", {"households": {0: 5}}, {}),
    "no households": ("M151", {"households": {}}, {}),
    "sizes in a list": ("M151", {"households": [3, 4]}, {}),
    "a rate below zero": ("M110", {"at_home": -1.0}, {}),
    "a value below zero": ("S103", {"at_home": PER_DAY}, {"rate": -1.0}),
    "no value": ("S105", {"at_home": PER_DAY}, {}),
    "a duration for a rate": ("M129", {"at_home": Parameter("rate", "days")}, {"rate": 1.0}),
    "a period without end": ("S102", {"infectious": Period(Parameter("mean", "days"))}, {"mean": 0.0}),
    "more infected than people": ("M110", {"first_infected": 30}, {}),
    "a third of a person": ("S113", {"first_infected": 0.3}, {}),
    "nobody ever infected": ("M115", {"first_infected": 0}, {}),
    "a number for a period": ("M120", {"infectious": 3.0}, {}),
    "a rate at home that changes": ("M116", {"at_home": table([0, 1], [1, 2])}, {}),
    "a rate that follows people": ("M116", {"in_community": 0.1 * people()}, {}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_letter(mistake: str) -> None:
    code, given, values = MISTAKES[mistake]
    declared: dict[str, Any] = {"households": {2: 10}, "infectious": Period(3.0), "first_infected": 1, **given}
    with pytest.raises(ModelworksError) as told:
        simulate_households(HouseholdModel("h", **declared), values, range(5), seed=1)
    assert told.value.codes[0] == code


def test_a_period_has_stages_or_none() -> None:
    with pytest.raises(ModelworksError, match="M130"):
        Period(3.0, stages=0)
