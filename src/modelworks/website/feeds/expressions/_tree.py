"""What `$filter` and `$orderby` say, as a tree that knows the kind of each of its values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["text", "number", "integer", "boolean", "moment", "day", "null"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value as it was written."""

    value: Any
    kind: Kind


@dataclass(frozen=True, slots=True)
class Property:
    """A column of the table."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function with what it is given; operators go by their names, as in `eq`."""

    name: str
    given: tuple[Expression, ...]
    kind: Kind


Expression: TypeAlias = Constant | Property | Call


def properties(expression: Expression) -> Iterator[str]:
    """The columns an expression needs."""
    if isinstance(expression, Property):
        yield expression.name
    elif isinstance(expression, Call):
        for each in expression.given:
            yield from properties(each)


def conditions(expression: Expression) -> Iterator[Expression]:
    """The parts that must all hold."""
    if isinstance(expression, Call) and expression.name == "and":
        for each in expression.given:
            yield from conditions(each)
    else:
        yield expression
