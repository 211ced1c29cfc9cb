"""The deterministic solvers by name; a new one is a file here and a line in `SOLVERS`."""

from __future__ import annotations

from modelworks.model.solvers._method import FixedStep
from modelworks.model.solvers.euler import EULER
from modelworks.model.solvers.rk4 import RK4

SOLVERS: dict[str, FixedStep] = {each.name: each for each in (RK4, EULER)}
