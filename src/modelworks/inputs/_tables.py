"""A file of data as a table of the declared columns, every cell held to what the catalogue says of it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import Letters, ModelworksError, fail, near
from modelworks.inputs._nodes import shortened
from modelworks.inputs._scalars import date_of
from modelworks.inputs.columns import Column

if TYPE_CHECKING:
    import pandas as pd

# What public datasets write where nothing is known. In a column of text it is a text like any other.
_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "."})


def read_table(found: bytes, file: str, columns: Iterable[Column]) -> pd.DataFrame:
    """The declared columns of a file; a `ModelworksError` with every mistake of its cells.

    `file` is its name in letters; one that ends in `.tsv` is separated by tabs.
    """
    import pandas as pd

    cells = _cells(found, file, "\t" if file.endswith((".tsv", ".tab")) else ",")
    letters = Letters()
    table = {}
    for each in columns:
        if each.name in cells.header:
            table[each.name] = _converted(cells, each, letters)
        else:
            hint = near(each.name, cells.header)
            message = f"`{file}` has no column `{each.name}`, which the catalogue declares"
            letters.add("D105", message, hint=hint, file=each.place.file, line=each.place.line)
    letters.raise_if_any()
    return pd.DataFrame(table)


@dataclass(frozen=True, slots=True)
class _Cells:
    """A table in text: `rows` are as long as the `header`, and each ends on its line of the file."""

    file: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        k = self.header.index(name)
        return [row[k].strip() for row in self.rows]


def _cells(found: bytes, name: str, separator: str) -> _Cells:
    """Header and rows of a file of comma- or tab-separated values."""

    def refuse(problem: str, hint: str, line: int | None = None) -> NoReturn:
        fail("D112", f"`{name}` {problem}", hint=hint, file=name, line=line)

    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse("is not UTF-8 text here", "save it as CSV in UTF-8", found[: error.start].count(b"\n") + 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    cells = _Cells(name, [], [], [])
    try:
        cells.header.extend(cell.strip() for cell in next(reader, []))
        other = next(
            (each for each in ";\t" if each != separator and cells.header[:1] and each in cells.header[0]), None
        )
        if other is not None:
            sign, more = (
                ("tabs", "or give it a name that ends in .tsv") if other == "\t" else ("semicolons", "1.5 for 1,5")
            )
            refuse(f"is separated by {sign}, not by commas", f"save it with commas between its cells, and {more}", 1)
        for row in reader:
            if len(row) not in (0, len(cells.header)):
                problem = f"has {len(row)} cells on this line, but {len(cells.header)} columns"
                refuse(problem, "a text with a comma in it needs double quotes around it", reader.line_num)
            if row:
                cells.rows.append(row)
                cells.lines.append(reader.line_num)
    except csv.Error as error:
        refuse(f"can not be read: {error}", "save it again as CSV", reader.line_num)
    if not cells.rows:
        refuse("has no rows below its names of columns", "is this the right file?")
    twice = [each for each in cells.header if cells.header.count(each) > 1]
    if twice:
        refuse(f"has two columns `{shortened(twice[0])}`", "rename one of them", 1)
    return cells


def _converted(cells: _Cells, column: Column, letters: Letters) -> pd.Series[Any]:
    """A column's cells as what they are declared to be."""
    import pandas as pd

    texts = cells.column(column.name)

    def tell(code: str, problem: str, hint: str, rows: list[int]) -> None:
        """One letter for all such cells, at the first: a column of the wrong kind has as many mistakes as rows."""
        if rows:
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            line = cells.lines[rows[0]]
            letters.add(code, f"a cell of `{column.name}` {problem}{more}", hint=hint, file=cells.file, line=line)

    if not column.missing:
        empty = [k for k, text in enumerate(texts) if text in _MISSING]
        tell("D116", "is empty", "fill it in, or write `missing: allowed`", empty)
    if column.kind == "text":
        return pd.Series(texts, dtype="str")
    if column.kind == "date":
        days, wrong = _days(texts)
        problem = f"is no date: `{shortened(texts[wrong[0]])}`" if wrong else ""
        tell("D108", problem, "write year-month-day, as in 2021-03-04", wrong)
        return pd.Series(days)
    values, wrong = _numbers(texts)
    problem = f"is no number: `{shortened(texts[wrong[0]])}`" if wrong else ""
    tell("D106", problem, "write 1000, not 1,000; leave a cell empty where nothing is known", wrong)
    outside = np.flatnonzero((values < column.bounds.low) | (values > column.bounds.high)).tolist()
    problem = f"is {values[outside[0]]:g}, but the catalogue says that it lies {column.bounds}" if outside else ""
    tell("D107", problem, "correct the cell, or `lower` and `upper`", outside)
    return pd.Series(values, dtype="float64")


def _numbers(texts: Sequence[str]) -> tuple[NDArray[np.float64], list[int]]:
    """The cells as numbers, NaN where there is none; and the rows whose cell is no finite number."""
    values = np.full(len(texts), np.nan)
    wrong = []
    for k, text in enumerate(texts):
        if text in _MISSING:
            continue
        try:
            # Python would also read `1_000`.
            value = math.nan if "_" in text else float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            values[k] = value
        else:
            wrong.append(k)
    return values, wrong


def _days(texts: Sequence[str]) -> tuple[NDArray[np.datetime64], list[int]]:
    """The cells as days, not-a-time where there is none; and the rows whose cell is no date."""
    known = {text: _day(text) for text in dict.fromkeys(texts)}
    days = np.array([known[text] for text in texts], dtype="datetime64[ns]")
    return days, [k for k, text in enumerate(texts) if np.isnat(days[k]) and text not in _MISSING]


def _day(text: str) -> np.datetime64:
    """A date cell; midnight behind it, as spreadsheets write, is no part of it."""
    bare = text.removesuffix("T00:00:00").removesuffix(" 00:00:00")
    try:
        return np.datetime64(date_of(bare).isoformat(), "ns")
    except ModelworksError:
        return np.datetime64("NaT", "ns")
