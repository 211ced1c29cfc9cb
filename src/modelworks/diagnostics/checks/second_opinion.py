"""Do two ways to compute the answer agree?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, listed

# In standard deviations of the draws. Both ways know a mean to some hundredths of one; a third of one changes what is
# said of a parameter. So does one that is 1.35 times as wide: the logarithm of that is a third, too.
MEANS_APART = Limits(look=0.3, stop=float("inf"))


def second_opinion(
    draws: Mapping[str, NDArray[np.float64]], means: Mapping[str, float], spreads: Mapping[str, float]
) -> Check:
    """Whether the draws have the means and the standard deviations that were found in another way.

    >>> chains = {"rate": np.random.default_rng(1).normal(size=(4, 500))}
    >>> [second_opinion(chains, {"rate": mean}, {"rate": 1.0}).verdict for mean in (0.0, 0.5)]
    ['fine', 'look']
    """
    apart = {}
    for name in means:
        sd = draws[name].std()
        with np.errstate(divide="ignore", invalid="ignore"):
            of_means = abs(draws[name].mean() - means[name]) / sd
            of_spreads = abs(np.log(sd / spreads[name]))
        apart[name] = float(max(of_means, of_spreads))
    order = sorted(apart, key=lambda name: (-np.nan_to_num(apart[name], nan=np.inf), name))
    verdict = MEANS_APART.verdict(apart[order[0]])
    at_fault = tuple(name for name in order if MEANS_APART.verdict(apart[name]) != "fine")
    if verdict == "fine":
        reason = "Importance sampling, which works in another way, gives the same means and standard deviations."
    else:
        reason = (
            f"Importance sampling, which works in another way, does not give the same for {listed(at_fault)}: "
            "the posterior is hard to draw from, so run longer chains and compare."
        )
    return Check("second_opinion", "Two ways agree", verdict, reason, apart[order[0]], MEANS_APART.words, at_fault)
