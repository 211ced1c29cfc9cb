"""Models ready to use and to extend; each file is one model and says what it assumes.

A model's file holds a function of the file's own name, which makes it, and an `EXAMPLE`: values of its parameters
that mean something, for trying it out. Whatever file is put here is found by its name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from modelworks.errors import fail, near
from modelworks.model._model import Model
from modelworks.model.library._example import Example

__all__ = ["Example", "library_example", "library_model", "library_names"]


def library_names() -> list[str]:
    """What the models of the library are called."""
    return sorted(each.name for each in pkgutil.iter_modules(__path__) if not each.name.startswith("_"))


def library_model(name: str) -> Callable[..., Model]:
    """The function that makes a model of the library; without arguments it makes the plain one.

    >>> library_model("sir")().compartments
    ('susceptible', 'infectious', 'recovered')
    """
    build: Callable[..., Model] = _of_file(name, name)
    return build


def library_example(name: str) -> Example:
    """Values to try a model of the library with, and for how long."""
    example: Example = _of_file(name, "EXAMPLE")
    return example


def _of_file(name: str, what: str) -> Any:
    if name not in library_names():
        fail("M101", f"the library has no model `{name}`", hint=near(name, library_names()))
    return getattr(importlib.import_module(f"{__name__}.{name}"), what)
