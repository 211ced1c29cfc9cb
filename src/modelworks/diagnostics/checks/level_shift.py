"""Does a series change its level against the model from some day on, as where its reporting changed?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits, percent
from modelworks.diagnostics._series import observed_part, share_of_own
from modelworks.diagnostics.checks.residual_pattern import residuals

Floats = NDArray[np.float64]

# The share of the model's own series with as large a shift: a posterior predictive p-value, as in `residual_pattern`,
# and conservative for the same reason. It never stops: a change of reporting may leave the answer as it is.
AS_LARGE = Limits(look=0.01, stop=0.0, high_is_good=True)

# What lies just before is held against what lies just behind, so many points each: a model that bends otherwise than
# the data drifts away from them slowly, and is for `residual_pattern`.
BESIDE = 6
# So many of the model's own series tell a share of one in a hundred.
MOST_SERIES = 1000

TITLE = "No break in the series"


def level_shift(target: str, predictive: ArrayLike, observed: ArrayLike, labels: Sequence[str] | None = None) -> Check:
    """Whether observations step from one side of the model to the other at some point.

    The largest step between the medians of six residuals in a row and of the next six, in predictive deviations, is
    held against that of series the model makes itself; medians, as one value out of line is no step.

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
    >>> predicted, seen = random.normal(100, 10, size=(2000, 30)), random.normal(100, 10, size=30)
    >>> level_shift("cases", predicted, seen).verdict
    'fine'
    >>> level_shift("cases", predicted, seen - 40 * (np.arange(30) >= 15)).reason.partition(":")[0]
    'From about number 16 on cases lies lower against the model than just before'
    """
    samples, values, there = observed_part(predictive, observed)
    if values.size < 2 * BESIDE:
        reason = f"{target} is too short to have a break."
        return Check("level_shift", TITLE, "fine", reason, about=(target,))
    own, made = residuals(samples, values)
    made = made[:: -(-len(made) // MOST_SERIES)]
    shifts = steps(own)
    at = int(np.abs(shifts).argmax())
    chance = share_of_own(np.abs(steps(made)).max(axis=-1) >= abs(shifts[at]))
    verdict = AS_LARGE.verdict(chance)
    reason = f"{target} keeps its level against the model."
    if verdict != "fine":
        place = int(there[at + BESIDE])
        since = labels[place] if labels else f"number {place + 1}"
        side = "lower" if shifts[at] < 0 else "higher"
        reason = (
            f"From about {since} on {target} lies {side} against the model than just before: something changed then, "
            f"perhaps how it was reported ({percent(chance)} of the model's own series shift as far)."
        )
    threshold = f"fine from {AS_LARGE.look:.0%} of the model's own series"
    return Check("level_shift", TITLE, verdict, reason, chance, threshold, (target,))


def steps(residuals: Floats) -> Floats:
    """At each place with points enough on either side, how much higher the residuals (…, point) are behind it."""
    medians = np.median(np.lib.stride_tricks.sliding_window_view(residuals, BESIDE, axis=-1), axis=-1)
    return np.asarray(medians[..., BESIDE:] - medians[..., :-BESIDE])
