"""How long events wait for their report."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelworks.inputs import Delay

Array = NDArray[np.float64]

# What comes later than all but this part of the reports is left out, and the rest taken for all.
LATE = 1e-3


def shares_by_day(delay: Delay) -> Array:
    """The part of events reported after 0, 1, 2, … whole days; half a day to either side counts as that day.

    >>> shares_by_day(Delay(2.0, 0.5)).round(3).tolist()
    [0.0, 0.156, 0.688, 0.151, 0.005]
    """
    from scipy.special import gammainc, gammaincinv

    shape, scale = (delay.mean / delay.sd) ** 2, delay.sd**2 / delay.mean
    longest = int(np.ceil(scale * float(gammaincinv(shape, 1 - LATE))))
    reported = gammainc(shape, (np.arange(longest + 1) + 0.5) / scale)
    return np.asarray(np.diff(reported, prepend=0.0) / reported[-1])
