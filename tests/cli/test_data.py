"""Data at the command line: what there is, whether it holds, and how it is made and fetched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelworks.cli import line
from modelworks.errors import ModelworksError

ROWS = "week,cases\n2021-01-04,10\n2021-01-11,12\n"
CATALOGUE = """
cases:
  title: Cases by week
  publisher: Ministry of Health
  licence: CC0
  source: invented
  retrieved: 2021-02-01
  file: raw/cases.csv
  sha256: {checksum}
  columns:
    week: {{unit: date, meaning: the Monday}}
    cases: {{unit: people, meaning: reported}}
  checks:
    every week: {{every: {{column: week, days: 7}}}}
    a year of them: {{rows: {{at_least: 52}}{accepted}}}
doubled:
  title: Twice as many
  publisher: Us
  licence: CC0
  source: made from cases
  prepare: prepare/cases.py:doubled
  uses: [raw/cases.csv]
  columns:
    cases: {{unit: people, meaning: twice}}
"""
CODE = "import pandas as pd\n\n\ndef doubled(path):\n    return pd.read_csv(path)[['cases']] * 2\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("raw", "prepare", "mirror"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "modelworks.toml").write_text('mirror = "data/mirror"\n', encoding="utf-8")
    (tmp_path / "data" / "raw" / "cases.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "data" / "prepare" / "cases.py").write_text(CODE, encoding="utf-8")
    catalogue(tmp_path, ", accepted: the registry began in January")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def catalogue(root: Path, accepted: str) -> None:
    text = CATALOGUE.format(checksum=hashlib.sha256(ROWS.encode()).hexdigest(), accepted=accepted)
    (root / "data" / "catalogue.yaml").write_text(text, encoding="utf-8")


def said(*words: str) -> Result:
    return CliRunner().invoke(line, ["data", *words])


def states() -> dict[str, str]:
    return {each["name"]: each["state"] for each in json.loads(said("list", "--json").stdout)}


def test_a_table_is_made_once_and_when_its_source_changes(repository: Path) -> None:
    assert states() == {"cases": "here", "doubled": "to be prepared"}
    assert "made doubled" in said("prepare").stderr
    assert "nothing to do" in said("prepare").stderr
    assert states() == {"cases": "here", "doubled": "here"}


def test_a_file_comes_from_the_mirror(repository: Path) -> None:
    raw = repository / "data" / "raw" / "cases.csv"
    raw.rename(repository / "data" / "mirror" / "cases.csv")
    assert states()["cases"].startswith("D102")
    assert "cases: fetched" in said("fetch").stdout
    assert raw.read_text(encoding="utf-8") == ROWS
    assert "nothing to fetch" in said("fetch").stderr


def test_a_failing_check_ends_with_an_error_until_its_reason_is_written(repository: Path) -> None:
    held = said("check", "cases")
    assert held.exit_code == 0
    assert "accepted: the registry began in January" in held.stdout
    catalogue(repository, "")
    failed = said("check")
    assert failed.exit_code == 1
    assert "✗ cases, a year of them: there are 2 rows" in failed.stdout
    told = json.loads(said("check", "--json").stdout)
    assert [each["problem"] == "" for each in told["findings"]] == [True, False]


def test_a_dataset_is_shown_in_full(repository: Path) -> None:
    shown = said("show", "doubled").stdout
    assert "made from  cases" in shown
    assert "20 to 24" in shown
    shown = said("show", "cases")
    assert "2021-01-04 to 2021-01-11" in shown.stdout
    assert "next: in targets.yaml of a study: dataset: cases, column: cases, date: week" in shown.stderr


@pytest.mark.parametrize(
    ("words", "code"), [(["show", "casse"], "D101"), (["accept", "cases"], "D142"), (["fetch", "doubled"], "D140")]
)
def test_what_can_not_be_done_is_a_letter(repository: Path, words: list[str], code: str) -> None:
    ended = said(*words)
    assert isinstance(ended.exception, ModelworksError)
    assert ended.exception.codes == (code,)


def test_a_repository_without_data_says_how_one_begins(repository: Path) -> None:
    (repository / "data" / "catalogue.yaml").unlink()
    assert "data/catalogue.yaml" in said("list").stderr
