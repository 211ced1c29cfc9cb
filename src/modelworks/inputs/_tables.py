"""A file of data as a table of the declared columns, every cell held to what the catalogue says of it."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from modelworks.errors import Letters, ModelworksError, fail, near
from modelworks.inputs._reading import file_bytes, shown
from modelworks.inputs._scalars import date_of, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from modelworks.inputs.priors import Bounds

# The first words of what stands in for a large file until it is fetched.
_POINTERS = {
    b"version https://git-lfs": "Git LFS: `git lfs pull` fetches the file",
    b"outs:": "DVC: `dvc pull` fetches the file",
    b"/annex/objects": "git-annex: `git annex get` fetches the file",
}
_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "."})
# How many cells are told of; a column of the wrong kind has as many mistakes as rows.
_MOST_CELLS = 3


class Described(Protocol):
    """A column as far as its cells are concerned."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def bounds(self) -> Bounds: ...
    @property
    def missing(self) -> bool: ...


class Source(Protocol):
    """A dataset as far as its file is concerned."""

    @property
    def name(self) -> str: ...
    @property
    def root(self) -> Path: ...
    @property
    def path(self) -> Path: ...
    @property
    def checksum(self) -> str | None: ...
    @property
    def columns(self) -> Mapping[str, Described]: ...


def content(dataset: Source) -> bytes:
    """The bytes of a raw file, which are those the catalogue was written for."""
    name = shown(dataset.path, dataset.root)
    if dataset.path.with_name(dataset.path.name + ".dvc").is_file() and not dataset.path.is_file():
        fail("D104", f"`{name}` is not here, only what points to it", hint=_POINTERS[b"outs:"])
    found = file_bytes(dataset.path, dataset.root, "D102")
    for beginning, hint in _POINTERS.items():
        if found[:200].lstrip().startswith(beginning):
            fail("D104", f"`{name}` holds no data, only what points to them", hint=hint)
    actual = hashlib.sha256(found).hexdigest()
    if dataset.checksum is not None and actual != dataset.checksum:
        fail(
            "D103",
            f"`{name}` is not the file the catalogue was written for: its SHA-256 is {actual}",
            hint="put the file back as it was received; or, if it is a new edition, "
            "look at what changed and then write its checksum and `retrieved:` into the catalogue",
        )
    return found


def checked(dataset: Source) -> str:
    """The checksum of a raw file, once its bytes are known to have it."""
    return hashlib.sha256(content(dataset)).hexdigest()


def read(found: bytes, dataset: Source) -> pd.DataFrame:
    """The declared columns of a file; a `ModelworksError` with every mistake of its cells."""
    import pandas as pd

    name = shown(dataset.path, dataset.root)
    header, rows = _rows(found, name, "\t" if name.endswith((".tsv", ".tab")) else ",")
    letters = Letters()
    columns = {}
    for each in dataset.columns.values():
        if each.name not in header:
            letters.add(
                "D105",
                f"`{name}` has no column `{each.name}`, which the dataset `{dataset.name}` declares",
                hint=near(each.name, header),
            )
            continue
        k = header.index(each.name)
        columns[each.name] = _converted([row[k] for row in rows], each, name, letters)
    letters.raise_if_any()
    return pd.DataFrame(columns)


def _rows(found: bytes, name: str, separator: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table in text, each row as long as the header."""
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = found[: error.start].count(b"\n") + 1
        fail("D112", f"`{name}` is not UTF-8 text on line {line}", hint="save it as CSV in UTF-8", file=name, line=line)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    try:
        header = [cell.strip() for cell in next(reader, [])]
        for row in reader:
            if len(row) not in (0, len(header)):
                fail(
                    "D112",
                    f"`{name}` has {len(row)} cells on this line, but {len(header)} columns",
                    hint="a text with a comma in it needs double quotes around it",
                    file=name,
                    line=reader.line_num,
                )
            if row:
                rows.append(row)
    except csv.Error as error:
        fail("D112", f"`{name}` can not be read: {error}", hint="save it again as CSV", file=name, line=reader.line_num)
    if not rows:
        fail("D112", f"`{name}` has no rows below its names of columns", hint="is this the right file?", file=name)
    twice = [each for each in header if header.count(each) > 1]
    if twice:
        fail("D112", f"`{name}` has two columns `{twice[0]}`", hint="rename one of them", file=name, line=1)
    return header, rows


def _converted(cells: list[str], column: Described, file: str, letters: Letters) -> pd.Series:
    """A column's cells as what they are declared to be."""
    import pandas as pd

    cells = [cell.strip() for cell in cells]
    if not column.missing and (empty := [k for k, cell in enumerate(cells) if cell in _MISSING]):
        _tell("D116", "is empty", "fill it in, or write `missing: allowed`", empty, column, file, letters)
    if column.kind == "text":
        return pd.Series(cells, dtype="str")
    if column.kind == "date":
        return _dates(cells, column, file, letters)
    values, wrong = _numbers(cells)
    if wrong:
        shown_cells = ", ".join(f"`{shortened(cells[k])}`" for k in wrong[:_MOST_CELLS])
        _tell(
            "D106",
            f"is no number: {shown_cells}",
            "write 1000, not 1,000; leave a cell empty where nothing is known",
            wrong,
            column,
            file,
            letters,
        )
    low, high = column.bounds.low, column.bounds.high
    outside = np.flatnonzero((values < low) | (values > high)).tolist()
    if outside:
        _tell(
            "D107",
            f"is {values[outside[0]]:g}, but lies {column.bounds}",
            "correct the cell, or `lower` and `upper`",
            outside,
            column,
            file,
            letters,
        )
    return pd.Series(values, dtype="float64")


def _numbers(cells: Sequence[str]) -> tuple[np.ndarray, list[int]]:
    """The cells as numbers, NaN where there is none; and the rows whose cell is no finite number."""
    values = np.full(len(cells), np.nan)
    wrong = []
    for k, cell in enumerate(cells):
        if cell in _MISSING:
            continue
        try:
            # Python would also read `1_000`.
            values[k] = math.nan if "_" in cell else float(cell)
        except ValueError:
            wrong.append(k)
            continue
        if not math.isfinite(values[k]):
            wrong.append(k)
            values[k] = math.nan
    return values, wrong


def _dates(cells: list[str], column: Described, file: str, letters: Letters) -> pd.Series:
    import pandas as pd

    known: dict[str, np.datetime64] = {}
    wrong = []
    for cell in dict.fromkeys(cells):
        try:
            known[cell] = np.datetime64("NaT") if cell in _MISSING else np.datetime64(_day(cell))
        except ModelworksError:
            known[cell] = np.datetime64("NaT")
            wrong.append(cell)
    if wrong:
        rows = [k for k, cell in enumerate(cells) if cell in set(wrong)]
        _tell(
            "D108",
            f"is no date: `{shortened(wrong[0])}`",
            "write year-month-day, as in 2021-03-04",
            rows,
            column,
            file,
            letters,
        )
    return pd.Series(np.array([known[cell] for cell in cells], dtype="datetime64[ns]"))


def _day(cell: str) -> str:
    """A date cell in its ISO form; midnight behind it, as spreadsheets write, is no part of it."""
    return date_of(cell.removesuffix("T00:00:00").removesuffix(" 00:00:00")).isoformat()


def _tell(code: str, problem: str, hint: str, rows: list[int], column: Described, file: str, letters: Letters) -> None:
    """One letter for all such cells of a column, at the first of them; the header is line 1."""
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    letters.add(code, f"a cell of `{column.name}` {problem}{more}", hint=hint, file=file, line=rows[0] + 2)
