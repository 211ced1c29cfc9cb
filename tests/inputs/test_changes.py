"""What differs between two editions of a table, counted by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from modelworks.inputs import Catalogue, Change, Changes, changes

PRESENT = "place,cases,deaths\nN,1,0\nS,2,\nW,3.5,1\n"
ENTRY = """
cases:
  title: Cases
  publisher: Ministry of Health
  licence: CC BY 4.0
  source: a test
  file: raw/cases.csv
  sha256: {sha256}
  columns:
    place: {{unit: text, meaning: where}}
    cases: {{unit: people, meaning: cases reported}}
    deaths: {{unit: people, meaning: deaths, missing: allowed}}
"""


def compared(root: Path, before: str, after: str) -> Changes:
    (root / "data" / "raw").mkdir(parents=True)
    (root / "data" / "raw" / "cases.csv").write_text(before, encoding="utf-8")
    entry = ENTRY.format(sha256=hashlib.sha256(before.encode()).hexdigest())
    (root / "data" / "catalogue.yaml").write_text(entry, encoding="utf-8")
    (root / "modelworks.toml").write_text("", encoding="utf-8")
    catalogue = Catalogue.read(root)
    return changes(catalogue["cases"], catalogue.trying("cases", after.encode())["cases"])


def test_cells_are_compared_in_rows_of_the_same_key(tmp_path: Path) -> None:
    """Another order and another way to write a number are no difference; what is empty in both is none, either."""
    found = compared(tmp_path, PRESENT, "place,cases,deaths\nE,9,9\nS,2.0,\nN,1,4\n")
    assert found == Changes(
        1, 1, 1, ("place",),
        (Change("changed", "place N", "deaths", "0", "4"), Change("gone", "place W"), Change("added", "place E")),
    )  # fmt: skip


def test_an_empty_cell_that_was_filled_in_is_another(tmp_path: Path) -> None:
    found = compared(tmp_path, PRESENT, PRESENT.replace("S,2,", "S,2,7").replace("W,3.5,1", "W,3.5,"))
    assert found.first == (
        Change("changed", "place S", "deaths", "", "7"),
        Change("changed", "place W", "deaths", "1", ""),
    )


def test_rows_that_nothing_tells_apart_are_counted_whole(tmp_path: Path) -> None:
    """Two of the same are two."""
    found = compared(tmp_path, PRESENT + "N,1,0\nN,1,0\n", PRESENT.replace("S,2", "S,5"))
    assert (found.added, found.gone, found.changed, found.key) == (1, 3, 0, ())
    assert [each.row for each in found.first if each.what == "added"] == ["place S, cases 5, deaths "]


@pytest.mark.parametrize("rows", [99, 101])
def test_a_long_list_is_cut_and_its_length_said(tmp_path: Path, rows: int) -> None:
    found = compared(tmp_path, PRESENT, PRESENT + "".join(f"P{k},1,1\n" for k in range(rows)))
    assert (found.added, len(found.first)) == (rows, min(rows, 100))
