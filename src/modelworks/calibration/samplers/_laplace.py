"""The normal that touches a log density at its top: which directions it is wide in, and how wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.samplers._sampler import Density

Array = NDArray[np.float64]


class Steps(NamedTuple):
    """The first step of the differences, in widths of the prior, and what it is made if it proves too long.

    A step longer than `longest` widths of the posterior is taken again with `shorter` of them.
    """

    first: float
    longest: float
    shorter: float


# Second differences of values lose twice the digits that first differences of gradients do, so they need
# longer steps.
OF_GRADIENTS = Steps(first=1e-3, longest=0.2, shorter=0.05)
OF_VALUES = Steps(first=0.03, longest=0.6, shorter=0.3)
# No direction is taken for wider than three widths of the prior: where the data say nothing, the
# curvature is mostly noise, and may even have the wrong sign.
LEAST_CURVATURE = 1 / 9


@dataclass(frozen=True, slots=True)
class Laplace:
    """A normal around `position` (parameter,) with covariance `factor @ factor.T`.

    `is_positive_definite` is false where some direction was not curved downwards, so that its width is
    the prior's and not the posterior's.
    """

    position: Array
    factor: Array
    is_positive_definite: bool

    def from_white(self, z: Array) -> Array:
        """Positions (…, parameter) of points (…, parameter) in the coordinates in which it is standard."""
        return np.asarray(self.position + z @ self.factor.T, dtype=np.float64)

    def to_white(self, position: Array) -> Array:
        """The inverse: (…, parameter) in standard deviations, uncorrelated."""
        white = np.linalg.solve(self.factor, (position - self.position).T).T
        return np.asarray(white, dtype=np.float64)

    def distance(self, one: Array, other: Array) -> float:
        """How far two positions are apart, in standard deviations in the widest direction of their difference."""
        return float(np.linalg.norm(np.linalg.solve(self.factor, one - other)))


def laplace(density: Density, position: Array, scale: Array) -> Laplace:
    """The Laplace approximation at a position, which need not be an exact optimum.

    Parameters
    ----------
    scale : float array, shape (parameter,)
        The width of the prior along each coordinate.
    """
    curvature = _curvature(density, position, scale)
    # In units of the prior's width every number has a meaning: 1 says that the data add nothing.
    values, directions = np.linalg.eigh(curvature * np.outer(scale, scale))
    clipped = np.maximum(values, LEAST_CURVATURE)
    factor = scale[:, np.newaxis] * directions / np.sqrt(clipped)
    return Laplace(position, factor, bool(values.min() > 0))


def _curvature(density: Density, position: Array, scale: Array) -> Array:
    """Minus the Hessian (parameter, parameter)."""
    wanted = OF_GRADIENTS if density.has_gradient else OF_VALUES
    steps = wanted.first * scale
    rows = _differences(density, position, steps)
    with np.errstate(divide="ignore"):
        width = 1.0 / np.sqrt(np.maximum(np.nan_to_num(np.diag(rows)), 0.0))
    if (steps > wanted.longest * width).any():
        rows = _differences(density, position, np.minimum(steps, wanted.shorter * width))
    # Where even the shortest step is impossible, the prior's own curvature stands in.
    rows = np.where(np.isfinite(rows), rows, np.diag(1.0 / scale**2))
    return 0.5 * (rows + rows.T)


def _differences(density: Density, position: Array, steps: Array) -> Array:
    if density.has_gradient:
        return np.array([_of_gradients(density, position, k, step) for k, step in enumerate(steps)])
    return _of_values(density, position, steps)


def _of_gradients(density: Density, position: Array, coordinate: int, step: float) -> Array:
    """One row of minus the Hessian, by central differences of gradients; NaN where neither side is possible."""
    slopes = []
    for sign in (1.0, -1.0):
        moved = position.copy()
        moved[coordinate] += sign * step
        value, gradient = density.value_and_gradient(moved)
        slopes.append((sign, gradient) if value > -np.inf else None)
    there = [each for each in slopes if each is not None]
    if len(there) == 2:
        return (there[1][1] - there[0][1]) / (2.0 * step)
    if not there:
        return np.full(position.size, np.nan)
    sign, gradient = there[0]
    return -sign * (gradient - density.value_and_gradient(position)[1]) / step


def _of_values(density: Density, position: Array, steps: Array) -> Array:
    """Minus the Hessian by second differences of values; NaN where a neighbour is impossible."""
    moves = np.diag(steps)
    here = density.value(position)
    ahead = [density.value(position + move) for move in moves]
    behind = [density.value(position - move) for move in moves]
    size = position.size
    found = np.empty((size, size))
    for i in range(size):
        found[i, i] = -(ahead[i] - 2.0 * here + behind[i]) / moves[i, i] ** 2
        for j in range(i):
            both = density.value(position + moves[i] + moves[j]) + density.value(position - moves[i] - moves[j])
            mixed = both - ahead[i] - behind[i] - ahead[j] - behind[j] + 2.0 * here
            found[i, j] = found[j, i] = -mixed / (2.0 * moves[i, i] * moves[j, j])
    return np.where(np.isfinite(found), found, np.nan)
