"""Did the data say anything about each parameter?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, listed, percent

# The area that prior and posterior share. Garrett and Zeger 2000 (doi:10.1111/j.0006-341X.2000.01055.x) call a
# parameter weakly identified from 35% on; that would flag every informative prior, which is a legitimate way to
# use what is known. 90% is a posterior that has moved by less than a quarter of the prior's standard deviation and
# narrowed by less than a fifth of it. It never stops: the answer may well not depend on the parameter.
OVERLAP = Limits(look=0.9, stop=np.inf)

GRID = np.linspace(0, 1, 201)


def prior_overlap(draws: Mapping[str, NDArray[np.float64]], prior_draws: Mapping[str, NDArray[np.float64]]) -> Check:
    """Which parameters are still what was assumed about them.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    prior_draws : mapping of name to float array, shape (draw,)
        Draws of each parameter's prior; a parameter without is not judged.

    >>> random = np.random.default_rng(1)
    >>> prior_overlap({"rate": random.normal(size=(4, 500))}, {"rate": random.normal(size=1000)}).verdict
    'look'
    """
    shared = {name: overlap(draws[name], prior_draws[name]) for name in draws if name in prior_draws}
    if not shared:
        return answer_without_priors()
    unmoved = tuple(sorted((n for n in shared if OVERLAP.verdict(shared[n]) != "fine"), key=lambda n: -shared[n]))
    largest = max(shared.values())
    if unmoved:
        reason = (
            f"The data say nothing about {listed(unmoved)}: what comes out is what was assumed "
            f"({percent(largest)} of prior and posterior coincide)."
        )
    else:
        reason = f"The data taught us something about every parameter (at most {percent(largest)} as assumed)."
    return Check(
        "prior_overlap",
        "What the data taught us",
        OVERLAP.verdict(largest),
        reason,
        largest,
        f"fine below {OVERLAP.look:.0%} of shared area",
        unmoved,
    )


def answer_without_priors() -> Check:
    return Check(
        "prior_overlap",
        "What the data taught us",
        "look",
        "No draws of the priors were given, so nothing shows what the data added to the assumptions.",
    )


def overlap(posterior: NDArray[np.float64], prior: NDArray[np.float64]) -> float:
    r"""The area that the densities of posterior and prior share, $\int \min(p, q)$: 1 when they are the same.

    The posterior is written as ranks in the prior, where the prior is uniform; this makes the area free of the
    parameter's scale and of heavy tails. Its density there is taken as the Beta of the same mean and variance,
    which from a few hundred draws has a tenth of the noise of a histogram.

    >>> random = np.random.default_rng(1)
    >>> wide, narrow = random.normal(size=4000), random.normal(3, 0.1, size=4000)
    >>> overlap(wide, random.normal(size=4000)) > 0.95, overlap(narrow, wide) < 0.05
    (True, True)
    """
    from scipy.special import betainc

    ranks = prior_ranks(posterior, prior)
    mean, variance = float(ranks.mean()), float(ranks.var())
    if variance == 0:
        return 0.0
    weight = max(mean * (1 - mean) / variance - 1, 1e-3)
    density = np.diff(betainc(mean * weight, (1 - mean) * weight, GRID))
    return float(np.minimum(density, np.diff(GRID)).sum())


def prior_ranks(posterior: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each posterior draw as the share of the prior below it, strictly between 0 and 1; flattened."""
    ordered = np.sort(prior, axis=None)
    drawn = np.ravel(posterior)
    below = (np.searchsorted(ordered, drawn, "left") + np.searchsorted(ordered, drawn, "right")) / 2
    return (below + 0.5) / (ordered.size + 1)
