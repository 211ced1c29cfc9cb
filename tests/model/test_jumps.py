"""Every way for one person to move: together they are the derivative, and what accumulators count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.model import Entry, Exit, Model, Stratification, events, people
from modelworks.model._jumps import Jumps
from modelworks.model._lower import lower
from modelworks.model._program import Program
from modelworks.model.backends.interpreter import evaluate


def _values(program: Program, nodes: list[int], parameters: NDArray[np.float64], time: float) -> NDArray[np.float64]:
    state = np.random.default_rng(1).uniform(5, 50, (1, len(program.rows), program.width))
    found = evaluate(program.graph, nodes, parameters=parameters[None], times=np.array([time]), state=state)
    return np.array([np.broadcast_to(found[node].ravel(), program.width) for node in nodes])


def test_jumps_add_up_to_the_derivative_and_to_what_is_counted(animal: Any) -> None:
    """A stochastic run moves people along the jumps: at these rates its mean change is the deterministic one."""
    program = lower(animal.model)
    jumps = Jumps.of(program)
    parameters = np.array([animal.values[name] for name in program.parameters])
    time = float(np.mean(animal.times))
    expected = _values(program, list(program.derivatives), parameters, time)
    rates = _values(jumps.rates, list(jumps.rates.derivatives), parameters, time)
    state = _values(program, [program.graph.state(k) for k in range(len(program.rows))], parameters, time)
    change = np.zeros_like(expected)
    for k, jump in enumerate(jumps.jumps):
        leaving = rates[k] * (1.0 if jump.source is None else state[jump.source])
        arriving = np.zeros_like(leaving)
        for lane in range(program.width):
            if 0 <= lane + jump.shift < program.width:
                arriving[lane + jump.shift] = leaving[lane]
        if jump.source is not None:
            change[jump.source] -= leaving
        if jumps.destinations[k] >= 0:
            change[jumps.destinations[k]] += arriving
        for c in range(jumps.counted_firsts[k], jumps.counted_firsts[k + 1]):
            change[jumps.counted_rows[c]] += arriving * rates[jumps.counted_weights[c]]
    np.testing.assert_allclose(change, expected, rtol=1e-12, atol=1e-12)


def test_jumps_lie_side_by_side_by_the_row_they_leave(animal: Any) -> None:
    """A person makes at most one of the jumps out of a row, so these are drawn together."""
    jumps = Jumps.of(lower(animal.model))
    for k, row in enumerate(jumps.sources):
        assert {jump.source for jump in jumps.jumps[jumps.firsts[k] : jumps.firsts[k + 1]]} == {row}
    assert all(jump.source is None for jump in jumps.jumps[jumps.firsts[-1] :])


def test_girls_and_boys_born_at_one_rate_are_counted_apart() -> None:
    """Two entries of equal number are one deterministic count, but not one and the same child."""
    model = Model(
        "births",
        ["alive"],
        [Entry("birth", "alive", 10.0), Exit("death", "alive", 0.1)],
        {"alive": 100},
        {"girls": events("birth", sex="girl"), "boys": events("birth", sex="boy"), "all": people()},
        [
            Stratification("sex", ["girl", "boy"], split=[0.5, 0.5]),
            Stratification("age", ["young", "middle", "old"], split="young"),
        ],
    )
    program = lower(model)
    counted = [{jump for jump, _ in each} for each in program.counts]
    assert len(counted) == 2
    assert not counted[0] & counted[1]
