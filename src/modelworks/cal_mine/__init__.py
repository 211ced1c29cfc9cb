"""From priors, targets and a model to draws of the posterior.

`LogDensity` joins them; `calibrate` draws; `Posterior` is what comes out, in ArviZ's layout.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.cal_mine._calibrate import Settings, calibrate
    from modelworks.cal_mine._density import LogDensity, Target
    from modelworks.cal_mine._posterior import Posterior
    from modelworks.cal_mine._simulator import Simulator
    from modelworks.cal_mine.priors import Prior

_HOME = {
    "LogDensity": "_density",
    "Posterior": "_posterior",
    "Prior": "priors",
    "Settings": "_calibrate",
    "Simulator": "_simulator",
    "Target": "_density",
    "calibrate": "_calibrate",
}

__all__ = ["LogDensity", "Posterior", "Prior", "Settings", "Simulator", "Target", "calibrate"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
