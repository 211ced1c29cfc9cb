"""The deterministic solvers by name; a new one is a file here and a line in `SOLVERS`. Those by chance have names."""

from __future__ import annotations

import math

from modelworks.errors import fail, near
from modelworks.model._kinds import is_number
from modelworks.model.solvers._method import Method
from modelworks.model.solvers.adaptive import ADAPTIVE
from modelworks.model.solvers.euler import EULER
from modelworks.model.solvers.implicit import IMPLICIT
from modelworks.model.solvers.rk4 import RK4

# Those for whole people who move by chance: `simulate_stochastic`, and a study that names one.
BY_CHANCE = ("chain_binomial", "tau_leap", "exact")
SOLVERS: dict[str, Method] = {each.name: each for each in (RK4, EULER, ADAPTIVE, IMPLICIT)}


def solver(name: str, step: float | None = None) -> Method:
    """The method of a solver's name; one whose step is part of the model needs it.

    Raises
    ------
    ModelworksError
        S120 and S122: a step that can not be, or is missing; a solver that does not exist.
    """
    if name not in SOLVERS:
        by_chance = "it runs by chance: call `simulate_stochastic`" if name in BY_CHANCE else near(name, SOLVERS)
        fail("S122", f"there is no deterministic solver `{name}`", hint=by_chance)
    method = SOLVERS[name]
    if step is not None and not (is_number(step) and math.isfinite(step) and step > 0):
        fail("S120", f"the step is {step}, but a step takes some time", hint="give a number above zero")
    if method.order is None and step is None:
        fail(
            "S120",
            f"`{name}` has no step",
            hint="the step is part of a difference equation: name it in the model's time unit, as 1 or 0.5",
        )
    return method
