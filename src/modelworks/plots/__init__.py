"""One figure a file: labelled data in, a Vega-Lite figure out; no disk, no run.

Each member is a module with a function `draw(...) -> Figure`: `plots.fit.draw(...)`. A new file here is found by
its name; `figures()` lists them all. Members are imported when they are used.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from modelworks.errors import fail, near
from modelworks.plots._drawn import drawn_rows
from modelworks.plots._figure import PAPER_SCALE, Figure
from modelworks.plots._rasterise import rasterise

__all__ = ["PAPER_SCALE", "Figure", "drawn_rows", "figure", "figures", "names", "rasterise"]


@functools.cache
def names() -> tuple[str, ...]:
    """The figures there are, by name; nothing is imported.

    >>> "fit" in names(), "_theme" in names()
    (True, False)
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def figure(name: str) -> Callable[..., Figure]:
    """The function that draws the figure of this name.

    >>> figure("fit").__module__
    'modelworks.plots.fit'
    """
    if name not in names():
        fail("G204", f"there is no figure `{name}`", hint=near(name, names()))
    draw: Callable[..., Figure] = importlib.import_module(f"{__name__}.{name}").draw
    return draw


def figures() -> dict[str, Callable[..., Figure]]:
    """Every figure's function by its name."""
    return {name: figure(name) for name in names()}


def __getattr__(name: str) -> Any:
    """`plots.fit` without importing it first."""
    if name in names():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
