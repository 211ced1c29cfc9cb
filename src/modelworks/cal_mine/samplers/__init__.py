"""Ways to draw from a log density: one file each, one interface.

`sample(density, start, *, chains, draws, warmup, key, cores, progress)` gives `Draws`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from modelworks.errors import fail, near

SAMPLERS = ("nuts", "demcz")


def sampler(name: str) -> ModuleType:
    """The member of a name."""
    if name not in SAMPLERS:
        fail("C108", f"there is no sampler `{name}`", hint=near(name, SAMPLERS))
    return importlib.import_module(f"{__name__}.{name}")
