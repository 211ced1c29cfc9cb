"""Does one observation carry the whole answer?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits

# The tail index of the importance weights that would take one observation out of the posterior. Above 0.7 their
# mean converges so slowly that taking it out changes the posterior into another one (Vehtari, Simpson, Gelman, Yao
# and Gabry 2024, "Pareto smoothed importance sampling", JMLR 25(72), section 3.2.4). It never stops: an
# influential observation can be a true one.
K_HAT = Limits(look=0.7, stop=np.inf)

# The grid, and the weight of the weak prior, with which Zhang and Stephens 2009 (doi:10.1198/tech.2009.08017) fit the
# tail, with the prior for k that the paper above adds: ten draws' worth of k = 0.5.
GRID_AT_LEAST = 30
GRID_SPREAD = 3.0
PRIOR_DRAWS = 10
PRIOR_K = 0.5

FEWEST_TAIL_DRAWS = 5


def influence(target: str, log_likelihood: ArrayLike) -> Check:
    """Whether the posterior would be another one without some single observation (Pareto k-hat).

    Parameters
    ----------
    target : str
    log_likelihood : float array, shape (sample, point)
        Log likelihood of each observation under each posterior draw.

    >>> random = np.random.default_rng(1)
    >>> even = random.normal(0, 0.3, size=(1000, 5))
    >>> even[:, 3] = -5 * random.standard_cauchy(1000) ** 2
    >>> influence("cases", even).about
    ('cases', 'observation 4')
    """
    values = np.asarray(log_likelihood, dtype=np.float64)
    values = np.where(np.isfinite(values).all(axis=0), values, 0.0)
    k = np.array([pareto_k(-point) for point in values.T])
    heavy = np.flatnonzero(k >= K_HAT.look)
    largest = float(k.max(initial=-np.inf))
    title = "No single observation decides"
    if heavy.size:
        first = int(np.argmax(k))
        reason = f"The answer hangs on single observations of {target}: without number {first + 1} it would be another."
        about = (target, *(f"observation {index + 1}" for index in heavy))
        return Check("influence", title, "look", reason, largest, K_HAT.words, about)
    reason = f"No single observation of {target} decides the answer."
    return Check("influence", title, "fine", reason, largest, K_HAT.words, (target,))


def pareto_k(log_weights: NDArray[np.float64]) -> float:
    """The tail index of importance weights, shape (sample,); minus infinity where they are all alike.

    A generalised Pareto distribution is fitted to the largest weights, as many as the lesser of a fifth of
    them and three times the root of their number.
    """
    weights = np.sort(log_weights - log_weights.max())
    tail_length = int(np.ceil(min(0.2 * weights.size, 3 * np.sqrt(weights.size))))
    if tail_length < FEWEST_TAIL_DRAWS or tail_length >= weights.size:
        return np.inf
    if weights[-1] - weights[-tail_length - 1] < np.finfo(np.float64).eps:
        return -np.inf
    # Weights that underflow to nothing can not be told apart; where only a few are left, they are everything.
    threshold = max(float(np.exp(weights[-tail_length - 1])), float(np.finfo(np.float64).tiny))
    excess = np.exp(weights[-tail_length:]) - threshold
    excess = excess[excess > 0]
    if excess.size < FEWEST_TAIL_DRAWS:
        return np.inf
    return generalised_pareto_shape(excess)


def generalised_pareto_shape(excess: NDArray[np.float64]) -> float:
    """The shape k of a generalised Pareto distribution, from its sorted draws above the threshold.

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
    return (count * shape + PRIOR_DRAWS * PRIOR_K) / (count + PRIOR_DRAWS)
