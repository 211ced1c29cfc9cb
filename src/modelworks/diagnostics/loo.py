"""How well a model foretells each observation from all the others, without calibrating again.

Vehtari, Gelman and Gabry 2017, "Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC"
(doi:10.1007/s11222-016-9696-4), with the smoothed weights of `pareto`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics.pareto import pareto_k, smoothed
from modelworks.errors import fail

Floats = NDArray[np.float64]

# Above this an observation's own term can not be trusted (Vehtari and others 2024, JMLR 25(72), section 3.2.4).
LARGEST_K = 0.7
# So many points make the normal approximation of a difference fair, and so small a difference is none
# (Sivula, Magnusson, Matamoros and Vehtari 2020, arXiv:2008.10296).
FEWEST_POINTS = 100
SMALLEST_DIFFERENCE = 4.0


@dataclass(frozen=True, slots=True)
class Loo:
    """Leave-one-out cross-validation: `pointwise` log predictive densities (point,), and the tail index `k` of each."""

    pointwise: Floats
    k: Floats

    @property
    def elpd(self) -> float:
        """The expected log predictive density of all the points: the larger, the better foretold."""
        return float(self.pointwise.sum())

    @property
    def se(self) -> float:
        """Its standard error."""
        return standard_error(self.pointwise)

    @property
    def doubtful(self) -> int:
        """For how many points the draws can not say what leaving them out would change."""
        return int((self.k > LARGEST_K).sum())


@dataclass(frozen=True, slots=True)
class LooDifference:
    """By how much the second of two models foretells the same observations better, in log density."""

    elpd: float
    se: float
    points: int
    doubtful: int

    @property
    def in_words(self) -> str:
        """Which of the two foretells better, and how sure that is."""
        told = f"{abs(self.elpd):.1f} ± {self.se:.1f} of log density over {self.points} observations"
        if abs(self.elpd) < max(SMALLEST_DIFFERENCE, 2 * self.se):
            said = f"neither foretells the data clearly better ({told})"
        else:
            said = f"the {'second' if self.elpd > 0 else 'first'} foretells the data better ({told})"
        if self.doubtful:
            said += f"; the draws can not say it surely of {self.doubtful} of them"
        elif self.points < FEWEST_POINTS:
            said += "; of so few observations the error is itself uncertain"
        return said


def loo(log_likelihood: ArrayLike) -> Loo:
    """The log predictive density of each point given the others.

    Parameters
    ----------
    log_likelihood : float array, shape (sample, point)
        Of each observation under each posterior draw; points without an observation are left out beforehand.

    >>> even = np.log(np.full((400, 3), 0.25))
    >>> bool(np.isclose(loo(even).elpd, 3 * np.log(0.25)))
    True
    """
    values = np.asarray(log_likelihood, dtype=np.float64)
    with np.errstate(divide="ignore"):  # a weight may be too small for a float
        pointwise = [float(np.logaddexp.reduce(np.log(smoothed(-point)) + point)) for point in values.T]
    return Loo(np.array(pointwise), point_k(values))


def point_k(log_likelihood: ArrayLike) -> Floats:
    """The tail index of the weights that take each point out, shape (point,); minus infinity of what is no number."""
    values = np.asarray(log_likelihood, dtype=np.float64)
    values = np.where(np.isfinite(values).all(axis=0), values, 0.0)
    return np.array([pareto_k(-point) for point in values.T], dtype=np.float64)


def difference(before: Loo, after: Loo) -> LooDifference:
    """How much better `after` foretells the same points in the same order.

    Raises
    ------
    ModelworksError
        G104, for another number of points.
    """
    if before.pointwise.shape != after.pointwise.shape:
        fail(
            "G104",
            f"one model has {before.pointwise.size} observations and the other {after.pointwise.size}",
            hint="compare models that were calibrated to the same data",
        )
    gap = after.pointwise - before.pointwise
    doubtful = int(((before.k > LARGEST_K) | (after.k > LARGEST_K)).sum())
    return LooDifference(float(gap.sum()), standard_error(gap), gap.size, doubtful)


def standard_error(terms: Floats) -> float:
    """Of a sum of so many terms, from their own spread."""
    return float(np.sqrt(terms.size * terms.var(ddof=1))) if terms.size > 1 else float("inf")
