"""Is there data enough for so many parameters?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, counted

# With fewer observations than parameters no data can settle them all, whatever they say; that is counting, not a
# convention. It never stops: priors may carry the rest, and `prior_overlap` says where they do.
POINTS_PER_PARAMETER = Limits(look=1.0, stop=0.0, high_is_good=True)


def data_points(parameters: int, observed: Mapping[str, NDArray[np.float64]]) -> Check:
    """Whether there are at least as many observations as parameters.

    >>> data_points(3, {"cases": np.array([4.0, 8.0, np.nan, 9.0])}).verdict
    'fine'
    >>> data_points(9, {"cases": np.array([4.0, 8.0])}).reason
    '2 observations can not settle 9 parameters: some rest on assumptions alone.'
    """
    points = sum(int(np.isfinite(values).sum()) for values in observed.values())
    value = points / max(parameters, 1)
    verdict = POINTS_PER_PARAMETER.verdict(value)
    if verdict == "fine":
        reason = f"{counted(points, 'observation')} stand behind {counted(parameters, 'parameter')}."
    else:
        reason = (
            f"{counted(points, 'observation')} can not settle {counted(parameters, 'parameter')}: "
            "some rest on assumptions alone."
        )
    threshold = f"fine from {POINTS_PER_PARAMETER.look:g} observation for each parameter"
    return Check("data_points", "Data for the parameters", verdict, reason, value, threshold)
