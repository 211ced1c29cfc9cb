"""The gradient a kernel gives is that of the numbers it printed: differences of its own runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelworks.model import CompiledModel, Infection, Model, Parameter, Transition, events, people


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["rk4", "euler"])
def test_the_gradient_is_that_of_the_outputs(animal: Any, solver: str, check_gradient: Callable[..., None]) -> None:
    """Every piece of the declaration, every solver that has a gradient."""
    compiled = CompiledModel(animal.model.checked(), animal.times, step=min(animal.step, 0.25), solver=solver)
    check_gradient(compiled, compiled.vector(animal.values))


def test_the_gradient_of_one_number_leaves_the_others_out(animal: Any, by_differences: Callable[..., Any]) -> None:
    """A cotangent on a single output, at a time in the middle."""
    compiled = CompiledModel(animal.model, animal.times, step=animal.step)
    at = compiled.vector(animal.values)
    outputs, pullback = compiled.run_with_pullback(at)
    cotangent = np.zeros_like(outputs)
    cotangent[2, -1] = 1.0
    expected = by_differences(compiled, at, cotangent)
    scale = max(np.abs(expected * at).max(), 1e-12)
    np.testing.assert_allclose(pullback(cotangent) * at, expected * at, rtol=1e-6, atol=1e-8 * scale)


def test_keeping_the_tape_changes_no_number(animal: Any) -> None:
    """The run that is differentiated is the run that is shown, to the last bit."""
    compiled = CompiledModel(animal.model, animal.times, step=animal.step)
    at = compiled.vector(animal.values)
    np.testing.assert_array_equal(compiled.run(at), compiled.run_with_pullback(at)[0])


def test_a_pullback_can_be_called_again() -> None:
    """Once for each cotangent, in any order: it is linear and keeps nothing."""
    rate = Parameter("rate", "per day")
    model = Model(
        "two",
        ["s", "i", "r"],
        [Infection("infection", "s", "i", rate, "i"), Transition("recovery", "i", "r", 0.2)],
        {"s": 99.0, "i": 1.0},
        {"i": people("i"), "new": events("infection")},
    )
    compiled = CompiledModel(model, range(10))  # type: ignore[arg-type]
    outputs, pullback = compiled.run_with_pullback(np.array([0.5]))
    one, other = np.random.default_rng(1).normal(size=(2, *outputs.shape))
    first = pullback(one)
    np.testing.assert_allclose(pullback(2 * one + other), 2 * first + pullback(other), rtol=1e-12)
    np.testing.assert_array_equal(pullback(one), first)


def test_a_parameter_that_only_derived_numbers_use_has_no_gradient() -> None:
    """It is a parameter of the model all the same, and runs do not depend on it."""
    unused = Parameter("unused", "per day")
    model = Model(
        "derived",
        ["s", "r"],
        [Transition("recovery", "s", "r", Parameter("rate", "per day"))],
        {"s": 1.0},
        {"s": people("s")},
        derived={"double": 2.0 * unused},
    )
    compiled = CompiledModel(model, [0.0, 1.0])
    outputs, pullback = compiled.run_with_pullback(compiled.vector({"rate": 0.3, "unused": 4.0}))
    gradient = dict(zip(compiled.parameters, pullback(np.ones_like(outputs)), strict=True))
    assert gradient["unused"] == 0
    assert gradient["rate"] < 0
