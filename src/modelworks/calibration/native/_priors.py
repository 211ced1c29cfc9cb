"""Priors and their maps from the real line, as routines: the same numbers as `priors/`, without Python.

Thirteen families are six shapes, up to a constant that is taken from the family itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erfc, exp, log, log1p
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks.calibration.priors import (
    beta,
    cauchy,
    exponential,
    gamma,
    half_cauchy,
    half_normal,
    log_normal,
    log_uniform,
    logit_normal,
    normal,
    student_t,
    truncated_normal,
    uniform,
)
from modelworks.calibration.priors._bijection import (
    LOG_ROOT_TWO_PI,
    ROOT_TWO,
    Above,
    Below,
    Between,
    BetweenLogarithms,
    Evenly,
    Identity,
)
from modelworks.model.routines import Real, Reals, Whole

if TYPE_CHECKING:
    from modelworks.calibration.priors import Prior

# -- from the line ---------------------------------------------------------------------------------

IDENTITY, ABOVE, BELOW, BETWEEN, EVENLY, BETWEEN_LOGARITHMS = range(6)
_MAPS: dict[type, tuple[int, tuple[str, ...]]] = {
    Identity: (IDENTITY, ()),
    Above: (ABOVE, ("lower",)),
    Below: (BELOW, ("upper",)),
    Between: (BETWEEN, ("lower", "upper")),
    Evenly: (EVENLY, ("lower", "upper")),
    BetweenLogarithms: (BETWEEN_LOGARITHMS, ("lower", "upper")),
}
# What a map finds: `priors._bijection.Image` in order.
VALUE, SLOPE, LOG_JACOBIAN, LOG_JACOBIAN_SLOPE = range(4)


def from_line(kind: Whole, one: Real, two: Real, u: Real, image: Reals) -> None:
    """The image of a point of the line; not a number, or infinite, where it is too far out."""
    if kind == IDENTITY:
        image[VALUE] = u
        image[SLOPE] = 1.0
        image[LOG_JACOBIAN] = 0.0
        image[LOG_JACOBIAN_SLOPE] = 0.0
    elif kind == ABOVE:
        image[SLOPE] = exp(u)
        image[VALUE] = one + image[SLOPE]
        image[LOG_JACOBIAN] = u
        image[LOG_JACOBIAN_SLOPE] = 1.0
    elif kind == BELOW:
        image[SLOPE] = exp(-u)
        image[VALUE] = one - image[SLOPE]
        image[LOG_JACOBIAN] = -u
        image[LOG_JACOBIAN_SLOPE] = -1.0
    elif kind == BETWEEN:
        tail = exp(-abs(u))
        near = tail / (1.0 + tail)
        rise = 1.0 - 2.0 * near
        image[VALUE] = two - (two - one) * near if u > 0.0 else one + (two - one) * near
        image[SLOPE] = (two - one) * near / (1.0 + tail)
        image[LOG_JACOBIAN] = log(two - one) - abs(u) - 2.0 * log1p(tail)
        image[LOG_JACOBIAN_SLOPE] = -rise if u > 0.0 else rise
    elif kind == EVENLY:
        evenly(one, two, u, image)
    else:
        evenly(log(one), log(two), u, image)
        value = min(max(exp(image[VALUE]), one), two)
        image[LOG_JACOBIAN] = image[VALUE] + image[LOG_JACOBIAN]
        image[LOG_JACOBIAN_SLOPE] = image[SLOPE] + image[LOG_JACOBIAN_SLOPE]
        image[SLOPE] = value * image[SLOPE]
        image[VALUE] = value


def evenly(lower: Real, upper: Real, u: Real, image: Reals) -> None:
    """By the quantiles of a normal."""
    width = upper - lower
    near = 0.5 * width * erfc(abs(u) / ROOT_TWO)
    log_rise = -0.5 * u * u - LOG_ROOT_TWO_PI
    image[VALUE] = upper - near if u > 0.0 else lower + near
    image[SLOPE] = width * exp(log_rise)
    image[LOG_JACOBIAN] = log(width) + log_rise
    image[LOG_JACOBIAN_SLOPE] = -u


# -- densities -------------------------------------------------------------------------------------

NORMAL, LOG_NORMAL, GAMMA, BETA, STUDENT, LOGIT_NORMAL = range(6)
# Of each family its shape, and the shape's two or three arguments.
_SHAPES: dict[type, tuple[int, Callable[[Any], tuple[float, ...]]]] = {
    normal.Normal: (NORMAL, lambda it: (it.mean, it.sd)),
    truncated_normal.TruncatedNormal: (NORMAL, lambda it: (it.mean, it.sd)),
    half_normal.HalfNormal: (NORMAL, lambda it: (0.0, it.sd)),
    log_normal.LogNormal: (LOG_NORMAL, lambda it: (it.median, it.sigma)),
    gamma.Gamma: (GAMMA, lambda it: (it.shape, 1.0 / it.scale)),
    exponential.Exponential: (GAMMA, lambda it: (1.0, 1.0 / it.mean)),
    uniform.Uniform: (GAMMA, lambda _: (1.0, 0.0)),
    log_uniform.LogUniform: (GAMMA, lambda _: (0.0, 0.0)),
    beta.Beta: (BETA, lambda it: (it.a, it.b)),
    student_t.StudentT: (STUDENT, lambda it: (it.location, it.scale, it.df)),
    cauchy.Cauchy: (STUDENT, lambda it: (it.location, it.scale, 1.0)),
    half_cauchy.HalfCauchy: (STUDENT, lambda it: (0.0, it.scale, 1.0)),
    logit_normal.LogitNormal: (LOGIT_NORMAL, lambda it: (it.median, it.sigma)),
}


def log_shape(kind: Whole, one: Real, two: Real, three: Real, x: Real) -> Real:
    """The logarithm of a density without what does not depend on x."""
    if kind == NORMAL:
        z = (x - one) / two
        return -0.5 * z * z
    if kind == LOG_NORMAL:
        z = log(x / one) / two
        return -0.5 * z * z - log(x)
    if kind == GAMMA:
        return ((one - 1.0) * log(x) if one != 1.0 else 0.0) - two * x
    if kind == BETA:
        return (one - 1.0) * log(x) + (two - 1.0) * log1p(-x)
    if kind == STUDENT:
        z = (x - one) / two
        return -0.5 * (three + 1.0) * log1p(z * z / three)
    z = (log_odds(x) - log_odds(one)) / two
    return -0.5 * z * z - log(x) - log1p(-x)


def slope_of_shape(kind: Whole, one: Real, two: Real, three: Real, x: Real) -> Real:
    """Its derivative by x."""
    if kind == NORMAL:
        return (one - x) / (two * two)
    if kind == LOG_NORMAL:
        return -(log(x / one) / (two * two) + 1.0) / x
    if kind == GAMMA:
        return ((one - 1.0) / x if one != 1.0 else 0.0) - two
    if kind == BETA:
        return (one - 1.0) / x - (two - 1.0) / (1.0 - x)
    if kind == STUDENT:
        away = x - one
        return -(three + 1.0) * away / (three * two * two + away * away)
    return (2.0 * x - 1.0 - (log_odds(x) - log_odds(one)) / (two * two)) / (x * (1.0 - x))


def log_odds(x: Real) -> Real:
    return log(x) - log1p(-x)


# -- from a study's priors -------------------------------------------------------------------------


def row_of(prior: Prior) -> tuple[tuple[int, int], tuple[float, ...]] | None:
    """A prior's kinds, of map and shape, and its numbers: two of the map, three of the shape, the constant."""
    map_, family = prior.bijection, prior.distribution
    if type(map_) not in _MAPS or type(family) not in _SHAPES:
        return None
    map_kind, ends = _MAPS[type(map_)]
    shape, arguments = _SHAPES[type(family)]
    of_map = (*(getattr(map_, end) for end in ends), 0.0, 0.0)[:2]
    one, two, three = (*arguments(family), 0.0)[:3]
    middle = float(prior.quantile(np.float64(0.5)))
    constant = family.log_density(middle) - log_shape(shape, one, two, three, middle)
    return (map_kind, shape), (*of_map, one, two, three, constant)
