"""The kernel against two other ways to the same numbers: NumPy step by step, and SciPy to ten digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelworks.model import CompiledModel, Model, Transition, people, settle_step, table
from modelworks.model._lower import lower

Array = Any


def assert_close(found: Array, expected: Array, part: float) -> None:
    """Within a part of the largest value of each column."""
    peak = np.maximum(np.abs(expected).max(axis=0), 1e-9)
    np.testing.assert_allclose(found / peak, expected / peak, rtol=0, atol=part)


@pytest.mark.slow
def test_the_kernel_takes_the_steps_that_numpy_takes(animal: Any, interpreted: Callable[..., Array]) -> None:
    """The same method on the same steps, written in another language: equal but for round-off."""
    compiled = CompiledModel(animal.model, animal.times, step=2 * animal.step)
    at = compiled.vector(animal.values)
    assert_close(compiled.run(at), interpreted(compiled.program, compiled.grid, at), part=1e-12)


def test_runs_side_by_side_are_the_runs_one_by_one(animal: Any) -> None:
    """Each lane with its own parameters, also where fewer draws are left than there are lanes."""
    compiled = CompiledModel(animal.model, animal.times, step=animal.step)
    at = compiled.vector(animal.values)
    draws = at * np.linspace(0.98, 1.02, 19)[:, None]
    alone = np.stack([compiled.run(draw) for draw in draws])
    together = compiled.run_batch(draws)
    for each, expected in zip(together, alone, strict=True):
        assert_close(each, expected, part=1e-12)


@pytest.mark.slow
def test_all_solvers_agree_with_scipy(animal: Any, by_scipy: Callable[..., Array]) -> None:
    """With a method of order eight that chooses its own steps."""
    # The functions animal has kinks where the state crosses a limit, which no step can be laid on.
    wanted = 1e-8 if animal.model.name != "functions" else 1e-6
    plain = CompiledModel(animal.model, animal.times)
    at = plain.vector(animal.values)
    exact = by_scipy(plain.program, plain.grid, at)
    for solver in ("rk4", "adaptive", "implicit"):
        compiled = CompiledModel(animal.model, animal.times, solver=solver)
        settle_step(compiled, at, wanted)
        assert_close(compiled.run(at), exact, part=3 * wanted)


@pytest.mark.parametrize("kind", ["step", "linear"])
def test_a_table_is_the_integral_of_its_pieces(kind: str) -> None:
    """People leaving at a table's rate: the exponential of its exact integral, with knots off the grid."""
    times, rates = [0.3, 1.7, 4.1], [0.1, 0.9, 0.2]
    model = Model(
        "table",
        ["a", "b"],
        [Transition("leaving", "a", "b", table(times, rates, kind))],
        {"a": 1.0},
        {"a": people("a")},
    )
    at = np.array([0.0, 1.0, 3.0, 4.1, 6.0])
    compiled = CompiledModel(model, at)
    settle_step(compiled, np.empty(0), 1e-11)
    # The integral over a fine grid that has every knot, from the right within each piece.
    fine = np.unique(np.concatenate([np.linspace(0, 6, 6001), times]))
    middle = (fine[1:] + fine[:-1]) / 2
    rate = np.interp(middle, times, rates)
    if kind == "step":
        rate = np.asarray(rates)[np.clip(np.searchsorted(times, middle, side="right") - 1, 0, None)]
    integral = np.concatenate([[0.0], np.cumsum(rate * np.diff(fine))])
    np.testing.assert_allclose(compiled.run(np.empty(0))[:, 0], np.exp(-np.interp(at, fine, integral)), rtol=1e-10)


@pytest.mark.slow
def test_the_text_of_a_kernel_does_not_depend_on_when_it_is_written(animal: Any) -> None:
    """Lowering twice gives the same program, or the cache would never be met."""
    from modelworks.model.backends.native import Kernel

    def text() -> str:
        kernel = Kernel(lower(animal.model))
        return str(kernel._writer().forward()) + str(kernel._writer().backward())

    assert text() == text()
