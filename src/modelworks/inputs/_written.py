"""How days and numbers may be written in somebody else's file, where the catalogue or a loader says so."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date

from modelworks.errors import ModelworksError
from modelworks.inputs._nodes import shortened
from modelworks.inputs._scalars import EARLIEST_YEAR, LATEST_YEAR, OUTSIDE_YEARS, any_day

ISO = "year-month-day"
# In which order the numbers of a day stand.
LAYOUTS = {"day/month/year": (2, 1, 0), "month/day/year": (2, 0, 1)}
DATES = (ISO, *LAYOUTS)
PLAIN, THOUSANDS, DECIMAL_COMMA = "plain", "thousands", "decimal comma"
NUMBERS = (PLAIN, THOUSANDS, DECIMAL_COMMA)
_PARTS = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", re.ASCII)
# Nobody writes a zero before a group of thousands: 0,204 is less than one.
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", re.ASCII)
# With points, or blanks as some countries write, between thousands.
_DECIMAL_COMMA = re.compile(r"[-+]?(\d+|[1-9]\d{0,2}(\.\d{3})+|[1-9]\d{0,2}([ \u00a0\u202f]\d{3})+)(,\d*)?", re.ASCII)
_ONE_GROUP = re.compile(r"[-+]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
# What can have no other sign before its decimals: other than three digits behind it, or a zero alone before it.
_DECIMALS = {sign: re.compile(rf"[-+]?(0?\{sign}\d+|\d+\{sign}(\d{{1,2}}|\d{{4,}}))", re.ASCII) for sign in ".,"}
_BELOW_GROUPS = re.compile(r"[-+]?\d{1,3}", re.ASCII)
_SERIAL = re.compile(r"[34]\d{4}", re.ASCII)


def day_of(text: str, layout: str = ISO) -> date | None:
    """The day a cell names; None where it names none in that layout. Midnight behind it is no part of it.

    >>> day_of("03/04/2021", "day/month/year"), day_of("03/04/2021"), day_of("2021-04-03 00:00:00")
    (datetime.date(2021, 4, 3), None, datetime.date(2021, 4, 3))
    """
    found = _in_any_year(text, layout)
    return found if found is not None and EARLIEST_YEAR <= found.year <= LATEST_YEAR else None


def why_no_day(text: str, layout: str = ISO) -> str:
    """What is wrong with a cell that `day_of` can not read.

    >>> why_no_day("2978-01-22"), why_no_day("soon")
    ('lies outside the years 1300 to 2500: `2978-01-22`', 'is no date: `soon`')
    """
    said = "is no date" if _in_any_year(text, layout) is None else OUTSIDE_YEARS
    return f"{said}: `{shortened(text)}`"


def _in_any_year(text: str, layout: str) -> date | None:
    bare = text.strip().removesuffix("T00:00:00").removesuffix(" 00:00:00")
    try:
        if layout == ISO:
            return any_day(bare)
        parts = _PARTS.fullmatch(bare)
        if parts is None:
            return None
        numbers = [int(parts[k]) for k in (1, 3, 4)]
        return date(*(numbers[k] for k in LAYOUTS[layout]))
    except (ModelworksError, ValueError):
        return None


def layouts_of(texts: Iterable[str]) -> list[str]:
    """The layouts in which every one of the texts is a day.

    >>> layouts_of(["03/04/2021", "14/04/2021"]), layouts_of(["03/04/2021"])
    (['day/month/year'], ['day/month/year', 'month/day/year'])
    """
    several = list(texts)
    return [each for each in DATES if several and all(day_of(text, each) is not None for text in several)]


def hint_about_days(texts: Iterable[str], layout: str, say: str) -> str:
    """What to do where some cells are no days: `say` is how the layout is said, as in `written: day/month/year`."""
    several = list(texts)
    wrong = [text for text in several if day_of(text, layout) is None]
    if wrong and all(_in_any_year(text, layout) is not None for text in wrong):
        return "correct the year"
    if any(_SERIAL.fullmatch(text) for text in several):
        return "a number such as 44259 is a day of a spreadsheet's calendar: give the column the format of a date there"
    fits = [each for each in layouts_of(several) if each != layout]
    if len(fits) == 1:
        return f"write `{say.format(fits[0])}`: all its cells can be read so, and in no other way"
    if len(fits) > 1:
        listed = " or ".join(f"`{say.format(each)}`" for each in fits)
        return f"03/04 may be in March or in April: ask who wrote the file, then write {listed}"
    some = {each for text in several for each in layouts_of([text])}
    if len(some) > 1:
        return "the column mixes several ways of writing a day: ask who wrote it, and mend it by a function"
    return "write year-month-day, as in 2021-03-04"


def number_of(text: str, written: str = PLAIN) -> float | None:
    """The finite number in a cell; None where there is none.

    >>> number_of("1,204"), number_of("1,204", "thousands"), number_of("1,2", "thousands")
    (None, 1204.0, None)
    >>> number_of("1.204,5", "decimal comma"), number_of("1.5", "decimal comma")
    (1204.5, None)
    """
    bare = text.replace(",", "") if written == THOUSANDS and _THOUSANDS.fullmatch(text) else text
    if written == DECIMAL_COMMA:
        # What has a point that is none between thousands is no number of this kind: 1.5 would be read as 15.
        bare = re.sub(r"[^\d,+-]", "", text).replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else ""
    try:
        # Python would also read `1_000`.
        value = math.nan if "_" in bare else float(bare)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def doubtful(texts: Iterable[str], most: float = math.inf) -> str | None:
    """The first number of a column whose point may stand before decimals or between thousands.

    None where there is no such number, where another one of the column decides it (a zero before the point, other
    than three digits behind it, four digits without one), or where it would be above `most` in thousands.

    >>> doubtful(["986", "1.204"]), doubtful(["0.986", "1.204"]), doubtful(["9860", "1.204"]), doubtful(["1.204"], 100)
    ('1.204', None, None, None)
    """
    first = None
    for text in texts:
        if _ONE_GROUP.fullmatch(text):
            first = first or text
            if float(text.replace(".", "")) > most:
                return None
        elif not _BELOW_GROUPS.fullmatch(text):
            return None
    return first


def decimal_sign(texts: Iterable[str]) -> str:
    """The sign before decimals that cells of a file show, in whichever columns; empty where none does, or both do.

    >>> decimal_sign(["1.204", "0.5"]), decimal_sign(["1.204", "7,25"]), decimal_sign(["1.204", "2021-01-04"])
    ('.', ',', '')
    """
    shown = {sign for text in texts for sign, form in _DECIMALS.items() if form.fullmatch(text)}
    return shown.pop() if len(shown) == 1 else ""


def two_numbers(text: str) -> str:
    """What is to be asked about a cell such as `1.204`.

    >>> two_numbers("1,204")
    'may be two numbers: `1,204` is 1.204 with decimals, and 1204 in thousands'
    """
    decimals, thousands = re.sub("[.,]", ".", text), re.sub("[.,]", "", text)
    return f"may be two numbers: `{text}` is {decimals} with decimals, and {thousands} in thousands"


def hint_about_doubt(say: str, decimals: str, thousands: str) -> str:
    """What to do where a column may be in decimals or in thousands; `say` is how each is said."""
    ways = f"`{say.format(decimals)}` for decimals or `{say.format(thousands)}` for thousands"
    return f"ask who wrote the file, then write {ways}"


def hint_about_numbers(texts: Iterable[str], say: str) -> str:
    """What to do where some cells are no numbers; `say` is how one says that there are thousands."""
    several = list(texts)
    if several and all(_THOUSANDS.fullmatch(text) for text in several):
        return f"write `{say}` if the commas stand between thousands, or `written: {DECIMAL_COMMA}` if before decimals"
    if several and all("," in text and number_of(text, DECIMAL_COMMA) is not None for text in several):
        return f"write `written: {DECIMAL_COMMA}`"
    return "write 1000, not 1,000; leave a cell empty where nothing is known"
