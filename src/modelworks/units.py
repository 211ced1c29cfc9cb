"""Units as epidemiologists write them: `per day`, `people`, `per 100,000 people`, `proportion`.

A unit is a factor and exponents: of time (in days), of people, and of what else a disease passes through
(`cells per ml`, `mosquitoes`). Numbers that are pure (`proportion`, `percent`, `ratio`) have none.
Enough to know whether a value fits what a model
asks for, and to turn one into the other; anything richer belongs to a units library.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from modelworks.errors import fail, near

# The mean Gregorian year, so that a rate per year and the same rate per day agree over decades.
DAYS_PER_YEAR = 365.2425

# Digits that somebody may write; a number that was worked out needs more to be told exactly.
MOST_WRITTEN = 12
# Units are short: `data` shares two thirds of its letters with `death`.
_ALIKE = 0.7

_TIME = {"day": 1.0, "week": 7.0, "month": DAYS_PER_YEAR / 12, "year": DAYS_PER_YEAR, "hour": 1 / 24}
_PURE = {
    "proportion": 1.0,
    "probability": 1.0,
    "fraction": 1.0,
    "ratio": 1.0,
    "multiplier": 1.0,
    "number": 1.0,
    "dimensionless": 1.0,
    "contact": 1.0,
    "percent": 0.01,
    "%": 0.01,
}
# Units of which a sentence says nothing: half is not half a proportion.
UNSPOKEN = frozenset(name for name, factor in _PURE.items() if factor == 1.0)
_SHARES = _PURE.keys() - {"number", "contact"}
_PEOPLE = ("people", "person", "case", "death", "admission", "infection", "notification", "birth", "dose", "boy")
# What is neither time nor people: each word with what it measures, and how much of it.
_OTHER = {
    "cell": ("cells", 1.0),
    "mosquito": ("mosquitoes", 1.0),
    "mosquitoe": ("mosquitoes", 1.0),
    "vector": ("vectors", 1.0),
    "litre": ("litres", 1.0),
    "liter": ("litres", 1.0),
    "ml": ("litres", 0.001),
}


@dataclass(frozen=True, slots=True)
class Unit:
    """`text` as written; `factor` to the base unit; exponents of time (days), of people, and of others by name."""

    text: str
    factor: float
    time: int
    people: int
    others: tuple[tuple[str, int], ...] = ()

    def fits(self, other: Unit) -> bool:
        """Whether a number in this unit can be turned into the other."""
        return (self.time, self.people, self.others) == (other.time, other.people, other.others)

    def factor_to(self, other: Unit) -> float:
        """What to multiply a number in this unit by to have it in the other.

        >>> round(parse("per year").factor_to(parse("per day")) * 365.2425, 12)
        1.0
        """
        if not self.fits(other):
            fail(
                "P120",
                f"`{self.text}` can not be turned into `{other.text}`",
                hint=f"give the value in `{other.text}`, or in a unit of the same kind",
            )
        return self.factor / other.factor


def as_written(number: float) -> str:
    """A number with every digit that somebody wrote; one that was worked out, and has no end, to six digits.

    >>> as_written(1234567.0), as_written(0.25), as_written(1e-9), as_written(2 / 3)
    ('1234567', '0.25', '1e-09', '0.666667')
    """
    text = f"{number:.{MOST_WRITTEN}g}"
    return text if float(text) == number else f"{number:g}"


def adds_up(text: str) -> bool:
    """Whether numbers in a unit, be it one that nobody knows, are of things that can be added up over time.

    What is counted by anything but time is no number of events: of nothing that is unknown a wrong sum is shown.

    >>> [adds_up(each) for each in ("people", "cases per week", "tests/day", "number")]
    [True, True, True, True]
    >>> [adds_up(each) for each in ("per 100,000 people", "cases per 100,000", "deaths per million", "percent")]
    [False, False, False, False]
    """
    counted, *by = (part.split() for part in re.split(r"\bper\b", text.lower().replace("/", " per ")))
    of_time = all(part and part[-1].removesuffix("s") in _TIME for part in by)
    return bool(counted) and of_time and not _SHARES & set(counted)


def known_words() -> list[str]:
    """Every word a unit may be made of, for hints and for the docs."""
    return sorted([*_TIME, *_PURE, *_PEOPLE, *_OTHER, "per"])


def parse(text: str) -> Unit:
    """The unit that a text names.

    >>> parse("per day").time, parse("days").time, parse("per 100,000 people").factor
    (-1, 1, 1e-05)
    >>> parse("cases per week").people
    1
    """
    words = text.strip().lower().replace("/", " per ").replace("-", " ").split()
    factor, time, people, sign = 1.0, 0, 0, 1
    others: Counter[str] = Counter()
    if not words:
        fail("P121", "the unit is empty", hint="write `dimensionless` for a number without a unit")
    for word in words:
        bare = word if word in _PURE or word in _PEOPLE else word.removesuffix("s")
        if word == "per":
            sign = -1
        elif re.fullmatch(r"\d[\d,_]*", word):
            factor *= float(re.sub("[,_]", "", word)) ** sign
        elif bare in _TIME:
            factor *= _TIME[bare] ** sign
            time += sign
        elif bare in _PURE:
            factor *= _PURE[bare] ** sign
        elif bare in _PEOPLE:
            people += sign
        elif bare in _OTHER:
            measured, size = _OTHER[bare]
            factor *= size**sign
            others[measured] += sign
        else:
            fail("P121", f"`{word}` in the unit `{text}` is not a word we know", hint=near(word, known_words(), _ALIKE))
    # "per person" cancels a count: a rate per person per day and a rate per day are the same thing.
    if people < 0:
        people = 0
    return Unit(text, factor, time, people, tuple(sorted((name, n) for name, n in others.items() if n)))
