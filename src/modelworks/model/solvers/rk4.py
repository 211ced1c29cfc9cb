"""The classical Runge-Kutta method of order four, and how long its step may be.

The size of a step follows from the largest total rate at which people leave a compartment, then the error is
measured by halving it (Richardson), never assumed.
"""

from __future__ import annotations

import numpy as np

from modelworks.model.solvers._method import FixedStep

RK4 = FixedStep("rk4", (1 / 6, 1 / 3, 1 / 3, 1 / 6), (1 / 2, 1 / 2, 1.0), (0, 1, 1, 2), order=4)

# The method is stable on the negative axis down to -2.785; a little room is left for infection,
# whose rate is not known beforehand.
STABLE_STEP = 2.5


def stable_step(largest_rate: float) -> float:
    """The longest step that does not blow up, for people who leave at most at this rate."""
    return STABLE_STEP / largest_rate if largest_rate > 0 else np.inf
