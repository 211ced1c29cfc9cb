"""Compartments in balance: what they converge to as the fast rates grow, by closed forms and the whole model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
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
    basic_reproduction_number,
    effective_reproduction_number,
    equilibrium,
    events,
    people,
    simulate,
)

DEATH, BITE = Parameter("death", "per day", lower=0), Parameter("bite", "per day", lower=0)
VALUES = {"death": 1.0, "bite": 0.001}
DAYS = np.arange(0.0, 81.0, 5.0)
AGE = Stratification("age", ["young", "middle", "old"], compartments=["s", "i"], split=[0.2, 0.3, 0.5])


def mosquitoes(fast: float, *, replaced: bool, ages: bool = True) -> Model:
    """Hosts, and mosquitoes whose births, deaths and infections are `fast` times as quick as they are slow."""
    flows: list[Any] = [
        Infection("bitten", "s", "i", BITE, "carrying", density_dependent=True),
        Infection("infected", "clean", "carrying", fast * 500.0 * BITE, "i"),
        Transition("recovery", "i", "s", 0.05),
    ]
    if replaced:
        flows.append(Transition("dying", "carrying", "clean", fast * DEATH))
    else:
        flows += [Entry("hatching", "clean", 100.0 * fast * DEATH), Exit("dying", ["clean", "carrying"], fast * DEATH)]
    return Model(
        "mosquitoes",
        ["s", "i"],
        flows,
        {"s": 990.0, "i": 10.0, "clean": 95.0, "carrying": 5.0},
        {
            "i": people("i"),
            "carrying": Output(amount("carrying"), "mosquitoes"),
            "bitten": events("bitten"),
            "dying": Output(events("dying"), "mosquitoes"),
        },
        [AGE] if ages else [],
        pools=[Pool("mosquitoes", "mosquitoes", ["clean", "carrying"], individuals=True)],
        quasi_steady=["clean", "carrying"],
    )


@pytest.mark.parametrize("replaced", [False, True])
def test_the_error_falls_as_the_fast_rates_grow(replaced: bool) -> None:
    """Ten times as fast, a tenth of the error, in every output; births replace deaths or are their own."""
    errors = []
    for fast in (100.0, 1000.0):
        model = mosquitoes(fast, replaced=replaced)
        whole = simulate(replace(model, quasi_steady=()), VALUES, DAYS, solver="implicit", accuracy=1e-8)
        found = simulate(model, VALUES, DAYS, accuracy=1e-9)
        errors.append([np.abs(found[name][3:] / whole[name][3:] - 1).max() for name in ("i", "carrying", "bitten")])
    first, second = np.array(errors)
    assert np.all(first < 0.01)
    np.testing.assert_allclose(first / second, 10.0, rtol=0.05)


def test_bacteria_that_decay_at_once_are_a_contact_rate() -> None:
    """W = shed I / decay, so that infection by water is an SIR of the rate by_water shed / decay."""
    decay = Parameter("decay", "per day")
    flows = [
        Infection("by water", "s", "i", 2e-4, "water", density_dependent=True),
        Entry("shedding", "water", 3.0 * people("i")),
        Exit("decay", "water", decay),
        Transition("recovery", "i", "r", 0.2),
    ]
    model = Model(
        "cholera",
        ["s", "i", "r"],
        flows,
        {"s": 990.0, "i": 10.0},
        {"i": people("i"), "water": Output(amount("water"), "cells")},
        pools=[Pool("water", "cells")],
        quasi_steady="water",
    )
    found = simulate(model, {"decay": 1.25}, DAYS)
    by_hand = [Transition("infection", "s", "i", 2e-4 * 3.0 / 1.25 * people("i")), flows[-1]]
    sir = Model("sir", ["s", "i", "r"], by_hand, {"s": 990.0, "i": 10.0}, {"i": people("i")})
    expected = simulate(sir, {}, DAYS)["i"]
    np.testing.assert_allclose(found["i"], expected, rtol=1e-4)
    np.testing.assert_allclose(found["water"], 3.0 / 1.25 * found["i"], rtol=1e-12)


def test_the_gradient_goes_through_the_balance(check_gradient: Callable[..., None]) -> None:
    compiled = CompiledModel(mosquitoes(10.0, replaced=True).checked(), DAYS, step=1.0)
    check_gradient(compiled, compiled.vector(VALUES))


def test_batches_are_the_same_runs() -> None:
    """Runs side by side go through the same balance."""
    compiled = CompiledModel(mosquitoes(10.0, replaced=False, ages=False).checked(), DAYS, step=1.0)
    draws = np.array([compiled.vector({"death": 1.0 + 0.1 * k, "bite": 0.001}) for k in range(3)])
    np.testing.assert_allclose(compiled.run_batch(draws), np.stack([compiled.run(each) for each in draws]), rtol=1e-12)


def test_a_fast_model_takes_steps_of_what_is_slow() -> None:
    """A rate of a million a day, which no explicit step can follow."""
    model = mosquitoes(1e6, replaced=True)
    with pytest.raises(ModelworksError, match="S126"):
        simulate(replace(model, quasi_steady=()), VALUES, DAYS)
    assert simulate(model, VALUES, DAYS).step > 0.1


def test_reproduction_numbers_and_rest_are_of_the_whole_model() -> None:
    """They know no time, so that what is fast makes no difference to them."""
    values = {**VALUES, "bite": 0.002}
    model = mosquitoes(10.0, replaced=False)
    whole = replace(model, quasi_steady=())
    assert basic_reproduction_number(model, values) == basic_reproduction_number(whole, values)
    found, expected = (effective_reproduction_number(each, values, [0.0, 400.0, 800.0]) for each in (model, whole))
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-6)
    at_rest = equilibrium(model, values).start(model)
    result = simulate(at_rest, values, [0.0, 100.0])
    np.testing.assert_allclose(result["carrying"], result["carrying"][0], rtol=1e-6)


def test_the_letters_of_what_is_never_in_balance() -> None:
    """Each says what is in the way."""
    model = mosquitoes(10.0, replaced=True)

    def letter(*names: str, flows: Any = ()) -> str:
        (found,) = replace(model, quasi_steady=names, flows=[*model.flows, *flows]).check()
        return str(found)

    assert "M101" in letter("carryin")
    assert "did you mean `carrying`" in letter("carryin")
    assert "not in proportion to what is there" in letter("i")
    assert "the pulse `spraying`" in letter("carrying", flows=[Pulse("spraying", 10.0, "carrying", share=0.5)])
    crowd = Exit("crowding", "clean", 0.001 * amount("clean"))
    assert letter("clean", "carrying", flows=[crowd]).startswith("M152")
    gathering = Model(
        "gathering",
        ["s"],
        [Entry("shedding", "dust", 0.1 * people())],
        {"s": 10.0},
        {"dust": Output(amount("dust"), "cells")},
        pools=[Pool("dust", "cells")],
        quasi_steady=["dust"],
    )
    assert "nothing leaves it" in str(gathering.check())


def test_the_equations_say_what_is_in_balance() -> None:
    """In the place of a derivative stands nothing; its right-hand side stays."""
    model = mosquitoes(10.0, replaced=True)
    written, whole = model.equations(), replace(model, quasi_steady=()).equations()
    assert whole.count(r"\mathrm{d}t") - written.count(r"\mathrm{d}t") == 2
    assert written.count("0 &= ") == 2
