"""Do the observations lie within what the model predicts for them?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Verdict, counted
from modelworks.diagnostics._series import observed_part

# Chances, under the binomial, of a count as extreme as the one seen. The same data made the posterior, so a sound
# model covers rather more than it promises, and neighbouring observations are not independent; both ask for
# stricter lines than the usual one in twenty, and a study has several targets. All are our own.
TOO_FEW_LOOK = 0.01
TOO_FEW_STOP = 1e-4
TOO_MANY_LOOK = 1e-3

# The 2.5% quantile of fewer predictions rests on two or three of them.
FEWEST_PREDICTIONS = 100

THRESHOLD = (
    f"chance of so few inside: fine from {TOO_FEW_LOOK:g}, stop below {TOO_FEW_STOP:g}; "
    f"of so many: fine from {TOO_MANY_LOOK:g}"
)


@dataclass(frozen=True, slots=True)
class Count:
    """How many of `points` observations lie inside an interval, and the share that should."""

    inside: int
    points: int
    promised: float

    def chance_of_fewer(self) -> float:
        """The binomial probability of at most this many."""
        from scipy.special import bdtr

        return float(bdtr(self.inside, self.points, self.promised))

    def chance_of_more(self) -> float:
        """The binomial probability of at least this many."""
        from scipy.special import bdtrc

        return 1.0 if self.inside == 0 else float(bdtrc(self.inside - 1, self.points, self.promised))


def coverage(target: str, predictive: ArrayLike, observed: ArrayLike) -> Check:
    """Whether the intervals predicted for one target hold the share of observations they promise.

    Parameters
    ----------
    target : str
        Name of the target, for the reason.
    predictive : float array, shape (sample, point)
        Posterior predictions of each observation, with the noise of the observation.
    observed : float array, shape (point,)
        The observations, in the same unit; NaN where there is none.

    >>> random = np.random.default_rng(1)
    >>> predicted = random.normal(size=(400, 30))
    >>> coverage("cases", predicted, random.normal(size=30)).verdict
    'fine'
    >>> coverage("cases", predicted, 4 * random.normal(size=30)).verdict
    'stop'
    """
    samples, values, _ = observed_part(predictive, observed)
    if not values.size:
        return answer(target, "look", f"{target} has no observation to compare the model with.", None)
    wide, half = count_inside(samples, values, 0.95), count_inside(samples, values, 0.5)
    share = wide.inside / wide.points
    if len(samples) < FEWEST_PREDICTIONS:
        reason = f"{counted(len(samples), 'prediction')} of {target} are too few to compare with the observations."
        return answer(target, "look", reason, share)
    chance = min(wide.chance_of_fewer(), half.chance_of_fewer())
    if chance < TOO_FEW_LOOK:
        verdict: Verdict = "stop" if chance < TOO_FEW_STOP else "look"
        return answer(target, verdict, too_few(target, wide, half), share)
    if half.chance_of_more() < TOO_MANY_LOOK:
        reason = (
            f"{half.inside} of {half.points} observations of {target} lie in the range that should hold about half: "
            "the model is less sure than it could be."
        )
        return answer(target, "look", reason, share)
    reason = f"{wide.inside} of {counted(wide.points, 'observation')} of {target} lie in the model's 95% range."
    return answer(target, "fine", reason, share)


def answer(target: str, verdict: Verdict, reason: str, share: float | None) -> Check:
    """A `Check` of this file's name."""
    return Check("coverage", "Observations within reach", verdict, reason, share, THRESHOLD, (target,))


def too_few(target: str, wide: Count, half: Count) -> str:
    """The reason, told by whichever interval fails more clearly."""
    worse, promise = (wide, "95%") if wide.chance_of_fewer() <= half.chance_of_fewer() else (half, "half")
    return (
        f"Only {worse.inside} of {worse.points} observations of {target} lie in the range that should hold "
        f"{promise} of them: the model misses something, or is too sure of itself."
    )


def count_inside(samples: NDArray[np.float64], values: NDArray[np.float64], mass: float) -> Count:
    """Observations inside the central interval of each point, ends included.

    What the intervals promise is the share of predictions they really hold: of counts that are often 0,
    the central half can hold 90%.
    """
    low, high = np.quantile(samples, [(1 - mass) / 2, (1 + mass) / 2], axis=0)
    inside = (values >= low) & (values <= high)
    promised = float(((samples >= low) & (samples <= high)).mean())
    return Count(int(inside.sum()), int(values.size), promised)
