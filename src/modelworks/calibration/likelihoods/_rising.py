r"""The sum that counts with extra scatter are made of, and its derivative.

$$R(y, s) = \sum_{k=0}^{y-1} \log(1 + s k) = \log\Gamma(y + 1/s) - \log\Gamma(1/s) + y \log s$$

At $s = 0$ it is 0, and a negative binomial becomes a Poisson, a beta-binomial a binomial. Near there the
difference of the two log-gammas has no digits left (at $s = 10^{-9}$ it is wrong by several units), so for
small $s$ both are expanded by Stirling's series and what cancels is cancelled on paper.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

Array = NDArray[np.float64]

# From here on the argument of the log-gamma is below 20 and nothing cancels; below it, four terms of
# Stirling's series are right to 2e-15.
SERIES_BELOW = 0.05

# Up to this x the series of x − log(1 + x) needs six terms; beyond it the difference itself is good to 14 digits.
SMALL = 0.1


def log_rising(count: Array, step: Array | float) -> Array:
    """R(count, step), in the shape of `count`.

    >>> log_rising(np.array([0.0, 1.0, 3.0]), 0.5).round(6).tolist()  # log 1 + log 1.5 + log 2
    [0.0, 0.0, 1.098612]
    """
    return _by_size(count, step, _series, _gammas)


def log_rising_slope(count: Array, step: Array | float) -> Array:
    """Its derivative by `step`: the sum of k / (1 + step k)."""
    return _by_size(count, step, _series_slope, _gammas_slope)


def curvature(x: Array) -> Array:
    """(x − log(1 + x)) / x², which is 1/2 at 0.

    >>> curvature(np.array([0.0, 1.0])).round(6).tolist()
    [0.5, 0.306853]
    """
    if x.min(initial=np.inf) >= SMALL:
        return np.asarray((x - np.log1p(x)) / (x * x))
    small = x < SMALL
    # log(1 + x) = 2 artanh(t) with t = x / (2 + x), whose series in t² converges at once.
    near = np.where(small, x, 0.0)
    t2 = (near / (2.0 + near)) ** 2
    rest = 1 / 3 + t2 * (1 / 5 + t2 * (1 / 7 + t2 * (1 / 9 + t2 * (1 / 11 + t2 / 13))))
    series = 1.0 / (2.0 + near) - 2.0 * near * rest / (2.0 + near) ** 3
    if small.all():
        return np.asarray(series)
    far = np.where(small, 1.0, x)
    return np.where(small, series, (far - np.log1p(far)) / (far * far))


def _by_size(
    count: Array,
    step: Array | float,
    small: Callable[[Array, Array | float], Array],
    large: Callable[[Array, Array | float], Array],
) -> Array:
    """Each point by the form that is exact for its step; one form alone where all points want it."""
    if isinstance(step, float):
        return small(count, step) if step < SERIES_BELOW else large(count, step)
    is_small = np.asarray(step) < SERIES_BELOW
    if is_small.all():
        return small(count, step)
    if not is_small.any():
        return large(count, step)
    inside = small(count, np.where(is_small, step, 0.0))
    return np.where(is_small, inside, large(count, np.where(is_small, 1.0, step)))


def _gammas(count: Array, step: Array | float) -> Array:
    inverse = 1.0 / step
    return np.asarray(gammaln(count + inverse) + (count * np.log(step) - gammaln(inverse)))


def _gammas_slope(count: Array, step: Array | float) -> Array:
    inverse = 1.0 / step
    return np.asarray(count * inverse - inverse * inverse * (digamma(count + inverse) - digamma(inverse)))


def _series(count: Array, step: Array | float) -> Array:
    x = step * count
    return np.asarray(
        (count - 0.5) * np.log1p(x) - count * x * curvature(x) + _stirling(step / (1.0 + x)) - _stirling(step)
    )


def _series_slope(count: Array, step: Array | float) -> Array:
    x = step * count
    shrink = 1.0 / (1.0 + x)
    return np.asarray(
        count * count * curvature(x)
        - 0.5 * count * shrink
        + shrink * shrink * _stirling_slope(step * shrink)
        - _stirling_slope(step)
    )


def _stirling(s: Array | float) -> Array | float:
    """What Stirling's formula leaves out of log Γ(1/s)."""
    s2 = s * s
    return s * (1 / 12 - s2 * (1 / 360 - s2 * (1 / 1260 - s2 / 1680)))


def _stirling_slope(s: Array | float) -> Array | float:
    s2 = s * s
    return 1 / 12 - s2 * (1 / 120 - s2 * (1 / 252 - s2 / 240))
