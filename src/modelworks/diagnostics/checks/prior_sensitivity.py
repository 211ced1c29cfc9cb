"""Does the answer hang on how strongly something was believed beforehand?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits, listed
from modelworks.diagnostics.pareto import smoothed

Floats = NDArray[np.float64]

# The powers to which prior or likelihood is raised, so near to 1 that the reweighted draws need no new calibration.
# Both, and the limit, are those of Kallioinen, Paananen, Bürkner and Vehtari 2023, "Detecting and diagnosing prior and
# likelihood sensitivity with power-scaling" (doi:10.1007/s11222-023-10366-5): 0.05 is the change of a normal posterior
# whose mean moves by 0.3 standard deviations when the power is doubled. A strong prior is a legitimate way to use what
# is known; where the likelihood moves the same parameter, the two disagree.
POWERS = (0.99, 1 / 0.99)
SENSITIVE = 0.05

# A verdict is asked of more than a mention: our own line, at which few of forty sound studies are told of (see the
# tests). It never stops: the prior may be right.
CONFLICT = Limits(look=0.2, stop=np.inf)

TITLE = "Answer free of the assumptions' strength"


class Sensitivity(NamedTuple):
    """How much a posterior moves with the strength of the prior, and with that of the data, per doubling."""

    prior: float
    likelihood: float

    @property
    def in_words(self) -> str:
        """What the two together say of one number."""
        if self.prior < SENSITIVE:
            return "rests on the data" if self.likelihood >= SENSITIVE else "rests on neither"
        return (
            "pulled both ways by data and assumptions" if self.likelihood >= SENSITIVE else "rests on the assumptions"
        )

    @property
    def conflict(self) -> float:
        """How much prior and likelihood pull against each other: as much as the weaker of the two."""
        return min(self)


def sensitivity(values: ArrayLike, log_prior: ArrayLike, log_likelihood: ArrayLike) -> Sensitivity:
    """How much one number's posterior changes with the power of prior and likelihood.

    Parameters
    ----------
    values : float array, shape (sample,)
        A parameter, or any number that is worked out from the parameters.
    log_prior, log_likelihood : float array, shape (sample,)
        Of each draw, up to a constant.

    >>> random = np.random.default_rng(1)
    >>> draws = random.normal(1, 0.1, size=4000)
    >>> found = sensitivity(draws, -draws**2 / 2, -(draws - 1)**2 / 0.02)
    >>> found.prior < 0.05 < found.likelihood, found.in_words
    (True, 'rests on the data')
    """
    flat = np.ravel(np.asarray(values, dtype=np.float64))
    prior, likelihood = (np.ravel(np.asarray(each, dtype=np.float64)) for each in (log_prior, log_likelihood))
    return Sensitivity(scaled_distance(flat, prior), scaled_distance(flat, likelihood))


def prior_sensitivity(draws: Mapping[str, Floats], log_prior: ArrayLike, log_likelihood: ArrayLike) -> Check:
    """Which parameters the prior and the data pull in different directions.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    log_prior, log_likelihood : float array, shape (sample,)
    """
    found = {name: sensitivity(values, log_prior, log_likelihood) for name, values in draws.items()}
    largest = max((each.conflict for each in found.values()), default=0.0)
    torn = tuple(
        sorted((n for n in found if CONFLICT.verdict(found[n].conflict) != "fine"), key=lambda n: -found[n].conflict)
    )
    if torn:
        reason = f"Data and assumptions pull {listed(torn)} in different directions: what comes out lies between them."
    else:
        resting = [name for name in found if found[name].prior >= SENSITIVE]
        reason = "A little more or less trust in the assumptions would leave every parameter where it is."
        if resting:
            reason = (
                f"More trust in the assumptions would move {listed(resting)}, though the data do not contradict them."
            )
    return Check("prior_sensitivity", TITLE, CONFLICT.verdict(largest), reason, largest, CONFLICT.words, torn)


def scaled_distance(values: Floats, log_component: Floats) -> float:
    """The mean distance that raising a component to either power makes, per doubling of the power."""
    moved = [
        distance(values, smoothed((power - 1) * log_component)) / abs(np.log2(power)) for power in POWERS
    ]  # fmt: skip
    return float(np.mean(moved))


def distance(values: Floats, weights: Floats) -> float:
    r"""The cumulative Jensen-Shannon distance of draws from the same draws with weights, from 0 to 1.

    The larger of those of $x$ and $-x$ (Kallioinen and others 2023, section 2.4; Nguyen and Vreeken 2015).
    """
    order = np.argsort(values)
    apart, by_weight = np.diff(values[order]), weights[order]
    if not apart.sum() > 0:
        return 0.0
    plain = np.full(values.size, 1 / values.size)
    forwards = divergence(np.cumsum(plain)[:-1], np.cumsum(by_weight)[:-1], apart)
    backwards = divergence(np.cumsum(plain)[:-1], np.cumsum(by_weight[::-1])[:-1], apart[::-1])
    return float(np.sqrt(max(forwards, backwards, 0.0)))


def divergence(one: Floats, other: Floats, apart: Floats) -> float:
    """The symmetric cumulative Jensen-Shannon divergence of two distribution functions, as a share of its bound."""
    middle = (one + other) / 2
    total = sum(
        float((apart * each * np.log2(np.divide(each, middle, out=np.ones_like(each), where=each > 0))).sum())
        for each in (one, other)
    )
    return total / float((apart * (one + other)).sum())
