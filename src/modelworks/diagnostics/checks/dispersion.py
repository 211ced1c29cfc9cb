"""Does a series scatter so much that the model hardly says anything about a single value?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelworks.diagnostics._check import Check, Limits, percent
from modelworks.diagnostics._series import observed_part

# The predictive standard deviation beyond that of a Poisson count, as a share of what is expected. Our own line: at
# 0.7, an overdispersion of 0.5, the upper end of the 95% range is fifty times the lower. It never stops: some things
# are counted as badly as that.
BEYOND_COUNTING = Limits(look=0.7, stop=np.inf)

# Of fewer, counting alone leaves a range that wide.
FEWEST_EXPECTED = 10

TITLE = "Scatter of a size that can be believed"


def dispersion(target: str, predictive: ArrayLike, observed: ArrayLike) -> Check | None:
    """Whether counts are taken to scatter far more than counting makes them; None of what is no count.

    Where the scatter is calibrated it grows until the data fit, whatever is wrong: values in a wrong order, of another
    place, in mixed units. What is left then looks like noise, and only its size tells.

    Parameters
    ----------
    target : str
    predictive : float array, shape (sample, point)
        Posterior predictions of each observation with its noise.
    observed : float array, shape (point,)
        NaN where there is none.

    >>> random = np.random.default_rng(1)
    >>> seen, odds = random.poisson(100, size=20), 1 / (1 + 100 * np.array([0.02, 1.0]))
    >>> [dispersion("cases", random.negative_binomial(n, p, (900, 20)), seen).verdict for n, p in zip((50, 1), odds)]
    ['fine', 'look']
    """
    samples, _, _ = observed_part(predictive, observed)
    if (samples < 0).any() or (samples != np.floor(samples)).any():
        return None
    mean = samples.mean(axis=0)
    many = mean >= FEWEST_EXPECTED
    if not many.any():
        return None
    beyond = np.sqrt(np.maximum(samples.var(axis=0) - mean, 0))[many] / mean[many]
    value = float(np.median(beyond))
    verdict = BEYOND_COUNTING.verdict(value)
    reason = f"{target} scatters by {percent(value)} of what is expected, beyond what counting makes."
    if verdict != "fine":
        reason = (
            f"{target} scatters by {percent(value)} of what is expected, far beyond what counting makes: "
            "whatever is wrong with it is taken for noise."
        )
    return Check("dispersion", TITLE, verdict, reason, value, BEYOND_COUNTING.words, (target,))
