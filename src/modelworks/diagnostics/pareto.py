"""How heavy the tail of importance weights is, and weights whose tail is made smooth.

Vehtari, Simpson, Gelman, Yao and Gabry 2024, "Pareto smoothed importance sampling" (JMLR 25(72)), written PSIS
below; the fit is that of Zhang and Stephens 2009 (doi:10.1198/tech.2009.08017).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The grid, and the weight of the weak prior, with which the tail is fitted, with the prior for k that PSIS adds:
# ten draws' worth of k = 0.5.
GRID_AT_LEAST = 30
GRID_SPREAD = 3.0
PRIOR_DRAWS = 10
PRIOR_K = 0.5

# Logarithms of weights that differ by less are alike: what is left of them is round-off.
ALIKE = 1e-12
FEWEST_TAIL_DRAWS = 5


class Pareto(NamedTuple):
    """A generalised Pareto distribution of what lies above a threshold."""

    k: float
    scale: float

    def quantile(self, probability: Floats) -> Floats:
        """How far above the threshold these shares of the probability lie."""
        if abs(self.k) < np.finfo(np.float64).eps:
            return np.asarray(-self.scale * np.log1p(-probability))
        return np.asarray(self.scale * np.expm1(-self.k * np.log1p(-probability)) / self.k)


def pareto_k(log_weights: Floats) -> float:
    """The tail index of importance weights, shape (sample,); minus infinity where they are all alike.

    A generalised Pareto distribution is fitted to the largest weights, as many as the lesser of a fifth of
    them and three times the root of their number. Infinite where there are too few to fit.
    """
    weights = np.sort(log_weights - log_weights.max())
    length = tail_length(weights.size)
    if length < FEWEST_TAIL_DRAWS or length >= weights.size:
        return np.inf
    if weights[-1] - weights[-length - 1] < ALIKE:
        return -np.inf
    excess = np.exp(weights[-length:]) - threshold(weights, length)
    excess = excess[excess > 0]
    if excess.size < FEWEST_TAIL_DRAWS:
        return np.inf
    return generalised_pareto(excess).k


def smoothed(log_weights: Floats) -> Floats:
    """Importance weights, shape (sample,), that sum to one, the largest replaced by the quantiles of their fit.

    No weight becomes larger than the largest was (PSIS, section 3). Weights that are all alike, or whose tail can
    not be fitted, stay as they are.

    >>> smoothed(np.log([1.0, 1.0, 2.0])).tolist()
    [0.25, 0.25, 0.5]
    """
    weights = np.exp(log_weights - log_weights.max())
    if np.isfinite(pareto_k(log_weights)):
        order = np.argsort(weights, kind="stable")
        length = tail_length(weights.size)
        above = threshold(np.log(np.maximum(weights[order], np.finfo(np.float64).tiny)), length)
        tail = order[-length:]
        excess = weights[tail] - above
        fit = generalised_pareto(excess[excess > 0])
        weights[tail] = np.minimum(above + fit.quantile((np.arange(length) + 0.5) / length), 1.0)
    return np.asarray(weights / weights.sum())


def tail_length(number: int) -> int:
    """How many of so many weights are the tail."""
    return int(np.ceil(min(0.2 * number, 3 * np.sqrt(number))))


def threshold(sorted_log_weights: Floats, length: int) -> float:
    """The largest weight that is not in the tail.

    Weights that underflow to nothing can not be told apart; where only a few are left, they are everything.
    """
    return max(float(np.exp(sorted_log_weights[-length - 1])), float(np.finfo(np.float64).tiny))


def generalised_pareto(excess: Floats) -> Pareto:
    """The generalised Pareto distribution of sorted draws above the threshold.

    The likelihood in the ratio of shape to scale, averaged over a grid (Zhang and Stephens 2009).
    """
    count = excess.size
    grid_size = GRID_AT_LEAST + int(np.sqrt(count))
    quartile = excess[int(count / 4 + 0.5) - 1]
    steps = np.arange(1, grid_size + 1) - 0.5
    ratios = (1 - np.sqrt(grid_size / steps)) / (GRID_SPREAD * quartile) + 1 / excess[-1]
    shapes = np.log1p(-ratios[:, np.newaxis] * excess).mean(axis=1)
    profile = count * (np.log(-ratios / shapes) - shapes - 1)
    weights = np.exp(profile - profile.max())
    ratio = float((ratios * weights).sum() / weights.sum())
    shape = float(np.log1p(-ratio * excess).mean())
    k = (count * shape + PRIOR_DRAWS * PRIOR_K) / (count + PRIOR_DRAWS)
    return Pareto(k, -shape / ratio)
