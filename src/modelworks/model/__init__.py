"""How a disease moves: declared in the field's words, compiled to a native kernel, run in milliseconds.

The declaration (`Model`, `Infection`, `Transition`, …) costs nothing to import; the compiler is
loaded when a model first runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.model._accuracy import (
        Accuracy,
        difference,
        halved_runs,
        longest_stable_step,
        measure_error,
        settle_step,
    )
    from modelworks.model._column import OutputColumn
    from modelworks.model._compiled import CompiledModel, output_columns
    from modelworks.model._contacts import (
        adapted_contacts,
        diary_contacts,
        place_contacts,
        rebanded_contacts,
        reciprocal_contacts,
    )
    from modelworks.model._declaration import (
        Contacts,
        Entry,
        Exit,
        Infection,
        Move,
        Output,
        Pool,
        Pulse,
        Setting,
        Stratification,
        Transition,
    )
    from modelworks.model._delayed import Delay, delayed, lasting
    from modelworks.model._diagram import diagram
    from modelworks.model._equilibrium import Equilibrium, equilibrium
    from modelworks.model._expression import (
        Expression,
        Parameter,
        Time,
        amount,
        by,
        cos,
        events,
        exp,
        leaving,
        log,
        maximum,
        minimum,
        people,
        seasonal,
        smooth_change,
        smooth_step,
        sqrt,
        table,
    )
    from modelworks.model._function import FunctionModel, FunctionOutput, FunctionRuns
    from modelworks.model._interventions import closures, micro_distancing, mobility
    from modelworks.model._known_runs import KnownRuns
    from modelworks.model._many import run_in_blocks, run_many, runs_in_block, simulate_many
    from modelworks.model._model import Model
    from modelworks.model._particle_filter import Filtered, filter_particles, particle_filter
    from modelworks.model._particles import Particles
    from modelworks.model._reparameterise import (
        infections_per_rate,
        reproduction_number_from_growth,
        reproduction_number_from_interval,
    )
    from modelworks.model._reproduction import (
        basic_reproduction_number,
        basic_reproduction_numbers,
        effective_reproduction_number,
        effective_reproduction_numbers,
    )
    from modelworks.model._scaled import with_reproduction_number
    from modelworks.model._simulate import Outputs, simulate
    from modelworks.model._stochastic import StochasticModel, simulate_stochastic
    from modelworks.model._written import Written, written_numbers
    from modelworks.model.backends._cache import kernel_folder
    from modelworks.model.backends._native_run import NativeRun
    from modelworks.model.backends.jax import jax_function

_WHERE = {
    "_accuracy": ("Accuracy", "difference", "halved_runs", "longest_stable_step", "measure_error", "settle_step"),
    "_column": ("OutputColumn",),
    "_compiled": ("CompiledModel", "output_columns"),
    "_contacts": (
        "adapted_contacts",
        "diary_contacts",
        "place_contacts",
        "rebanded_contacts",
        "reciprocal_contacts",
    ),
    "_declaration": (
        "Contacts",
        "Entry",
        "Exit",
        "Infection",
        "Move",
        "Output",
        "Pool",
        "Pulse",
        "Setting",
        "Stratification",
        "Transition",
    ),
    "_delayed": ("Delay", "delayed", "lasting"),
    "_diagram": ("diagram",),
    "_equilibrium": ("Equilibrium", "equilibrium"),
    "_expression": (
        "Expression",
        "Parameter",
        "Time",
        "amount",
        "by",
        "cos",
        "events",
        "exp",
        "leaving",
        "log",
        "maximum",
        "minimum",
        "people",
        "seasonal",
        "smooth_change",
        "smooth_step",
        "sqrt",
        "table",
    ),
    "_function": ("FunctionModel", "FunctionOutput", "FunctionRuns"),
    "_interventions": ("closures", "micro_distancing", "mobility"),
    "_known_runs": ("KnownRuns",),
    "_many": ("run_in_blocks", "run_many", "runs_in_block", "simulate_many"),
    "_model": ("Model",),
    "_particle_filter": ("Filtered", "filter_particles", "particle_filter"),
    "_particles": ("Particles",),
    "_reparameterise": (
        "infections_per_rate",
        "reproduction_number_from_growth",
        "reproduction_number_from_interval",
    ),
    "_reproduction": (
        "basic_reproduction_number",
        "basic_reproduction_numbers",
        "effective_reproduction_number",
        "effective_reproduction_numbers",
    ),
    "_scaled": ("with_reproduction_number",),
    "_simulate": ("Outputs", "simulate"),
    "_stochastic": ("StochasticModel", "simulate_stochastic"),
    "_written": ("Written", "written_numbers"),
    "backends._cache": ("kernel_folder",),
    "backends._native_run": ("NativeRun",),
    "backends.jax": ("jax_function",),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "Accuracy",
    "CompiledModel",
    "Contacts",
    "Delay",
    "Entry",
    "Equilibrium",
    "Exit",
    "Expression",
    "Filtered",
    "FunctionModel",
    "FunctionOutput",
    "FunctionRuns",
    "Infection",
    "KnownRuns",
    "Model",
    "Move",
    "NativeRun",
    "Output",
    "OutputColumn",
    "Outputs",
    "Parameter",
    "Particles",
    "Pool",
    "Pulse",
    "Setting",
    "StochasticModel",
    "Stratification",
    "Time",
    "Transition",
    "Written",
    "adapted_contacts",
    "amount",
    "basic_reproduction_number",
    "basic_reproduction_numbers",
    "by",
    "closures",
    "cos",
    "delayed",
    "diagram",
    "diary_contacts",
    "difference",
    "effective_reproduction_number",
    "effective_reproduction_numbers",
    "equilibrium",
    "events",
    "exp",
    "filter_particles",
    "halved_runs",
    "infections_per_rate",
    "jax_function",
    "kernel_folder",
    "lasting",
    "leaving",
    "log",
    "longest_stable_step",
    "maximum",
    "measure_error",
    "micro_distancing",
    "minimum",
    "mobility",
    "output_columns",
    "particle_filter",
    "people",
    "place_contacts",
    "rebanded_contacts",
    "reciprocal_contacts",
    "reproduction_number_from_growth",
    "reproduction_number_from_interval",
    "run_in_blocks",
    "run_many",
    "runs_in_block",
    "seasonal",
    "settle_step",
    "simulate",
    "simulate_many",
    "simulate_stochastic",
    "smooth_change",
    "smooth_step",
    "sqrt",
    "table",
    "with_reproduction_number",
    "written_numbers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
