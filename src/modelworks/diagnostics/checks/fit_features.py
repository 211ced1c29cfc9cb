"""Does the model make series with the features of the one observed?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits, percent
from modelworks.diagnostics._series import observed_part

Floats = NDArray[np.float64]

# The share of series made by the model whose feature is as extreme as the observed one's, times the number of features
# asked (Bonferroni): a posterior predictive p-value (Gelman, Meng and Stern 1996), which is conservative, as the same
# data made the posterior. It never stops: whether the feature matters depends on the question.
AS_EXTREME = Limits(look=0.01, stop=0.0, high_is_good=True)

# With fewer predictions no p-value can fall below the limit, and of fewer points there is no feature to speak of.
FEWEST_PREDICTIONS = 100
FEWEST_POINTS = 4

TITLE = "Features of the data"


def scatter(series: Floats, samples: Floats) -> Floats:
    """The mean squared miss of each series, in predictive variances."""
    variance = samples.var(axis=0)
    miss = (series - samples.mean(axis=0)) ** 2
    return np.asarray(np.divide(miss, variance, out=np.zeros_like(miss), where=variance > 0).mean(axis=-1))


# The total is the mean times the number of points, and has the same p-value. Each takes series (…, point) and all that
# were predicted; the words are for a series that has less of it than the model's, and for one that has more.
FEATURES: Mapping[str, tuple[Callable[[Floats, Floats], Floats], str, str]] = {
    "mean": (lambda series, _: series.mean(axis=-1), "is lower on the whole", "is higher on the whole"),
    "maximum": (lambda series, _: series.max(axis=-1), "has a lower peak", "has a higher peak"),
    "time of maximum": (lambda series, _: series.argmax(axis=-1), "peaks earlier", "peaks later"),
    "dispersion": (scatter, "scatters less", "scatters more"),
}


def p_values(predictive: ArrayLike, observed: ArrayLike) -> dict[str, tuple[float, bool]]:
    """Of each feature the two-sided posterior predictive p-value, and whether the data have more of it than the model.

    Parameters
    ----------
    predictive : float array, shape (sample, point)
    observed : float array, shape (point,)
        Without missing values.

    >>> samples = np.random.default_rng(1).normal(10, 1, size=(999, 20))
    >>> found = p_values(samples, samples[0] + 5)
    >>> found["mean"], found["dispersion"]
    ((0.002, True), (0.002, True))
    """
    samples, values = np.asarray(predictive, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    found = {}
    for name, (feature, _, _) in FEATURES.items():
        made, own = feature(samples, samples), feature(values, samples)
        above, below = ((1 + int(many)) / (1 + len(made)) for many in ((made >= own).sum(), (made <= own).sum()))
        found[name] = min(2 * min(above, below), 1.0), bool(above < below)
    return found


def fit_features(target: str, predictive: ArrayLike, observed: ArrayLike) -> Check:
    """Whether mean, maximum, time of the maximum and dispersion of a target are such as the model makes.

    Parameters
    ----------
    target : str
    predictive : float array, shape (sample, point)
        Posterior predictions in the order of time.
    observed : float array, shape (point,)
        Observations in the same order; NaN where there is none.

    >>> random = np.random.default_rng(1)
    >>> predicted = random.poisson(20, size=(2000, 30))
    >>> fit_features("cases", predicted, random.poisson(20, size=30)).verdict
    'fine'
    >>> fit_features("cases", predicted, random.negative_binomial(2, 2 / 22, size=30)).verdict
    'look'
    """
    samples, values, _ = observed_part(predictive, observed)
    if len(samples) < FEWEST_PREDICTIONS or values.size < FEWEST_POINTS:
        return Check("fit_features", TITLE, "fine", f"{target} is too short to have features.", about=(target,))
    found = p_values(samples, values)
    name = min(found, key=lambda each: found[each][0])
    chance, more = found[name]
    chance = min(len(found) * chance, 1.0)
    verdict = AS_EXTREME.verdict(chance)
    threshold = f"fine from {AS_EXTREME.look:.0%} of the model's own series"
    if verdict == "fine":
        reason = f"The model makes series with the mean, the peak and the scatter of {target}."
    else:
        words = FEATURES[name][2 if more else 1]
        reason = f"{target} {words} than the model's own series ({percent(chance)} of them go as far)."
    return Check("fit_features", TITLE, verdict, reason, chance, threshold, (target,))
