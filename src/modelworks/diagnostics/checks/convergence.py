"""Do the chains agree with each other?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, counted, listed
from modelworks.diagnostics._mixing import r_hat

# 1.01 is the limit of Vehtari et al. 2021 (doi:10.1214/20-BA1221, section 4.1). They also say that a little more
# is tolerable early in a workflow; 1.05 was the strictest of the older limits (Vats and Knudson 2021,
# doi:10.1214/20-STS812, list 1.1 to 1.003), and above it quantiles of the chains differ visibly in a figure.
R_HAT = Limits(look=1.01, stop=1.05)

# Half the chains of the usual advice (four or more); with one there is nothing to compare.
FEWEST_CHAINS = 2


def convergence(draws: Mapping[str, NDArray[np.float64]]) -> Check:
    """Whether chains that started apart ended in the same place, by rank-normalised split R-hat.

    >>> together = np.random.default_rng(1).normal(size=(4, 500))
    >>> convergence({"rate": together}).verdict, convergence({"rate": together + [[0], [0], [0], [4]]}).verdict
    ('fine', 'stop')
    """
    values = {name: r_hat(chains) for name, chains in draws.items()}
    # NaN sorts as the worst: it means that nothing moved.
    order = sorted(values, key=lambda name: (-np.nan_to_num(values[name], nan=np.inf), name))
    worst = order[0]
    verdict = R_HAT.verdict(values[worst])
    at_fault = tuple(name for name in order if R_HAT.verdict(values[name]) != "fine")
    chains = draws[worst].shape[0]
    if verdict != "fine":
        reason = (
            f"The chains disagree about {listed(at_fault)}: together they spread {values[worst]:.3f} times as wide "
            f"as each alone (R-hat; below {R_HAT.look:g} is agreement)."
        )
    elif chains < FEWEST_CHAINS:
        verdict, reason = "look", "Only one chain was run, so nothing shows whether another would agree with it."
    else:
        reason = (
            f"{counted(chains, 'chain')}, started apart, ended in agreement "
            f"(R-hat at most {values[worst]:.3f}; below {R_HAT.look:g} is agreement)."
        )
    return Check("convergence", "Agreement of the chains", verdict, reason, values[worst], R_HAT.words, at_fault)
