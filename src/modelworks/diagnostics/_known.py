"""How well something is known, for somebody who has to decide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import percent


def known(draws: Mapping[str, NDArray[np.float64]]) -> str:
    """Which of the parameters above zero is known best, and which least; nothing where there is none.

    A parameter is known to within half of its 95% range, as a share of its median.

    >>> random = np.random.default_rng(1)
    >>> known({"rate": random.normal(2, 0.02, (4, 1000)), "share": random.uniform(0.1, 0.5, (4, 1000))})
    'Known best is rate (to within 2%), least share (to within 62%).'
    """
    within = {name: half_width(values) for name, values in draws.items() if values.min() > 0}
    if not within:
        return ""
    best, least = min(within, key=lambda name: within[name]), max(within, key=lambda name: within[name])
    told = f"{best} (to within {percent(within[best])})"
    if best == least:
        return f"Known to within {percent(within[best])} is {best}."
    return f"Known best is {told}, least {least} (to within {percent(within[least])})."


def half_width(values: NDArray[np.float64]) -> float:
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    return float((high - low) / (2 * middle))
