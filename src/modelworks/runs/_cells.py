"""Texts in tables that people open in a spreadsheet: none is a formula there, and we read each as it was.

A spreadsheet works out whatever begins like a formula, also where a colleague typed it as a title to make it fetch an
address or start a program. An apostrophe before it makes it a text, as OWASP advises against "CSV injection"; a number
is never touched. Parquet, JSON and OData hold texts as they are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Both are read by Python and by RE2. What begins with apostrophes and goes on so gets one more, so that it can be read.
# The last four are wide letters of East Asia, which some spreadsheets take for the others.
FORMULA = "^'*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]"
NUMBER_IN_TEXT = r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?%?)?$"
MARK = "'"
_FORMULA, _NUMBER = re.compile(FORMULA), re.compile(NUMBER_IN_TEXT)


def no_formula(text: str) -> str:
    """A text as a table has it that a spreadsheet may open.

    >>> [no_formula(each) for each in ("=1+1", "-0.5", "-", "Zoë", "'=1", "@home")]
    ["'=1+1", '-0.5', '-', 'Zoë', "''=1", "'@home"]
    """
    # Whole: `$` of Python also stands before an end of line.
    return MARK + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def without_formulas(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of such a table: what it holds of texts, and the names of its columns."""
    return {no_formula(name): no_formula(value) if isinstance(value, str) else value for name, value in row.items()}


def rows_of(file: Path | None) -> list[dict[str, str]]:
    """The rows of such a table by the names of its columns, each text as it was; none where there is no file."""
    if file is None:
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened)
        names = next(reader, [])
        return [dict(zip(names, map(_as_it_was, row), strict=False)) for row in reader if row]


def _as_it_was(text: str) -> str:
    return text[1:] if text.startswith(MARK) and _FORMULA.match(text) else text
