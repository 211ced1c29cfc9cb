"""Is there data enough for so many parameters?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, counted

# With fewer observations than parameters no data can settle them all, whatever they say; and with few more, no misfit
# can show. Ten more is where data that scatter twice as much as was assumed are found four times in five by a test of
# one in a hundred: of chi-squared with 10 degrees of freedom 83% lies above a quarter of its 99% quantile, with 9 less
# than 80%. It never stops: the priors may carry the rest, and the model may be right.
POINTS_BEYOND = Limits(look=10, stop=-np.inf, high_is_good=True)


def data_points(parameters: int, observed: Mapping[str, NDArray[np.float64]]) -> Check:
    """Whether there are so many more observations than parameters that a wrong model would show.

    >>> data_points(3, {"cases": np.arange(14.0)}).verdict
    'fine'
    >>> data_points(2, {"cases": np.array([4.0, 8.0, np.nan, 9.0])}).reason
    '3 observations are few for 2 parameters: a wrong model could fit them as well, and no check would show it.'
    >>> data_points(9, {"cases": np.array([4.0, 8.0])}).reason
    '2 observations can not settle 9 parameters: some rest on assumptions alone.'
    """
    points = sum(int(np.isfinite(values).sum()) for values in observed.values())
    seen, asked = counted(points, "observation"), counted(parameters, "parameter")
    beyond = float(points - parameters)
    verdict = POINTS_BEYOND.verdict(beyond)
    reason = f"{seen} stand behind {asked}."
    if beyond < 0:
        reason = f"{seen} can not settle {asked}: some rest on assumptions alone."
    elif verdict != "fine":
        be = "is" if points == 1 else "are"
        reason = f"{seen} {be} few for {asked}: a wrong model could fit them as well, and no check would show it."
    threshold = f"fine from {POINTS_BEYOND.look:g} more observations than parameters"
    return Check("data_points", "Data for the parameters", verdict, reason, beyond, threshold)
