"""Observations of which it is only known that they lie below a limit: "fewer than 5", "not detected"."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import log_ndtr

from modelworks.calibration.likelihoods._likelihood import Array, Likelihood, Slopes

LOG_ROOT_TWO_PI = 0.5 * float(np.log(2.0 * np.pi))

# The standardised limit of each point, and its derivatives by the prediction and by the one argument.
Standardised = Callable[[Array, Array, "float | Array"], tuple[Array, Array, Array]]


def slopes_below(family: Likelihood, *, limits: Array, predicted: Array, **arguments: float | Array) -> Slopes:
    """Log probability of each point (…, point) that an observation lies below its limit, with its derivatives."""
    if family.below is not None:
        return family.below(limits=limits, predicted=predicted, **arguments)
    shape = np.broadcast_shapes(limits.shape, predicted.shape)
    flat = {name: np.broadcast_to(value, shape).reshape(-1) for name, value in arguments.items()}
    found = _of_counts(family, np.broadcast_to(limits, shape).reshape(-1), predicted.reshape(-1), flat)
    by_argument = {name: slope.reshape(shape) for name, slope in found.by_argument.items()}
    return Slopes(found.log_likelihood.reshape(shape), found.by_prediction.reshape(shape), by_argument)


def _of_counts(family: Likelihood, limits: Array, predicted: Array, arguments: dict[str, Array]) -> Slopes:
    """A count below 5 is 0 or 1 or 2 or 3 or 4: the probabilities add up."""
    sizes = limits.astype(np.intp)
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    point = np.repeat(np.arange(sizes.size), sizes)
    counts = np.arange(point.size, dtype=np.float64) - begins[point]
    each = family.slopes(
        observed=counts, predicted=predicted[point], **{name: value[point] for name, value in arguments.items()}
    )
    total = np.logaddexp.reduceat(each.log_likelihood, begins)
    # Where every count is impossible there is no share of any; the slope there is that of the first.
    shares = np.where(np.isfinite(total[point]), np.exp(each.log_likelihood - total[point]), counts == 0)

    def mean(slopes: Array) -> Array:
        return np.add.reduceat(np.where(shares > 0, shares * slopes, 0.0), begins)

    return Slopes(total, mean(each.by_prediction), {name: mean(slope) for name, slope in each.by_argument.items()})


def of_standardised(name: str, standardised: Standardised) -> Callable[..., Slopes]:
    """`below` of a family that is normal once standardised, with one argument `name`."""

    def below(*, limits: Array, predicted: Array, **arguments: float | Array) -> Slopes:
        z, by_prediction, by_argument = standardised(limits, predicted, arguments[name])
        value = log_ndtr(z)
        # The density over the probability below, which never overflows in this form.
        slope = np.exp(-0.5 * z * z - LOG_ROOT_TWO_PI - value)
        return Slopes(value, slope * by_prediction, {name: slope * by_argument})

    return below
