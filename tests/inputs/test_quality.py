"""Checks declared beside data find what they are for, say where, and stop a study until somebody has looked."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue

ENTRY = """
{name}:
  title: A table
  publisher: Us
  licence: CC0
  source: invented
  file: raw/{name}.csv
  sha256: "{checksum}"
  columns:
    week: {{unit: date, meaning: the Monday}}
    district: {{unit: text, meaning: where}}
    cases: {{unit: people, meaning: reported}}
  checks: {checks}
"""


def catalogue(root: Path, checks: str, rows: str, other: str = "2021-01-04,all,3") -> Catalogue:
    """Two datasets: one with the checks, and `national` to compare with."""
    import hashlib

    (root / "data" / "raw").mkdir(parents=True, exist_ok=True)
    text = ""
    for name, content, said in (("local", rows, checks), ("national", other, "{}")):
        found = ("week,district,cases\n" + content.replace(" ", "\n") + "\n").encode()
        (root / "data" / "raw" / f"{name}.csv").write_bytes(found)
        text += ENTRY.format(name=name, checksum=hashlib.sha256(found).hexdigest(), checks=said)
    (root / "data" / "catalogue.yaml").write_text(text, encoding="utf-8")
    return Catalogue.read(root)


WEEKS = "2021-01-04,a,1 2021-01-11,a,2 2021-01-18,a,30"


@pytest.mark.parametrize(
    ("rule", "good", "bad", "says"),
    [
        ("rows: {at_least: 3}", WEEKS, "2021-01-04,a,1", "1 rows, but at least 3"),
        ("rows: {at_most: 2}", "2021-01-04,a,1", WEEKS, "at most 2"),
        (
            "complete: {columns: cases}",
            WEEKS,
            "2021-01-04,a, 2021-01-11,a,2",
            "1 of 2 cells of `cases` are empty (row 1)",
        ),
        ("complete: {columns: cases, at_most: 0.5}", "2021-01-04,a, 2021-01-11,a,2", "2021-01-04,a,", "1 of 1"),
        (
            "unique: {columns: [week, district]}",
            WEEKS,
            "2021-01-04,a,1 2021-01-04,a,2",
            "1 rows repeat another: 2021-01-04, a",
        ),
        ("increasing: {column: cases}", WEEKS, "2021-01-04,a,5 2021-01-11,a,4", "from 5 to 4 (row 2)"),
        (
            "increasing: {column: cases, by: district}",
            "2021-01-04,a,5 2021-01-04,b,1 2021-01-11,a,6 2021-01-11,b,2",
            "2021-01-04,a,5 2021-01-04,b,1 2021-01-11,a,6 2021-01-11,b,0",
            "from 1 to 0 (row 4) in b",
        ),
        (
            "increasing: {column: cases, along: week}",
            "2021-01-11,a,6 2021-01-04,a,5",
            "2021-01-11,a,5 2021-01-04,a,6",
            "from 6 to 5 (row 1)",
        ),
        ("between: {column: cases, at_least: 0}", WEEKS, "2021-01-04,a,3 2021-01-11,a,-2", "-2 (row 2)"),
        ("between: {column: cases, at_least: 0, at_most: 30}", WEEKS, "2021-01-04,a,31", "at least 0 and at most 30"),
        (
            "no_step: {column: cases, factor: 20}",
            "2021-01-04,a,1 2021-01-11,a,90 2021-01-18,a,100",
            "2021-01-04,a,20 2021-01-11,a,900 2021-01-18,a,1000",
            "from 20 to 900 (row 2)",
        ),
        (
            "adds_up: {column: cases, over: week, dataset: national, total: cases}",
            "2021-01-04,a,1 2021-01-04,b,2",
            "2021-01-04,a,1 2021-01-04,b,2 2021-01-11,a,1",
            "has no `cases` for 1 of its `week`: 2021-01-11",
        ),
        (
            "every: {column: week, days: 7}",
            WEEKS,
            "2021-01-04,a,1 2021-01-18,a,2",
            "2021-01-04 to 2021-01-18 (14 days)",
        ),
        (
            "every: {column: week, days: 7}",
            WEEKS,
            "2021-01-04,a,1 2021-01-11,a,2 2021-01-04,b,3",
            "2021-01-04 stands twice (rows 1 and 3)",
        ),
        (
            "every: {column: week, days: 7, by: district}",
            "2021-01-04,a,1 2021-01-04,b,1 2021-01-11,a,2 2021-01-11,b,2",
            "2021-01-04,a,1 2021-01-04,b,1 2021-01-11,a,2 2021-01-11,b,2 2021-01-11,b,9",
            "2021-01-11 stands twice (rows 4 and 5) in b",
        ),
        (
            "no_jump: {column: cases, factor: 5}",
            "2021-01-04,a,20 2021-01-11,a,60 2021-01-18,a,30",
            "2021-01-04,a,20 2021-01-11,a,160 2021-01-18,a,30",
            "20, 160, 30 (row 2)",
        ),
        (
            "no_jump: {column: cases, factor: 5}",
            "2021-01-04,a,20 2021-01-11,a,60 2021-01-18,a,30",
            "2021-01-04,a,20 2021-01-11,a,12345678 2021-01-18,a,30",
            "20, 12345678, 30 (row 2)",
        ),
        (
            "no_jump: {column: cases, factor: 5}",
            "2021-01-04,a,1 2021-01-11,a,9 2021-01-18,a,1",
            "2021-01-04,a,100 2021-01-11,a,3 2021-01-18,a,90",
            "100, 3, 90",
        ),
        (
            "adds_up: {column: cases, over: week, dataset: national, total: cases}",
            "2021-01-04,a,1 2021-01-04,b,2",
            "2021-01-04,a,1 2021-01-04,b,1",
            "2 is not 3 (2021-01-04)",
        ),
        (
            "adds_up: {column: cases, over: week, dataset: national, total: cases, within: 0.4}",
            "2021-01-04,a,1 2021-01-04,b,1",
            "2021-01-04,a,1",
            "1 is not 3",
        ),
    ],
)
def test_a_check_finds_what_it_is_for_and_nothing_else(
    tmp_path: Path, rule: str, good: str, bad: str, says: str
) -> None:
    (fine,) = catalogue(tmp_path, f"{{mine: {{{rule}}}}}", good).findings("local")
    assert fine.problem == ""
    (found,) = catalogue(tmp_path, f"{{mine: {{{rule}}}}}", bad).findings("local")
    assert says in found.problem
    assert found.stops


def test_a_failing_that_is_accepted_stops_nothing_and_is_still_said(tmp_path: Path) -> None:
    checks = "{enough: {rows: {at_least: 9}, accepted: the survey was stopped in March}}"
    (found,) = catalogue(tmp_path, checks, WEEKS).findings("local")
    assert found.problem
    assert not found.stops
    assert found.check.accepted == "the survey was stopped in March"


@pytest.mark.parametrize(
    ("checks", "code", "says"),
    [
        ("{mine: {}}", "D130", "no rule"),
        ("{mine: {rows: {at_least: 1}, unique: {columns: week}}}", "D130", "2 rules"),
        ("{mine: {between: {column: cases}}}", "D130", "at_least"),
        ("{mine: {every: {column: week}}}", "D130", "days"),
        ("{mine: {rose: {column: week}}}", "Y120", "rows"),
        ("{mine: {increasing: {column: case}}}", "D131", "cases"),
        ("{mine: {increasing: {column: district}}}", "D131", "text"),
        ("{mine: {every: {column: cases, days: 7}}}", "D131", "date"),
        ("{mine: {rows: {at_least: 1}, accepted: todo}}", "D132", "accepted"),
        ("{mine: {rows: {at_least: many}}}", "Y122", "many"),
    ],
)
def test_a_mistake_in_a_check_is_a_letter(tmp_path: Path, checks: str, code: str, says: str) -> None:
    with pytest.raises(ModelworksError, match=code) as raised:
        catalogue(tmp_path, checks, WEEKS)
    assert says in str(raised.value)
    assert all(letter.file and letter.line for letter in raised.value.letters)


def test_another_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    rule = "{mine: {adds_up: {column: cases, over: week, dataset: nation, total: cases}}}"
    (found,) = catalogue(tmp_path, rule, WEEKS).findings("local")
    assert "no dataset `nation`" in found.problem
