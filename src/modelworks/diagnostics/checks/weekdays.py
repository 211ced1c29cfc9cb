"""Is one day of the week unlike the others?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits, listed, percent
from modelworks.diagnostics._series import observed_part, share_of_own
from modelworks.diagnostics.checks.residual_pattern import residuals

Floats = NDArray[np.float64]

# The share of the model's own series in which the days of the week differ as much, as in `residual_pattern`. Weekends
# that matter are far beyond any of them; at one in a hundred three of ninety sound studies were told of.
AS_UNLIKE = Limits(look=0.003, stop=0.0, high_is_good=True)
# With fewer weeks a day is its own average, and with fewer than these days of the week there is no week.
WEEKS, DAYS = 3, 5
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

TITLE = "Days of the week alike"


def weekdays(target: str, predictive: ArrayLike, observed: ArrayLike, labels: Sequence[str] | None) -> Check | None:
    """Whether observations lie off the model by the day of the week; None where they are not daily.

    Few are counted on a Sunday because few count. Where the scatter is calibrated it grows until that fits, and nothing
    else shows it. How much of the residuals' variance is between days of the week is held against the
    same of the model's own series.

    Parameters
    ----------
    target : str
    predictive : float array, shape (sample, point)
        Posterior predictions in the order of time.
    observed : float array, shape (point,)
        Observations in the same order; NaN where there is none.
    labels : sequence of str, optional
        The date of each point, as 2021-01-31.

    >>> random = np.random.default_rng(1)
    >>> dates = [f"2021-01-{day:02}" for day in range(1, 29)]
    >>> predicted, seen = random.normal(100, 10, size=(2000, 28)), random.normal(100, 10, size=28)
    >>> weekdays("cases", predicted, seen, dates).verdict
    'fine'
    >>> weekdays("cases", predicted, seen - 50 * (np.arange(28) % 7 == 2), dates).reason.partition(":")[0]
    'cases is lower on Sunday than the model makes it'
    """
    samples, values, there = observed_part(predictive, observed)
    day = _days([labels[int(k)] for k in there]) if labels is not None and len(labels) == np.size(observed) else None
    if day is None:
        return None
    own, made = residuals(samples, values)
    share = float(_between(own, day))
    chance = share_of_own(_between(made, day) >= share)
    verdict = AS_UNLIKE.verdict(chance)
    reason = f"{target} lies off the model on no day of the week."
    if verdict != "fine":
        means = np.array([own[day == k].mean() if (day == k).any() else 0.0 for k in range(7)]) - own.mean()
        side = 1.0 if means.max() > -means.min() else -1.0
        days = [NAMES[k] for k in np.argsort(-side * means) if side * means[k] > 0.5 * np.abs(means).max()]
        reason = (
            f"{target} is {'higher' if side > 0 else 'lower'} on {listed(days)} than the model makes it: how it is "
            f"counted seems to follow the week ({percent(chance)} of the model's own series do)."
        )
    threshold = f"fine from {AS_UNLIKE.look:.1%} of the model's own series"
    return Check("weekdays", TITLE, verdict, reason, chance, threshold, (target,))


def _days(labels: Sequence[str]) -> NDArray[np.int_] | None:
    """The day of the week of each point; None where they are no dates, too few, or none of a daily series."""
    try:
        dates = [date.fromisoformat(label) for label in labels]
    except ValueError:
        return None
    day = np.array([each.weekday() for each in dates], dtype=int)
    return day if len(dates) >= 7 * WEEKS and np.unique(day).size >= DAYS else None


def _between(residuals: Floats, day: NDArray[np.int_]) -> Floats:
    """The part of the variance of residuals (…, point) that lies between the days of the week."""
    centred = residuals - residuals.mean(axis=-1, keepdims=True)
    which = (day[:, None] == np.unique(day)).astype(float)
    between = np.square(centred @ which) / which.sum(axis=0)
    square = np.square(centred).sum(axis=-1)
    return np.asarray(np.divide(between.sum(axis=-1), square, out=np.zeros_like(square), where=square > 0))
