"""How far an observation may lie from what the model predicts for it.

One file for each family; `_likelihood.py` says what a family can do. A family is loaded when it is first
asked for, as all of them stand on `scipy.special`.
"""

from __future__ import annotations

import importlib

from modelworks.calibration.likelihoods._likelihood import Array, Likelihood, Range, Slopes
from modelworks.errors import fail, near

FAMILIES = (
    "poisson",
    "negative_binomial",
    "normal",
    "log_normal",
    "binomial",
    "beta_binomial",
    "multinomial",
    "dirichlet_multinomial",
    "exact",
)

__all__ = ["FAMILIES", "Likelihood", "Range", "Slopes", "likelihood", "slopes_below"]


def likelihood(name: str) -> Likelihood:
    """The family of a name; C201 with the near names where there is none.

    >>> list(likelihood("negative_binomial").arguments)
    ['overdispersion']
    """
    if name not in FAMILIES:
        fail("C201", f"`{name}` is not a likelihood", hint=near(name, FAMILIES))
    found = getattr(importlib.import_module(f"{__name__}.{name}"), name.upper())
    if not isinstance(found, Likelihood):
        raise TypeError(f"{name}.{name.upper()} is not a Likelihood")
    return found


def slopes_below(family: Likelihood, *, limits: Array, predicted: Array, **arguments: float | Array) -> Slopes:
    """`slopes` of a family for observations of which it is only known that they lie below `limits`."""
    from modelworks.calibration.likelihoods import _below

    return _below.slopes_below(family, limits=limits, predicted=predicted, **arguments)
