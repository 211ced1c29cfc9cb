"""A file becomes a dataset: what can be seen is guessed, what can not is asked, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelworks.cli import line
from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue

SAID = ("--title", "T: a title", "--publisher", "P", "--licence", "CC0", "--source", "S")
DAILY = "Bulletin of 2021\n\ndate,new_cases,share_pct,place_code,note\n" + "".join(
    f'{day:02d}/01/2021,"{1000 + day:,}",{day / 2},0{day % 2},\n' for day in range(1, 29)
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "modelworks.toml").write_text("", encoding="utf-8")
    (tmp_path / "mail").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(root: Path, content: str, *words: str, file: str = "New Cases.csv", answers: str | None = None) -> Result:
    path = root / "mail" / file
    path.write_text(content, encoding="utf-8")
    return CliRunner().invoke(line, ["data", "add", str(path), *words], input=answers)


def code(result: Result) -> str:
    assert isinstance(result.exception, ModelworksError), result.output
    return result.exception.codes[0]


def test_a_file_with_titles_foreign_days_and_thousands_is_added_without_a_question(root: Path) -> None:
    assert add(root, DAILY, "--no-questions", *SAID).exit_code == 0
    catalogue = Catalogue.read(root)
    found = catalogue["new-cases"]
    assert (found.title, found.file) == ("T: a title", "raw/New Cases.csv")
    units = {name: column.unit for name, column in found.columns.items()}
    assert units == {
        "date": "date",
        "new_cases": "people",
        "share_pct": "percent",
        "place_code": "text",
        "note": "text",
    }
    table = found.table()
    assert table["new_cases"].tolist() == [1000 + day for day in range(1, 29)]
    assert str(table["date"].iloc[-1].date()) == "2021-01-28"
    findings = catalogue.findings("new-cases")
    assert [(each.check.name, each.problem) for each in findings] == [
        ("one row for each date", ""),
        ("no day missing", ""),
    ]


def test_what_nobody_can_guess_is_asked(root: Path) -> None:
    answers = "Cases\nMinistry\nCC0\nBy mail\ntext\nthe day\npeople\ncases reported\n-\n-\n-\n"
    assert add(root, DAILY, answers=answers).exit_code == 0
    found = Catalogue.read(root)["new-cases"]
    assert (found.publisher, list(found.columns)) == ("Ministry", ["date", "new_cases"])
    assert found.columns["new_cases"].meaning == "cases reported"
    assert found.table()["date"].iloc[0] == "01/01/2021"


@pytest.mark.parametrize("answers", ["", "Cases\nMinistry\nCC0\nBy mail\n"])
def test_a_question_without_an_answer_adds_nothing_and_says_how_to_be_asked_none(root: Path, answers: str) -> None:
    ended = add(root, DAILY, answers=answers)
    assert ended.exit_code == 2
    assert "not added" in ended.stderr
    assert "--no-questions" in ended.stderr
    assert list(Catalogue.read(root)) == []


def test_a_line_list_is_told_apart_by_the_number_of_its_cases(root: Path) -> None:
    rows = "case_ID,infector,onset,death,age\n1,2,2021-01-05,,7\n2,,2021-01-05,2021-01-09,30\n"
    assert add(root, rows, "--no-questions", *SAID).exit_code == 0
    found = Catalogue.read(root)["new-cases"]
    assert [each.name for each in found.checks] == ["one row for each case_ID"]
    assert (found.columns["age"].unit, found.columns["infector"].unit) == ("years", "dimensionless")


def test_days_that_may_be_two_days_are_asked_about(root: Path) -> None:
    content = "date,cases\n03/04/2021,5\n04/04/2021,6\n"
    assert code(add(root, content, "--no-questions", *SAID)) == "D108"
    assert add(root, content, "--no-questions", *SAID, "--days", "month/day/year").exit_code == 0
    assert str(Catalogue.read(root)["new-cases"].table()["date"][0].date()) == "2021-03-04"


@pytest.mark.parametrize("sign", ".,")
@pytest.mark.parametrize(("numbers", "wanted"), [("decimals", 1.204), ("thousands", 1204.0)])
def test_numbers_that_may_be_two_are_asked_about(root: Path, sign: str, numbers: str, wanted: float) -> None:
    content = f"place;cases\nA;986\nB;1{sign}204\n"
    told = add(root, content, "--no-questions", *SAID)
    assert code(told) == "D120"
    assert f"`1{sign}204` is 1.204 with decimals, and 1204 in thousands" in str(told.exception)
    assert add(root, content, "--no-questions", *SAID, "--numbers", numbers).exit_code == 0
    assert Catalogue.read(root)["new-cases"].table()["cases"].tolist() == [986.0, wanted]


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["0.986", "1.204"], [0.986, 1.204]),
        (["0,986", "1,204"], [0.986, 1.204]),
        (["9860", "1.204"], [9860.0, 1.204]),
        (["98.6", "1.204"], [98.6, 1.204]),
        (["986", "1,204,500"], [986.0, 1204500.0]),
        (["986", "1.204.500"], [986.0, 1204500.0]),
        (["98,6", "1.204"], [98.6, 1204.0]),
    ],
)
def test_what_another_number_of_the_column_decides_is_not_asked(
    root: Path, cells: list[str], wanted: list[float]
) -> None:
    rows = "".join(f"{place};{cell}\n" for place, cell in zip("AB", cells, strict=True))
    assert add(root, f"place;cases\n{rows}", "--no-questions", *SAID).exit_code == 0
    assert Catalogue.read(root)["new-cases"].table()["cases"].tolist() == wanted


@pytest.mark.parametrize(("other", "cell", "wanted"), [("0.5", "1.204", 1.204), ("7,25", "1.204", 1204.0),
                                                       ("0.5", "1,204", 1204.0), ("7,25", "1,204", 1.204)])  # fmt: skip
def test_what_another_column_of_the_file_decides_is_not_asked(root: Path, other: str, cell: str, wanted: float) -> None:
    assert add(root, f"place;tested;cases\nA;{other};986\nB;1;{cell}\n", "--no-questions", *SAID).exit_code == 0
    assert Catalogue.read(root)["new-cases"].table()["cases"].tolist() == [986.0, wanted]


def test_a_share_is_not_above_all(root: Path) -> None:
    assert add(root, "place;percent\nA;98\nB;1.204\n", "--no-questions", *SAID).exit_code == 0
    assert Catalogue.read(root)["new-cases"].table()["percent"].tolist() == [98.0, 1.204]


def test_nothing_is_added_twice_or_written_over(root: Path) -> None:
    assert add(root, "a,b\n1,2\n", "--no-questions", *SAID).exit_code == 0
    assert code(add(root, "a,b\n1,2\n", "--no-questions", *SAID, file="copy.csv")) == "D145"
    assert code(add(root, "a,b\n3,4\n", "--no-questions", *SAID)) == "D145"
    assert code(add(root, "a,b\n5,6\n", "--no-questions", *SAID, "--name", "new-cases", file="c.csv")) == "D145"


@pytest.mark.parametrize(
    ("content", "words", "wanted"),
    [("a,b\n1,2\n", (), "D109"), ("a,b\n1,2,3\n", SAID, "D112"), ("", SAID, "D112"), ("a,a\n1,2\n", SAID, "D112"),
     ("version https://git-lfs\n", SAID, "D104"), ("a,b\n1,2\n", (*SAID, "--name", "../x"), "D118"),
     ("a,b\n1,2\n", (*SAID, "--title", "TODO"), "D109"), ("a,b\n1,2\n", (*SAID, "--sheet", "x"), "D119")],
)  # fmt: skip
def test_a_mistake_leaves_the_catalogue_as_it_was(
    root: Path, content: str, words: tuple[str, ...], wanted: str
) -> None:
    (root / "data").mkdir()
    catalogue = root / "data" / "catalogue.yaml"
    catalogue.write_text("# none yet\n", encoding="utf-8")
    assert code(add(root, content, "--no-questions", *words)) == wanted
    assert catalogue.read_text(encoding="utf-8") == "# none yet\n"


@pytest.mark.parametrize(
    ("content", "wanted", "says"),
    [
        ("date,cases\n03/04/2021,1\n2021-04-05,2\n", "D108", "mixes several"),
        ("date,cases\n2021-04-04,1\nsoon,2\n", "D108", "`soon`"),
        ("date,cases\n2021-04-04,#REF!\n2021-04-05,2\n", "D106", "`#REF!`"),
        ("<!doctype html><p>404, not found</p>\n", "D112", "web page"),
        ("date,cases\n2021-04-04,1\n2021-04-05,2,3\n2021-04-06,2\n2021-04-07,2\n", "D112", "line 3"),
    ],
)
def test_a_column_that_is_mostly_of_a_kind_is_no_text_unseen(root: Path, content: str, wanted: str, says: str) -> None:
    ended = add(root, content, "--no-questions", *SAID)
    assert code(ended) == wanted
    assert says in str(ended.exception)


def test_who_knows_that_a_column_holds_texts_says_so(root: Path) -> None:
    content = "floor,people\n0,5\n1,6\n2+,90\n"
    assert code(add(root, content, "--no-questions", *SAID)) == "D106"
    assert add(root, content, "--no-questions", *SAID, "--text", "floor").exit_code == 0
    assert Catalogue.read(root)["new-cases"].table()["floor"].tolist() == ["0", "1", "2+"]


def test_rows_that_repeat_and_counts_below_zero_are_remarked(root: Path) -> None:
    ended = add(root, "date,cases\n2021-04-04,1\n2021-04-04,-2\n", "--no-questions", *SAID)
    assert "`cases` has 1 number below 0, the first in row 2" in ended.stderr
    assert "1 rows repeat another one's date, the first is row 2" in ended.stderr


def test_a_table_of_one_column_and_one_with_unnamed_rows_keep_their_first_line(root: Path) -> None:
    assert add(root, "cases\n5\n6\n", "--no-questions", *SAID).exit_code == 0
    rows = ",date,cases\n1,2021-01-01,5\n2,2021-01-02,6\n"
    assert add(root, rows, "--no-questions", *SAID, file="r.csv").exit_code == 0
    assert list(Catalogue.read(root)["r"].columns) == ["date", "cases"]
    assert Catalogue.read(root)["new-cases"].table()["cases"].tolist() == [5, 6]


EUROPEAN = "Datum;Ort;Fälle je 100.000\n2021-01-01;Köln;1.234,5\n2021-01-02;Aachen;7,25\n"


def test_semicolons_and_decimal_commas_are_seen_and_letters_are_said(root: Path) -> None:
    """As spreadsheets of half of Europe save a table; of its letters nothing can be seen but that they are not ours."""
    path = root / "mail" / "kreise.csv"
    path.write_bytes(EUROPEAN.encode("windows-1252"))
    words = ["data", "add", str(path), "--no-questions", *SAID]
    refused = CliRunner().invoke(line, words)
    assert code(refused) == "D112"
    assert "--encoding" in str(refused.exception)
    done = CliRunner().invoke(line, [*words, "--encoding", "windows-1252"])
    assert done.exit_code == 0, done.output
    table = Catalogue.read(root)["kreise"].table()
    assert table["Ort"].tolist() == ["Köln", "Aachen"]
    assert table["Fälle je 100.000"].tolist() == [1234.5, 7.25]


@pytest.mark.parametrize(
    ("remove", "code", "says"),
    [
        ("  separator: semicolon\n", "D112", "separator: semicolon"),
        ("  encoding: windows-1252\n", "D112", "encoding:"),
        (", written: decimal comma", "D106", "written: decimal comma"),
    ],
)
def test_what_is_to_be_declared_is_named(root: Path, remove: str, code: str, says: str) -> None:
    path = root / "mail" / "kreise.csv"
    path.write_bytes(EUROPEAN.encode("windows-1252"))
    CliRunner().invoke(line, ["data", "add", str(path), "--no-questions", *SAID, "--encoding", "windows-1252"])
    catalogue = root / "data" / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8")
    assert remove in text
    catalogue.write_text(text.replace(remove, ""), encoding="utf-8")
    with pytest.raises(ModelworksError, match=code) as raised:
        Catalogue.read(root)["kreise"].table()
    assert says in raised.value.letters[0].hint


def test_a_point_is_no_thousand_where_commas_are_decimals(root: Path) -> None:
    """1.5 in such a column is a slip of somebody, and reading it as 15 would be worse than refusing it."""
    add(root, EUROPEAN.replace("7,25", "7.25"), "--no-questions", *SAID, file="kreise.csv")
    assert "kreise" not in Catalogue.read(root)


def test_an_old_workbook_says_how_to_save_it(root: Path) -> None:
    (root / "mail" / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    refused = CliRunner().invoke(line, ["data", "add", str(root / "mail" / "old.xls"), "--no-questions", *SAID])
    assert code(refused) == "D112"
    assert "save it as .xlsx" in str(refused.exception)
