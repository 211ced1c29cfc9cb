"""Likelihoods as routines: the same numbers as `likelihoods/`, without Python.

What does not depend on the prediction or on the argument is a constant of each point, worked out beforehand. Each
family here has one argument at most: the first of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, log1p

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from modelworks.calibration._observation import Observation
from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION
from modelworks.calibration.likelihoods._rising import SERIES_BELOW, SMALL
from modelworks.calibration.likelihoods.binomial import ROUND_OFF, log_ways
from modelworks.calibration.likelihoods.negative_binomial import SMALLEST_OVERDISPERSION
from modelworks.calibration.likelihoods.normal import LOG_ROOT_TWO_PI
from modelworks.model.routines import Real, Reals, Whole, Wholes, part

Array = NDArray[np.float64]

NORMAL, LOG_NORMAL, POISSON, BINOMIAL, NEGATIVE_BINOMIAL = range(5)
# What `point` finds: a log likelihood, and its derivatives by the prediction and by the argument.
VALUE, BY_PREDICTION, BY_ARGUMENT = range(3)
# What is kept of a step of `rising` from one point to the next.
STEP, SHIFT, UP_TO_SHIFT, SLOPE_UP_TO_SHIFT, GROWN, LATER_STEP = range(3, 9)
SCRATCH = 12
# From the shifted step on `rising` is a series.
MOST_SHIFTED = 1.0 / SERIES_BELOW

# The columns of a target's row; what begins with AT is where its points lie among all whole or real numbers.
KIND, POINTS, PLACE, AT_ARGUMENT, AT_MULTIPLIERS, AT_BEGINS, AT_ROWS = range(7)
AT_OBSERVED, AT_CONSTANTS, AT_WEIGHTS, AT_WEIGHT, COLUMNS = range(7, 12)


def total_and_slopes(
    target: Wholes,
    wholes: Wholes,
    reals: Reals,
    values: Reals,
    outputs: Reals,
    cotangent: Reals,
    by_value: Reals,
    found: Reals,
) -> Real:
    """The log likelihood of a target; adds its derivatives by outputs and values to the two arrays."""
    total, by_argument = 0.0, 0.0
    weight: Real = reals[target[AT_WEIGHT]]
    begins: Wholes = part(wholes, target[AT_BEGINS])
    rows: Wholes = part(wholes, target[AT_ROWS])
    weights: Reals = part(reals, target[AT_WEIGHTS])
    found[STEP] = -1.0
    for k in range(target[POINTS]):
        plain = 0.0
        for each in range(begins[k], begins[k + 1]):
            plain += weights[each] * outputs[rows[each]]
        factor = 1.0
        if target[AT_MULTIPLIERS] >= 0:
            factor = values[wholes[target[AT_MULTIPLIERS] + k]]
        argument = values[target[PLACE]] if target[PLACE] >= 0 else reals[target[AT_ARGUMENT] + k]
        point(target[KIND], reals[target[AT_OBSERVED] + k], factor * plain, argument, found)
        total += found[VALUE] + reals[target[AT_CONSTANTS] + k]
        by_argument += found[BY_ARGUMENT]
        slope = weight * found[BY_PREDICTION]
        if target[AT_MULTIPLIERS] >= 0:
            place = wholes[target[AT_MULTIPLIERS] + k]
            by_value[place] = by_value[place] + slope * plain
        for each in range(begins[k], begins[k + 1]):
            cotangent[rows[each]] = cotangent[rows[each]] + weights[each] * factor * slope
    if target[PLACE] >= 0:
        by_value[target[PLACE]] = by_value[target[PLACE]] + weight * by_argument
    return weight * total


def point(kind: Whole, observed: Real, predicted: Real, argument: Real, found: Reals) -> None:
    """The log likelihood of one observation without its constant, and its derivatives."""
    found[BY_ARGUMENT] = 0.0
    if kind == NORMAL:
        z = (observed - predicted) / argument
        found[VALUE] = -0.5 * z * z - log(argument)
        found[BY_PREDICTION] = z / argument
        found[BY_ARGUMENT] = (z * z - 1.0) / argument
    elif kind == LOG_NORMAL:
        median = max(predicted, SMALLEST_PREDICTION)
        z = log(observed / median) / argument
        # A prediction of nothing is impossible, though it has a slope.
        likely = (log(observed) - log(max(predicted, 0.0))) / argument
        found[VALUE] = -0.5 * likely * likely - log(argument)
        found[BY_PREDICTION] = z / (argument * median)
        found[BY_ARGUMENT] = (z * z - 1.0) / argument
    elif kind == POISSON:
        found[VALUE] = times_log(observed, max(predicted, 0.0)) - max(predicted, 0.0)
        found[BY_PREDICTION] = observed / max(predicted, SMALLEST_PREDICTION) - 1.0
    elif kind == BINOMIAL:
        binomial(observed, predicted, argument, found)
    else:
        negative_binomial(observed, predicted, argument, found)


def times_log(count: Real, x: Real) -> Real:
    """None of nothing is nothing."""
    return count * log(x) if count != 0.0 else 0.0 * x


def binomial(observed: Real, predicted: Real, trials: Real, found: Reals) -> None:
    inside = min(max(predicted, SMALLEST_PREDICTION), 1.0 - SMALLEST_PREDICTION)
    missed = trials - observed
    value = times_log(observed, max(predicted, 0.0))
    if missed != 0.0:
        value += missed * log1p(-min(max(predicted, 0.0), 1.0))
    if predicted > 1.0 + ROUND_OFF:
        value = log(0.0)
    found[VALUE] = value
    found[BY_PREDICTION] = observed / inside - missed / (1.0 - inside)


def negative_binomial(observed: Real, predicted: Real, overdispersion: Real, found: Reals) -> None:
    s = max(overdispersion, SMALLEST_OVERDISPERSION)
    if s != found[STEP]:
        begin_rising(s, found)
    rising(observed, found)
    mean, possible = max(predicted, SMALLEST_PREDICTION), max(predicted, 0.0)
    x = s * mean
    away = (observed - mean) / (1.0 + x)
    found[VALUE] = found[VALUE] + times_log(observed, possible) - (observed + 1.0 / s) * log1p(s * possible)
    found[BY_ARGUMENT] = found[BY_ARGUMENT] - mean * (mean * curvature(x) + away)
    found[BY_PREDICTION] = away / mean


# -- the sum that counts with extra scatter are made of ---------------------------------------------


def begin_rising(step: Real, kept: Reals) -> None:
    r"""What `rising` needs of a step.

    The sum of log(1 + s k) up to n, and from there on that of a smaller step, $s' = s / (1 + s n)$: for
    $1 + s (n + j) = (1 + s n)(1 + s' j)$. So the step of the series is always small.
    """
    total, slope, k = 0.0, 0.0, 0.0
    while (MOST_SHIFTED - k) * step > 1.0:
        total += log1p(step * k)
        slope += k / (1.0 + step * k)
        k += 1.0
    kept[STEP] = step
    kept[SHIFT] = k
    kept[UP_TO_SHIFT] = total
    kept[SLOPE_UP_TO_SHIFT] = slope
    kept[GROWN] = 1.0 + step * k
    kept[LATER_STEP] = step / (1.0 + step * k)


def rising(count: Real, kept: Reals) -> None:
    """R(count, step) of `likelihoods/_rising.py`, and its derivative by the step."""
    step, shift, grown, later = kept[STEP], kept[SHIFT], kept[GROWN], kept[LATER_STEP]
    total, slope = 0.0, 0.0
    if count < shift:
        k = 0.0
        while k < count:
            total += log1p(step * k)
            slope += k / (1.0 + step * k)
            k += 1.0
    else:
        rest = count - shift
        x = later * rest
        shrink, curved = 1.0 / (1.0 + x), curvature(x)
        series = (rest - 0.5) * log1p(x) - rest * x * curved + stirling(later * shrink) - stirling(later)
        of_series = rest * rest * curved - 0.5 * rest * shrink
        of_series += shrink * shrink * stirling_slope(later * shrink) - stirling_slope(later)
        total = kept[UP_TO_SHIFT] + rest * log(grown) + series
        slope = kept[SLOPE_UP_TO_SHIFT] + rest * shift / grown + of_series / (grown * grown)
    kept[VALUE] = total
    kept[BY_ARGUMENT] = slope


def curvature(x: Real) -> Real:
    """(x − log(1 + x)) / x², which is 1/2 at 0."""
    if x >= SMALL:
        return (x - log1p(x)) / (x * x)
    t = x / (2.0 + x)
    t2 = t * t
    rest = 1.0 / 3.0 + t2 * (1.0 / 5.0 + t2 * (1.0 / 7.0 + t2 * (1.0 / 9.0 + t2 * (1.0 / 11.0 + t2 / 13.0))))
    return 1.0 / (2.0 + x) - 2.0 * x * rest / ((2.0 + x) * (2.0 + x) * (2.0 + x))


def stirling(s: Real) -> Real:
    """What Stirling's formula leaves out of log Γ(1/s)."""
    s2 = s * s
    return s * (1.0 / 12.0 - s2 * (1.0 / 360.0 - s2 * (1.0 / 1260.0 - s2 / 1680.0)))


def stirling_slope(s: Real) -> Real:
    s2 = s * s
    return 1.0 / 12.0 - s2 * (1.0 / 120.0 - s2 * (1.0 / 252.0 - s2 / 240.0))


# -- from a study's targets ------------------------------------------------------------------------


# Of each family its kind, the name of its argument, and the constants of points.
_FAMILIES: dict[str, tuple[int, str | None, Callable[[Array, Array], Array]]] = {
    "normal": (NORMAL, "sd", lambda y, _: np.full(y.size, -LOG_ROOT_TWO_PI)),
    "log_normal": (LOG_NORMAL, "sigma", lambda y, _: -np.log(y) - LOG_ROOT_TWO_PI),
    "poisson": (POISSON, None, lambda y, _: -gammaln(y + 1.0)),
    "binomial": (BINOMIAL, "trials", log_ways),
    "negative_binomial": (NEGATIVE_BINOMIAL, "overdispersion", lambda y, _: -gammaln(y + 1.0)),
}


class Points:
    """The targets of a density laid out for routines: a row for each, and all whole and all real numbers."""

    def __init__(self, columns: int) -> None:
        self.rows: list[list[int]] = []
        self._columns = columns
        self._wholes: list[NDArray[np.int64]] = []
        self._reals: list[Array] = []

    @property
    def wholes(self) -> NDArray[np.int64]:
        return np.concatenate([*self._wholes, [0]]).astype(np.int64)

    @property
    def reals(self) -> Array:
        return np.concatenate([*self._reals, [0.0]])

    def add(self, observation: Observation) -> bool:
        """Lay out another target; says whether there are routines for it."""
        target = observation.target
        if target.likelihood not in _FAMILIES or observation.censored is not None:
            return False
        kind, name, constants = _FAMILIES[target.likelihood]
        observed, present = observation.observed, target.present
        place = observation.places.get(name, -1) if name is not None else -1
        given = observation.constants.get(name, 0.0) if name is not None else 0.0
        argument = np.broadcast_to(np.asarray(given, dtype=float), observed.shape)
        points, times = np.nonzero(target.weights[present])
        rows = times * self._columns + observation.columns[points]
        begins = np.searchsorted(points, np.arange(observed.size + 1))
        multipliers = observation.multipliers
        self.rows.append(
            [
                kind,
                observed.size,
                place,
                self._real(argument),
                -1 if multipliers is None else self._whole(multipliers[present]),
                self._whole(begins),
                self._whole(rows),
                self._real(observed),
                self._real(constants(observed, argument)),
                self._real(target.weights[present][points, times]),
                self._real(np.array([target.weight])),
            ]
        )
        return True

    def _whole(self, values: NDArray[np.int64]) -> int:
        self._wholes.append(values)
        return sum(each.size for each in self._wholes[:-1])

    def _real(self, values: Array) -> int:
        self._reals.append(values)
        return sum(each.size for each in self._reals[:-1])
