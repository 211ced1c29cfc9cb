"""Does one observation carry the whole answer?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from modelworks.diagnostics._check import Check, Limits
from modelworks.diagnostics.pareto import pareto_k

# The tail index of the importance weights that would take one observation out of the posterior. Above 0.7 their
# mean converges so slowly that taking it out changes the posterior into another one (Vehtari, Simpson, Gelman, Yao
# and Gabry 2024, "Pareto smoothed importance sampling", JMLR 25(72), section 3.2.4). It never stops: an
# influential observation can be a true one.
K_HAT = Limits(look=0.7, stop=np.inf)


def influence(target: str, log_likelihood: ArrayLike) -> Check:
    """Whether the posterior would be another one without some single observation (Pareto k-hat).

    Parameters
    ----------
    target : str
    log_likelihood : float array, shape (sample, point)
        Log likelihood of each observation under each posterior draw.

    >>> random = np.random.default_rng(1)
    >>> even = random.normal(0, 0.3, size=(1000, 5))
    >>> even[:, 3] = -5 * random.standard_cauchy(1000) ** 2
    >>> influence("cases", even).about
    ('cases', 'observation 4')
    """
    values = np.asarray(log_likelihood, dtype=np.float64)
    values = np.where(np.isfinite(values).all(axis=0), values, 0.0)
    k = np.array([pareto_k(-point) for point in values.T])
    heavy = np.flatnonzero(k >= K_HAT.look)
    largest = float(k.max(initial=-np.inf))
    title = "No single observation decides"
    if heavy.size:
        first = int(np.argmax(k))
        reason = f"The answer hangs on single observations of {target}: without number {first + 1} it would be another."
        about = (target, *(f"observation {index + 1}" for index in heavy))
        return Check("influence", title, "look", reason, largest, K_HAT.words, about)
    reason = f"No single observation of {target} decides the answer."
    return Check("influence", title, "fine", reason, largest, K_HAT.words, (target,))
