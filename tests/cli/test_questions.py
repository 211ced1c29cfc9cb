"""Questions at the command line, beside the line of stages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelworks.cli import line
from modelworks.errors import ModelworksError

CATALOGUE = """
cases:
  title: Cases by day
  publisher: Ministry of Health
  licence: CC0
  source: invented
  file: raw/cases.csv
  sha256: {checksum}
  columns:
    day: {{unit: date, meaning: the day}}
    place: {{unit: text, meaning: where}}
    cases: {{unit: people, meaning: fallen ill}}
"""


def said(*words: str) -> Result:
    return CliRunner().invoke(line, words)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "modelworks.toml").write_text("", encoding="utf-8")
    write(tmp_path, [(f"2021-01-{day:02}", day) for day in range(1, 21)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(root: Path, rows: list[tuple[str, object]]) -> None:
    text = "day,place,cases\n" + "".join(f"{day},here,{cases}\n" for day, cases in rows)
    (root / "data" / "raw" / "cases.csv").write_text(text, encoding="utf-8")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    (root / "data" / "catalogue.yaml").write_text(CATALOGUE.format(checksum=checksum), encoding="utf-8")


RT = ("rt", "cases", "--column", "cases", "--serial-interval", "2.6,1.5")


def test_the_reproduction_number_is_shown_and_drawn(repository: Path) -> None:
    result = said(*RT, "--figure", "rt.svg")
    assert "7 days to" in result.output
    assert "2021-01-20" in result.output
    assert "<svg" in (repository / "rt.svg").read_text("utf-8")
    rows = json.loads(said(*RT, "--json", "--from", "2021-01-05").stdout)["rows"]
    assert (rows[0]["start"], rows[0]["time"], len(rows)) == ("2021-01-06", "2021-01-12", 9)
    assert rows[-1]["q50"] > 1


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        ([("2021-01-01", 1), ("2021-01-02", 2), ("2021-01-04", 3)], "Y502", "no row for 2021-01-03"),
        ([("2021-01-01", 1), ("2021-01-01", 2), ("2021-01-02", 3)], "Y502", "more than one row for 2021-01-01"),
        ([("2021-01-01", 1), ("2021-01-08", 2), ("2021-01-15", 3)], "Y502", "every 7 days"),
        ([("2021-01-01", 1), ("2021-01-02", -2), ("2021-01-03", 3)], "Y502", "-2 cases on 2021-01-02"),
        ([("2021-01-01", 1), ("2021-01-02", ""), ("2021-01-03", 3)], "Y502", "no count on 2021-01-02"),
        ([("2021-01-01", 1), ("2021-01-02", 2)], "C703", "2 days of incidence are too few"),
    ],
)
def test_a_series_that_is_not_daily_is_a_letter(
    repository: Path, rows: list[tuple[str, object]], code: str, words: str
) -> None:
    write(repository, rows)
    error = said(*RT).exception
    assert isinstance(error, ModelworksError)
    assert error.codes == (code,)
    assert words in error.letters[0].message


@pytest.mark.parametrize("column", ["place", "deaths"])
def test_a_column_that_is_no_count_is_a_letter(repository: Path, column: str) -> None:
    error = said("rt", "cases", "--column", column, "--serial-interval", "2.6,1.5").exception
    assert isinstance(error, ModelworksError)
    assert error.codes == ("Y501",)


def test_an_interval_is_two_numbers(repository: Path) -> None:
    assert "two numbers" in said(*RT[:-1], "2.6").output
    assert said(*RT, "--figure", "rt.bmp").exit_code == 2
