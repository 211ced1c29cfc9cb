"""The reproduction number over time from incidence alone, before any model.

Cori, Ferguson, Fraser and Cauchemez 2013, Am J Epidemiol 178:1505, doi:10.1093/aje/kwt133: cases of day t are Poisson
with mean $R_t \\Lambda_t$, where $\\Lambda_t = \\sum_s w_s I_{t-s}$ and $w$ is the distribution of the serial interval.
With R constant within a window and a gamma prior, its posterior is a gamma distribution too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.errors import counted, fail

Array = NDArray[np.float64]

# Cases further back than this part of all serial intervals are left out.
NEGLIGIBLE = 1e-10


@dataclass(frozen=True)
class ReproductionNumbers:
    """The reproduction number in each window of days, a gamma distribution: all (window,).

    `first` and `last` are the window's days, counted from 0; `shape` and `scale` are dimensionless.
    """

    first: NDArray[np.intp]
    last: NDArray[np.intp]
    shape: Array
    scale: Array

    @property
    def mean(self) -> Array:
        """The posterior mean, shape (window,)."""
        return self.shape * self.scale

    @property
    def sd(self) -> Array:
        """The posterior standard deviation, shape (window,)."""
        return np.sqrt(self.shape) * self.scale

    def quantile(self, probability: float) -> Array:
        """A quantile of the posterior, shape (window,)."""
        from scipy.special import gammaincinv

        return np.asarray(self.scale * gammaincinv(self.shape, probability))

    def above_one(self) -> Array:
        """The probability that the epidemic is growing, shape (window,)."""
        from scipy.special import gammaincc

        return np.asarray(gammaincc(self.shape, 1.0 / self.scale))


def serial_interval(mean: float, sd: float, days: int | None = None) -> Array:
    """The shares of serial intervals of 0, 1, 2 … days, from a gamma distribution shifted by a day.

    Parameters
    ----------
    mean, sd : of the interval between the onsets of a case and of those it infects, in days
        Nobody infects on the day of their own onset, so the mean is above 1.
    days : the longest interval; where not given, until what is left is negligible

    Returns
    -------
    float array, shape (days + 1,)
        The web appendix 11 of Cori et al. 2013: both onsets fall evenly within their days.

    Raises
    ------
    ModelworksError
        C701: a mean of a day or less, or a spread that is not above zero.

    >>> serial_interval(2.6, 1.5)[:4].round(3).tolist()
    [0.0, 0.233, 0.359, 0.198]
    """
    from scipy.special import gammainc, gammainccinv

    if not (1 < mean < np.inf and 0 < sd < np.inf):
        fail(
            "C701",
            f"a serial interval of mean {mean:g} and sd {sd:g} days can not be",
            hint="give a mean above 1 day and an sd above 0, both in days, as in 2.6,1.5",
        )
    shape, scale = ((mean - 1) / sd) ** 2, sd**2 / (mean - 1)
    longest = int(np.ceil(scale * gammainccinv(shape, NEGLIGIBLE))) + 2 if days is None else days
    ends = np.maximum(np.arange(-2.0, longest + 1.0), 0.0)
    # The integral of the distribution function from 0; its second difference is what begins and ends within days.
    integral = ends * gammainc(shape, ends / scale) - shape * scale * gammainc(shape + 1, ends / scale)
    return np.asarray(np.maximum(np.diff(integral, 2), 0.0))


def reproduction_numbers(
    incidence: ArrayLike,
    intervals: ArrayLike,
    *,
    window: int = 7,
    prior_mean: float = 5.0,
    prior_sd: float = 5.0,
) -> ReproductionNumbers:
    """The reproduction number in every window of days, the first of which begins on the second day.

    Parameters
    ----------
    incidence : array, shape (day,), people per day, without a gap
    intervals : array, shape (lag,), the share of serial intervals of 0, 1, 2 … days, as `serial_interval` gives them
    window : days over which the reproduction number is taken as constant
    prior_mean, prior_sd : of the gamma prior; the default's is wide, and high so that an end is not seen too early

    Raises
    ------
    ModelworksError
        C701: shares that are none; C702: a count that is missing or below zero; C703: fewer days than a window and one.
    """
    cases, shares = np.asarray(incidence, dtype=float), np.asarray(intervals, dtype=float)
    _check(cases, shares, window)
    infectious = np.convolve(cases, shares)[: len(cases)]
    first = np.arange(1, len(cases) - window + 1)
    shape = (prior_mean / prior_sd) ** 2
    over = np.lib.stride_tricks.sliding_window_view(np.stack([cases, infectious])[:, 1:], window, axis=1).sum(axis=2)
    return ReproductionNumbers(first, first + window - 1, shape + over[0], 1.0 / (prior_mean / prior_sd**2 + over[1]))


def _check(cases: Array, shares: Array, window: int) -> None:
    if shares.size < 2 or shares[0] != 0 or not (shares >= 0).all() or abs(shares.sum() - 1) > 0.01:
        fail(
            "C701",
            "the shares of serial intervals are not those of 0, 1, 2 … days",
            hint="the first is 0, for nobody infects on the day of their own onset; all sum to one",
        )
    wrong = np.flatnonzero(~(cases >= 0))
    if wrong.size:
        what = "no count" if np.isnan(cases[wrong[0]]) else f"a count of {cases[wrong[0]]:g}"
        fail(
            "C702",
            f"day {wrong[0] + 1} has {what}, and {counted(wrong.size, 'day')} in all can not be used",
            hint="a missing count is not zero: begin after it, or fill it by hand where it is known; a correction "
            "below zero belongs to the days it corrects",
        )
    if window < 1 or len(cases) < window + 1:
        fail(
            "C703",
            f"{counted(len(cases), 'day')} of incidence are too few for a window of {counted(window, 'day')}",
            hint="a window of one day or more needs as many days of incidence and one before: take a shorter window",
        )
