r"""How well several chains explored one distribution: R-hat, effective draws, Monte Carlo error.

Every function takes the draws of one number, shape (chain, draw). The definitions are those of
Vehtari, Gelman, Simpson, Carpenter and Bürkner 2021, "Rank-normalization, folding, and localization"
(Bayesian Analysis 16, doi:10.1214/20-BA1221), written VGSCB below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelworks.errors import fail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Splitting leaves chains of half the length, and a variance with a lag needs two draws in each.
FEWEST_DRAWS = 4

# Blom's plotting position, which VGSCB section 4.1 uses for the normal scores of ranks.
BLOM = 3 / 8


def as_chains(draws: ArrayLike) -> Floats:
    """The draws of one number as floats, shape (chain, draw); any other shape is a letter."""
    chains = np.asarray(draws, dtype=np.float64)
    if chains.ndim != 2:
        fail(
            "G101",
            f"the draws of one parameter have shape {chains.shape}, but (chain, draw) is needed",
            hint="one chain of n draws has shape (1, n): `draws[np.newaxis, :]`",
        )
    if chains.shape[0] < 1 or chains.shape[1] < FEWEST_DRAWS:
        fail(
            "G102",
            f"{chains.shape[0]} chains of {chains.shape[1]} draws are too few to judge",
            hint=f"at least one chain of {FEWEST_DRAWS} draws; four chains of 500 or more are usual",
        )
    return chains


def r_hat(draws: ArrayLike) -> float:
    r"""How much wider all chains together are than each alone: 1 when they agree.

    $$\hat R = \sqrt{\frac{(n - 1) W / n + B / n}{W}}$$

    with $W$ the mean variance within chains and $B$ that of the chain means times $n$. Each chain is
    split in two, so that a drift shows; draws become normal scores of their ranks, so that heavy tails do
    no harm; and the larger of two values is returned, for the draws and for their distance from the median,
    so that chains which agree on the middle but not on the width are found (VGSCB, section 4).

    Parameters
    ----------
    draws : float array, shape (chain, draw)
        Draws of one number, warm-up removed.

    Returns
    -------
    float
        1 or slightly above; infinite where every chain stands still at its own place; NaN where all
        draws are the same number.

    >>> together = np.random.default_rng(1).normal(size=(4, 1000))
    >>> bool(r_hat(together) < 1.01), bool(r_hat(together + [[0], [0], [0], [5]]) > 1.5)
    (True, True)
    """
    halves = split(as_chains(draws))
    folded = np.abs(halves - np.median(halves))
    # `fmax` keeps the number where the other is NaN: two chains that stand still are equally far from their median.
    return float(np.fmax(scale_reduction(normal_scores(halves)), scale_reduction(normal_scores(folded))))


def ess_bulk(draws: ArrayLike) -> float:
    """How many independent draws would place the middle of the distribution as well (VGSCB, section 4.1).

    >>> 3000 < ess_bulk(np.random.default_rng(1).normal(size=(4, 1000))) < 5000
    True
    """
    return effective_size(normal_scores(split(as_chains(draws))))


def ess_tail(draws: ArrayLike) -> float:
    """How many independent draws would place the 5% and 95% quantiles as well; the worse of the two."""
    return min(ess_quantile(draws, 0.05), ess_quantile(draws, 0.95))


def ess_quantile(draws: ArrayLike, probability: float) -> float:
    """How many independent draws would place one quantile as well (VGSCB, section 4.3)."""
    chains = as_chains(draws)
    below = (chains <= np.quantile(chains, probability)).astype(np.float64)
    return effective_size(split(below))


def ess_mean(draws: ArrayLike) -> float:
    """How many independent draws would give the mean as well; meaningless where there is no variance."""
    return effective_size(split(as_chains(draws)))


def mcse_mean(draws: ArrayLike) -> float:
    r"""The Monte Carlo error of the mean, $s / \sqrt{\mathrm{ESS}}$, in the unit of the draws."""
    chains = as_chains(draws)
    return float(np.std(chains, ddof=1) / np.sqrt(ess_mean(chains)))


def mcse_quantile(draws: ArrayLike, probability: float) -> float:
    r"""The Monte Carlo error of a quantile, in the unit of the draws.

    Half the distance between the draws at the 16% and 84% points of the quantile's own rank, which follows
    $\mathrm{Beta}(S p + 1, S (1 - p) + 1)$ for $S$ effective draws (VGSCB, section 4.4).
    """
    from scipy.special import betaincinv, ndtr

    chains = as_chains(draws)
    size = ess_quantile(chains, probability)
    ranks = betaincinv(size * probability + 1, size * (1 - probability) + 1, ndtr([-1.0, 1.0]))
    ordered = np.sort(chains, axis=None)
    low = int(max(np.floor(ranks[0] * ordered.size) - 1, 0))
    high = int(min(np.ceil(ranks[1] * ordered.size) - 1, ordered.size - 1))
    return float((ordered[high] - ordered[low]) / 2)


def split(chains: Floats) -> Floats:
    """Each chain as two: first halves, then second halves; the middle draw of an odd number is left out."""
    half = chains.shape[1] // 2
    return np.concatenate([chains[:, :half], chains[:, -half:]])


def normal_scores(chains: Floats) -> Floats:
    """The draws replaced by the normal quantiles of their ranks among all chains; ties share their mean rank."""
    from scipy.special import ndtri

    scores: Floats = ndtri((mean_ranks(chains) - BLOM) / (chains.size - 2 * BLOM + 1))
    return scores


def mean_ranks(values: Floats) -> Floats:
    """Ranks from 1, the same shape as the values; ties share the mean of the ranks they take up.

    >>> mean_ranks(np.array([[30.0, 10.0], [20.0, 10.0]])).tolist()
    [[4.0, 1.5], [3.0, 1.5]]
    """
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place].reshape(values.shape)


def scale_reduction(chains: Floats) -> float:
    """The ratio of total to within-chain spread, of chains as they are (Gelman and Rubin 1992)."""
    length = chains.shape[1]
    within = float(np.var(chains, axis=1, ddof=1).mean())
    between = length * float(np.var(chains.mean(axis=1), ddof=1))
    if within == 0:
        return np.inf if between > 0 else np.nan
    return float(np.sqrt((between / within + length - 1) / length))


def effective_size(chains: Floats) -> float:
    r"""The number of independent draws with the same error of the mean, of chains as they are.

    $S / \hat\tau$ with $\hat\tau = -1 + 2 \sum_t \hat\rho_t$. Autocorrelations combine all chains, and the
    sum is cut by Geyer's initial monotone sequence: pairs of neighbouring lags count while their sum is
    positive, and none counts more than the pair before it (Geyer 1992, doi:10.1214/ss/1177011137).
    """
    total = chains.size
    if np.ptp(chains) == 0:
        return float(total)
    correlation = autocorrelation(chains)
    pairs = correlation[: 2 * max((chains.shape[1] - 1) // 2, 1)].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    last = int(ends[0]) if ends.size else len(pairs) - 1
    # The even lag of the pair that ends the sum still has information (VGSCB, section 3.2); it may be
    # below zero only where the lags ran out before the sum did.
    ending = correlation[2 * last] if pairs[last] > 0 else max(correlation[2 * last], 0.0)
    time = -1 + 2 * np.minimum.accumulate(pairs[:last]).sum() + ending
    # Antithetic chains can be better than independent; this cap keeps the estimate from running away.
    return float(total / max(time, 1 / np.log10(total)))


def autocorrelation(chains: Floats) -> Floats:
    r"""Autocorrelation at each lag from all chains together, shape (lag,); chains apart count as correlated."""
    n_chains, length = chains.shape
    covariance = autocovariance(chains).mean(axis=0)
    within = covariance[0] * length / (length - 1)
    pooled = covariance[0] + (np.var(chains.mean(axis=1), ddof=1) if n_chains > 1 else 0.0)
    correlation: Floats = 1 - (within - covariance) / pooled
    correlation[0] = 1.0
    return correlation


def autocovariance(chains: Floats) -> Floats:
    """Autocovariance of each chain at every lag, divided by the number of draws, shape (chain, lag)."""
    length = chains.shape[1]
    # Padded to twice the length, so that the end of a chain does not meet its own beginning.
    padded = 1 << (2 * length - 1).bit_length()
    spectrum = np.fft.rfft(chains - chains.mean(axis=1, keepdims=True), padded, axis=1)
    covariance: Floats = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, padded, axis=1)[:, :length] / length
    return covariance
