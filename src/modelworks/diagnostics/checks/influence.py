"""Does one observation carry the whole answer?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from modelworks.diagnostics._check import Check, Limits, listed
from modelworks.diagnostics.loo import point_k

# The tail index of the importance weights that would take one observation out of the posterior. Above 0.7 their
# mean converges so slowly that taking it out changes the posterior into another one (Vehtari, Simpson, Gelman, Yao
# and Gabry 2024, "Pareto smoothed importance sampling", JMLR 25(72), section 3.2.4). It never stops: an
# influential observation can be a true one.
K_HAT = Limits(look=0.7, stop=np.inf)


def influence(target: str, log_likelihood: ArrayLike, labels: Sequence[str] | None = None) -> Check:
    """Whether the posterior would be another one without some single observation (Pareto k-hat).

    Parameters
    ----------
    target : str
    log_likelihood : float array, shape (sample, point)
        Log likelihood of each observation under each posterior draw.
    labels : sequence of str, optional
        What each point is called, its date, say.

    >>> random = np.random.default_rng(1)
    >>> even = random.normal(0, 0.3, size=(1000, 5))
    >>> even[:, 3] = -5 * random.standard_cauchy(1000) ** 2
    >>> influence("cases", even).about
    ('cases', 'observation 4')
    >>> influence("cases", even, ["1 May", "2 May", "3 May", "4 May", "5 May"]).reason
    'The answer hangs on single observations of cases: without that of 4 May it would be another.'
    """
    k = point_k(log_likelihood)
    heavy = [int(place) for place in np.argsort(-k, kind="stable") if K_HAT.verdict(float(k[place])) != "fine"]
    largest = float(k.max(initial=-np.inf))
    title = "No single observation decides"
    if not heavy:
        reason = f"No single observation of {target} decides the answer."
        return Check("influence", title, "fine", reason, largest, K_HAT.words, (target,))
    if k.size == 1:
        reason = f"The answer hangs on the one observation of {target}: without it, it would be another."
        return Check("influence", title, "look", reason, largest, K_HAT.words, (target,))
    called = [f"that of {labels[place]}" if labels else f"number {place + 1}" for place in heavy]
    reason = f"The answer hangs on single observations of {target}: without {listed(called)} it would be another."
    about = (target, *(labels[place] if labels else f"observation {place + 1}" for place in heavy))
    return Check("influence", title, "look", reason, largest, K_HAT.words, about)
