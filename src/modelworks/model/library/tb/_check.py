"""What is told of numbers that can not be what they are given as."""

from __future__ import annotations

from collections.abc import Mapping

from modelworks.errors import fail
from modelworks.model._expression import Constant, Number, Table


def check_proportions(what: str, given: Mapping[float, Number]) -> None:
    """Refuse percentages: numbers, also within tables, that are no proportions."""
    for where, number in given.items():
        for each in number.values if isinstance(number, Table) else [number]:
            value = each.value if isinstance(each, Constant) else each
            if isinstance(value, int | float) and not 0 <= value <= 1:
                fail(
                    "M150",
                    f"{what} {where:g} is {value:g}, which is no proportion",
                    hint="give a number between 0 and 1; divide percentages by 100",
                )


def check_deaths(deaths: Mapping[float, float]) -> None:
    """Refuse death rates below zero, and a last age that nobody ever leaves."""
    if not deaths or not all(rate >= 0 for rate in deaths.values()) or not list(deaths.values())[-1] > 0:
        given = ", ".join(f"{rate:g} from {age:g} on" for age, rate in deaths.items()) or "not there"
        fail(
            "M150",
            f"the death rates are {given}: people could not die of them in each age and at the end of life",
            hint="give deaths per person and year, zero or more, and above zero in the last age",
        )
