"""What a person may ask of a list of runs, and how it is written on a command line."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelworks.errors import fail

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
# By what a list may be ordered, and by which of its values runs are counted.
ORDERS = ("time", "study", "model", "region", "verdict", "seconds", "person")
FACETS = ("of_study", "region", "verdict", "person")
# What begins an order by the number of a run that has this name.
NUMBER = "number:"
# What an index keeps of a number; `value` is the median where there is one.
PARTS = ("value", "low", "high", "mean")
_CONDITION = re.compile(r"\s*(?P<name>[^\s<>=!]+)\s*(?P<operator><=|>=|!=|==|=|<|>)\s*(?P<number>\S+)\s*")
_DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a parameter (its value, or its posterior median), a named quantity or a measure of a run."""

    name: str
    operator: str
    number: float

    def holds(self, number: float) -> bool:
        """Whether a number is as asked for."""
        return bool(COMPARISONS[self.operator](number, self.number))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to list: what is None or empty asks nothing. `since` and `until` are days, themselves included.

    With `approved` only the runs that the team stands behind now. With `after`, the key of a run (which may be gone
    meanwhile), those that come after it in the list, which has to be in its own order: the latest first. `order` is
    one of `ORDERS`, or `number:` and the name of a number; what a run says nothing of comes last either way. To be
    `of_study` is to be a run of it, or of it with something assumed otherwise.
    """

    study: str | None = None
    of_study: str | None = None
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
    after: str | None = None
    order: str = "time"
    descending: bool = True


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


def numbers_of(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Parameters, quantities and measures of a run: a value, or a median with its interval."""
    for kind, group in (("parameter", "parameters"), ("quantity", "quantities"), ("measure", "measures")):
        for name, said in (record.get(group) or {}).items():
            numbers = said if isinstance(said, Mapping) else {"value": said}
            value = numbers.get("value", numbers.get("median"))
            if isinstance(value, (int, float)):
                yield {"kind": kind, "name": name, **{part: numbers.get(part) for part in PARTS}, "value": value}
