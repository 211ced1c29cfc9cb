"""Long functions are cut into pieces, and many lanes are gone along in loops: the numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Contacts,
    Entry,
    Infection,
    Model,
    Output,
    Parameter,
    Stratification,
    Transition,
    by,
    events,
    people,
)
from modelworks.model._lower import lower
from modelworks.model._program import Program
from modelworks.model.backends import _blocks, _cache, _pieces
from modelworks.model.backends._emit import Source, Target
from modelworks.model.backends._pieces import Pieces

Array = Any


@pytest.fixture
def kernels_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kernel is known by its graph, not by how it was cut: none from before, and none left behind."""
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path))
    _cache.forget()
    yield
    _cache.forget()


HOW = {"pieces": (12, 64), "loops": (1000, 1), "loops in pieces": (12, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
@pytest.mark.usefixtures("kernels_of_its_own")
def test_pieces_and_loops_compute_what_the_whole_does(
    animal: Any, interpreted: Callable[..., Array], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    """A run as NumPy takes it step by step, and the gradient of the uncut kernel, but for round-off."""
    whole = CompiledModel(animal.model, animal.times, step=2 * animal.step)
    at = whole.vector(animal.values)
    outputs, pullback = whole.run_with_pullback(at)
    cotangent = np.random.default_rng(1).normal(size=outputs.shape)
    gradient = pullback(cotangent)

    longest, widest = HOW[how]
    monkeypatch.setattr(_pieces, "LONGEST", longest)
    monkeypatch.setattr(_blocks, "WIDEST", widest)
    monkeypatch.setattr(_blocks, "BLOCK", 2)
    _cache.forget()
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path / "cut"))
    cut = CompiledModel(animal.model, animal.times, step=2 * animal.step)
    assert len(_stage(cut.program).steps) > 1 or how == "loops"
    found, pullback = cut.run_with_pullback(at)
    expected = interpreted(cut.program, cut.grid, at)
    peak = np.maximum(np.abs(expected).max(axis=0), 1e-9)
    np.testing.assert_allclose(found / peak, expected / peak, rtol=0, atol=1e-12)
    np.testing.assert_allclose(pullback(cotangent), gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())


def test_every_node_is_computed_once_and_before_it_is_needed(animal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a piece needs was computed by itself, or lies in memory since an earlier one."""
    monkeypatch.setattr(_pieces, "LONGEST", 12)
    program = lower(animal.model)
    pieces, graph = _stage(program), program.graph
    computed: set[int] = set()
    for steps in pieces.steps:
        here: set[int] = set()
        for step in steps:
            needed = (step.node,) if isinstance(step, Target) else graph.nodes[step].children
            assert {node for node in needed if node in computed} <= here | pieces.shared.keys()
            if not isinstance(step, Target):
                assert step not in computed
                here.add(step)
                computed.add(step)


def _stage(program: Program) -> Pieces:
    targets = [Target(node, program.width > 1, lambda emit, value: None) for node in program.derivatives]
    states = {program.graph.state(row): Source("state", row) for row in range(len(program.rows))}
    return Pieces.of(program.graph, targets, states)


def many_bands(number: int) -> Model:
    """People by year of age who grow older, meet each other, and recover each at a rate of their own."""
    random = np.random.default_rng(number)
    ages = [str(k) for k in range(number)]
    return Model(
        "bands",
        ["S", "I", "R"],
        [
            Infection(
                "infection",
                "S",
                "I",
                Parameter("contact_rate"),
                infectious="I",
                contacts=Contacts({"age": random.uniform(0.5, 1.5, (number, number)) / number}),
            ),
            Transition("recovery", "I", "R", Parameter("recovery_rate") * by("age", random.uniform(0.5, 1.5, number))),
            Entry("birth", "S", 10.0, split={"age": "0"}),
        ],
        {"S": 1e5, "I": 100},
        {
            "ill": Output(people("I", by=["age"]), by=["age"]),
            "recoveries": events("recovery"),
            "oldest": people("R", age=ages[-1]),
        },
        [Stratification("age", ages, split=[1 / number] * number, widths=[5.0] * (number - 1))],
    )


def test_a_hundred_ages_are_what_numpy_makes_of_them(interpreted: Callable[..., Array]) -> None:
    """More lanes than registers hold, and not a multiple of a block: births, ageing, contacts, sums over all."""
    compiled = CompiledModel(many_bands(101), range(8), step=0.5)
    at = compiled.vector({"contact_rate": 0.9, "recovery_rate": 0.3})
    outputs, pullback = compiled.run_with_pullback(at)
    np.testing.assert_allclose(outputs, interpreted(compiled.program, compiled.grid, at), rtol=1e-12, atol=1e-9)
    cotangent = np.random.default_rng(1).normal(size=outputs.shape)
    small = np.diag(1e-5 * at)
    differences = [np.sum(cotangent * (compiled.run(at + d) - compiled.run(at - d))) / (2 * d.max()) for d in small]
    np.testing.assert_allclose(pullback(cotangent), differences, rtol=1e-6)


def test_a_rate_below_zero_in_the_last_of_many_ages_is_told() -> None:
    """Guards look at every lane, also at those left over by the blocks."""
    rates = {str(k): Parameter("last") if k == 100 else 0.1 for k in range(101)}
    model = Model(
        "bands",
        ["I", "R"],
        [Transition("recovery", "I", "R", by("age", rates) * (1 + people("R") / people()))],
        {"I": 1e4},
        {"ill": people("I")},
        [Stratification("age", list(rates), split=[1 / 101] * 101)],
    )
    compiled = CompiledModel(model, range(3), step=0.5)
    assert np.all(np.isfinite(compiled.run(compiled.vector({"last": 0.2}))))
    with pytest.raises(ModelworksError, match="S103"):
        compiled.run(compiled.vector({"last": -0.2}))
