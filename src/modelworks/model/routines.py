"""Machine code of one's own around a model: plain Python that becomes a kernel, and a run that it can make.

A routine is annotated with the kinds below; what else it may hold says `backends/_routines.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from modelworks.model.backends._addresses import called, give_back, reals_at, taken, wholes_at
from modelworks.model.backends._cache import Library, compile_module
from modelworks.model.backends._native_run import NativeRun, run_backward, run_forward
from modelworks.model.backends._routines import Real, Reals, Routines, Truth, Whole, Wholes, part

__all__ = [
    "Library",
    "NativeRun",
    "Real",
    "Reals",
    "Truth",
    "Whole",
    "Wholes",
    "called",
    "compiled",
    "give_back",
    "part",
    "reals_at",
    "run_backward",
    "run_forward",
    "taken",
    "wholes_at",
]


def compiled(routine: Callable[..., Any]) -> Library:
    """A routine and all it calls as machine code, in which it is found by its name."""
    module = ir.Module(name=routine.__name__)
    Routines(module, {}).function(routine, exported=True)
    return compile_module(str(module))
