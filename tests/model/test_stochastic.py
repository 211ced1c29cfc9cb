"""Stochastic runs: whole people, the right chances, and the same numbers again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modelworks.errors import ModelworksError
from modelworks.model import (
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Pulse,
    StochasticModel,
    Stratification,
    Transition,
    by,
    events,
    people,
    simulate,
    simulate_stochastic,
    table,
)
from modelworks.model._whole_people import whole_people
from modelworks.model.library.seir import seir
from modelworks.model.library.sir import sir

METHODS = ["chain_binomial", "tau_leap", "exact"]
OUTBREAK = {"contact_rate": 0.5, "recovery_rate": 0.25, "population": 1000.0, "first_cases": 1.0}


def closed(susceptible: float, infectious: float, contact_rate: float, recovery_rate: float) -> Model:
    return Model(
        "closed",
        ["s", "i", "r"],
        [Infection("infection", "s", "i", contact_rate, "i"), Transition("recovery", "i", "r", recovery_rate)],
        {"s": susceptible, "i": infectious},
        {"s": people("s"), "i": people("i"), "new": events("infection")},
    )


def everything(dose: Any = 0.02) -> Model:
    """Ages that people grow out of, doses, two ways out of one compartment, births, deaths, reports of a part."""
    return Model(
        "everything",
        ["s", "e", "i", "h", "r"],
        [
            Infection("infection", "s", "e", 0.2, "i", Contacts({"age": [[3, 1, 1], [1, 4, 1], [1, 1, 2]]})),
            Transition("onset", "e", "i", 0.5),
            Transition("admission", "i", "h", by("age", [0.01, 0.05, 0.2])),
            Transition("recovery", "i", "r", 0.3),
            Transition("discharge", "h", "r", 0.1),
            Move("first", "dose", "none", "one", dose, compartments=["s", "r"]),
            Entry("birth", "s", 3.0, split={"age": "young"}),
            Exit("death", None, by("age", [0.0005, 0.0005, 0.004])),
        ],
        {"s": by("age", [3000, 4000.4, 2000.2]), "i": 20.4},
        {
            "everybody": people(),
            "by_age": Output(people(by=["age"]), by=["age"]),
            "births": events("birth"),
            "deaths": Output(events("death", by=["age"]), by=["age"]),
            "reported": events("onset", times=by("age", [0.1, 0.5, 0.9])),
            "older": events("ageing by age"),
            "doses": Output(events("first", by=["dose"]), by=["dose"]),
        },
        [
            Stratification("age", ["young", "middle", "old"], split=[0.4, 0.4, 0.2], widths=[300, 700]),
            Stratification("dose", ["none", "one"], split="none"),
        ],
    )


# -- chances that are known ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.needs("references")
@pytest.mark.parametrize("method", ["exact", "tau_leap"])
def test_the_final_size_of_a_small_outbreak_has_its_exact_distribution(references: Path, method: str) -> None:
    """Chances computed as fractions of whole numbers by others; tau-leaping is exact where there are few people."""
    for case in json.loads((references / "stochastic_exact.json").read_text())["continuous_time_final_size"]:
        size, draws = case["N_susceptible"], 20_000
        model = closed(size, case["initial_infectives"], case["R0"] * case["gamma"], case["gamma"])
        runs = simulate_stochastic(model, {}, [0, 100, 500], draws=draws, seed=5, method=method, step=100)
        infected = size - runs["s"][:, -1]
        assert np.array_equal(runs["new"].sum(axis=1), infected)
        assert np.all(runs["i"][:, -1] == 0)
        found = np.bincount(infected.astype(int), minlength=size + 1) / draws
        expected = np.array(case["P_additional_infections"])
        assert np.all(np.abs(found - expected) <= 4 * np.sqrt(expected * (1 - expected) / draws))
        assert infected.mean() == pytest.approx(case["mean"], abs=4 * case["sd"] / np.sqrt(draws))


@pytest.mark.needs("references")
def test_the_chain_binomial_has_its_exact_moments(references: Path) -> None:
    """Every state enumerated by others: means, variances and the chance that it is over, step by step."""
    case = json.loads((references / "stochastic_exact.json").read_text())["discrete_time_chain_binomial"]
    model = closed(case["N_susceptible"], case["initial_infectives"], case["beta"], case["gamma"])
    draws, last = 40_000, int(case["values"][-1][0])
    runs = simulate_stochastic(model, {}, np.arange(last + 1) * case["dt"], draws=draws, seed=2, step=case["dt"])
    for step, mean_s, var_s, mean_i, var_i, over in case["values"]:
        s, i = runs["s"][:, int(step)], runs["i"][:, int(step)]
        assert s.mean() == pytest.approx(mean_s, abs=4 * np.sqrt(var_s / draws))
        assert i.mean() == pytest.approx(mean_i, abs=4 * np.sqrt(var_i / draws))
        assert s.var() == pytest.approx(var_s, rel=0.06)
        assert i.var() == pytest.approx(var_i, rel=0.06)
        assert (i == 0).mean() == pytest.approx(over, abs=4 * np.sqrt(over * (1 - over) / draws))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_an_outbreak_dies_out_with_chance_one_over_r0(method: str) -> None:
    """A branching process while few are infected (Kendall 1948); in small steps for the chain-binomial too."""
    values = {**OUTBREAK, "population": 5000.0}
    runs = simulate_stochastic(sir(), values, [0, 200], draws=1000, seed=3, method=method, step=0.1)
    final = runs["incidence"].sum(axis=1)
    # What dies out does so small, what does not takes thousands.
    assert not np.any((final > 400) & (final < 3000))
    assert (final < 400).mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(1000))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_many_people_move_as_the_deterministic_model_says(method: str) -> None:
    """The mean over draws, to within what chance leaves and a step of the chain-binomial makes."""
    times, draws = np.arange(0.0, 41.0, 10.0), 12 if method == "exact" else 60
    expected = simulate(everything(), {}, times)
    runs = simulate_stochastic(everything(), {}, times, draws=draws, seed=1, method=method, step=0.02)
    assert runs.columns == expected.columns
    for name in ("everybody", "by_age", "births", "deaths", "reported", "older", "doses"):
        spread = runs[name].std(axis=0) / np.sqrt(draws)
        gap = np.abs(runs[name].mean(axis=0) - expected[name])
        assert np.all(gap <= 4.5 * spread + 0.004 * np.abs(expected[name]) + 1.0), name


@pytest.mark.slow
@pytest.mark.parametrize(("method", "step"), [("chain_binomial", 0.01), ("tau_leap", 0.1)])
def test_every_piece_of_the_declaration_has_a_stochastic_form(animal: Any, method: str, step: float) -> None:
    """Functions of time and people, seasons, journeys, strains: in the mean as the deterministic one."""
    many = {name: number * 1000 for name, number in animal.model.initial.items()}
    large = replace(animal.model, initial=many)
    expected = simulate(large, animal.values, animal.times)
    runs = simulate_stochastic(large, animal.values, animal.times, draws=10, seed=4, method=method, step=step)
    for name in expected.units:
        peak = np.abs(expected[name]).max()
        gap = np.abs(runs[name].mean(axis=0) - expected[name])
        assert np.all(gap <= 3 * runs[name].std(axis=0) + 0.01 * peak + 1.0), name


# -- what holds for every run -------------------------------------------------------------------------


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 2**64),
    dose=st.floats(0, 20),
    step=st.floats(0.3, 40),
)
def test_people_are_whole_conserved_and_never_below_zero(method: str, seed: int, dose: float, step: float) -> None:
    """Whatever the step and however fast people move: everybody is who was there, was born, and did not die."""
    rate = Parameter("dose", "per day", lower=0)
    runs = simulate_stochastic(
        everything(rate), {"dose": dose}, [0, 7, 30, 31], draws=3, seed=seed, method=method, step=step
    )
    for name in ("everybody", "by_age", "births", "deaths", "older", "doses"):
        assert np.all(runs[name] >= 0)
        assert np.array_equal(runs[name], np.round(runs[name]))
    assert np.array_equal(runs["by_age"].sum(axis=2), runs["everybody"])
    assert np.all(runs["everybody"][:, 0] == 9021)
    change = runs["births"][:, 1:] - runs["deaths"][:, 1:].sum(axis=2)
    assert np.array_equal(np.diff(runs["everybody"], axis=1), change)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_draw_is_the_same_on_any_number_of_cores(method: str) -> None:
    """To the last bit: a result can be repeated elsewhere, and more draws are more of the same."""
    one, two = (
        simulate_stochastic(everything(), {}, [0, 5, 20], draws=70, seed=9, method=method, cores=cores).values
        for cores in (1, 2)
    )
    assert np.array_equal(one, two)
    assert np.array_equal(
        simulate_stochastic(everything(), {}, [0, 5, 20], draws=7, seed=9, method=method).values, one[:7]
    )
    other = simulate_stochastic(everything(), {}, [0, 5, 20], draws=70, seed=10, method=method).values
    assert not np.any(np.all(other[:, 1:] == one[:, 1:], axis=(1, 2)))


def test_each_draw_may_have_its_own_parameters() -> None:
    """Draws of a posterior, each run by chance: a draw is that of its own values."""
    rates = np.repeat([0.0, 0.4, 5.0], 40)
    runs = simulate_stochastic(sir(), {**OUTBREAK, "contact_rate": rates, "first_cases": 20.0}, [0, 30], seed=1)
    final = runs["incidence"][:, -1].reshape(3, 40)
    assert np.all(final[0] == 0)
    assert final[0].max() < final[1].min()
    assert final[1].max() < final[2].min()
    alone = simulate_stochastic(
        sir(), {**OUTBREAK, "contact_rate": 0.4, "first_cases": 20.0}, [0, 30], draws=120, seed=1
    )
    assert np.array_equal(alone.values[40:80], runs.values[40:80])


def test_rates_by_date_change_on_their_day() -> None:
    """Nobody moves before the table says so; then everybody does."""
    model = Model(
        "campaign",
        ["s", "v"],
        [Transition("dose", "s", "v", table([date(2021, 1, 5), date(2021, 1, 8)], [0.0, 50.0], "step"))],
        {"s": 500},
        {"doses": events("dose")},
    )
    runs = simulate_stochastic(model, {}, range(10), draws=5, seed=1, start=date(2021, 1, 1), step=2.0)
    assert np.all(runs["doses"][:, :8] == 0)
    assert np.all(runs["doses"][:, 8] == 500)
    assert runs.to_dataset()["doses"].dims == ("draw", "time")
    assert str(runs.to_dataset()["time"].values[8])[:10] == "2021-01-09"


def test_outputs_have_a_dimension_of_draws_before_time() -> None:
    runs = simulate_stochastic(everything(), {}, [0, 1], draws=4, seed=0)
    assert runs["everybody"].shape == (4, 2)
    assert runs["by_age"].shape == (4, 2, 3)
    dataset = runs.to_dataset()
    assert dataset["by_age"].dims == ("draw", "time", "age")
    assert np.array_equal(dataset["by_age"].sel(age="old").values, runs["by_age"][:, :, 2])
    assert np.isnan(runs.error)
    assert runs.step == 1.0


# -- whole people at the start ------------------------------------------------------------------------


def test_a_hundred_people_in_sixteen_strata_stay_a_hundred() -> None:
    """Rounded apart they would be 96."""
    found = whole_people(np.full((1, 1, 16), 6.25), ["s"])
    assert found.sum() == 100
    assert set(found.ravel()) == {6.0, 7.0}


def test_rounding_keeps_every_compartment_within_one_person() -> None:
    numbers = np.random.default_rng(1).uniform(0.6, 30, (50, 6, 4))
    compartments = ["s", "s", "i", "r", "r", "r"]
    found = whole_people(numbers, compartments)
    assert np.array_equal(found, np.round(found))
    assert np.all(np.abs(found - numbers) <= 1)
    assert np.array_equal(found.sum(axis=(1, 2)), np.round(numbers.sum(axis=(1, 2))))
    assert np.all(np.abs((found - numbers)[:, :2].sum(axis=(1, 2))) < 1)
    assert np.array_equal(whole_people(found, compartments), found)


# -- letters ------------------------------------------------------------------------------------------


def letter(*arguments: Any, **settings: Any) -> ModelworksError:
    with pytest.raises(ModelworksError) as caught:
        simulate_stochastic(*arguments, **{"seed": 1, **settings})
    return caught.value


def test_a_method_that_does_not_exist_is_told() -> None:
    error = letter(sir(), OUTBREAK, [0, 1], method="tau-leap")
    assert error.codes == ("S112",)
    assert "`tau_leap`" in error.letters[0].hint


def test_a_compartment_that_would_round_to_nobody_is_told() -> None:
    """With 0.3 infectious nothing would ever happen, without a word."""
    error = letter(sir(), {**OUTBREAK, "first_cases": 0.3}, [0, 1])
    assert error.codes == ("S113",)
    assert "`infectious` is 0.3 people" in str(error)


@pytest.mark.parametrize(
    "settings",
    [
        {"draws": 0},
        {"draws": 2.5},
        {"seed": -1},
        {"seed": 1.5},
        {"step": 0.0},
        {"step": np.nan},
        {"draws": 3, "parameters": [0.1, 0.2]},
    ],
)
def test_settings_that_can_not_be_are_told(settings: dict[str, Any]) -> None:
    rate = settings.pop("parameters", 0.5)
    assert letter(sir(), {**OUTBREAK, "contact_rate": rate}, [0, 1], **settings).codes == ("S114",)


def test_values_are_checked_as_for_a_deterministic_run() -> None:
    assert letter(sir(), {**OUTBREAK, "contact_rat": 1.0}, [0, 1]).codes == ("S104",)
    assert letter(sir(), {"contact_rate": 1.0}, [0, 1]).codes == ("S105",) * 3
    assert letter(sir(), {**OUTBREAK, "contact_rate": [0.1, -0.1]}, [0, 1]).codes == ("S107",)
    assert letter(sir(), {**OUTBREAK, "contact_rate": np.nan}, [0, 1]).codes == ("S107",)
    assert letter(sir(), {**OUTBREAK, "first_cases": 1001.0}, [0, 1]).codes == ("S103",)


def falling(rate: Any) -> Model:
    return Model("falling", ["a", "b"], [Transition("fall", "a", "b", rate)], {"a": 50}, {"a": people("a")})


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_rate_that_becomes_negative_is_told_with_its_flow_and_day(method: str) -> None:
    by_time = letter(falling(table([0, 10], [1.0, -1.0])), {}, [0, 20], method=method, start=date(2020, 3, 1))
    assert by_time.codes == ("S103",)
    assert "`fall`" in str(by_time)
    assert "2020-03-06" in str(by_time)
    by_people = letter(falling(0.5 - people("b") / 21), {}, [0, 9, 90], draws=4, method=method)
    assert by_people.codes == ("S103",)
    assert "`fall`" in str(by_people)


def test_a_rate_that_is_not_a_number_is_told() -> None:
    assert letter(falling(Parameter("rate", "per day") * people("b") / people("b")), {"rate": 1.0}, [0, 20]).codes in (
        ("S102",),
        ("S103",),
    )


def test_a_compiled_model_runs_again_for_other_values() -> None:
    compiled = StochasticModel(seir(), range(5))
    values = {**OUTBREAK, "latency_rate": 0.5}
    first = compiled.run(compiled.rows(values), 3, 1)
    assert first.shape == (3, 5, 2)
    assert np.array_equal(first, simulate_stochastic(seir(), values, range(5), draws=3, seed=1).values)


def test_the_step_of_a_chain_binomial_is_part_of_the_model() -> None:
    """A stay is a whole number of steps: its mean is h / (1 - exp(-h / d)), longer than the d of the rate."""
    model = Model(
        "stay",
        ["in", "out"],
        [Transition("leave", "in", "out", 0.5)],
        {"in": 200_000},
        {"in": people("in")},
    )
    for step, mean in [(1.0, 2.5415), (0.1, 2.0504)]:
        left = simulate_stochastic(model, {}, np.arange(0, 60, step), seed=1, step=step)["in"][0]
        assert step * left.sum() / left[0] == pytest.approx(mean, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_rate_that_rises_in_time_is_followed_by_every_method(method: str) -> None:
    """People leave at a rate of t / 10: exp(-t^2 / 20) of them stay, for the middle of a step is its mean."""
    times, people_at_first = np.arange(0.0, 9.0), 40_000
    model = replace(falling(table([0, 20], [0.0, 2.0])), initial={"a": people_at_first})
    share = np.exp(-(times**2) / 20)
    stay = simulate_stochastic(model, {}, times, seed=6, method=method, step=0.25)["a"][0] / people_at_first
    allowed = 4 * np.sqrt(share * (1 - share) / people_at_first)
    # A leap lets a rate run on by up to three per cent of those who are left.
    assert np.all(np.abs(stay - share) <= allowed + (0.005 if method == "tau_leap" else 1e-12))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_pulse_moves_whole_people_at_its_moment(method: str) -> None:
    """A share of those who are there, each with that chance; so many who come; nobody at any other time."""
    model = Model(
        "campaigns",
        ["s", "v", "r"],
        [
            Pulse("campaign", [3, 7], "s", "v", share=0.4),
            Pulse("arrival", 5, destination="s", number=250.5),
            Pulse("farewell", 9, "v", share=1.0),
            Transition("ageing", "s", "r", table([0, 3.5], [0.0, 0.02], "step")),
        ],
        {"s": 1000},
        {"s": people("s"), "v": people("v"), "doses": events("campaign"), "come": events("arrival")},
    )
    times = np.arange(11.0)
    expected = simulate(model, {}, times)
    runs = simulate_stochastic(model, {}, times, draws=4000, seed=1, method=method, step=0.25)
    for name in expected.units:
        spread = runs[name].std(axis=0) / np.sqrt(4000)
        assert np.all(np.abs(runs[name].mean(axis=0) - expected[name]) <= 4 * spread + 1e-3 * expected[name]), name
    assert np.all(runs["s"][:, :4] == 1000)
    assert runs["doses"][:, 4].var() == pytest.approx(1000 * 0.4 * 0.6, rel=0.1)
    assert set(runs["come"][:, 6]) == {250.0, 251.0}
    assert np.all(runs["v"][:, 10] == 0)
