"""An expression of OData worked out over the rows of a table."""

from __future__ import annotations

import functools

import pyarrow as pa
import pyarrow.compute as pc

from modelworks.errors import fail
from modelworks.website.feeds._schema import ARROW
from modelworks.website.feeds.expressions._functions import ARITHMETIC, COMPARISONS, FUNCTIONS, Values, compared, is_in
from modelworks.website.feeds.expressions._tree import Call, Constant, Expression, Property


def rows_that(expression: Expression, table: pa.Table) -> pa.Table:
    """The rows for which a condition is true."""
    return table.filter(column_of(expression, table))


def column_of(expression: Expression, table: pa.Table) -> pa.ChunkedArray | pa.Array:
    """The value of an expression in each row; W213 where a number grows beyond 64 bits."""
    try:
        found = _value(expression, table)
    except pa.ArrowInvalid as error:
        fail(
            "W213", f"the expression can not be worked out: {error}", hint="use decimals for large numbers: 1.0, not 1"
        )
    return pa.repeat(found, table.num_rows) if isinstance(found, pa.Scalar) else found


def _value(expression: Expression, table: pa.Table) -> Values:
    if isinstance(expression, Property):
        # One piece, because what is worked out row by row comes in one.
        return table.column(expression.name).combine_chunks()
    if isinstance(expression, Constant):
        return pa.scalar(expression.value, pa.null() if expression.kind == "null" else ARROW[expression.kind])
    return _called(expression, [_value(each, table) for each in expression.given])


def _called(call: Call, given: list[Values]) -> Values:
    name = call.name
    if name in COMPARISONS:
        return compared(name, *_alike(given))
    if name == "in":
        return is_in(given[0], [_alike([given[0], each])[1] for each in given[1:]])
    if name in ("and", "or"):
        return functools.reduce(pc.and_kleene if name == "and" else pc.or_kleene, _alike(given))
    if name == "not":
        return pc.invert(given[0])
    if name == "negate":
        return pc.negate_checked(given[0])
    if name in ARITHMETIC:
        return ARITHMETIC[name](*_alike(given))
    return FUNCTIONS[name].does(*given)


def _alike(given: list[Values]) -> list[Values]:
    """A null takes the kind of what it stands beside."""
    kind = next((each.type for each in given if not pa.types.is_null(each.type)), pa.bool_())
    return [each.cast(kind) if pa.types.is_null(each.type) else each for each in given]
