"""The functions and operators of OData that our columns can take: what they are given, and what they do.

Source: OData Version 4.01, part 2, URL Conventions, on `$filter` (OASIS Standard, 23 April 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from modelworks.website.feeds.expressions._tree import Kind

Values = Any  # an array, or a scalar that stands for all rows

NUMBERS: tuple[Kind, ...] = ("integer", "number")


@dataclass(frozen=True, slots=True)
class Function:
    """`takes` has the kinds that each argument may be of; `gives` is None where the result is as the arguments are."""

    takes: tuple[tuple[Kind, ...], ...]
    gives: Kind | None
    does: Callable[..., Values]
    optional: int = 0


def by_row(function: Callable[..., Any], kind: pa.DataType) -> Callable[..., Values]:
    """A function of Python's, row by row; of nothing it makes nothing."""

    def apply(*given: Values) -> Values:
        rows = next((len(each) for each in given if not isinstance(each, pa.Scalar)), None)
        columns = [[each.as_py()] * (rows or 1) if isinstance(each, pa.Scalar) else each.to_pylist() for each in given]
        found = [None if None in row else function(*row) for row in zip(*columns, strict=True)]
        return pa.scalar(found[0], kind) if rows is None else pa.array(found, kind)

    return apply


def _text_with(quick: Callable[..., Values], slow: Callable[..., Any], kind: pa.DataType) -> Callable[..., Values]:
    """Arrow looks for one and the same text; for another text in each row Python has to."""

    def apply(values: Values, pattern: Values) -> Values:
        if isinstance(pattern, pa.Scalar) and pattern.is_valid and not isinstance(values, pa.Scalar):
            return quick(values, pattern.as_py())
        return by_row(slow, kind)(values, pattern)

    return apply


def _substring(text: str, start: int, length: int | None = None) -> str:
    first = max(start, 0)
    return text[first:] if length is None else text[first : first + max(length, 0)]


def _trunc_mod(a: float, b: float) -> float:
    """The remainder with the sign of what is divided, as OData, C and SQL have it."""
    return math.fmod(a, b) if b and math.isfinite(a) else math.nan


def _integer_mod(a: int, b: int) -> int | None:
    return None if b == 0 else int(math.fmod(a, b)) if abs(a) < 2**53 and abs(b) < 2**53 else a - b * int(_whole(a, b))


def _whole(a: int, b: int) -> int:
    """The whole part of a quotient, towards zero, exactly."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _integer_div(a: int, b: int) -> int | None:
    return None if b == 0 else _whole(a, b)


def divide(a: Values, b: Values) -> Values:
    return pc.divide(_float(a), _float(b))


def _div(a: Values, b: Values) -> Values:
    if pa.types.is_integer(a.type) and pa.types.is_integer(b.type):
        return by_row(_integer_div, pa.int64())(a, b)
    return divide(a, b)


def _mod(a: Values, b: Values) -> Values:
    if pa.types.is_integer(a.type) and pa.types.is_integer(b.type):
        return by_row(_integer_mod, pa.int64())(a, b)
    return by_row(_trunc_mod, pa.float64())(_float(a), _float(b))


def _float(values: Values) -> Values:
    return values.cast(pa.float64())


_TEXT: tuple[Kind, ...] = ("text",)
_TIMES: tuple[Kind, ...] = ("moment", "day")
_MOMENT: tuple[Kind, ...] = ("moment",)
_INTEGER: tuple[Kind, ...] = ("integer",)
_STRING, _INT, _BOOL = pa.string(), pa.int64(), pa.bool_()


def _part(component: Callable[..., Values]) -> Callable[..., Values]:
    return lambda values: component(values).cast(_INT)


def _rounded(mode: str) -> Callable[..., Values]:
    return lambda values: pc.round(_float(values), round_mode=mode)


FUNCTIONS: Mapping[str, Function] = {
    "contains": Function((_TEXT, _TEXT), "boolean", _text_with(pc.match_substring, lambda a, b: b in a, _BOOL)),
    "startswith": Function((_TEXT, _TEXT), "boolean", _text_with(pc.starts_with, str.startswith, _BOOL)),
    "endswith": Function((_TEXT, _TEXT), "boolean", _text_with(pc.ends_with, str.endswith, _BOOL)),
    "indexof": Function((_TEXT, _TEXT), "integer", by_row(str.find, _INT)),
    "length": Function((_TEXT,), "integer", lambda a: pc.utf8_length(a).cast(_INT)),
    "substring": Function((_TEXT, _INTEGER, _INTEGER), "text", by_row(_substring, _STRING), optional=1),
    "tolower": Function((_TEXT,), "text", pc.utf8_lower),
    "toupper": Function((_TEXT,), "text", pc.utf8_upper),
    "trim": Function((_TEXT,), "text", pc.utf8_trim_whitespace),
    "concat": Function((_TEXT, _TEXT), "text", by_row(str.__add__, _STRING)),
    "year": Function((_TIMES,), "integer", _part(pc.year)),
    "month": Function((_TIMES,), "integer", _part(pc.month)),
    "day": Function((_TIMES,), "integer", _part(pc.day)),
    "hour": Function((_MOMENT,), "integer", _part(pc.hour)),
    "minute": Function((_MOMENT,), "integer", _part(pc.minute)),
    "second": Function((_MOMENT,), "integer", _part(pc.second)),
    "date": Function((_MOMENT,), "day", lambda a: a.cast(pa.date32(), safe=False)),
    "now": Function((), "moment", lambda: pa.scalar(datetime.now(UTC).replace(tzinfo=None), pa.timestamp("us"))),
    "mindatetime": Function((), "moment", lambda: pa.scalar(datetime.min, pa.timestamp("us"))),
    "maxdatetime": Function((), "moment", lambda: pa.scalar(datetime.max, pa.timestamp("us"))),
    "round": Function((NUMBERS,), "number", _rounded("half_towards_infinity")),
    "floor": Function((NUMBERS,), "number", _rounded("down")),
    "ceiling": Function((NUMBERS,), "number", _rounded("up")),
}

ARITHMETIC: Mapping[str, Callable[..., Values]] = {
    "add": pc.add_checked, "sub": pc.subtract_checked, "mul": pc.multiply_checked,
    "div": _div, "divby": divide, "mod": _mod,
}  # fmt: skip
COMPARISONS: Mapping[str, Callable[..., Values]] = {
    "eq": pc.equal, "ne": pc.not_equal, "gt": pc.greater, "ge": pc.greater_equal, "lt": pc.less, "le": pc.less_equal,
}  # fmt: skip


def compared(name: str, a: Values, b: Values) -> Values:
    """A comparison is always true or false: nothing equals nothing, and is neither more nor less than anything."""
    if name == "ne":
        return pc.invert(compared("eq", a, b))
    known = pc.fill_null(COMPARISONS[name](a, b), False)
    return pc.or_(known, pc.and_(pc.is_null(a), pc.is_null(b))) if name == "eq" else known


def is_in(value: Values, several: Sequence[Values]) -> Values:
    """Whether a value is one of several."""
    found = compared("eq", value, several[0])
    for each in several[1:]:
        found = pc.or_(found, compared("eq", value, each))
    return found
