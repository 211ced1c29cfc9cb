"""What a written scalar means, once it is known what is wanted: a number, a whole number, a date.

A text is taken as it stands, so `region: no` is Norway and `code: 010` keeps its zero. A number has
one spelling: digits, a point, an exponent. Whatever another program might read as something else is
a letter.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from modelworks.dates import parse_date
from modelworks.errors import ModelworksError, fail
from modelworks.inputs._nodes import Place, ScalarNode, shortened

# The Black Death is within; a slip of the finger in a year mostly is not.
EARLIEST_YEAR, LATEST_YEAR = 1300, 2500
OUTSIDE_YEARS = f"lies outside the years {EARLIEST_YEAR} to {LATEST_YEAR}"

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Trap:
    """A way of writing that looks like a number and may mean several things."""

    code: str
    form: re.Pattern[str]
    what: str
    hint: str


def _trap(code: str, form: str, what: str, hint: str) -> _Trap:
    return _Trap(code, re.compile(form, re.ASCII | re.IGNORECASE), what, hint)


_TRAPS = (
    _trap(
        "Y104",
        r"[-+]?0[\d_]+(\.\d*)?(e[-+]?\d+)?|[-+]?0[xob][0-9a-f_]+",
        "begins with a zero, so it is ten to some programs and eight to others",
        "write the number without the zero in front; quote it if it is a code, not a number",
    ),
    _trap(
        "Y105",
        r"yes|no|on|off|y|n|true|false",
        "is a word for true or false to some programs, and a number is wanted",
        "write the number",
    ),
    _trap(
        "Y106",
        # Nobody writes three zeros behind a decimal point, and many write thousands so.
        r"[-+]?\d+([,_' ]\d+)+(\.\d*)?|[-+]?[1-9]\d{0,2}(\.\d{3})*\.000|[-+]?[1-9]\d{0,2}(\.\d{3}){2,}",
        "has something between its digits, which is thousands to some and decimals to others",
        "write 1000, not 1,000 or 1.000; and 0.5, not 0,5",
    ),
    _trap(
        "Y107",
        r"[-+]?\d+(:\d+)+(\.\d*)?",
        "is a time of day to some programs and a number to base sixty to others",
        "write the number of hours, days or years",
    ),
    _trap(
        "Y108",
        r"[-+]?\.?(nan|inf|infinity|∞)|[-+]?(\d+(\.\d*)?|\.\d+)e\+?\d+",
        "is not a finite number",
        "leave the entry out where there is no limit; a missing value has no place here",
    ),
)


def looks_like_a_number(text: str) -> bool:
    """Whether somebody who wrote this meant a number rather than a name.

    >>> looks_like_a_number("1,000"), looks_like_a_number("-.5"), looks_like_a_number("overdispersion")
    (True, True, False)
    """
    return re.match(r"[-+−]?\.?\d", text) is not None or _TRAPS[-1].form.fullmatch(text) is not None


def number(node: ScalarNode, what: str) -> float:
    """The number a scalar says.

    >>> number(ScalarNode("1e-3", False, Place("parameters.yaml", 1)), "`rate`")
    0.001
    """
    text = node.text.strip()
    if node.quoted and _NUMBER.fullmatch(text):
        _refuse("Y122", f"{what} is a text, {text!r}, but a number is wanted", "remove the quotation marks", node.place)
    trap = next((trap for trap in _TRAPS[:-1] if trap.form.fullmatch(text)), None)
    if trap is None and _NUMBER.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    trap = trap or next((trap for trap in _TRAPS if trap.form.fullmatch(text)), None)
    if trap is not None:
        _refuse(trap.code, f"{what} is `{text}`, which {trap.what}", trap.hint, node.place)
    _refuse("Y122", f"{what} is `{shortened(text)}`, but a number is wanted", _number_hint(text), node.place)


def whole(node: ScalarNode, what: str) -> int:
    """The whole number a scalar says; `1e3` and `1000.0` are whole."""
    value = number(node, what)
    if value != int(value):
        _refuse("Y122", f"{what} is {value:g}, but a whole number is wanted", f"write {round(value)}", node.place)
    digits = node.text.strip()
    # A seed may have more digits than a floating-point number keeps.
    return int(digits) if re.fullmatch(r"[-+]?\d+", digits, re.ASCII) else int(value)


def day(node: ScalarNode, what: str) -> date:
    """The day a scalar says; a bare year is its first of January.

    >>> day(ScalarNode("2018", False, Place("study.yaml", 1)), "`start`")
    datetime.date(2018, 1, 1)
    """
    try:
        return date_of(node.text)
    except ModelworksError as error:
        letter = error.letters[0]
        _refuse(letter.code, f"{what}: {letter.message}", letter.hint, node.place)


def date_of(text: str) -> date:
    """The day that a text names, within the years an epidemic may be studied in."""
    found = any_day(text)
    if not EARLIEST_YEAR <= found.year <= LATEST_YEAR:
        fail("Y110", f"`{text.strip()}` {OUTSIDE_YEARS}", hint="check the year; a date is written year-month-day")
    return found


def any_day(text: str) -> date:
    """The same, in whatever year."""
    bare = text.strip()
    return parse_date(int(bare) if re.fullmatch(r"\d{4}", bare, re.ASCII) else bare)


def _number_hint(text: str) -> str:
    if re.fullmatch(r"[-+]?[\d.]+\s*%", text):
        return f"write {text.rstrip('% ')} with `unit: percent`, or the proportion"
    if re.fullmatch(r"[\d.]+\s*/\s*[\d.]+", text):
        return "write the quotient as a decimal number, or give a duration in place of a rate"
    if text.startswith("−"):
        return "the minus sign is a dash: write `-`"
    if re.match(r"[-+]?[\d.]+\s+[a-z]", text, re.IGNORECASE):
        return "write the number alone; its unit goes behind `unit:`"
    return "write digits, with a point for decimals, as in 0.25 or 1e-3"


def _refuse(code: str, message: str, hint: str, place: Place) -> NoReturn:
    fail(code, message, hint=hint, file=place.file, line=place.line)
