"""Do the data contradict what was assumed?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, listed, percent
from modelworks.diagnostics.checks.prior_overlap import prior_ranks

# The two-sided prior probability of a value as far out as the posterior's median, after the prior-data conflict of
# Evans and Moshonov 2006 (doi:10.1214/06-BA129), who read it as a p-value. One in a hundred, not one in twenty, as
# a study has a dozen parameters and all are looked at.
TAIL = Limits(look=0.01, stop=0.0, high_is_good=True)

# It stops where even the near end of the posterior's 95% interval lies beyond everything the prior allowed. With
# fewer draws than this, "beyond every draw" is not yet remarkable.
FEWEST_PRIOR_DRAWS = 500


def prior_conflict(draws: Mapping[str, NDArray[np.float64]], prior_draws: Mapping[str, NDArray[np.float64]]) -> Check:
    """Which parameters ended where their prior gave them hardly a chance.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    prior_draws : mapping of name to float array, shape (draw,)

    >>> random = np.random.default_rng(1)
    >>> prior_conflict({"rate": random.normal(9, 1, (4, 500))}, {"rate": random.normal(0, 1, 1000)}).verdict
    'stop'
    """
    judged = [name for name in draws if name in prior_draws]
    tails = {name: tail_probability(draws[name], prior_draws[name]) for name in judged}
    apart = tuple(name for name in judged if is_apart(draws[name], prior_draws[name]))
    far = tuple(sorted((name for name in judged if TAIL.verdict(tails[name]) != "fine"), key=lambda name: tails[name]))
    least = min(tails.values(), default=1.0)
    title, threshold = "Assumptions and data", f"fine from {TAIL.look:.0%}, stop beyond all of the prior"
    if apart:
        reason = f"The data and the assumptions about {listed(apart)} exclude each other: one of them is wrong."
        return Check("prior_conflict", title, "stop", reason, least, threshold, apart)
    if far:
        reason = (
            f"The data pull {listed(far)} to where the assumptions gave hardly a chance "
            f"({percent(least)} of the prior lies as far out)."
        )
        return Check("prior_conflict", title, "look", reason, least, threshold, far)
    reason = "Data and assumptions do not contradict each other."
    return Check("prior_conflict", title, "fine", reason, least, threshold)


def tail_probability(posterior: NDArray[np.float64], prior: NDArray[np.float64]) -> float:
    """The share of the prior at least as far out, on either side, as the posterior's median."""
    rank = float(np.median(prior_ranks(posterior, prior)))
    return min(2 * min(rank, 1 - rank), 1.0)


def is_apart(posterior: NDArray[np.float64], prior: NDArray[np.float64]) -> bool:
    """Whether the posterior's 95% interval lies beyond every one of enough prior draws."""
    low, high = np.quantile(posterior, [0.025, 0.975])
    return prior.size >= FEWEST_PRIOR_DRAWS and bool(low > prior.max() or high < prior.min())
