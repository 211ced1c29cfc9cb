"""Long functions are cut into pieces; whatever the cut, the numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelworks.model import CompiledModel
from modelworks.model._lower import lower
from modelworks.model._program import Program
from modelworks.model.backends import _cache, _pieces
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


@pytest.mark.slow
@pytest.mark.usefixtures("kernels_of_its_own")
def test_pieces_compute_what_the_whole_does(
    animal: Any, interpreted: Callable[..., Array], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run as NumPy takes it step by step, and the gradient of the uncut kernel, but for round-off."""
    whole = CompiledModel(animal.model, animal.times, step=2 * animal.step)
    at = whole.vector(animal.values)
    outputs, pullback = whole.run_with_pullback(at)
    cotangent = np.random.default_rng(1).normal(size=outputs.shape)
    gradient = pullback(cotangent)

    monkeypatch.setattr(_pieces, "LONGEST", 12)
    _cache.forget()
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path / "cut"))
    cut = CompiledModel(animal.model, animal.times, step=2 * animal.step)
    assert len(_stage(cut.program).steps) > 1
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
