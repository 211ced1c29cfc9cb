"""Sensitive data lie encrypted, are read by who has a key, and never enter a run, a letter or another table unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner, Result

from modelworks.cli import line
from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue, check_files, encrypt_file, new_key, prepare

LINES = b"name,onset,ward\nJane Roe,2021-01-05,3\nJohn Doe,2021-01-06,3\n"
SAID = ["--title", "T", "--publisher", "P", "--licence", "by treaty", "--source", "S", "--no-questions"]
PREPARE = """
import pandas as pd

def weekly(cases):
    assert cases.suffix == ".csv"
    return pd.read_csv(cases).groupby("ward", as_index=False).size().rename(columns={"size": "cases"})

def broken(cases):
    raise KeyError(pd.read_csv(cases)["name"][0])
"""
WEEKLY = """
{name}:
  title: T
  publisher: P
  licence: L
  source: S
  prepare: prepare/cases.py:{function}
  uses: [raw/cases.csv.age]
  sensitivity: {sensitivity}
  columns:
    ward: {{unit: dimensionless, meaning: ward}}
    cases: {{unit: people, meaning: cases}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository for whose recipient there is a key, and a line list that came by mail."""
    for folder in ("data/prepare", "keys", "mail"):
        (tmp_path / "team" / folder).mkdir(parents=True)
    team = tmp_path / "team"
    public = new_key(tmp_path / "key.txt")
    monkeypatch.setenv("MODELWORKS_DATA_KEY_FILE", str(tmp_path / "key.txt"))
    (team / "modelworks.toml").write_text(f'[data]\nrecipients = ["{public}"]\n', encoding="utf-8")
    (team / "mail" / "cases.csv").write_bytes(LINES)
    (team / "data" / "prepare" / "cases.py").write_text(PREPARE, encoding="utf-8")
    monkeypatch.chdir(team)
    return team


def said(*words: str) -> Result:
    return CliRunner().invoke(line, ["data", *words])


def add(root: Path) -> None:
    ended = said("add", "mail/cases.csv", "--sensitive", *SAID)
    assert ended.exit_code == 0, ended.output
    (root / "mail" / "cases.csv").unlink()


def more(root: Path, text: str) -> None:
    path = root / "data" / "catalogue.yaml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def in_the_clear(root: Path) -> list[str]:
    return [str(path) for path in root.rglob("*") if path.is_file() and b"Jane Roe" in path.read_bytes()]


def code(result: Result) -> str:
    assert isinstance(result.exception, ModelworksError), result.output
    return result.exception.codes[0]


def test_a_sensitive_file_is_encrypted_by_age_and_read_with_the_key(root: Path, tmp_path: Path) -> None:
    """Any other program for age opens it too: the bytes are age's own."""
    add(root)
    assert in_the_clear(root) == []
    identity = pyrage.x25519.Identity.from_str((tmp_path / "key.txt").read_text().splitlines()[1])
    assert pyrage.decrypt((root / "data" / "raw" / "cases.csv.age").read_bytes(), [identity]) == LINES
    assert Catalogue.read(root)["cases"].table()["name"].tolist() == ["Jane Roe", "John Doe"]
    assert (tmp_path / "key.txt").stat().st_mode & 0o077 == 0


def test_what_needs_no_key_is_checked_without_one(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI has no key: it holds the file to its checksum, checks the other datasets, and says what it left out."""
    add(root)
    monkeypatch.setenv("MODELWORKS_DATA_KEY_FILE", str(tmp_path / "none.txt"))
    (root / "mail" / "beds.csv").write_text("day,beds\n2021-01-01,3\n2021-01-02,4\n", encoding="utf-8")
    assert said("add", "mail/beds.csv", *SAID).exit_code == 0
    checked = said("check")
    assert checked.exit_code == 0, checked.output
    assert "cases: its columns and" in checked.output
    assert "beds, one row for each day: holds" in checked.output
    assert json.loads(said("check", "--json").stdout)["without_key"] == ["cases"]
    closed = root / "data" / "raw" / "cases.csv.age"
    closed.write_bytes(closed.read_bytes() + b"x")
    checked = said("check")
    assert checked.exit_code == 1
    assert "D103" in checked.output


def test_who_has_no_key_or_another_one_is_told_so(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(root)
    dataset = Catalogue.read(root)["cases"]
    monkeypatch.setenv("MODELWORKS_DATA_KEY_FILE", str(tmp_path / "none.txt"))
    for key, wanted in (
        ("", "D170"),
        (str(pyrage.x25519.Identity.generate()), "D171"),
        ("AGE-SECRET-nonsense", "D170"),
    ):
        monkeypatch.setenv("MODELWORKS_DATA_KEY", key)
        with pytest.raises(ModelworksError) as caught:
            dataset.content()
        assert caught.value.codes == (wanted,)
        assert not key or key not in str(caught.value)


def test_a_table_made_from_them_says_what_it_is_itself(root: Path) -> None:
    add(root)
    more(root, WEEKLY.format(name="weekly", function="weekly", sensitivity="public"))
    with pytest.raises(ModelworksError, match="D174"):
        Catalogue.read(root)


def test_an_aggregate_is_for_everybody_and_a_sensitive_table_is_kept_encrypted(root: Path) -> None:
    add(root)
    more(root, WEEKLY.format(name="weekly", function="weekly", sensitivity="aggregate"))
    more(root, WEEKLY.format(name="closed", function="weekly", sensitivity="sensitive"))
    more(root, WEEKLY.format(name="columns", function="weekly", sensitivity="sensitive\n  kept_as: parquet"))
    catalogue = Catalogue.read(root)
    assert prepare(catalogue, catalogue, cores=1) == (["weekly", "closed", "columns"], [])
    assert (root / "data" / "prepared" / "weekly.csv").read_text() == "ward,cases\n3,2\n"
    assert (root / "data" / "prepared" / "closed.csv.age").read_bytes().startswith(b"age-encryption.org")
    assert (root / "data" / "prepared" / "columns.parquet.age").read_bytes().startswith(b"age-encryption.org")
    for name in ("closed", "columns"):
        assert Catalogue.read(root)[name].table()["cases"].tolist() == [2]
        assert not Catalogue.read(root)[name].is_stale()
    assert in_the_clear(root) == []
    made = json.loads((root / "data" / "prepared" / "weekly.made.json").read_text())
    assert made["made_from"] == {"data/raw/cases.csv.age": Catalogue.read(root)["cases"].checksum}


def test_no_letter_shows_a_cell(root: Path) -> None:
    add(root)
    more(root, WEEKLY.format(name="broken", function="broken", sensitivity="aggregate"))
    catalogue = root / "data" / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8").replace("name: {unit: text", "name: {unit: people")
    catalogue.write_text(text, encoding="utf-8")
    ended = said("check", "cases", "broken")
    assert ended.exit_code == 1
    assert "Jane" not in ended.output
    assert "D176" in ended.output
    assert "KeyError" in ended.output


def test_what_lies_in_the_clear_is_refused_until_it_is_encrypted(root: Path) -> None:
    (root / "mail").rename(root / "data" / "raw")
    assert said("add", "data/raw/cases.csv", *SAID).exit_code == 0
    more(root, WEEKLY.format(name="weekly", function="weekly", sensitivity="aggregate").replace(".csv.age", ".csv"))
    catalogue = root / "data" / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8").replace("  columns:", "  sensitivity: sensitive\n  columns:", 1)
    catalogue.write_text(text, encoding="utf-8")
    assert code(said("check")) == "D173"
    assert said("encrypt", "data/raw/cases.csv").exit_code == 0
    assert in_the_clear(root) == []
    assert said("check").exit_code == 0


def test_nothing_is_encrypted_for_nobody(root: Path) -> None:
    (root / "modelworks.toml").write_text('[data]\nrecipients = ["age1nobody"]\n', encoding="utf-8")
    assert code(said("add", "mail/cases.csv", "--sensitive", *SAID)) == "D172"
    (root / "modelworks.toml").write_text("", encoding="utf-8")
    assert code(said("encrypt", "mail/cases.csv")) == "D172"
    assert (root / "mail" / "cases.csv").read_bytes() == LINES
    assert not (root / "data" / "raw").exists()


def test_a_study_uses_aggregates_only(repository: Path, study: Path, tmp_path: Path) -> None:
    """What a study uses stands in its runs and reports."""
    settings = repository / "modelworks.toml"
    public = new_key(tmp_path / "keys" / "mine.txt")
    settings.write_text(settings.read_text(encoding="utf-8") + f'[data]\nrecipients = ["{public}"]\n', encoding="utf-8")
    catalogue = repository / "data" / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8").replace("sensitivity: public", "sensitivity: sensitive")
    catalogue.write_text(text, encoding="utf-8")
    encrypt_file(repository / "data" / "raw" / "cases.csv", repository)
    _, letters = check_files(study)
    assert {"D174", "D175"} <= {letter.code for letter in letters}


def test_what_is_encrypted_is_not_among_the_files_of_a_run(
    repository: Path, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = repository / "modelworks.toml"
    public = new_key(tmp_path / "keys" / "mine.txt")
    monkeypatch.setenv("MODELWORKS_DATA_KEY_FILE", str(tmp_path / "keys" / "mine.txt"))
    settings.write_text(settings.read_text(encoding="utf-8") + f'[data]\nrecipients = ["{public}"]\n', encoding="utf-8")
    encrypt_file(repository / "data" / "raw" / "cases.csv", repository)
    catalogue = repository / "data" / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8").replace("sensitivity: public", "sensitivity: sensitive")
    text = text.replace(
        "  prepare: prepare/people.py:by_age", "  sensitivity: aggregate\n  prepare: prepare/people.py:by_age"
    )
    catalogue.write_text(text, encoding="utf-8")
    targets = study / "targets.yaml"
    targets.write_text(
        targets.read_text(encoding="utf-8").partition("immune:")[2].join(["immune:", ""]), encoding="utf-8"
    )
    inputs, letters = check_files(study)
    assert letters == ()
    assert inputs is not None
    names = [file.name for file in inputs.files]
    assert "data/prepared/people.csv" in names
    assert not [name for name in names if "raw/" in name]
