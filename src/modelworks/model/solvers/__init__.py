"""The deterministic solvers by name; a new one is a file here and a line in `SOLVERS`."""

from __future__ import annotations

from modelworks.model.solvers._method import Method
from modelworks.model.solvers.adaptive import ADAPTIVE
from modelworks.model.solvers.euler import EULER
from modelworks.model.solvers.implicit import IMPLICIT
from modelworks.model.solvers.rk4 import RK4

SOLVERS: dict[str, Method] = {each.name: each for each in (RK4, EULER, ADAPTIVE, IMPLICIT)}
