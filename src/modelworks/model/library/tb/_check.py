"""What is told of numbers that can not be what they are given as."""

from __future__ import annotations

from collections.abc import Mapping

from modelworks.errors import fail
from modelworks.model._expression import Number
from modelworks.model.library._proportions import check_proportion, known_numbers


def check_proportions(what: str, given: Mapping[float, Number]) -> None:
    """Refuse percentages: numbers, also within tables, that are no proportions."""
    for where, number in given.items():
        check_proportion(f"{what} {where:g}", number)


def check_outcomes(success: Number, death: Number) -> None:
    """Refuse proportions of the treated that are none, and a treatment during which nobody ever dies."""
    if not all(0 <= value <= 1 for value in known_numbers(success)) or not all(
        0 < value <= 1 for value in known_numbers(death)
    ):
        fail(
            "M150",
            f"of the treated {_listed(success)} are cured and {_listed(death)} die",
            hint="give proportions; those who die do so of any cause, so they are never none: put the mean of some "
            "years where a small cohort had no death",
        )


def _listed(number: Number) -> str:
    return ", ".join(f"{value:g}" for value in known_numbers(number)) or "some"


def check_deaths(deaths: Mapping[float, float]) -> None:
    """Refuse death rates below zero, and a last age that nobody ever leaves."""
    if not deaths or not all(rate >= 0 for rate in deaths.values()) or not list(deaths.values())[-1] > 0:
        given = ", ".join(f"{rate:g} from {age:g} on" for age, rate in deaths.items()) or "not there"
        fail(
            "M150",
            f"the death rates are {given}: people could not die of them in each age and at the end of life",
            hint="give deaths per person and year, zero or more, and above zero in the last age",
        )
