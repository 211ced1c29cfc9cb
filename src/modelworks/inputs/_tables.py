"""A file of data as a table of the declared columns, every cell held to what the catalogue says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import Letters, near
from modelworks.inputs._cells import MISSING, USUAL_FORM, Cells, TextForm, read_cells
from modelworks.inputs._nodes import shortened
from modelworks.inputs._written import (
    DECIMAL_COMMA,
    PLAIN,
    day_of,
    doubtful,
    hint_about_days,
    hint_about_doubt,
    hint_about_numbers,
    number_of,
    two_numbers,
    why_no_day,
)
from modelworks.inputs.columns import Column
from modelworks.inputs.parameters import largest_share
from modelworks.units import as_written

if TYPE_CHECKING:
    import pandas as pd


def read_table(
    found: bytes,
    file: str,
    columns: Iterable[Column],
    *,
    sheet: str = "",
    header: int = 1,
    form: TextForm = USUAL_FORM,
    is_made: bool = False,
) -> pd.DataFrame:
    """The declared columns of a file; a `ModelworksError` with every mistake of its cells.

    `file` is its name in letters, whose end says what it is: CSV, `.tsv` (tabs), `.xlsx`, `.parquet`. What `is_made` by
    a function of ours has its points before decimals.
    """
    import pandas as pd

    cells = read_cells(found, file, sheet=sheet, header=header, form=form)
    letters = Letters()
    table = {}
    for each in columns:
        if each.name in cells.header:
            table[each.name] = _converted(cells, each, letters, is_sure=is_made or not cells.is_text)
        else:
            hint = near(each.name, cells.header)
            message = f"`{file}` has no column `{each.name}`, which the catalogue declares"
            letters.add("D105", message, hint=hint, file=each.place.file, line=each.place.line)
    letters.raise_if_any()
    return pd.DataFrame(table)


def _converted(cells: Cells, column: Column, letters: Letters, *, is_sure: bool) -> pd.Series[Any]:
    """A column's cells as what they are declared to be; `is_sure` says that a point stands before decimals."""
    import pandas as pd

    texts = cells.column(column.name)

    def tell(code: str, problem: str, hint: str, rows: list[int]) -> None:
        """One letter for all such cells, at the first: a column of the wrong kind has as many mistakes as rows."""
        if rows:
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            where, line = cells.cell(column.name, rows[0]), cells.lines[rows[0]]
            message = f"a cell of `{column.name}`{where} {problem}{more}"
            letters.add(code, message, hint=hint, file=cells.file, line=line)

    if not column.missing:
        empty = [k for k, text in enumerate(texts) if text in MISSING]
        tell("D116", "is empty", "fill it in, or write `missing: allowed`", empty)
    if column.kind == "text":
        return pd.Series(texts, dtype="str")
    if column.kind == "date":
        days, wrong = _days(texts, column.written)
        problem = why_no_day(texts[wrong[0]], column.written) if wrong else ""
        written = [text for text in texts if text not in MISSING] if wrong else []
        tell("D108", problem, hint_about_days(written, column.written, "written: {}"), wrong)
        return pd.Series(days)
    values, wrong = _numbers(texts, column.written or PLAIN)
    problem = f"is no number: `{shortened(texts[wrong[0]])}`" if wrong else ""
    tell("D106", problem, hint_about_numbers([texts[k] for k in wrong], "written: thousands"), wrong)
    if not (wrong or is_sure or column.written):
        known = [text for text in texts if text not in MISSING]
        doubt = doubtful(known, min(column.bounds.high, largest_share(column.unit)))
        if doubt is not None and cells.decimal_sign != ".":
            hint = hint_about_doubt("written: {}", PLAIN, DECIMAL_COMMA)
            tell("D120", two_numbers(doubt), hint, [texts.index(doubt)])
    outside = np.flatnonzero((values < column.bounds.low) | (values > column.bounds.high)).tolist()
    problem = (
        f"is {as_written(values[outside[0]])}, but the catalogue says that it lies {column.bounds}" if outside else ""
    )
    tell("D107", problem, "correct the cell, or `lower` and `upper`", outside)
    return pd.Series(values, dtype="float64")


def _numbers(texts: Sequence[str], written: str) -> tuple[NDArray[np.float64], list[int]]:
    """The cells as numbers, NaN where there is none; and the rows whose cell is no finite number."""
    values = np.full(len(texts), np.nan)
    wrong = []
    for k, text in enumerate(texts):
        value = None if text in MISSING else number_of(text, written)
        if value is not None:
            values[k] = value
        elif text not in MISSING:
            wrong.append(k)
    return values, wrong


def _days(texts: Sequence[str], layout: str) -> tuple[NDArray[np.datetime64], list[int]]:
    """The cells as days, not-a-time where there is none; and the rows whose cell is no date."""
    known = {text: day_of(text, layout) for text in dict.fromkeys(texts)}
    days = np.array([known[text] for text in texts], dtype="datetime64[ns]")
    return days, [k for k, text in enumerate(texts) if known[text] is None and text not in MISSING]
