"""Is every number a number?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, listed, percent


def finite(
    draws: Mapping[str, NDArray[np.float64]], predictive: Mapping[str, NDArray[np.float64]] | None = None
) -> Check:
    """Whether all draws, and all that was predicted from them, are finite numbers.

    One that is not stops: it means that the model, its rates or the log density broke down somewhere in
    the region the sampler visited, and every mean or quantile over it is worthless.

    >>> finite({"rate": np.array([[1.0, 2.0, np.nan, 4.0]])}).verdict
    'stop'
    """
    given = {name: values for name, values in {**draws, **(predictive or {})}.items() if values.size}
    shares = {name: 1 - float(np.isfinite(values).mean()) for name, values in given.items()}
    broken = sorted((name for name, share in shares.items() if share > 0), key=lambda name: -shares[name])
    title, threshold = "Numbers that are numbers", "fine at 0"
    if not broken:
        return Check("finite", title, "fine", "Every value is a number.", 0.0, threshold)
    largest = shares[broken[0]]
    reason = f"The model broke down: {percent(largest)} of the values of {listed(broken)} are infinite or not numbers."
    return Check("finite", title, "stop", reason, largest, threshold, tuple(broken))
