"""How an observation scatters around what the model predicts: one family a file.

Each member has two functions. `log_likelihood(observed, predicted, **arguments)` gives the log
likelihood of every point, and its derivative by the prediction and by each argument; the caller sums.
`sample(key, predicted, **arguments)` gives new observations.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from modelworks.errors import fail, near

FAMILIES = ("poisson", "negative_binomial", "normal", "log_normal", "binomial", "beta_binomial")


def likelihood(family: str) -> ModuleType:
    """The member of a name."""
    if family not in FAMILIES:
        fail("C103", f"there is no likelihood `{family}`", hint=near(family, FAMILIES))
    return importlib.import_module(f"{__name__}.{family}")
