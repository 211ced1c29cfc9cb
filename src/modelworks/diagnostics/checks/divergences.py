"""Did the sampler follow the posterior everywhere?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelworks.diagnostics._check import Check, Limits, counted, percent

# A single divergence says that the trajectory met a corner it could not follow, so that the region behind it may
# be missing (Betancourt 2017, arXiv:1701.02434, section 6.2). One draw in a hundred is our own line, beyond
# which the missing region is no longer a matter of a few unlucky steps.
SHARE_THAT_STOPS = 0.01


def divergences(diverging: ArrayLike) -> Check:
    """Whether trajectories of a gradient-based sampler broke off.

    Parameters
    ----------
    diverging : bool array, shape (chain, draw)
        True where the trajectory of that draw diverged.

    >>> divergences(np.zeros((4, 500))).verdict, divergences(np.eye(4, 500)).verdict
    ('fine', 'look')
    """
    broken = np.asarray(diverging, dtype=bool)
    count, share = int(broken.sum()), float(broken.mean())
    # The least share that is not zero is one draw.
    limits = Limits(look=1 / max(broken.size, 1), stop=SHARE_THAT_STOPS)
    verdict = limits.verdict(share)
    if verdict == "fine":
        reason = "The sampler could follow the posterior everywhere it went."
    else:
        reason = (
            f"The sampler broke off at {count:,} of {counted(broken.size, 'draw')} ({percent(share)}), so it may have "
            "missed a part of what the data allow."
        )
    return Check(
        "divergences", "Paths followed", verdict, reason, share, f"fine at 0, stop from {SHARE_THAT_STOPS:.0%} of draws"
    )
