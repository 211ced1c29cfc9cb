"""Rates from reproduction numbers, growth rates and generation intervals: the model then has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Contacts,
    Infection,
    Model,
    Parameter,
    Setting,
    Stratification,
    Time,
    Transition,
    basic_reproduction_number,
    by,
    infections_per_rate,
    people,
    reproduction_number_from_growth,
    reproduction_number_from_interval,
    simulate,
)

R0, RECOVERY, ONSET = Parameter("R0"), Parameter("recovery", "per day"), Parameter("onset", "per day")
CHILDREN, SCHOOL, SHARE = Parameter("children"), Parameter("school"), Parameter("share")
VALUES = {"R0": 2.5, "recovery": 0.2, "onset": 0.3, "children": 0.6, "school": 0.7, "share": 0.4}
DICE = np.random.default_rng(7)
AGES = DICE.uniform(0.2, 2.0, (4, 4)) + np.eye(4)
PLACES = np.array([[0.9, 0.1], [0.2, 0.8]])


def grouped(contacts: Contacts, susceptibility: Any, time: Any, places: list[str], ages: list[str]) -> Model:
    """Mild and severe cases, of whom the mild are half as infectious; R0 is a parameter."""
    of_mild = (SHARE + 0.5 * (1.0 - SHARE)) / RECOVERY * time
    rate = R0 / infections_per_rate(contacts, susceptibility=susceptibility, infectious_time=of_mild)
    return Model(
        "grouped",
        ["s", "e", "i", "r"],
        [
            Infection(
                "infection",
                "s",
                "e",
                rate,
                {"i": by("clinical", {"mild": 0.5, "severe": 1.0})},
                contacts,
                susceptibility,
            ),
            Transition("onset", "e", "i", ONSET, split={"clinical": {"mild": 1.0 - SHARE, "severe": SHARE}}),
            Transition("recovery", "i", "r", RECOVERY / time, stages=2),
        ],
        {"s": 990.0, "i": 10.0},
        {"i": people("i")},
        [
            Stratification("age", ages, split=[1 / len(ages)] * len(ages)),
            Stratification("place", places, split=[0.3, 0.7]),
            Stratification("clinical", ["mild", "severe"], compartments=["i"], split=[0.5, 0.5]),
        ],
    )


BY_AGE = by("age", [CHILDREN, 1.0, 1.0, 1.2])
SETTINGS = [Setting("home", AGES), Setting("school", np.diag([3.0, 1.0, 0.0, 0.0]), scale=SCHOOL)]
GROUPS = {
    "ages, in lanes": (Contacts({"age": SETTINGS}), BY_AGE, by("age", [1.0, 1.0, 1.0, 1.5])),
    "places, in rows": (Contacts({"place": PLACES}), by("place", [CHILDREN, 1.0]), 1.0),
    "both": (Contacts({"place": PLACES, "age": SETTINGS}), BY_AGE * by("place", [1.0, 0.8]), by("place", [1.0, 2.0])),
}


@pytest.mark.parametrize("groups", GROUPS)
def test_a_model_has_the_reproduction_number_it_is_given(groups: str) -> None:
    """By the next-generation matrix, which knows nothing of where the rate comes from."""
    model = grouped(*GROUPS[groups], places=["north", "south"], ages=["a", "b", "c", "d"])
    used = {name: VALUES[name] for name in model.parameters}
    assert basic_reproduction_number(model, used) == pytest.approx(2.5, rel=1e-8)
    assert basic_reproduction_number(model, used | {"R0": 1.3, "recovery": 0.5}) == pytest.approx(1.3, rel=1e-8)


@pytest.mark.slow
def test_the_gradient_is_that_of_the_outputs() -> None:
    model = grouped(*GROUPS["both"], places=["north", "south"], ages=["a", "b", "c", "d"])
    compiled = CompiledModel(model, [0.0, 20.0, 40.0], step=0.5)
    at = compiled.vector({name: VALUES[name] for name in compiled.parameters})
    _, pullback = compiled.run_with_pullback(at)
    cotangent = np.array([[0.0], [1.0], [-0.7]])
    gradient = pullback(cotangent)
    for k in range(at.size):
        step = 1e-3 * at[k] * np.eye(at.size)[k]
        ends = [np.sum(compiled.run(at + n * step) * cotangent) for n in (-2, -1, 1, 2)]
        difference = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * step[k])
        assert gradient[k] == pytest.approx(difference, rel=1e-6), compiled.parameters[k]


@pytest.mark.parametrize("latent_stages", [1, 3])
@pytest.mark.parametrize("infectious_stages", [1, 2, 5])
def test_an_epidemic_grows_at_the_rate_it_is_given(latent_stages: int, infectious_stages: int) -> None:
    growth, latent, infectious = Parameter("growth", "per day"), Parameter("latent", "days"), Parameter("ill", "days")
    number = reproduction_number_from_growth(
        growth, latent=latent, infectious=infectious, latent_stages=latent_stages, infectious_stages=infectious_stages
    )
    model = Model(
        "growing",
        ["s", "e", "i", "r"],
        [
            Infection("infection", "s", "e", number / infectious, "i"),
            Transition("onset", "e", "i", 1 / latent, stages=latent_stages),
            Transition("recovery", "i", "r", 1 / infectious, stages=infectious_stages),
        ],
        {"s": 1e12, "i": 1.0},
        {"i": people("i")},
        derived={"R0": number},
    )
    values = {"growth": 0.1, "latent": 3.0, "ill": 5.0}
    found = simulate(model, values, [0.0, 100.0, 110.0], accuracy=1e-9)["i"]
    assert np.log(found[2] / found[1]) / 10 == pytest.approx(0.1, rel=1e-5)
    compiled = CompiledModel(model, [0.0, 1.0])
    derived = compiled.derived({name: np.array([value]) for name, value in values.items()})["R0"]
    assert derived == pytest.approx(basic_reproduction_number(model, values), rel=1e-9)
    resting = compiled.derived({**{n: np.array([v]) for n, v in values.items()}, "growth": np.zeros(1)})
    assert resting["R0"] == pytest.approx(1.0, rel=1e-12)


def test_the_generation_interval_gives_the_number_of_the_field() -> None:
    """(1 + r T / k)^k; of an exponential interval 1 + r T, and of one that does not vary nearly e^(r T)."""
    growth = Parameter("growth", "per day")
    shapes = {"exponential": 1.0, "gamma": 2.5, "fixed": 1e7}
    derived = {n: reproduction_number_from_interval(growth, mean=6.0, shape=k) for n, k in shapes.items()}
    model = Model("x", ["a", "b"], [Transition("t", "a", "b", 0.1)], {"a": 1.0}, {"a": people("a")}, derived=derived)
    found = CompiledModel(model, [0.0, 1.0]).derived({"growth": np.array([0.1])})
    assert found["exponential"] == pytest.approx(1.6, rel=1e-12)
    assert found["gamma"] == pytest.approx(1.24**2.5, rel=1e-12)
    assert found["fixed"] == pytest.approx(np.exp(0.6), rel=1e-6)


def test_numbers_alone_are_worked_out_while_the_model_is_built() -> None:
    """And agree with the eigenvalue of NumPy."""
    time = 5.0
    model = grouped(Contacts({"age": AGES}), 1.0, 1.0, places=["north", "south"], ages=["a", "b", "c", "d"])
    alone = model.extended(
        flows=[
            Infection(
                "infection",
                "s",
                "e",
                1.0 / infections_per_rate(Contacts({"age": AGES}), infectious_time=time),
                "i",
                Contacts({"age": AGES}),
            )
        ],
        outputs={"rate": 1.0 / infections_per_rate(Contacts({"age": AGES}), infectious_time=time)},
        replacing="infection",
    )
    values = {name: VALUES[name] for name in alone.parameters}
    found = simulate(alone, values, [0.0, 1.0])["rate"][0]
    assert 1 / found == pytest.approx(time * np.abs(np.linalg.eigvals(AGES)).max(), rel=1e-9)
    assert r"\rho\left[1, 5\right]" in alone.equations()


def test_letters() -> None:
    with pytest.raises(ModelworksError, match="M104"):
        infections_per_rate(AGES, infectious_time=5.0)  # type: ignore[arg-type]
    ages = ["a", "b", "c", "d"]
    with pytest.raises(ModelworksError, match=r"M136.*change with time or people"):
        grouped(Contacts({"age": AGES}), 1.0 + Time(), 1.0, ["n", "s"], ages).checked()
    with pytest.raises(ModelworksError, match=r"M105.*by which nobody meets"):
        grouped(Contacts({"place": PLACES}), BY_AGE, 1.0, ["n", "s"], ages).checked()
    apart = Contacts({"age": np.diag([1.0, 0.99, 0.5, 0.2])})
    with pytest.raises(ModelworksError, match=r"M136.*hardly meet"):
        grouped(apart, 1.0, 1.0, ["n", "s"], ages).checked()
    model = grouped(apart, by("age", [CHILDREN, 1.0, 1.0, 1.0]), 1.0, ["n", "s"], ages)
    with pytest.raises(ModelworksError, match=r"S103.*hardly meet"):
        simulate(model, {name: VALUES[name] for name in model.parameters} | {"children": 1.0}, [0.0, 1.0])
