"""Are there draws enough behind each number?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, counted, listed
from modelworks.diagnostics._mixing import ess_bulk, ess_tail

# 400 in all (100 for each of four chains) is the least at which R-hat and the effective sizes themselves are
# steady (Vehtari et al. 2021, section 4.1). With 100 the error of a mean is a tenth of its standard deviation
# and the ends of a 95% interval rest on two or three draws each.
EFFECTIVE_DRAWS = Limits(look=400, stop=100, high_is_good=True)


def effective_draws(draws: Mapping[str, NDArray[np.float64]]) -> Check:
    """Whether the middle (bulk) and the ends (tail) of every parameter rest on draws enough.

    >>> independent = np.random.default_rng(1).normal(size=(4, 500))
    >>> effective_draws({"rate": independent}).verdict, effective_draws({"rate": independent[:, :20]}).verdict
    ('fine', 'stop')
    """
    sizes = {name: min(ess_bulk(chains), ess_tail(chains)) for name, chains in draws.items()}
    order = sorted(sizes, key=lambda name: (np.nan_to_num(sizes[name], nan=-np.inf), name))
    least = sizes[order[0]]
    verdict = EFFECTIVE_DRAWS.verdict(least)
    at_fault = tuple(name for name in order if EFFECTIVE_DRAWS.verdict(sizes[name]) != "fine")
    if np.isnan(least):
        reason = f"The number of independent draws behind {listed(at_fault)} can not be computed."
    elif verdict == "fine":
        reason = f"Every parameter rests on at least {counted(int(least), 'independent draw')}."
    else:
        made = counted(draws[order[0]].size, "draw")
        reason = (
            f"The {made} are worth only {int(least):,} independent ones for {listed(at_fault)} "
            f"({EFFECTIVE_DRAWS.look:g} are needed): run longer chains."
        )
    return Check("effective_draws", "Draws enough", verdict, reason, least, EFFECTIVE_DRAWS.words, at_fault)
