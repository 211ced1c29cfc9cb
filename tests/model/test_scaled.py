"""Models whose basic reproduction number is a parameter: against closed forms, NumPy's eigenvalues, and differences."""

from __future__ import annotations

from collections.abc import Callable
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
    Pool,
    Stratification,
    Transition,
    basic_reproduction_number,
    by,
    people,
    simulate,
    with_reproduction_number,
    written_numbers,
)
from modelworks.model.library import library_example, library_model, library_names

R0, RECOVERY, ONSET = Parameter("R0"), Parameter("recovery", "per day"), Parameter("onset", "per day")
DAYS = np.arange(0.0, 61.0, 5.0)
AGES = np.array([[4.0, 1.0, 0.5], [1.2, 3.0, 1.0], [0.4, 1.5, 2.0]])


def same_runs(one: Model, other: Model, values: dict[str, float]) -> None:
    first, second = (simulate(each, values, DAYS, accuracy=1e-9)["i"] for each in (one, other))
    np.testing.assert_allclose(first, second, rtol=1e-7)


def sir(rate: Any) -> Model:
    flows = [Infection("infection", "s", "i", rate, "i"), Transition("recovery", "i", "r", RECOVERY)]
    return Model("sir", ["s", "i", "r"], flows, {"s": 990.0, "i": 10.0}, {"i": people("i")})


def seir_by_age(rate: Any, susceptibility: Any = 1.0) -> Model:
    flows = [
        Infection("infection", "s", "e", rate, "i", Contacts({"age": AGES}), susceptibility),
        Transition("onset", "e", "i", ONSET),
        Transition("recovery", "i", "r", RECOVERY * by("age", [1.0, 1.0, 0.5]), stages=2),
    ]
    age = Stratification("age", ["young", "middle", "old"], split=[0.3, 0.5, 0.2])
    return Model("ages", ["s", "e", "i", "r"], flows, {"s": 990.0, "i": 10.0}, {"i": people("i")}, [age])


def test_an_sir_has_its_number_times_recovery_as_rate() -> None:
    """Whatever rate was declared."""
    values = {"R0": 1.7, "recovery": 0.25}
    for declared in (1.0, 0.3, RECOVERY * RECOVERY):
        same_runs(with_reproduction_number(sir(declared), R0), sir(R0 * RECOVERY), values)


@pytest.mark.slow
def test_ages_have_the_eigenvalue_of_their_contacts() -> None:
    """Rows by susceptibility and people, columns by how long each age is infectious."""
    less = np.array([0.5, 1.0, 1.3])
    time = np.array([1.0, 1.0, 2.0]) / 0.2
    share = np.array([0.3, 0.5, 0.2])
    # Contacts of a susceptible of age i with age j are shared by all of age j.
    generation = less[:, None] * AGES * (share[:, None] / share[None, :]) * time[None, :]
    largest = np.abs(np.linalg.eigvals(generation)).max()
    scaled = with_reproduction_number(seir_by_age(1.0, by("age", less.tolist())), R0)
    by_hand = seir_by_age(R0 / largest, by("age", less.tolist()))
    same_runs(scaled, by_hand, {"R0": 2.2, "recovery": 0.2, "onset": 0.3})


def test_two_groups_with_a_closed_form() -> None:
    """Hosts and vectors: the number is the root of what each does to the other, and only every second one is alike."""
    flows = [
        Infection("bitten", "s", "i", 1.0, "v", density_dependent=True),
        Infection("biting", "u", "v", 2.0, "i"),
        Transition("recovery", "i", "s", 0.1),
        Exit("death", ["u", "v"], 0.5),
        Entry("hatching", "u", 50.0),
    ]
    model = Model(
        "vectors",
        ["s", "i"],
        flows,
        {"s": 90.0, "i": 10.0, "u": 100.0},
        {"i": people("i")},
        pools=[Pool("mosquitoes", "mosquitoes", ["u", "v"], individuals=True)],
    )
    # 100 hosts, 100 vectors: a host infects 2 / 0.1 of the vectors for each host there is, a vector 1 / 0.5 of hosts.
    expected = np.sqrt(2.0 * (100 / 100) / 0.1 * 1.0 * 100 / 0.5)
    assert basic_reproduction_number(model, {}) == pytest.approx(expected)
    scaled = with_reproduction_number(model, R0)
    factor = 1.4 / expected
    by_hand = replace(model, flows=[replace(f, rate=factor * f.rate) if isinstance(f, Infection) else f for f in flows])
    first, second = simulate(scaled, {"R0": 1.4}, DAYS)["i"], simulate(by_hand, {}, DAYS)["i"]
    np.testing.assert_allclose(first, second, rtol=1e-8)


@pytest.mark.slow
def test_every_animal_has_the_number_and_its_gradient(animal: Any, by_differences: Callable[..., Any]) -> None:
    """Any strata, strains, stages, histories: against the matrices of NumPy, and against differences of runs."""
    model = with_reproduction_number(animal.model, R0)
    values = {**animal.values, "R0": 1.6}
    assert basic_reproduction_number(model, values) == pytest.approx(1.6, rel=1e-7)
    compiled = CompiledModel(model.checked(), animal.times, step=animal.step)
    at = compiled.vector(values)
    outputs, pullback = compiled.run_with_pullback(at)
    weights = 1 / np.maximum(np.abs(outputs).max(axis=0), 1e-9)
    cotangent = np.random.default_rng(3).normal(size=outputs.shape) * weights
    gradient, expected = pullback(cotangent) * at, by_differences(compiled, at, cotangent) * at
    assert gradient[compiled.parameters.index("R0")] != 0
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


@pytest.mark.slow
def test_an_epidemic_in_ages_has_an_exact_gradient(check_gradient: Callable[..., None]) -> None:
    """Through the eigenvalue to every parameter that it depends on."""
    model = with_reproduction_number(seir_by_age(1.0, by("age", [Parameter("young"), 1.0, 1.3])), R0)
    compiled = CompiledModel(model.checked(), DAYS, step=1.0)
    check_gradient(compiled, compiled.vector({"R0": 2.2, "recovery": 0.2, "onset": 0.3, "young": 0.4}))


@pytest.mark.parametrize("name", [each for each in library_names() if each not in ("covid", "tb")])
def test_every_library_model_can_be_scaled(name: str) -> None:
    """Water, mosquitoes, births, waning: the number is that of the next-generation matrix, whatever it was."""
    example = library_example(name)
    scaled = with_reproduction_number(library_model(name)(), Parameter("wanted"))
    found = basic_reproduction_number(scaled, {**example.values, "wanted": 2.5}, start=example.start)
    assert found == pytest.approx(2.5, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["covid", "tb"])
def test_national_models_can_be_scaled(name: str) -> None:
    test_every_library_model_can_be_scaled(name)


def test_the_letters_of_a_number_without_a_meaning() -> None:
    """Nobody infects; the infected never stop; infected are born; the model grew after it was scaled."""
    decay = Model("decay", ["a", "b"], [Transition("out", "a", "b", 0.1)], {"a": 1.0}, {"b": people("b")})
    with pytest.raises(ModelworksError, match=r"M136.*nobody infects"):
        with_reproduction_number(decay, 2.0)
    si = Model("si", ["s", "i"], [Infection("infection", "s", "i", 1.0, "i")], {"s": 9.0, "i": 1.0}, {"i": people("i")})
    with pytest.raises(ModelworksError, match=r"M136.*ever leaves `i`"):
        with_reproduction_number(si, 2.0).checked()
    born = sir(1.0).extended(flows=[Entry("births", "i", 0.1 * people("i"))])
    with pytest.raises(ModelworksError, match=r"M136.*bear infected"):
        with_reproduction_number(born, 2.0).checked()
    later = with_reproduction_number(sir(1.0), 2.0).extended(
        stratifications=[Stratification("age", ["young", "old"], split=[0.5, 0.5])]
    )
    with pytest.raises(ModelworksError, match=r"M136.*`age` came"):
        later.checked()
    assert not with_reproduction_number(sir(1.0), 2.0).check()


def test_groups_that_hardly_meet_are_told() -> None:
    """Of two towns apart, whose numbers are nearly the same, the iteration does not find the larger in time."""
    towns = Contacts({"town": [[1.0, 1e-9], [1e-9, 0.97]]})
    flows = [Infection("infection", "s", "i", 1.0, "i", towns), Transition("recovery", "i", "s", RECOVERY)]
    town = Stratification("town", ["a", "b"], split=[0.5, 0.5])
    model = Model("towns", ["s", "i"], flows, {"s": 990.0, "i": 10.0}, {"i": people("i")}, [town])
    with pytest.raises(ModelworksError, match=r"S103.*hardly meet"):
        simulate(with_reproduction_number(model, R0), {"R0": 2.0, "recovery": 0.2}, DAYS)


def test_a_scaled_model_is_shown_like_any_other() -> None:
    scaled = with_reproduction_number(sir(1.0), R0)
    assert r"\mathcal{R}_0^{*}" in scaled.equations()
    assert any("R0" in each.value for each in written_numbers(with_reproduction_number(sir(0.5), 2.0)))
