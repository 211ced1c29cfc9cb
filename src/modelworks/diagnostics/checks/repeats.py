"""Do values of a series come twice, as where rows were copied, filled in or spread over days?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits, percent
from modelworks.diagnostics._series import observed_part, share_of_own

Floats = NDArray[np.float64]

# The share of the model's own series in which as much comes twice, times the two ways that are asked (Bonferroni). It
# never stops: a copied week may leave the answer as it is.
AS_OFTEN = Limits(look=0.01, stop=0.0, high_is_good=True)
# So many of the model's own series tell a share of one in a hundred.
MOST_SERIES = 400

# Fewer values than these come twice by rounding, which predictions follow only roughly.
SHORTEST = 4

TITLE = "Nothing copied"


def repeats(target: str, predictive: ArrayLike, observed: ArrayLike, labels: Sequence[str] | None = None) -> Check:
    """Whether values come again, in the same order or right after themselves, more of them than chance allows.

    Zeros and small counts do that by themselves, and do so in the model's own series, too. These are
    rounded as the observations are: to the smallest difference between two of them.

    Parameters
    ----------
    target : str
    predictive : float array, shape (sample, point)
        Posterior predictions in the order of time.
    observed : float array, shape (point,)
        Observations in the same order; NaN where there is none.
    labels : sequence of str, optional
        What each point is called, its date, say.

    >>> random = np.random.default_rng(1)
    >>> predicted, seen = random.poisson(100, size=(2000, 30)), random.poisson(100, size=30)
    >>> repeats("cases", predicted, seen).verdict
    'fine'
    >>> seen[20:27] = seen[13:20]
    >>> repeats("cases", predicted, seen).reason.partition(":")[0]
    'The 7 values of cases from number 21 on are those from number 14 on'
    """
    samples, values, there = observed_part(predictive, observed)
    made = _rounded(samples[:: -(-len(samples) // MOST_SERIES)], values)
    length, first, again = longest_repeat(values)
    same = int(_same_as_before(values))
    long = share_of_own(np.array([comes_twice(series, length) for series in made])) if length >= SHORTEST else 1.0
    often = share_of_own(_same_as_before(made) >= same) if same >= SHORTEST else 1.0
    # A stretch can be looked up, so it is told of first.
    is_stretch = AS_OFTEN.verdict(2 * long) != "fine"
    chance = min(2 * (long if is_stretch else often), 1.0)
    verdict = AS_OFTEN.verdict(chance)
    reason = f"No more values of {target} come twice than chance makes."
    if verdict != "fine":
        at, before = (labels[there[k]] if labels else f"number {there[k] + 1}" for k in (again, first))
        what = f"The {length} values of {target} from {at} on are those from {before} on"
        if not is_stretch:
            what = f"{same} of {values.size} values of {target} are the same as the one before"
        elif again == first + 1:
            what = f"{length + 1} values of {target} in a row, from {before} on, are the same ({values[first]:g})"
        own = f"{percent(chance)} of the model's own series do so"
        reason = f"{what}: copied or filled in, it seems, and not counted ({own})."
    threshold = f"fine from {AS_OFTEN.look:.0%} of the model's own series"
    return Check("repeats", TITLE, verdict, reason, chance, threshold, (target,))


def comes_twice(series: Floats, length: int) -> bool:
    """Whether so many values come again in the same order; the two stretches may overlap."""
    stretches = np.lib.stride_tricks.sliding_window_view(series, length)
    return len({stretch.tobytes() for stretch in stretches}) < len(stretches)


def longest_repeat(series: Floats) -> tuple[int, int, int]:
    """The length of the longest stretch that comes again, and where both begin.

    >>> longest_repeat(np.array([1.0, 2, 3, 9, 1, 2, 3, 4])), longest_repeat(np.array([1.0, 2, 3]))
    ((3, 0, 4), (0, 0, 0))
    """
    low, high = 0, max(series.size - 1, 0)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if comes_twice(series, middle) else (low, middle - 1)
    seen: dict[bytes, int] = {}
    for at, stretch in enumerate(np.lib.stride_tricks.sliding_window_view(series, low) if low else ()):
        first = seen.setdefault(stretch.tobytes(), at)
        if first != at:
            return low, first, at
    return 0, 0, 0


def _rounded(samples: Floats, values: Floats) -> Floats:
    """Predictions in steps of the smallest difference between two observations; as they are where all are the same."""
    apart = np.diff(np.unique(values))
    return np.floor(samples / apart.min()) if apart.size else samples


def _same_as_before(series: Floats) -> NDArray[np.int_]:
    """How many values are the one before them; along the last axis."""
    return np.asarray((np.diff(series, axis=-1) == 0).sum(axis=-1))
