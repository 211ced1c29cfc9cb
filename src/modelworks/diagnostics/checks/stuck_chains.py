"""Is a chain caught somewhere by itself?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import VERDICTS, Check, Limits, Verdict, counted, listed

# In standard deviations of the log density within a chain. Means of chains that sample the same posterior differ
# by that deviation over the root of their effective draws, 0.2 at 25 draws each. Our own lines: a chain 1.5 below
# has hardly been where the others are; one 3 below sits in a place that the posterior gives next to no weight.
LOG_DENSITY_GAP = Limits(look=1.5, stop=3.0)

# The longest stretch of identical draws, as a share of the chain. Our own lines: a random-walk sampler that
# accepts one proposal in twenty stands for 90 draws once in a hundred stretches, which is a tenth of a usual
# chain; one that stood for half of it had found no way out.
STANDING = Limits(look=0.1, stop=0.5)
SHORTEST_STANDING = 20

TITLE = "Chains on the move"


def stuck_chains(draws: Mapping[str, NDArray[np.float64]], log_density: ArrayLike | None = None) -> Check:
    """Whether a chain never moved, stayed far below the others, or stood still for long.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    log_density : float array, shape (chain, draw), optional
        Log posterior density of each draw, up to a constant.

    >>> moving = np.random.default_rng(1).normal(size=(4, 500))
    >>> still = moving.copy()
    >>> still[2] = 0.3
    >>> stuck_chains({"rate": moving}).verdict, stuck_chains({"rate": still}).about
    ('fine', ('chain 3',))
    """
    answers = [motionless(draws), standing_still(draws)]
    if log_density is not None:
        answers.insert(1, far_below(np.asarray(log_density, dtype=np.float64)))
    # `max` keeps the first of equals, so the plainest of several grave answers is the one that is told.
    return max(answers, key=lambda answer: VERDICTS.index(answer.verdict))


def motionless(draws: Mapping[str, NDArray[np.float64]]) -> Check:
    """Whether a parameter has a single value throughout a chain."""
    still = {name: np.ptp(chains, axis=1) == 0 for name, chains in draws.items()}
    name = next((name for name, flags in still.items() if flags.any()), None)
    if name is None:
        moving = counted(len(next(iter(still.values()))), "chain")
        return answer("fine", f"{moving} kept moving.", 0.0, "every chain must move")
    chains = numbered(still[name])
    reason = f"{listed(chains, 4).capitalize()} never left the first value of {name}."
    return answer("stop", reason, 1.0, "every chain must move", chains)


def far_below(log_density: NDArray[np.float64]) -> Check:
    """Whether a chain fits far worse than the best one."""
    gap = density_gap(log_density)
    verdicts = [LOG_DENSITY_GAP.verdict(float(each)) for each in gap]
    chains = numbered(np.array([each != "fine" for each in verdicts]))
    reason = (
        f"{listed(chains, 4).capitalize()} stayed where the model fits much worse than in the best chain "
        f"({gap.max():.3g} standard deviations of the log density below it)."
        if chains
        else "All chains found places that fit equally well."
    )
    words = f"{LOG_DENSITY_GAP.words} deviations below the best"
    return answer(LOG_DENSITY_GAP.verdict(float(gap.max())), reason, float(gap.max()), words, chains)


def standing_still(draws: Mapping[str, NDArray[np.float64]]) -> Check:
    """Whether a chain repeats one draw for a good part of its length."""
    share = longest_standstill(np.stack(list(draws.values())))
    chains = numbered(np.array([STANDING.verdict(float(each)) != "fine" for each in share]))
    reason = (
        f"{listed(chains, 4).capitalize()} stood still for {share.max():.0%} of the draws in a row."
        if chains
        else f"{counted(len(share), 'chain')} kept moving."
    )
    verdict = STANDING.verdict(float(share.max()))
    return answer(verdict, reason, float(share.max()), f"{STANDING.words} of a chain", chains)


def answer(verdict: Verdict, reason: str, value: float, threshold: str, chains: Sequence[str] = ()) -> Check:
    """A `Check` of this file's name."""
    return Check("stuck_chains", TITLE, verdict, reason, value, threshold, tuple(chains))


def numbered(chosen: NDArray[np.bool_]) -> list[str]:
    """The chosen chains by the number a person would give them, from 1."""
    return [f"chain {index + 1}" for index in np.flatnonzero(chosen)]


def longest_standstill(stacked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longest stretch in which no parameter moved, as a share of the chain; short ones are 0. Shape (chain,).

    `stacked` has shape (parameter, chain, draw).
    """
    moved = (np.diff(stacked, axis=2) != 0).any(axis=0)
    longest = np.array([longest_run(~each) + 1 for each in moved])
    return np.where(longest >= SHORTEST_STANDING, longest / stacked.shape[2], 0.0)


def longest_run(flags: NDArray[np.bool_]) -> int:
    """The longest run of True.

    >>> longest_run(np.array([True, False, True, True, False]))
    2
    """
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return int((ends - starts).max(initial=0))


def density_gap(log_density: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each chain's mean log density lies below the best chain's, in typical deviations; shape (chain,)."""
    means = log_density.mean(axis=1)
    spread = float(np.median(log_density.std(axis=1)))
    behind = means.max() - means
    if spread == 0:
        return np.where(behind > 0, np.inf, 0.0)
    return np.asarray(behind / spread)
