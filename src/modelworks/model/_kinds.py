"""Whether what was given is of the kind that belongs there: a list of flows, a mapping of outputs, a number."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, NoReturn

from modelworks.errors import fail

# What a list of a model holds, in words and as it is written.
WRITTEN = {
    "compartments": ("a name", 'compartments=["susceptible", "infectious", …]'),
    "flows": ("a flow", "flows=[Infection(…), Transition(…)]"),
    "stratifications": ("a Stratification", 'stratifications=[Stratification("age", ["young", "old"])]'),
    "pools": ("a Pool", 'pools=[Pool("water", "cells")]'),
    "initial": ("a number", 'initial={"susceptible": 990, "infectious": 10}'),
    "outputs": ("an output", 'outputs={"prevalence": people("infectious"), "incidence": events("infection")}'),
    "derived": ("a number", 'derived={"reproduction_number": contact_rate / recovery_rate}'),
}


def listed(model: str, what: str, given: Any, kinds: Any) -> tuple[Any, ...]:
    """The members of a list, each of one of the kinds."""
    each, written = WRITTEN[what]
    if isinstance(given, str):
        _tell(f"the {what} of `{model}` are the text `{given}`, where a list of names belongs", written)
    if isinstance(given, Mapping) or not hasattr(given, "__iter__") or isinstance(given, kinds):
        _tell(f"the {what} of `{model}` are {in_words(given)}, where a list belongs", written)
    found = tuple(given)
    for one in found:
        if not isinstance(one, kinds):
            _tell(f"the {what} of `{model}` hold {in_words(one)}, which is not {each}", written)
    return found


def mapped(model: str, what: str, given: Any) -> Mapping[str, Any]:
    """A mapping by name."""
    each, written = WRITTEN[what]
    if not isinstance(given, Mapping):
        _tell(f"`{what}` of `{model}` is {in_words(given)}, which does not give {each} to each name", written)
    return given


def is_number(given: object) -> bool:
    """Whether it is one number, of Python or NumPy."""
    return isinstance(given, Real) and not isinstance(given, bool)


def in_words(given: Any) -> str:
    """What somebody gave, shortly."""
    name = getattr(given, "name", None)
    if isinstance(name, str) and not isinstance(given, str):
        return f"the {type(given).__name__} `{name}`"
    text = repr(given)
    kind = type(given).__name__
    article = "an" if kind[:1] in "aeiou" else "a"
    return f"`{text}`" if len(text) <= 40 else f"{article} {kind}"


def _tell(message: str, written: str) -> NoReturn:
    fail("M128", message, hint=f"write {written}")
