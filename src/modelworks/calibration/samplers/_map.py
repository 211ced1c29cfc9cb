"""The most plausible parameters, searched for from several starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._threads import in_order
from modelworks.calibration.samplers._laplace import Laplace, laplace
from modelworks.calibration.samplers._sampler import Density
from modelworks.calibration.samplers._starts import candidates, far_apart, prior_scale

Array = NDArray[np.float64]

STARTS = 4
# Two searches ended at the same place if they are within a tenth of a standard deviation of the Laplace
# approximation of each other in every direction, give or take what the searches leave undone.
SAME_PLACE = 0.3
# An optimum so many times less dense than the best (e to this) holds nothing of the posterior.
WORTH_VISITING = 10.0
# What an impossible step counts for in a line search: worse than where it began, yet not so bad that the
# next step, which is interpolated, would be too short to get anywhere.
IMPOSSIBLE_IS_WORSE_BY = 10.0
MOST_ITERATIONS = 500
FIRST_ITERATIONS = 60


@dataclass(frozen=True, slots=True)
class Search:
    """Where the searches ended, the best first.

    `positions` (optimum, parameter) and `log_densities` (optimum,) of the different places they came to,
    `counts` how many came to each, `shape` the Laplace approximation at the best, `scale` the width of
    the priors (parameter,).
    """

    positions: Array
    log_densities: Array
    counts: tuple[int, ...]
    shape: Laplace
    scale: Array

    @property
    def agree(self) -> bool:
        """Whether all starts ended at the same place."""
        return len(self.counts) == 1

    @property
    def worth_visiting(self) -> Array:
        """The optima (optimum, parameter) that hold any of the posterior."""
        worth = self.log_densities > self.log_densities[0] - WORTH_VISITING
        return np.asarray(self.positions[worth])

    def in_words(self) -> str:
        """One sentence on whether the starts agree."""
        total = sum(self.counts)
        if self.agree:
            return f"All {total} searches from different starts came to the same optimum."
        gap = float(self.log_densities[0] - self.log_densities[1])
        return (
            f"{self.counts[0]} of {total} searches came to the best optimum and {total - self.counts[0]} elsewhere, "
            f"the next best with a log density lower by {gap:.3g}."
        )

    def warnings(self, names: Sequence[str]) -> tuple[str, ...]:
        """What a person should know of the search."""
        # A search that ended far below the best got stuck; it says nothing of the posterior.
        said = [self.in_words()] if len(self.worth_visiting) > 1 else []
        if not self.shape.is_positive_definite:
            flattest = names[int(np.argmax(np.abs(self.shape.factor).max(axis=1) / self.scale))]
            said.append(f"At the optimum the data do not narrow every direction; `{flattest}` is the least known.")
        return tuple(said)


def find_map(density: Density, key: np.random.Generator, *, starts: int = STARTS, cores: int = 1) -> Search:
    """Search for the highest log density on the real line, Jacobian included.

    Quasi-Newton steps with the exact gradient where there is one, Nelder and Mead's simplex otherwise.
    """
    positions, _ = candidates(density, key, 2 * starts, cores)
    scale = prior_scale(positions)
    begin = far_apart(positions[: max(len(positions) // 2, 1)], scale, starts)
    climb = _by_gradient if density.has_gradient else _by_simplex
    ends = _best_first(in_order(lambda start: climb(density, start, scale), begin, cores))
    if density.has_gradient:
        # The valleys of epidemics are long and narrow, and the last of the way along them takes most of the time;
        # in coordinates in which the place reached is nearly round it takes a few steps.
        round_about = laplace(density, ends[0][0], scale)
        ends = _best_first(in_order(lambda end: _finished(density, end[0], round_about), ends, cores))
    shape = laplace(density, ends[0][0], scale)
    return _gathered(ends, shape, scale)


def _best_first(ends: Iterable[tuple[Array, float]]) -> list[tuple[Array, float]]:
    return sorted(ends, key=lambda end: -end[1])


def _by_gradient(density: Density, start: Array, scale: Array) -> tuple[Array, float]:
    """Most of the way up, in coordinates in which the prior is round."""
    return _climbed(density, Laplace(np.zeros(start.size), np.diag(scale), True), start, FIRST_ITERATIONS)


def _finished(density: Density, start: Array, shape: Laplace) -> tuple[Array, float]:
    return _climbed(density, shape, start, MOST_ITERATIONS)


def _climbed(density: Density, shape: Laplace, start: Array, iterations: int) -> tuple[Array, float]:
    """Where so many quasi-Newton steps end, in the coordinates of a shape."""
    from scipy.optimize import minimize

    worst = -np.inf

    def descend(z: Array) -> tuple[float, Array]:
        nonlocal worst
        value, gradient = density.value_and_gradient(shape.from_white(z))
        if value == -np.inf:
            return IMPOSSIBLE_IS_WORSE_BY - worst, np.zeros(z.size)
        worst = min(worst, value) if np.isfinite(worst) else value
        return -value, -gradient @ shape.factor

    result = minimize(
        descend,
        shape.to_white(start),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": iterations, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-5},
    )
    return _ended(density, shape.from_white(np.asarray(result.x, dtype=np.float64)))


def _by_simplex(density: Density, start: Array, scale: Array) -> tuple[Array, float]:
    from scipy.optimize import minimize

    def descend(x: Array) -> float:
        return -density.value(x * scale)

    # A simplex as wide as a quarter of the prior: much of it, yet likely to be possible.
    corners = start / scale + 0.25 * np.vstack([np.zeros(start.size), np.eye(start.size)])
    result = minimize(
        descend,
        start / scale,
        method="Nelder-Mead",
        options={
            "adaptive": True,
            "initial_simplex": corners,
            "maxfev": 400 * start.size,
            "xatol": 1e-4,
            "fatol": 1e-6,
        },
    )
    return _ended(density, np.asarray(result.x, dtype=np.float64) * scale)


def _ended(density: Density, position: Array) -> tuple[Array, float]:
    return position, density.value(position)


def _gathered(ends: list[tuple[Array, float]], shape: Laplace, scale: Array) -> Search:
    """The different places among the ends; each end belongs to the first place it is close to."""
    places: list[tuple[Array, float]] = []
    counts: list[int] = []
    for position, value in ends:
        near = [k for k, (place, _) in enumerate(places) if shape.distance(place, position) < SAME_PLACE]
        if near:
            counts[near[0]] += 1
        else:
            places.append((position, value))
            counts.append(1)
    found = np.array([position for position, _ in places])
    return Search(found, np.array([value for _, value in places]), tuple(counts), shape, scale)
