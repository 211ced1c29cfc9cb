"""A table as it was written: names of columns and cells as text, with where each stands.

CSV, Excel and Parquet come out alike, so that a mistake in one is told as it is in the others.
"""

from __future__ import annotations

import csv
import functools
import io
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import IO, Any, NoReturn, TypeAlias

from modelworks.errors import fail, near
from modelworks.inputs._nodes import shortened
from modelworks.inputs._written import decimal_sign

_Row: TypeAlias = tuple[Any, ...]

TABS = (".tsv", ".tab")
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
# Those that spreadsheets of Europe and the Americas write, beside UTF-8.
ENCODINGS = ("utf-8", "windows-1252", "latin-1", "utf-16")
UTF_8 = ENCODINGS[0]
EXCEL = (".xlsx", ".xlsm")
PARQUET = (".parquet", ".pq")
# What public datasets write where nothing is known. In a column of text it is a text like any other.
MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "."})
# Workbooks that would need a library of their own each.
_OTHER_WORKBOOKS = (".xls", ".xlsb", ".ods", ".numbers")
# A file of some kilobytes may unpack to gigabytes, and name a cell a thousand million rows down. What is larger fits no
# memory as a table of texts.
MOST_UNPACKED_BYTES, MOST_CELLS = 2 * 10**9, 10**8
# The last row that a spreadsheet has, and how many columns.
LAST_ROW, MOST_COLUMNS = 2**20, 2**14
_FORMULA, _PIECE_BYTES = re.compile(rb"<f[ />]"), 1 << 20
# How files begin that somebody may take for a table by their name, or send by mistake.
_NO_TABLES = {
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"%PDF-": "a document (PDF)",
    b"\x1f\x8b": "a compressed file (gzip)",
    b"SQLite format 3\0": "a database (SQLite)",
}


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a file of text is written: a name of `SEPARATORS`, or empty for what its ending says; and of `ENCODINGS`."""

    separator: str = ""
    encoding: str = UTF_8

    def sign(self, ending: str) -> str:
        return SEPARATORS[self.separator or ("tab" if ending in TABS else "comma")]


USUAL_FORM = TextForm()


@dataclass(frozen=True)
class Cells:
    """A table in text: `rows` are as long as the `header`, and each stands (ends) on its line of the file.

    `letters` are Excel's names of the columns, where it is a sheet; `is_text` says that its numbers stand as somebody
    wrote them.
    """

    file: str
    header: list[str] = field(default_factory=list)
    rows: list[Sequence[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    is_text: bool = False

    def column(self, name: str) -> list[str]:
        k = self.header.index(name)
        return [row[k].strip() for row in self.rows]

    @functools.cached_property
    def decimal_sign(self) -> str:
        """The sign before decimals that its cells show, in whichever columns (see `decimal_sign`)."""
        return decimal_sign(cell.strip() for row in self.rows for cell in row)

    def cell(self, name: str, row: int) -> str:
        """A cell as its reader finds it: ` (C5)` in a sheet, nothing where line and column say enough."""
        return f" ({self.letters[self.header.index(name)]}{self.lines[row]})" if self.letters else ""


def read_cells(
    found: bytes, file: str, *, sheet: str = "", header: int = 1, may_repeat: bool = False, form: TextForm = USUAL_FORM
) -> Cells:
    """The cells of a file of data, read as the end of its name says, and a file of text in its form.

    `sheet` is that of a workbook (its only one, when empty); `header` the line with the names of the columns, each once
    unless it `may_repeat`, as where the first line are numbers.

    Raises
    ------
    ModelworksError
        D112 with what is wrong with the file as a whole, D119 with what is wrong with the sheet.
    """
    ending = "." + file.lower().rpartition(".")[2]
    if sheet and ending not in EXCEL:
        fail(
            "D119", f"`{file}` is no workbook, but a sheet `{sheet}` of it is wanted", hint="remove `sheet:`", file=file
        )
    if ending in _OTHER_WORKBOOKS:
        _refuse(file, f"is a workbook of an older or another kind ({ending})", "save it as .xlsx, or as CSV in UTF-8")
    if ending in PARQUET:
        cells = _of_parquet(found, file)
    elif ending in EXCEL:
        cells = _of_excel(found, file, sheet, header)
    else:
        cells = _of_text(found, file, form.sign(ending), header, form.encoding)
    if not cells.rows:
        _refuse(file, "has no rows below its names of columns", "is this the right file?")
    if len(cells.header) > MOST_COLUMNS:
        problem = f"has {len(cells.header):,} columns, more than the {MOST_COLUMNS:,} of a spreadsheet"
        _refuse(file, problem, "write them as rows: one for each place and day, with the name of what it counts")
    twice = [each for each in cells.header if each and cells.header.count(each) > 1]
    if twice and not may_repeat:
        _refuse(file, f"has two columns `{shortened(twice[0])}`", "rename one of them", header)
    return cells


def _refuse(file: str, problem: str, hint: str, line: int | None = None) -> NoReturn:
    fail("D112", f"`{file}` {problem}", hint=hint, file=file, line=line)


def _of_text(found: bytes, file: str, separator: str, header: int, encoding: str) -> Cells:
    """Header and rows of a file of separated values."""
    if found.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
        _refuse(file, "is a workbook under another name", "give it a name that ends in .xlsx, or save it as CSV")
    kind = next((said for mark, said in _NO_TABLES.items() if found.startswith(mark)), "")
    if kind:
        _refuse(file, f"is no table, but {kind}", "is this the right file? A table is CSV, Excel or Parquet")
    try:
        text = found.decode("utf-8-sig" if encoding == UTF_8 else encoding)
    except UnicodeDecodeError as error:
        line = found[: error.start].count(b"\n") + 1
        others = ", ".join(each for each in ENCODINGS if each != encoding)
        hint = f"say how its letters are written (`encoding:` in the catalogue, --encoding when it is added): {others}"
        _refuse(file, f"is not {encoding.upper()} text here", f"{hint}; or save it in UTF-8", line)
    if text[:200].lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        _refuse(
            file, "is a web page, not a table", "look at it in a browser: the address of the file itself is another"
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    cells = Cells(file, is_text=True)
    try:
        for row in reader:
            if reader.line_num < header:
                continue
            if not cells.header:
                cells.header.extend(cell.strip() for cell in row)
                _check_separator(cells, separator, reader.line_num)
                continue
            if len(row) not in (0, len(cells.header)):
                problem = f"has {len(row)} cells on this line, but {len(cells.header)} columns"
                _refuse(file, problem, _hint_about_width(header), reader.line_num)
            if row:
                cells.rows.append(row)
                cells.lines.append(reader.line_num)
    except csv.Error as error:
        _refuse(file, f"can not be read: {error}", "save it again as CSV", reader.line_num)
    return cells


def _check_separator(cells: Cells, separator: str, line: int) -> None:
    names = {sign: name for name, sign in SEPARATORS.items()}
    is_single = len(cells.header) == 1
    other = next((each for each in ";\t" if each != separator and is_single and each in cells.header[0]), None)
    if other is not None:
        more = " and, of numbers such as 1,5, `written: decimal comma`" if other == ";" else ""
        hint = f"write `separator: {names[other]}`{more} in the catalogue"
        _refuse(cells.file, f"is separated by {names[other]}s, not by {names[separator]}s", hint, line)


def _hint_about_width(header: int) -> str:
    comma = "a text with a comma in it needs double quotes around it"
    return comma if header > 1 else f"{comma}; where the names of the columns stand further down, write `header: LINE`"


def _of_parquet(found: bytes, file: str) -> Cells:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        size = parquet.read_metadata(pa.BufferReader(found))
        _check_cells(size.num_rows * size.num_columns, file)
        table = parquet.read_table(pa.BufferReader(found))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        _refuse(file, f"can not be read: {str(error).splitlines()[0]}", "write it again as Parquet")
    nested = [each.name for each in table.schema if pa.types.is_nested(each.type)]
    columns = [
        [_text(value) for value in table[each.name].to_pylist()] for each in table.schema if each.name not in nested
    ]
    names = [each.name for each in table.schema if each.name not in nested]
    return Cells(file, names, list(zip(*columns, strict=True)), list(range(1, table.num_rows + 1)))


def _of_excel(found: bytes, file: str, sheet: str, header: int) -> Cells:
    """A sheet of a workbook; a formula counts as what it gave when the workbook was last saved."""
    cells = Cells(file)
    _check_unpacked(found, file)
    for number, (written, known) in enumerate(_rows(found, file, sheet), start=1):
        if number > LAST_ROW:
            _refuse(file, f"has a cell below row {LAST_ROW:,}, the last that a spreadsheet has", "save it again")
        if number < header or not (known or written):
            continue
        if not cells.header:
            names = [_text(value).strip() for value in known]
            width = max((k + 1 for k, name in enumerate(names) if name), default=0)
            cells.header.extend(names[:width])
            cells.letters.extend(_letters(k) for k in range(width))
            continue
        for k, value in enumerate(written):
            if value is not None and (k >= len(known) or known[k] is None):
                hint = "open the workbook in a spreadsheet and save it, or save the sheet as CSV"
                _refuse(file, f"has a formula in {_letters(k)}{number} that was never calculated", hint, number)
        texts = [_text(value) for value in known]
        cells.rows.append([*texts, *[""] * len(cells.header)][: len(cells.header)])
        cells.lines.append(number)
    return cells


def _check_unpacked(found: bytes, file: str) -> None:
    with _as_a_workbook(file), zipfile.ZipFile(io.BytesIO(found)) as parts:
        size = sum(each.file_size for each in parts.infolist())
    if size > MOST_UNPACKED_BYTES:
        problem = f"unpacks to {size / 1e9:,.1f} GB, more than {MOST_UNPACKED_BYTES / 1e9:g} GB"
        _refuse(file, problem, "save the sheet that is wanted as CSV")


def _check_cells(count: int, file: str) -> None:
    if count > MOST_CELLS:
        problem = f"has {count:,} cells, more than {MOST_CELLS:,}"
        _refuse(file, problem, "keep the columns and rows that are wanted, or add up what is finer")


def _rows(found: bytes, file: str, sheet: str) -> Iterator[tuple[_Row, _Row]]:
    """Each row as it was written, with its formulas, and with what they gave."""
    values = _sheet(found, file, sheet, values=True)
    # Reading takes longer than all the rest, and most sheets have no formula.
    with _as_a_workbook(file):
        has_formulas = _has_formulas(found)
    if not has_formulas:
        return ((row, row) for row in values)
    return zip(_sheet(found, file, sheet, values=False), values, strict=True)


def _has_formulas(found: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(found)) as parts:
        sheets = [name for name in parts.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
        return any(_mentions_formula(parts.open(name)) for name in sheets)


def _mentions_formula(sheet: IO[bytes]) -> bool:
    """Whether a sheet has the mark of a formula, read in pieces: it may be larger than the memory."""
    end = b""
    while piece := sheet.read(_PIECE_BYTES):
        if _FORMULA.search(end + piece):
            return True
        end = (end + piece)[-2:]
    return False


def _sheet(found: bytes, file: str, sheet: str, *, values: bool) -> Iterator[_Row]:
    """The rows of the sheet asked for, or of the only one."""
    import openpyxl

    with _as_a_workbook(file):
        book = openpyxl.load_workbook(io.BytesIO(found), read_only=True, data_only=values)
        names = [each.title for each in book.worksheets]
    if not sheet and len(names) != 1:
        listed = ", ".join(f"`{name}`" for name in names)
        fail("D119", f"`{file}` has {len(names)} sheets: {listed}", hint=f"write `sheet: {names[0]}`", file=file)
    if sheet and sheet not in names:
        fail("D119", f"`{file}` has no sheet `{sheet}`", hint=near(sheet, names), file=file)
    chosen = book[sheet or names[0]]
    # What a program wrote as the sheet's size is often wrong; without it the rows themselves say.
    chosen.reset_dimensions()
    return _padded(chosen.iter_rows(values_only=True), file)


@contextmanager
def _as_a_workbook(file: str) -> Iterator[None]:
    """A damaged workbook breaks the library in as many ways as there are, some of them only while rows are read."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        _refuse(file, f"is no workbook that can be read ({type(error).__name__})", "save it again as .xlsx, or as CSV")


def _padded(rows: Iterable[_Row], file: str) -> Iterator[_Row]:
    """Rows without empty cells at their end, which one reading may have and another not."""
    count = 0
    with _as_a_workbook(file):
        for row in rows:
            count += len(row)
            if count > MOST_CELLS:
                break
            width = max((k + 1 for k, value in enumerate(row) if value is not None), default=0)
            yield row[:width]
    _check_cells(count, file)


def _letters(k: int) -> str:
    """Excel's name of the column number `k`, from 0.

    >>> [_letters(k) for k in (0, 25, 26, 701, 702)]
    ['A', 'Z', 'AA', 'ZZ', 'AAA']
    """
    name = ""
    while k >= 0:
        k, letter = divmod(k, 26)
        name, k = chr(ord("A") + letter) + name, k - 1
    return name


def _text(value: Any) -> str:
    """A cell's value as it would stand in CSV.

    >>> [_text(each) for each in (None, 20.0, 0.1, True, datetime(2021, 3, 4), datetime(2021, 3, 4, 12, 30))]
    ['', '20', '0.1', 'TRUE', '2021-03-04', '2021-03-04T12:30:00']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat().removesuffix("T00:00:00")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
