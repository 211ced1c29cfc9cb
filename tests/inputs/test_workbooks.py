"""A table reads the same from CSV, Excel and Parquet, and a mistake in it is told alike."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue, Dataset, _cells

NAMES = ("week", "district", "cases")
ROWS = ((date(2021, 1, 4), "01", 12), (date(2021, 1, 11), "North", 30.5))


def workbook(
    rows: Sequence[Sequence[Any]], *, names: Sequence[str] = NAMES, sheets: Sequence[str] = ("Data",)
) -> bytes:
    """The table on the first of the sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title in sheets:
        book.create_sheet(title)
    for row in (names, *rows):
        book.worksheets[0].append(list(row))
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def parquet(rows: Sequence[Sequence[Any]]) -> bytes:
    kept = io.BytesIO()
    pd.DataFrame(rows, columns=list(NAMES)).to_parquet(kept, index=False)
    return kept.getvalue()


def csv_text(rows: Sequence[Sequence[Any]]) -> bytes:
    return "\n".join([",".join(NAMES), *(",".join(map(str, row)) for row in rows)]).encode()


def dataset(root: Path, content: bytes, file: str, more: str = "", cases: str = "", week: str = "") -> Dataset:
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / file).write_bytes(content)
    (root / "data" / "catalogue.yaml").write_text(
        f"cases:\n  title: T\n  publisher: P\n  licence: L\n  source: S\n  file: {file}\n"
        f"  sha256: {hashlib.sha256(content).hexdigest()}\n{more}"
        f"  columns:\n    week: {{unit: date, meaning: Monday{week}}}\n    district: {{unit: text, meaning: where}}\n"
        f"    cases: {{unit: people, meaning: reported{cases}}}\n",
        encoding="utf-8",
    )
    return Catalogue.read(root)["cases"]


def letter(found: Dataset) -> Any:
    with pytest.raises(ModelworksError) as caught:
        found.table()
    return caught.value.letters[0]


def test_the_same_table_from_every_kind_of_file(tmp_path: Path) -> None:
    wanted = dataset(tmp_path, csv_text(ROWS), "cases.csv").table()
    for content, file in ((workbook(ROWS), "cases.xlsx"), (parquet(ROWS), "cases.parquet")):
        pd.testing.assert_frame_equal(dataset(tmp_path, content, file).table(), wanted)


@pytest.mark.parametrize(
    ("cell", "column", "code"),
    [("1,204", 2, "D106"), ("#DIV/0!", 2, "D106"), (True, 2, "D106"), (datetime(2021, 1, 4, 9), 0, "D108"),
     (44200, 0, "D108"), ("13/01/2021", 0, "D108")],
)  # fmt: skip
def test_a_mistake_in_a_sheet_names_its_cell(tmp_path: Path, cell: Any, column: int, code: str) -> None:
    row = list(ROWS[1])
    row[column] = cell
    told = letter(dataset(tmp_path, workbook([ROWS[0], row]), "cases.xlsx"))
    assert (told.code, told.line) == (code, 3)
    assert f"({'ABC'[column]}3)" in told.message


def test_a_formula_nobody_calculated_is_no_empty_cell(tmp_path: Path) -> None:
    """A workbook that a program wrote has formulas without their numbers."""
    told = letter(dataset(tmp_path, workbook([[ROWS[0][0], "N", "=1+1"]]), "cases.xlsx"))
    assert told.code == "D112"
    assert "C2" in told.message


def test_a_sheet_is_named_where_there_are_several(tmp_path: Path) -> None:
    content = workbook(ROWS, sheets=("2021", "Notes"))
    told = letter(dataset(tmp_path, content, "cases.xlsx"))
    assert (told.code, told.hint) == ("D119", "write `sheet: 2021`")
    assert letter(dataset(tmp_path, content, "cases.xlsx", "  sheet: 202\n")).code == "D119"
    assert letter(dataset(tmp_path, csv_text(ROWS), "cases.csv", "  sheet: Notes\n")).code == "D119"
    assert len(dataset(tmp_path, content, "cases.xlsx", "  sheet: 2021\n").table()) == 2


def test_titles_above_a_table_are_passed_over(tmp_path: Path) -> None:
    titled = workbook([["in 2021"], [], NAMES, *ROWS], names=["Weekly bulletin"])
    assert dataset(tmp_path, titled, "cases.xlsx", "  header: 4\n").table()["cases"].tolist() == [12, 30.5]
    text = b"Weekly bulletin\n\n" + csv_text([*ROWS, ("2021-01-18", "N", "many")])
    told = letter(dataset(tmp_path, text, "cases.csv", "  header: 3\n"))
    assert (told.code, told.line) == ("D106", 6)
    assert "header" in letter(dataset(tmp_path, text, "cases.csv")).hint


@pytest.mark.parametrize(
    ("content", "file"),
    [(b"PK\3\4 and no more", "cases.xlsx"), (b"PAR1 and no more", "cases.parquet"), (workbook(ROWS), "cases.csv"),
     (b"old", "cases.xls"), (workbook([]), "cases.xlsx"), (workbook([], names=[]), "cases.xlsx"),
     (b"", "cases.parquet")],
)  # fmt: skip
def test_a_file_that_is_no_table_is_a_letter(tmp_path: Path, content: bytes, file: str) -> None:
    assert letter(dataset(tmp_path, content, file)).code == "D112"


def sheet_of(rows: Iterable[bytes]) -> bytes:
    """A workbook whose sheet says these rows, which are packed as they come."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(ROWS))) as parts,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in parts.namelist():
            found = parts.read(name)
            with new.open(name, "w") as part:
                if not name.endswith("sheet1.xml"):
                    part.write(found)
                    continue
                first, _, last = found.rpartition(b"</sheetData>")
                part.write(first)
                for row in rows:
                    part.write(row)
                part.write(b"</sheetData>" + last)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "file", "said"),
    [
        (lambda: sheet_of([b'<row r="1000000000"><c r="A1000000000"><v>1</v></c></row>']), "far.xlsx", "below row"),
        (lambda: sheet_of(b'<row r="%d"><c r="XFD%d"/></row>' % (k, k) for k in range(4, 40)), "wide.xlsx", "cells"),
        (lambda: sheet_of([b"<row><c><v>1</v></c></row>" * 10_000] * 30), "packed.xlsx", "unpacks to 0.0 GB"),
        (lambda: b",".join([b"a"] * 20_000) + b"\n" + b"," * 19_999, "wide.csv", "20,000 columns"),
        (lambda: parquet([["2021-01-04", "N", 12]] * 200_000), "long.parquet", "600,000 cells"),
    ],
)
def test_a_small_file_that_is_a_large_table_is_a_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Callable[[], bytes], file: str, said: str
) -> None:
    """Reading it took all memory, or a minute for every kilobyte."""
    monkeypatch.setattr(_cells, "MOST_CELLS", 400_000)
    monkeypatch.setattr(_cells, "MOST_UNPACKED_BYTES", 4_000_000)
    monkeypatch.setattr(_cells, "LAST_ROW", 1000)
    made = content()
    assert len(made) < 400_000
    told = letter(dataset(tmp_path, made, file))
    assert (told.code, said in told.message) == ("D112", True), told.message


def test_a_formula_is_found_wherever_a_sheet_is_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(_cells, "_PIECE_BYTES", size)
        assert _cells._mentions_formula(io.BytesIO(b"<c><f>1+1</f></c>"))
        assert not _cells._mentions_formula(io.BytesIO(b"<c><v>1</v></c>"))


def test_a_workbook_with_a_flipped_bit_is_a_letter_or_the_same_table(tmp_path: Path) -> None:
    """Wherever it is: never a traceback, never another number."""
    content = workbook([ROWS[k % 2] for k in range(60)])
    wanted = dataset(tmp_path, content, "cases.xlsx").table()
    for place in range(40, len(content), len(content) // 16):
        spoiled = bytearray(content)
        spoiled[place] ^= 0x10
        found = dataset(tmp_path, bytes(spoiled), "cases.xlsx")
        try:
            table = found.table()
        except ModelworksError as error:
            assert set(error.codes) <= {"D112", "D119", "D105"}  # noqa: PT017 - the other way out is no error at all
        else:
            pd.testing.assert_frame_equal(table, wanted)


def test_days_and_numbers_are_read_as_the_catalogue_says_they_are_written(tmp_path: Path) -> None:
    rows = [("03/04/2021", "N", '"1,204"'), ("14/04/2021", "N", 7)]
    told = letter(dataset(tmp_path, csv_text(rows), "cases.csv"))
    assert "written: day/month/year" in told.hint
    said = {"week": ", written: day/month/year", "cases": ", written: thousands"}
    table = dataset(tmp_path, csv_text(rows), "cases.csv", **said).table()
    assert [str(each.date()) for each in table["week"]] == ["2021-04-03", "2021-04-14"]
    assert table["cases"].tolist() == [1204, 7]
    said["week"] = ", written: month/day/year"
    assert letter(dataset(tmp_path, csv_text(rows), "cases.csv", **said)).line == 3


@pytest.mark.parametrize(
    ("days", "hint"),
    [(["03/04/2021", "04/05/2021"], "ask who wrote"), (["2021-04-03", "14/04/2021"], "mixes several"),
     (["soon", "2021-04-03"], "write year-month-day")],
)  # fmt: skip
def test_days_that_may_be_two_days_are_asked_about(tmp_path: Path, days: list[str], hint: str) -> None:
    told = letter(dataset(tmp_path, csv_text([(day, "N", 1) for day in days]), "cases.csv"))
    assert told.code == "D108"
    assert hint in told.hint
