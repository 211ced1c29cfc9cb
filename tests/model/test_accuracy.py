"""How long a step is: as long as the error that was asked for allows."""

from __future__ import annotations

import numpy as np

from modelworks.model import (
    CompiledModel,
    Infection,
    Model,
    Output,
    Parameter,
    Transition,
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
