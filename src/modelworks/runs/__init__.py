"""The record: finished stages, runs, and what is known of how they came about. Disk, and no science.

A run is a folder that can be read with no server, no database and none of our software. It appears by one
rename and never changes afterwards. This room imports nothing of the others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.runs._cache import StageCache
    from modelworks.runs._fingerprint import fingerprint
    from modelworks.runs._log import Log
    from modelworks.runs._progress import Progress
    from modelworks.runs._provenance import provenance
    from modelworks.runs._run import Run
    from modelworks.runs._store import Store

_HOME = {
    "Log": "_log",
    "Progress": "_progress",
    "Run": "_run",
    "StageCache": "_cache",
    "Store": "_store",
    "fingerprint": "_fingerprint",
    "provenance": "_provenance",
}

__all__ = ["Log", "Progress", "Run", "StageCache", "Store", "fingerprint", "provenance"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
