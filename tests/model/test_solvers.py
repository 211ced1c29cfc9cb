"""Every deterministic solver: what it is right about, and what it says of its own error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Infection,
    Model,
    Pulse,
    Transition,
    events,
    people,
    settle_step,
    simulate,
    table,
)

CONTACTS, RECOVERY = 0.8, 0.3


def outbreak(**more: Any) -> Model:
    flows = [
        Infection("infection", "s", "i", CONTACTS, "i"),
        Transition("recovery", "i", "r", RECOVERY),
        *more.pop("flows", []),
    ]
    outputs = {"s": people("s"), "i": people("i"), "new": events("infection")}
    return Model("outbreak", ["s", "i", "r"], flows, {"s": 990.0, "i": 10.0}, outputs, **more)


# -- euler -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1.0, 0.25])
def test_euler_is_the_difference_equation_of_the_textbook(step: float) -> None:
    """S(t+h) = S(t) - h λ(t) S(t), and so on, written out by hand."""
    found = simulate(outbreak(), {}, np.arange(0.0, 41.0), solver="euler", step=step)
    s, i, new, rows = 990.0, 10.0, 0.0, [(990.0, 10.0, 0.0)]
    for number in range(1, round(40 / step) + 1):
        infected, recovered = step * CONTACTS * i / 1000 * s, step * RECOVERY * i
        s, i, new = s - infected, i + infected - recovered, new + infected
        if abs(number * step - round(number * step)) < 1e-9:
            rows.append((s, i, new))
            new = 0.0
    np.testing.assert_allclose(np.stack([found["s"], found["i"], found["new"]], 1), rows, rtol=1e-12)
    assert np.isnan(found.error)
    assert found.step == step


def test_euler_reads_tables_where_its_steps_begin() -> None:
    """A table that changes within a step is seen at the next: no step is cut in two."""
    rate = table([0.5, 2.0], [0.1, 0.4], "step")
    model = Model("leaving", ["a", "b"], [Transition("leave", "a", "b", rate)], {"a": 1.0}, {"a": people("a")})
    found = simulate(model, {}, [0.0, 1.0, 2.0, 3.0], solver="euler", step=1.0)["a"]
    np.testing.assert_allclose(found, np.cumprod([1.0, 0.9, 0.9, 0.6]), rtol=1e-14)


def test_a_pulse_moves_its_share_whatever_the_solver() -> None:
    """It takes no time, so no step enters it."""
    pulse = Pulse("campaign", 2.0, "s", "r", share=0.4)
    model = outbreak(flows=[pulse])
    found = simulate(model, {}, [0.0, 1.0, 2.0, 3.0], solver="euler", step=1.0)
    left = 0.6 * found["s"][2]
    infected = CONTACTS * found["i"][2] / 1000 * left
    assert found["s"][3] == pytest.approx(left - infected, rel=1e-12)


def test_eulers_error_halves_with_its_step() -> None:
    """The method is of order one; no number of it is a converged one."""
    exact = simulate(outbreak(), {}, [0.0, 10.0, 20.0], accuracy=1e-10)["i"]
    errors = [
        np.abs(simulate(outbreak(), {}, [0.0, 10.0, 20.0], solver="euler", step=h)["i"] - exact).max()
        for h in (0.02, 0.01, 0.005)
    ]
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.02)


def test_there_is_no_error_estimate_where_the_step_is_part_of_the_model() -> None:
    """Settling leaves the step as it was named, and says so."""
    compiled = CompiledModel(outbreak(), [0.0, 10.0], step=0.5, solver="euler")
    settled = settle_step(compiled, np.empty(0))
    assert (settled.step, compiled.step) == (0.5, 0.5)
    assert "the step is part of the model" in str(settled)
    assert compiled.at([0.0, 3.0]).step == 0.5


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("S122", {"solver": "eular", "step": 1.0}),
        ("S120", {"solver": "euler"}),
        ("S120", {"solver": "euler", "step": -1.0}),
        ("S120", {"solver": "euler", "step": 0.3}),
        ("S101", {"solver": "euler", "step": 5.0}),
    ],
)
def test_what_can_not_be_solved_is_told(code: str, settings: dict[str, Any]) -> None:
    """A misspelt solver, no step, one backwards, one that misses the outputs, one that empties."""
    model = outbreak(flows=[Transition("loss", "s", "r", 0.3)])
    with pytest.raises(ModelworksError) as caught:
        simulate(model, {}, [0.0, 10.0, 20.0], **settings)
    assert caught.value.codes == (code,)
    if code == "S122":
        assert "did you mean `euler`?" in str(caught.value)
