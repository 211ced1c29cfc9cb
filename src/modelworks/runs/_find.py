"""What a person may ask of a list of runs, and how it is written on a command line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelworks.errors import fail

OPERATORS = ("<=", ">=", "!=", "<", ">", "=")
_CONDITION = re.compile(r"\s*(?P<name>[^\s<>=!]+)\s*(?P<operator><=|>=|!=|==|=|<|>)\s*(?P<number>\S+)\s*")
_DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a parameter (its value, or its posterior median), a named quantity or a measure of a run."""

    name: str
    operator: str
    number: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to list: what is None or empty asks nothing. `since` and `until` are days, themselves included.

    With `approved` only the runs that the team stands behind now.
    """

    study: str | None = None
    model: str | None = None
    region: str | None = None
    commit: str | None = None
    verdict: str | None = None
    tag: str | None = None
    person: str | None = None
    since: str | None = None
    until: str | None = None
    pinned: bool | None = None
    approved: bool = False
    conditions: tuple[Condition, ...] = ()
    limit: int | None = None


def condition(text: str) -> Condition:
    """A condition as a person writes it.

    >>> condition("contact_rate >= 1.5")
    Condition(name='contact_rate', operator='>=', number=1.5)

    Raises
    ------
    ModelworksError
        R151 for anything but a name, a comparison and a number.
    """
    hint = "write a name, a comparison and a number, in quotes: --where 'contact_rate >= 1.5'"
    found = _CONDITION.fullmatch(text)
    if found is None:
        fail("R151", f"`{text}` is no condition", hint=hint)
    try:
        number = float(found["number"])
    except ValueError:
        fail("R151", f"`{found['number']}` in `{text}` is no number", hint=hint)
    return Condition(found["name"], "=" if found["operator"] == "==" else found["operator"], number)


def day(text: str) -> str:
    """A day, a month or a year, as it begins a run's time.

    >>> day("2026-11-03"), day("2026")
    ('20261103', '2026')
    """
    if not _DAY.fullmatch(text):
        fail("R151", f"`{text}` is no day", hint="write it as 2026-11-21, or 2026-11 for the month")
    return text.replace("-", "")
