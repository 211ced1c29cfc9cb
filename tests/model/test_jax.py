"""The graph in JAX: other arithmetic, another compiler and another derivative, and the same numbers."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Infection,
    Model,
    Parameter,
    Pulse,
    Transition,
    events,
    jax_function,
    people,
)
from modelworks.model.library.seir import seir
from modelworks.model.library.sir import sir

LIBRARY = {
    "sir": (sir, {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 1e4, "first_cases": 7.0}),
    "seir": (
        seir,
        {"contact_rate": 0.5, "latency_rate": 0.3, "recovery_rate": 0.2, "population": 1e4, "first_cases": 7.0},
    ),
}


def assert_same(compiled: CompiledModel, at: Any) -> None:
    """Outputs, and the gradient of a sum in which each output at each time weighs in."""
    import jax

    outputs, pullback = compiled.run_with_pullback(at)
    found, backwards = jax.vjp(jax.jit(jax_function(compiled)), at)
    assert found.dtype == np.float64
    scale = np.maximum(np.abs(outputs).max(axis=0), 1e-9)
    np.testing.assert_allclose(np.asarray(found) / scale, outputs / scale, rtol=1e-8, atol=1e-10)
    cotangent = np.random.default_rng(3).normal(size=outputs.shape) / scale
    gradient = pullback(cotangent)
    (other,) = backwards(cotangent)
    largest = np.abs(gradient * at).max()
    assert largest > 0
    np.testing.assert_allclose(np.asarray(other) * at, gradient * at, rtol=1e-8, atol=1e-8 * largest)


@pytest.mark.needs("jax")
def test_every_animal_runs_and_is_differentiated_as_by_the_kernel(animal: Any) -> None:
    """Two compilers that share no line agree to a hundred-millionth."""
    compiled = CompiledModel(animal.model.checked(), animal.times, step=animal.step)
    assert_same(compiled, compiled.vector(animal.values))


@pytest.mark.needs("jax")
@pytest.mark.parametrize("name", list(LIBRARY))
def test_every_library_model_does(name: str) -> None:
    """A hundred days by steps of half a day."""
    model, values = LIBRARY[name]
    compiled = CompiledModel(model(), np.arange(0.0, 101.0), step=0.5)
    assert_same(compiled, compiled.vector(values))


@pytest.mark.needs("jax")
def test_draws_run_side_by_side() -> None:
    """`vmap` over draws is the runs one after the other."""
    import jax

    compiled = CompiledModel(sir(), np.arange(0.0, 31.0))
    at = compiled.vector(LIBRARY["sir"][1])
    draws = at * np.random.default_rng(1).uniform(0.8, 1.2, (5, at.size))
    found = jax.vmap(jax_function(compiled))(draws)
    np.testing.assert_allclose(found, np.stack([compiled.run(row) for row in draws]), rtol=1e-8)


@pytest.mark.needs("jax")
def test_pulses_happen_at_their_moment() -> None:
    """Before, at and between outputs, with their events counted; they are steps of the same grid."""
    rate, part = Parameter("rate"), Parameter("part")
    model = Model(
        "campaigns",
        ["s", "i", "r"],
        [
            Infection("infection", "s", "i", rate, "i"),
            Transition("recovery", "i", "r", 0.2),
            Pulse("campaign", [2.0, 3.3], "s", "r", share=part),
            Pulse("ship", 5.0, destination="i", number=20.0 * part),
        ],
        {"s": 990.0, "i": 10.0},
        {"i": people("i"), "r": people("r"), "doses": events("campaign"), "new": events("infection")},
    )
    compiled = CompiledModel(model.checked(), np.arange(0.0, 11.0), step=0.5)
    assert_same(compiled, compiled.vector({"rate": 0.6, "part": 0.25}))


def test_without_jax_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX is an extra; who has not got it is told."""
    # None in the list of modules is how Python says that one can not be imported.
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ModelworksError, match=r"S119.*not installed"):
        jax_function(CompiledModel(sir(), [0.0, 1.0]))
