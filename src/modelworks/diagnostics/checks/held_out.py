"""Were the observations that the calibration did not see foreseen?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Verdict, counted, percent
from modelworks.diagnostics._series import observed_part
from modelworks.diagnostics.checks.coverage import (
    FEWEST_PREDICTIONS,
    TOO_FEW_LOOK,
    TOO_FEW_STOP,
    count_inside,
)

Floats = NDArray[np.float64]

# The errors of a forecast hang together: one value out of reach draws its neighbours after it, and the chance of so
# few, which takes them for independent, is then far too small. It stops nothing while most values are still foreseen.
MOST = 0.5

THRESHOLD = (
    f"chance of so few inside: fine from {TOO_FEW_LOOK:g}, stop below {TOO_FEW_STOP:g} "
    "where fewer than half of the values are inside"
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """How the held-out observations of one target compare with what was predicted for them.

    `inside` of `points` lie in the 95% range, which has a chance of `chance` of holding so few. `crps` is the mean
    continuous ranked probability score, in the target's unit: how far off the prediction was, small is good; None
    where nothing could be predicted.
    `naive_crps` is that of a forecast which repeats the last value the calibration saw; None where it saw none.
    """

    target: str
    points: int
    inside: int
    chance: float
    crps: float | None
    naive_crps: float | None
    predictions: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Forecast:
        """The forecast that `as_dict` wrote."""
        return cls(**entry)


def forecast(target: str, predictive: ArrayLike, observed: ArrayLike, last_seen: float | None = None) -> Forecast:
    """How well the held-out observations of one target were foreseen.

    Parameters
    ----------
    target : str
        Name of the target.
    predictive : float array, shape (sample, point)
        Predictions of each held-out observation, with the noise of the observation.
    observed : float array, shape (point,)
        The held-out observations, in the same unit; NaN where there is none.
    last_seen : float, optional
        The last observation the calibration saw.

    >>> samples = np.random.default_rng(1).normal(100, 10, size=(1000, 4))
    >>> found = forecast("cases", samples, [95, 103, 88, 109], last_seen=60)
    >>> found.inside, round(found.crps, 1), round(found.naive_crps, 1)
    (4, 4.6, 38.8)
    """
    samples, values, _ = observed_part(predictive, observed)
    naive = None if last_seen is None or not values.size else float(np.abs(values - last_seen).mean())
    if not samples.size:
        return Forecast(target, values.size, 0, 1.0, None, naive, len(samples))
    count = count_inside(samples, values, 0.95)
    score = float(ranked_probability_score(samples, values).mean())
    return Forecast(target, count.points, count.inside, count.chance_of_fewer(), score, naive, len(samples))


def ranked_probability_score(samples: Floats, values: Floats) -> Floats:
    r"""Continuous ranked probability score of each point, shape (point,).

    $$\mathrm{CRPS} = E|X - y| - \tfrac12 E|X - X'|$$

    with $X$, $X'$ two independent predictions of $y$; for a single prediction it is the absolute error
    (Gneiting and Raftery 2007, doi:10.1198/016214506000001437, equation 21).

    >>> ranked_probability_score(np.array([[3.0], [5.0]]), np.array([4.0]))
    array([0.5])
    """
    number = len(samples)
    # The mean distance of all pairs, from the sorted ones: n log n in place of n².
    ranks = 2.0 * np.arange(1, number + 1) - number - 1
    apart = 2.0 * (ranks[:, None] * np.sort(samples, axis=0)).sum(axis=0) / number**2
    return np.asarray(np.abs(samples - values).mean(axis=0) - apart / 2)


def held_out(found: Forecast) -> Check:
    """Whether what the calibration was not shown lies where the model said it would.

    >>> held_out(Forecast("cases", 4, 4, 1.0, 5.0, 40.0, 400)).reason
    'All 4 observations of cases that were held out lie in the range foreseen for 95% of them.'
    >>> held_out(Forecast("cases", 4, 0, 6e-6, 50.0, 40.0, 400)).verdict
    'stop'
    """
    share = found.inside / found.points if found.points else None
    if not found.points:
        return answer(found, "look", f"No observation of {found.target} that was held out has a value.", share)
    if found.predictions < FEWEST_PREDICTIONS:
        few = f"{counted(found.predictions, 'prediction')} of {found.target} are too few to judge what was held out."
        return answer(found, "look", few, share)
    verdict: Verdict = "fine"
    if found.chance < TOO_FEW_LOOK:
        grave = found.chance < TOO_FEW_STOP and found.inside < MOST * found.points
        verdict = "stop" if grave else "look"
    return answer(found, verdict, in_words(found, verdict), share)


def in_words(found: Forecast, verdict: Verdict) -> str:
    """The reason: how many were foreseen and, where the model did worse, what a naive forecast would have done."""
    of = f"{counted(found.points, 'observation')} of {found.target} that {'was' if found.points == 1 else 'were'}"
    if verdict == "fine":
        many = f"All {of}" if found.inside == found.points > 1 else f"{found.inside} of {of}"
        reason = f"{many} held out {'lies' if found.points == 1 else 'lie'} in the range foreseen for 95% of them"
    else:
        reason = (
            f"Only {found.inside} of {of} held out lie in the range foreseen for 95% of them (a sound model has a "
            f"chance of {percent(found.chance)} of so few): the model does not foresee what it was not shown"
        )
    if found.crps is not None and found.naive_crps is not None and found.naive_crps < found.crps:
        reason += "; to repeat the last value seen would have come nearer"
    return f"{reason}."


def answer(found: Forecast, verdict: Verdict, reason: str, share: float | None) -> Check:
    """A `Check` of this file's name."""
    return Check("held_out", "Held-out observations foreseen", verdict, reason, share, THRESHOLD, (found.target,))
