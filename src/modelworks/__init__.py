"""modelworks: from a disease model in a file to a result someone signs.

The door, in the order of the work: declare a model, run it, read a study, calibrate, judge, keep the
record. Everything is imported when it is first used, so `import modelworks` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.calibration import Posterior, calibrate
    from modelworks.client import connect
    from modelworks.diagnostics import Diagnosis, diagnose
    from modelworks.errors import ModelworksError, explain
    from modelworks.inputs import read_study
    from modelworks.model import (
        CompiledModel,
        Contacts,
        Entry,
        Exit,
        Infection,
        Model,
        Move,
        Output,
        Outputs,
        Parameter,
        Pulse,
        Setting,
        Stratification,
        Time,
        Transition,
        by,
        events,
        exp,
        log,
        maximum,
        minimum,
        particle_filter,
        people,
        seasonal,
        simulate,
        simulate_stochastic,
        smooth_change,
        smooth_step,
        table,
    )
    from modelworks.runs import Run, Store
    from modelworks.study import run_study

__version__ = "0.1.0"

_HOME = {
    # declare
    "Model": "model",
    "Parameter": "model",
    "Pulse": "model",
    "Infection": "model",
    "Transition": "model",
    "Move": "model",
    "Entry": "model",
    "Exit": "model",
    "Stratification": "model",
    "Contacts": "model",
    "Setting": "model",
    "Output": "model",
    "people": "model",
    "events": "model",
    "by": "model",
    "table": "model",
    "seasonal": "model",
    "smooth_change": "model",
    "smooth_step": "model",
    "Time": "model",
    "exp": "model",
    "log": "model",
    "maximum": "model",
    "minimum": "model",
    # run
    "simulate": "model",
    "simulate_stochastic": "model",
    "particle_filter": "model",
    "Outputs": "model",
    "CompiledModel": "model",
    # study, calibrate, judge
    "read_study": "inputs",
    "run_study": "study",
    "calibrate": "calibration",
    "Posterior": "calibration",
    "diagnose": "diagnostics",
    "Diagnosis": "diagnostics",
    # keep
    "Store": "runs",
    "Run": "runs",
    "connect": "client",
    # when something is wrong
    "ModelworksError": "errors",
    "explain": "errors",
}

__all__ = [
    "CompiledModel",
    "Contacts",
    "Diagnosis",
    "Entry",
    "Exit",
    "Infection",
    "Model",
    "ModelworksError",
    "Move",
    "Output",
    "Outputs",
    "Parameter",
    "Posterior",
    "Pulse",
    "Run",
    "Setting",
    "Store",
    "Stratification",
    "Time",
    "Transition",
    "__version__",
    "by",
    "calibrate",
    "connect",
    "diagnose",
    "events",
    "exp",
    "explain",
    "log",
    "maximum",
    "minimum",
    "particle_filter",
    "people",
    "read_study",
    "run_study",
    "seasonal",
    "simulate",
    "simulate_stochastic",
    "smooth_change",
    "smooth_step",
    "table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
