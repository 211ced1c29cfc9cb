"""Whether the truth ranks evenly among draws: the test behind simulation-based calibration.

Talts et al. 2018 (arXiv:1804.06788) for the ranks; Säilynoja, Bürkner and Vehtari 2022, Stat Comput 32:32,
doi:10.1007/s11222-022-10090-6 for the band around their distribution function, here by simulation, so that it holds for
any number of ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SIMULATED = 4000
LEVEL = 0.05


@dataclass(frozen=True)
class Uniformity:
    """How far ranks are from even: the probability of a distance like this by chance, and a band it keeps to.

    `at` are shares of all draws, `found` the share of ranks below each, `low` and `high` the band that even ranks keep
    to altogether 95 times in 100: all (point,).
    """

    p_value: float
    at: Array
    found: Array
    low: Array
    high: Array


def uniformity(ranks: ArrayLike, draws: int, key: np.random.Generator) -> Uniformity:
    """Hold ranks (run,), each from 0 to `draws`, against even ones.

    The distance is that of the distribution function at its least likely point, in binomial probabilities; how small
    that gets by chance over all points is simulated.
    """
    from scipy.stats import binom

    given = np.asarray(ranks, dtype=int)
    number = given.size
    at = np.arange(1, draws + 1) / (draws + 1)
    below = _below(given[None], draws)[0]
    even = _below(key.integers(draws + 1, size=(SIMULATED, number)), draws)
    # Each count's two-sided probability, looked up: there are far fewer counts than simulated ones.
    counts = np.arange(number + 1)[:, None]
    tails = 2 * np.minimum(binom.cdf(counts, number, at), binom.sf(counts - 1, number, at))
    points = np.arange(draws)
    least = tails[even, points].min(axis=1)
    mine = tails[below, points].min()
    limit = np.quantile(least, LEVEL)
    low, high = (np.asarray(binom.ppf(level, number, at)) for level in (limit / 2, 1 - limit / 2))
    p_value = (1 + int((least <= mine * (1 + 1e-12)).sum())) / (1 + SIMULATED)
    return Uniformity(p_value, at, below / number, low / number, high / number)


def _below(ranks: NDArray[np.int_], draws: int) -> NDArray[np.int_]:
    """How many of each row's ranks (row, run) lie below 1, 2 … draws: (row, point)."""
    found = np.zeros((len(ranks), draws + 1), dtype=int)
    np.add.at(found, (np.arange(len(ranks))[:, None], ranks), 1)
    return np.asarray(found.cumsum(axis=1)[:, :-1])
