"""Is the model wrong in the same direction for a while?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits, percent
from modelworks.diagnostics._series import observed_part, share_of_own
from modelworks.diagnostics.checks.stuck_chains import longest_run

# The share of data sets made by the model itself whose residuals follow each other as closely: a posterior
# predictive p-value (Gelman, Meng and Stern 1996), which is conservative, since the same data made the posterior.
# It never stops: a missing holiday or a change in testing can leave the answer as it is.
AS_PATTERNED = Limits(look=0.01, stop=0.0, high_is_good=True)

# Below this, even a perfect zigzag or slope comes up by chance too often to be told.
FEWEST_POINTS = 6

TITLE = "No pattern left over"


def residual_pattern(target: str, predictive: ArrayLike, observed: ArrayLike) -> Check:
    r"""Whether neighbouring observations miss the model on the same side, more than chance allows.

    Residuals are divided by the predictive standard deviation. Their correlation with their own neighbour,
    $\sum r_t r_{t+1} / \sum r_t^2$, not centred, so that a constant miss counts too, is compared with that
    of each data set the model predicts. Uncertain parameters move a whole prediction up or down; as they do so
    in the predicted data sets too, this does not count as a pattern.

    Parameters
    ----------
    target : str
    predictive : float array, shape (sample, point)
        Posterior predictions in the order of time.
    observed : float array, shape (point,)
        Observations in the same order; NaN where there is none.

    >>> random = np.random.default_rng(1)
    >>> predicted = random.normal(size=(400, 40))
    >>> wave = np.sin(np.arange(40) / 4)
    >>> residual_pattern("cases", predicted, random.normal(size=40)).verdict
    'fine'
    >>> residual_pattern("cases", predicted, wave).verdict
    'look'
    """
    samples, values, _ = observed_part(predictive, observed)
    if values.size < FEWEST_POINTS:
        return Check("residual_pattern", TITLE, "fine", f"{target} has too few points for a pattern.", about=(target,))
    misses, made_misses = residuals(samples, values)
    own, made = float(neighbour_correlation(misses)), neighbour_correlation(made_misses)
    chance = share_of_own(made >= own)
    verdict = AS_PATTERNED.verdict(chance)
    if verdict == "fine":
        reason = f"The misses of {target} follow no pattern."
    else:
        run = max(longest_run(misses > 0), longest_run(misses < 0))
        reason = (
            f"The model misses {target} in a pattern: {run} observations in a row lie on the same side of it "
            f"({percent(chance)} of the model's own series look so)."
        )
    threshold = f"fine from {AS_PATTERNED.look:.0%} of the model's own series"
    return Check("residual_pattern", TITLE, verdict, reason, chance, threshold, (target,))


def residuals(samples: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Misses of the observations (point,), and of predicted ones (sample, point), in predictive deviations."""
    middle, spread = np.median(samples, axis=0), samples.std(axis=0)
    # A point that is predicted without any spread can not be put on the scale of the others.
    scale = np.where(spread > 0, spread, np.inf)
    return (values - middle) / scale, (samples - middle) / scale


def neighbour_correlation(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The uncentred lag-1 autocorrelation along the last axis; 0 where all residuals are 0.

    >>> neighbour_correlation(np.array([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0]])).tolist()
    [0.75, -0.75]
    """
    product = (residuals[..., 1:] * residuals[..., :-1]).sum(axis=-1)
    square = (residuals**2).sum(axis=-1)
    return np.asarray(np.divide(product, square, out=np.zeros_like(product), where=square > 0))
