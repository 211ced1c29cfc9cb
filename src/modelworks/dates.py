"""Between the calendar and a model's own time.

A model counts time in *days* since the start of its study, or in *decimal years* of the common
era (2018.5 is the middle of 2018). Everything outside the numerical core speaks in dates.
"""

from __future__ import annotations

import calendar
import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from modelworks.errors import fail

TimeUnit = Literal["days", "years"]
TIME_UNITS: tuple[TimeUnit, ...] = ("days", "years")

# A day that a sum of floating-point numbers misses by less than this is that day. About 80 seconds in
# days; in years about nine hours, still far less than any step of a grid in years.
ROUND_OFF = 1e-3


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a study's dates become the numbers its model sees, and back.

    `unit` is `days` (since `origin`) or `years` (decimal, `origin` plays no part).
    """

    unit: TimeUnit
    origin: date

    def __post_init__(self) -> None:
        if not isinstance(self.origin, date):
            fail("Y110", f"`{self.origin!r}` is not a date", hint="give a day, as in date(2021, 3, 4)")

    def number(self, day: date) -> float:
        """The model time at the first moment of a day.

        >>> Calendar("days", date(2021, 1, 1)).number(date(2021, 1, 8))
        7.0
        >>> Calendar("years", date(1900, 1, 1)).number(date(2018, 1, 1))
        2018.0
        """
        if self.unit == "days":
            return float((day - self.origin).days)
        return decimal_year(day)

    def date(self, number: float) -> date:
        """The day a model time falls in.

        >>> Calendar("days", date(2021, 1, 1)).date(1.5)
        datetime.date(2021, 1, 2)
        """
        return self.moment(number + ROUND_OFF).date()

    def moment(self, number: float) -> datetime:
        """The date and the time of day of a model time, to the second."""
        if self.unit == "days":
            start, length = datetime(self.origin.year, self.origin.month, self.origin.day), number
        else:
            year = math.floor(number)
            start, length = datetime(year, 1, 1), (number - year) * (366 if calendar.isleap(year) else 365)
        return start + timedelta(seconds=round(length * 86400))


def decimal_year(day: date) -> float:
    """The year with the part of it gone by as a fraction."""
    length = 366 if calendar.isleap(day.year) else 365
    return day.year + (day.timetuple().tm_yday - 1) / length


def _length_of_month(text: str) -> str:
    """How many days the month of a day that is none has, where that is what is wrong with it.

    >>> _length_of_month("1862-02-31"), _length_of_month("31/02/1862")
    ('February 1862 has 28 days', '')
    """
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])-\d\d", text)
    year, month = (int(found[1]), int(found[2])) if found else (0, 0)
    return f"{calendar.month_name[month]} {year} has {calendar.monthrange(year, month)[1]} days" if year else ""


def parse_date(text: object) -> date:
    """A day from what a person writes: `2021-03-04`, or a date already.

    Only the ISO form is taken: `03/04/2021` is March to some and April to others.
    """
    if isinstance(text, datetime):
        return text.date()
    if isinstance(text, date):
        return text
    if isinstance(text, int) and not isinstance(text, bool) and 1000 <= text <= 9999:
        return date(text, 1, 1)
    try:
        return date.fromisoformat(str(text).strip())
    except ValueError:
        hint = "write year-month-day, as in 2021-03-04 (a bare year means its first of January)"
        fail(
            "Y110",
            f"`{text}` is not a date",
            hint=_length_of_month(str(text).strip()) or hint,
        )
