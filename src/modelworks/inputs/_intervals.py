"""What a family's arguments are where a prior is stated by an interval: "95% between 3 and 7".

The interval is central: as much lies below it as above. Of a family that begins at 0 and has one
argument it begins at 0 as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelworks.errors import fail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Solve = Callable[[float, float, float], dict[str, float]]

# How far from the interval asked for the found one may lie, as a part of the probability.
EXACT = 1e-9


def _z(share: float) -> float:
    """So many standard deviations about the mean of a normal hold this share of it."""
    return NormalDist().inv_cdf((1.0 + share) / 2.0)


def _normal(share: float, low: float, high: float) -> dict[str, float]:
    return {"mean": (low + high) / 2.0, "sd": (high - low) / (2.0 * _z(share))}


def _log_normal(share: float, low: float, high: float) -> dict[str, float]:
    inside = _normal(share, math.log(low), math.log(high))
    return {"median": math.exp(inside["mean"]), "sigma": inside["sd"]}


def _logit_normal(share: float, low: float, high: float) -> dict[str, float]:
    inside = _normal(share, *(math.log(each) - math.log1p(-each) for each in (low, high)))
    return {"median": 1.0 / (1.0 + math.exp(-inside["mean"])), "sigma": inside["sd"]}


def _cauchy(share: float, low: float, high: float) -> dict[str, float]:
    return {"location": (low + high) / 2.0, "scale": (high - low) / (2.0 * math.tan(math.pi * share / 2.0))}


def _uniform(share: float, low: float, high: float) -> dict[str, float]:
    beyond = (high - low) * (1.0 / share - 1.0) / 2.0
    return {"lower": low - beyond, "upper": high + beyond}


def _log_uniform(share: float, low: float, high: float) -> dict[str, float]:
    inside = _uniform(share, math.log(low), math.log(high))
    return {name: math.exp(value) for name, value in inside.items()}


def _gamma(share: float, low: float, high: float) -> dict[str, float]:
    """The ratio of the two quantiles falls with the shape alone; the scale follows."""
    from scipy.optimize import brentq
    from scipy.special import gammaincinv

    below, above = (1.0 - share) / 2.0, (1.0 + share) / 2.0

    def excess(log_shape: float) -> float:
        shape = math.exp(log_shape)
        return float(math.log(gammaincinv(shape, above) / gammaincinv(shape, below)) - math.log(high / low))

    shape = math.exp(brentq(excess, math.log(0.02), math.log(1e8), xtol=1e-13))
    scale = high / float(gammaincinv(shape, above))
    return {"mean": shape * scale, "sd": math.sqrt(shape) * scale}


def _beta(share: float, low: float, high: float) -> dict[str, float]:
    """From the normal in the logit that has the interval, by Newton's method in the logarithms of both."""
    import numpy as np
    from scipy.optimize import root
    from scipy.special import betaincinv, expit, logit

    levels, wanted = [(1.0 - share) / 2.0, (1.0 + share) / 2.0], logit([low, high])
    start = _logit_normal(share, low, high)
    number = 1.0 / (start["sigma"] ** 2 * start["median"] * (1.0 - start["median"]))

    def excess(logarithms: NDArray[np.float64], /) -> NDArray[np.float64]:
        a, b = (math.exp(min(max(each, -5.0), 25.0)) for each in logarithms)
        return np.asarray(logit(betaincinv(a, b, levels)) - wanted)

    found = root(excess, [math.log(number * start["median"]), math.log(number * (1.0 - start["median"]))], tol=1e-12)
    a, b = (math.exp(each) for each in found.x)
    # Where the search went astray the interval is not met, and the caller is told.
    if abs(betaincinv(a, b, levels) - expit(wanted)).max() > EXACT * (high - low):
        raise ValueError("no such beta")
    return {"a": a, "b": b}


SOLVE: Mapping[str, Solve] = MappingProxyType(
    {
        "normal": _normal,
        "log_normal": _log_normal,
        "logit_normal": _logit_normal,
        "cauchy": _cauchy,
        "uniform": _uniform,
        "log_uniform": _log_uniform,
        "beta": _beta,
        "gamma": _gamma,
    }
)

# Those of one argument, a scale: by their quantile where the scale is 1.
SCALES: Mapping[str, tuple[str, Callable[[float], float]]] = MappingProxyType(
    {
        "half_normal": ("sd", _z),
        "half_cauchy": ("scale", lambda share: math.tan(math.pi * share / 2.0)),
        "exponential": ("mean", lambda share: -math.log1p(-share)),
    }
)


def arguments_of(family: str, share: float, low: float, high: float) -> dict[str, float]:
    """The arguments with which this share of a family lies between `low` and `high`.

    >>> {name: round(value, 3) for name, value in arguments_of("log_normal", 0.95, 3, 7).items()}
    {'median': 4.583, 'sigma': 0.216}

    Raises
    ------
    ModelworksError
        P117, where there is no such distribution.
    """
    said = f"{100 * share:g}% between {low:g} and {high:g}"
    if family in SCALES:
        name, quantile = SCALES[family]
        if low != 0 or high <= 0:
            fail("P117", f"`{family}` can not have {said}", hint=f"it begins at 0: write `{100 * share:g}%: [0, …]`")
        return {name: high / quantile(share)}
    try:
        if not low < high:
            raise ValueError("an empty interval")
        found = SOLVE[family](share, low, high)
    except (ValueError, OverflowError, ZeroDivisionError):
        fail(
            "P117",
            f"`{family}` can not have {said}",
            hint="the first number is below the second, and both lie where the family does",
        )
    return found
