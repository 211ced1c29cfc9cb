"""Whether more draws are needed, as a word at the end of a calibration.

The judgement of a posterior is made elsewhere, with rank-normalised statistics; these two are the plain
ones, enough to say *ask for more draws* before anybody looks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def split_r_hat(draws: Array) -> float:
    """Between- against within-chain variance of the half chains of draws (chain, draw).

    >>> apart = np.array([[0.0, 1, 0, 1, 0, 1], [5, 6, 5, 6, 5, 6]])
    >>> split_r_hat(apart) > 5, round(split_r_hat(apart[:1]), 2)
    (True, 0.91)
    """
    halves = _halves(draws)
    length = halves.shape[1]
    within = halves.var(axis=1, ddof=1).mean()
    between = length * halves.mean(axis=1).var(ddof=1)
    if within == 0.0:
        return 1.0 if between == 0.0 else np.inf
    return float(np.sqrt(((length - 1) * within + between) / (length * within)))


def effective_draws(draws: Array) -> float:
    """How many independent draws the correlated ones (chain, draw) are worth for their mean.

    Autocorrelations are summed in pairs as long as the pairs fall and stay above zero (Geyer 1992,
    doi:10.1214/ss/1177011137).
    """
    halves = _halves(draws)
    chains, length = halves.shape
    within = halves.var(axis=1, ddof=1).mean()
    if within == 0.0:
        return 0.0
    pooled = within * (length - 1) / length + halves.mean(axis=1).var(ddof=1)
    correlation = 1.0 - (within - _autocovariance(halves).mean(axis=0) * length / (length - 1)) / pooled
    correlation[0] = 1.0
    pairs = correlation[: length // 2 * 2].reshape(-1, 2).sum(axis=1)
    ended = np.flatnonzero(pairs <= 0.0)
    pairs = np.minimum.accumulate(pairs[: ended[0] if ended.size else None])
    # Antithetic chains can be worth more than their number, but not without limit.
    time = max(2.0 * float(pairs.sum()) - 1.0, 1.0 / np.log10(chains * length))
    return float(chains * length / time)


def _halves(draws: Array) -> Array:
    """Each chain as two, so that one that drifts disagrees with itself."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _autocovariance(chains: Array) -> Array:
    """Of each chain (chain, lag), over its length."""
    length = chains.shape[1]
    centred = chains - chains.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, n=2 * length, axis=1)
    return np.asarray(np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :length] / length, dtype=np.float64)
