"""How long a step is: as long as the error that was asked for allows."""

from __future__ import annotations

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Infection,
    Model,
    Output,
    Parameter,
    Transition,
    longest_stable_step,
    measure_error,
    people,
    settle_step,
)
from modelworks.model._accuracy import WORTHWHILE

contact_rate = Parameter("contact_rate", "per day", lower=0)
TIMES = np.linspace(0.0, 30.0, 7)


def _outbreak() -> CompiledModel:
    model = Model(
        name="sir",
        compartments=["susceptible", "infectious", "recovered"],
        flows=[
            Infection("infection", "susceptible", "infectious", rate=contact_rate, infectious="infectious"),
            Transition("recovery", "infectious", "recovered", rate=0.5),
        ],
        initial={"susceptible": 999.0, "infectious": 1.0},
        outputs={"infectious": Output(people("infectious"), "people")},
    )
    return CompiledModel(model, TIMES)


def test_a_step_is_no_shorter_than_the_error_asks_for() -> None:
    """Halving alone stops up to sixteen times below the error wanted; what is left is used."""
    compiled = _outbreak()
    values = np.array([1.5])
    for wanted in np.geomspace(1e-4, 1e-9, 11):
        settled = settle_step(compiled, values, wanted)
        assert settled.error <= wanted
        assert measure_error(compiled, values) == settled.error
        # A step half as long again would break the promise, or the next whole number of steps between outputs is far.
        gap = float(np.diff(TIMES)[0])
        number = int(np.ceil(gap / settled.step - 1e-9))
        if number > 4:
            compiled.with_step(gap / (number / (1.5 * WORTHWHILE)))
            assert measure_error(compiled, values) > wanted
        compiled.with_step(gap)


def test_a_settled_step_is_the_one_in_use() -> None:
    """What is returned is what the model then runs with."""
    compiled = _outbreak()
    settled = settle_step(compiled, np.array([2.0]), 1e-6)
    assert compiled.step == settled.step


def test_a_step_stable_for_all_draws_breaks_down_at_none() -> None:
    """Settled at a slow draw alone, a step can be too long for a fast one, whose runs would count as impossible."""
    recovery_rate = Parameter("recovery_rate", "per day", lower=0)
    model = Model(
        name="recovery",
        compartments=["infectious", "recovered"],
        flows=[Transition("recovery", "infectious", "recovered", rate=recovery_rate)],
        initial={"infectious": 1000.0},
        outputs={"infectious": Output(people("infectious"), "people")},
    )
    compiled = CompiledModel(model, [0.0, 300.0, 600.0])
    slow, fast = np.array([0.001]), np.array([2.0])
    settle_step(compiled, slow)
    with pytest.raises(ModelworksError):
        compiled.run(fast)
    step = longest_stable_step(compiled, np.array([slow, fast, [np.nan]]))
    assert step < settle_step(compiled, slow).step
    compiled.with_step(step)
    assert compiled.run(fast)[-1, 0] == pytest.approx(0.0, abs=1e-6)
    assert longest_stable_step(compiled, np.zeros((0, 1))) == np.inf
