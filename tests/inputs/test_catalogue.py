"""Datasets: held to their checksum, their columns and their limits; prepared once and again when stale."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue, check_files, read_study


def replace_cases(repository: Path, content: bytes) -> None:
    """Put other bytes into the dataset of cases, and their checksum into the catalogue."""
    raw, catalogue = repository / "data" / "raw" / "cases.csv", repository / "data" / "catalogue.yaml"
    old, new = (hashlib.sha256(each).hexdigest() for each in (raw.read_bytes(), content))
    raw.write_bytes(content)
    catalogue.write_text(catalogue.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def table_of_cases(repository: Path) -> pd.DataFrame:
    return Catalogue.read(repository)["cases"].table()


def test_a_table_has_the_declared_columns_with_their_types(repository: Path) -> None:
    """Dates are dates and numbers are numbers, whether any is missing or not."""
    table = table_of_cases(repository)
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {
        "week": "datetime64[ns]",
        "cases": "float64",
        "tested": "float64",
    }
    assert table["week"].dt.year.tolist() == [2021] * 3


def test_a_column_that_is_not_declared_is_not_there(repository: Path) -> None:
    """Without a unit and a meaning nobody can use it rightly."""
    replace_cases(repository, b"week,cases,tested,note\n2021-01-04,1,2,late\n")
    assert list(table_of_cases(repository)) == ["week", "cases", "tested"]


def test_changing_a_table_one_was_given_changes_no_other(repository: Path) -> None:
    """Two models may be given the same dataset."""
    dataset = Catalogue.read(repository)["cases"]
    mine = dataset.table()
    mine["cases"] = 0
    assert dataset.table()["cases"].sum() == 97


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"week,cases,tested\n2021-01-04,1,2\n2021-01-11,many,2\n", "D106", 3),
        (b'week,cases,tested\n2021-01-04,"1,204",2\n', "D106", 2),
        (b"week,cases,tested\n2021-01-04,1_0,2\n", "D106", 2),
        (b"week,cases,tested\n2021-01-04,986,2\n2021-01-11,1.204,2\n", "D120", 3),
        (b"week,cases,tested\n2021-01-04,inf,2\n", "D106", 2),
        (b"week,cases,tested\n\n\n2021-01-04,-1,2\n", "D107", 4),
        (b"week,cases,tested\n04/01/2021,1,2\n", "D108", 2),
        (b"week,cases,tested\n2021-01-04,1,\n", "D116", 2),
        (b"week,cases,tested\n2021-01-04,1\n", "D112", 2),
        (b"week,cases,tested,cases\n2021-01-04,1,2,3\n", "D112", 1),
        (b"week;cases;tested\n2021-01-04;1;2\n", "D112", 1),
        (b"week;cases;tested\n2021-01-04;1,5;2\n", "D112", 1),
        (b"week\tcases\ttested\n2021-01-04\t1\t2\n", "D112", 1),
        (b"week,cases,tested\n", "D112", None),
        (b"", "D112", None),
        (b"week,cases,tested\n2021-01-04,\xff,2\n", "D112", 2),
        (b'week,cases,tested\n2021-01-04,"1,2\n', "D112", 2),
        (b"week,case,tested\n2021-01-04,1,2\n", "D105", 12),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "D104", 1),
        (b"outs:\n- md5: 00\n  path: cases.csv\n", "D104", 1),
    ],
)
def test_a_file_with_a_mistake_is_answered_at_its_line(
    repository: Path, study: Path, content: bytes, code: str, line: int | None
) -> None:
    """The letter names the line of the data, or of the catalogue where that is what does not fit."""
    replace_cases(repository, content)
    _, letters = check_files(study)
    assert (code, line) in [(letter.code, letter.line) for letter in letters], [str(each) for each in letters]


def test_many_bad_cells_of_a_column_are_one_letter(repository: Path, study: Path) -> None:
    """Ten thousand letters would hide the one that matters."""
    replace_cases(repository, b"week,cases,tested\n" + b"2021-01-04,x,2\n" * 500)
    _, letters = check_files(study)
    assert [(letter.code, "499 more" in letter.message) for letter in letters] == [("D106", True)]


def test_a_file_that_dvc_keeps_is_not_taken_for_missing(repository: Path, study: Path) -> None:
    """`dvc pull` helps, and looking for the file does not."""
    raw = repository / "data" / "raw" / "cases.csv"
    raw.rename(raw.with_name("cases.csv.dvc"))
    _, letters = check_files(study)
    assert "D104" in [letter.code for letter in letters]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (b"2021-01-04,1,2\n2021-01-04,3,4\n", "T112"),
        (b"2021-01-04,1,2\n2021-01-11,,4\n", "T108"),
        (b"2021-01-04,1,2\n,3,4\n", "T108"),
        (b"2021-01-04,1.5,2\n", "T107"),
        (b"2019-01-04,1,2\n", "T109"),
    ],
)
def test_data_that_do_not_fit_their_target_are_a_letter(repository: Path, study: Path, rows: bytes, code: str) -> None:
    """The dataset is sound, and yet nothing to calibrate to."""
    replace_cases(repository, b"week,cases,tested\n" + rows)
    _, letters = check_files(study)
    line = 3 if code == "T109" else 1
    assert [(each.code, each.file, each.line) for each in letters] == [(code, "studies/school/targets.yaml", line)]


def test_a_survey_that_was_not_made_is_left_out(repository: Path, study: Path) -> None:
    """For a likelihood that is not of counts an empty cell is no observation, and not a zero."""
    replace_cases(repository, b"week,cases,tested\n2021-01-04,0.3,2\n2021-01-11,NA,2\n")
    targets = study / "targets.yaml"
    text = targets.read_text(encoding="utf-8")
    targets.write_text(
        text.replace("{negative_binomial: {overdispersion: overdispersion}}", "{normal: {sd: 1}}"), encoding="utf-8"
    )
    inputs = read_study(study)
    assert inputs.targets["cases"].series(inputs.catalogue).values.tolist() == [0.3]


# -- prepared --------------------------------------------------------------------------------------


def test_a_prepared_table_is_kept_and_read_again(repository: Path) -> None:
    """The function is run once."""
    first = Catalogue.read(repository)["people"]
    table = first.table()
    kept = repository / "data" / "prepared" / "people.csv"
    written = kept.stat().st_mtime_ns
    again = Catalogue.read(repository)["people"]
    pd.testing.assert_frame_equal(again.table(), table)
    assert kept.stat().st_mtime_ns == written
    assert again.sha256 == first.sha256
    assert kept.read_text(encoding="utf-8") == "age,people\n0-4,100\n5+,900\n"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("data/prepare/people.py", "[100, 900]", "[101, 900]"),
        ("data/raw/cases.csv", "12,300", "13,300"),
        ("data/catalogue.yaml", "people.py:by_age", "people.py:elsewhere"),
    ],
)
def test_a_table_is_prepared_again_when_anything_it_is_made_from_changes(
    repository: Path, file: str, old: str, new: str
) -> None:
    """The code, the raw file, or which function it is; within the same second too."""
    before = Catalogue.read(repository)["people"]
    before.table()
    was = before.sha256
    path = repository / file
    text = path.read_text(encoding="utf-8").replace(old, new)
    path.write_text(text.replace("  uses: [raw/cases.csv]\n", "") if "yaml" in file else text, encoding="utf-8")
    after = Catalogue.read(repository)["people"]
    assert after.sha256 != was
    expected = {"[101, 900]": 101, "13,300": 100, "people.py:elsewhere": 50}[new]
    assert after.table()["people"].iloc[0] == expected


@pytest.mark.parametrize("spoil", ["people.csv", "people.key"])
def test_a_kept_table_that_was_touched_is_prepared_again(repository: Path, spoil: str) -> None:
    """Nobody changes a result by editing a file that is only kept, and a crash in between leaves nothing behind."""
    Catalogue.read(repository)["people"].table()
    (repository / "data" / "prepared" / spoil).write_text("age,people\n0-4,7\n", encoding="utf-8")
    assert Catalogue.read(repository)["people"].table()["people"].tolist() == [100, 900]


def test_a_prepared_table_can_be_held_to_a_checksum(repository: Path, study: Path) -> None:
    """A package that it is made with may change under our feet."""
    catalogue = repository / "data" / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(text.replace("  uses: [raw", f"  sha256: {'0' * 64}\n  uses: [raw"), encoding="utf-8")
    _, letters = check_files(study)
    assert [letter.code for letter in letters] == ["D103"]


def test_a_function_may_use_a_dataclass_and_a_module_beside_it(repository: Path) -> None:
    """It is a Python file like any other."""
    folder = repository / "data" / "prepare"
    (folder / "ages.py").write_text("AGES = ['0-4', '5+']\n", encoding="utf-8")
    (folder / "people.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nimport pandas as pd\n"
        "from ages import AGES\n\n@dataclass\nclass Band:\n    people: int\n\n"
        "def by_age(cases):\n    return pd.DataFrame({'age': AGES, 'people': [Band(3).people, 4]})\n",
        encoding="utf-8",
    )
    assert Catalogue.read(repository)["people"].table()["people"].tolist() == [3, 4]


# -- the catalogue itself --------------------------------------------------------------------------


def test_a_repository_without_a_catalogue_has_no_datasets(tmp_path: Path) -> None:
    """A study whose values are written by hand needs none."""
    assert len(Catalogue.read(tmp_path)) == 0
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalogue.yaml").write_text("# none yet\n\n", encoding="utf-8")
    assert len(Catalogue.read(tmp_path)) == 0


def test_a_dataset_that_is_not_there_is_a_letter_with_the_near_ones(repository: Path) -> None:
    """A slip of the finger."""
    with pytest.raises(ModelworksError, match="`cases`") as raised:
        Catalogue.read(repository).dataset("case")
    assert raised.value.codes == ("D101",)


def test_a_spreadsheets_midnight_is_no_part_of_a_date(repository: Path) -> None:
    """Spreadsheets write one."""
    replace_cases(repository, b"week,cases,tested\n2021-01-04 00:00:00,1,2\n1970-01-01,1,2\n")
    assert table_of_cases(repository)["week"].dt.year.tolist() == [2021, 1970]
