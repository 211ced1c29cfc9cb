"""Where to start and at which scale: the best point from several starts, and the curvature there.

Parameterisation, a good start and a good scale matter ten to a hundred times more than the sampler.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.cal_mine._density import LogDensity
from modelworks.errors import fail

Array = NDArray[np.float64]

# Draws of the prior that are looked at, and of these how many are climbed from.
CANDIDATES, CLIMBS = 60, 4
# Two starts that end this close in log density have found the same top.
SAME_TOP = 0.1
# Directions the data do not know at all are held to a prior's scale of this many units on the line.
WIDEST = 10.0


@dataclass(frozen=True)
class Start:
    """The best point `mode` on the line, and `scale` (parameter, parameter) with z → mode + scale z.

    In z the density is about a standard normal. `tops` are the log densities the climbs ended at.
    """

    mode: Array
    scale: Array
    value: float
    tops: tuple[float, ...]

    @property
    def agree(self) -> bool:
        """Whether at least two climbs, and most of them, ended at the same top."""
        near = [top for top in self.tops if self.value - top < SAME_TOP]
        return len(near) >= min(2, len(self.tops)) and 2 * len(near) >= len(self.tops)


def find_start(density: LogDensity, key: np.random.Generator) -> Start:
    """Climb from the best of many draws of the prior, and measure the curvature at the top."""
    from scipy.optimize import minimize

    candidates = density.prior_sample(key, CANDIDATES)
    values = np.array([density.value(u) for u in candidates])
    if not np.isfinite(values).any():
        first = density.first_failure
        fail(
            "C107",
            f"none of {CANDIDATES} draws of the priors gives the data any probability",
            hint=first.message if first is not None else "look at the priors, the units of targets, and the model's scale",
        )
    best = np.argsort(np.where(np.isfinite(values), -values, np.inf))[:CLIMBS]
    found: list[tuple[float, Array]] = []
    for index in best:
        if not np.isfinite(values[index]):
            continue
        result = minimize(_falling(density), candidates[index], jac=True, method="L-BFGS-B", options={"maxiter": 400})
        found.append((-float(result.fun), np.asarray(result.x)))
    value, mode = max(found, key=lambda pair: pair[0])
    return Start(mode, _scale(density, mode), value, tuple(top for top, _ in found))


def _falling(density: LogDensity):  # type: ignore[no-untyped-def]
    """Minus the log density, where minus infinity is a wall a line search can turn back from."""

    def function(u: Array) -> tuple[float, Array]:
        value, gradient = density.value_and_gradient(u)
        if not np.isfinite(value):
            return 1e100, np.zeros_like(gradient)
        return -value, -gradient

    return function


def _scale(density: LogDensity, mode: Array) -> Array:
    """The square root of the inverse curvature, by central differences of gradients.

    Directions in which the density does not fall, or hardly, get a width of their own: the answer does
    not depend on it, only the time to find it.
    """
    size = mode.size
    curvature = np.empty((size, size))
    for k in range(size):
        step = np.zeros(size)
        step[k] = 1e-4 * max(1.0, abs(mode[k]))
        _, above = density.value_and_gradient(mode + step)
        _, below = density.value_and_gradient(mode - step)
        curvature[k] = -(above - below) / (2 * step[k])
    curvature = np.nan_to_num((curvature + curvature.T) / 2)
    values, vectors = np.linalg.eigh(curvature)
    widths = 1 / np.sqrt(np.maximum(values, WIDEST**-2))
    return np.asarray(vectors * widths)
