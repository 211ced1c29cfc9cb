"""What is told of numbers given as proportions that can be none."""

from __future__ import annotations

from modelworks.errors import fail
from modelworks.model._expression import Constant, Number, Table


def check_proportion(what: str, number: Number) -> None:
    """Refuse percentages and what is below zero: numbers, also within tables, that are no proportions."""
    wrong = [value for value in known_numbers(number) if not 0 <= value <= 1]
    if wrong:
        fail(
            "M150",
            f"{what} is {wrong[0]:g}, which is no proportion",
            hint="give a number between 0 and 1; divide percentages by 100",
        )


def known_numbers(number: Number) -> list[float]:
    """The numbers in something that are known before a run: its own, or those of a table."""
    parts = number.values if isinstance(number, Table) else [number]
    values = [each.value if isinstance(each, Constant) else each for each in parts]
    return [float(value) for value in values if isinstance(value, int | float)]
