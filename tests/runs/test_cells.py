"""Tables as CSV that a spreadsheet may open, and that we read ourselves."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelworks.runs import no_formula, rows_of, without_formulas

SIGNS = ("=", "+", "-", "@", "\t", "\r", "＝")
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")) | st.from_regex(
    r"'{0,3}[=+@\t\r\n-]?[\d.e%'-]{0,5}", fullmatch=True
)


@pytest.mark.parametrize("sign", SIGNS)
def test_no_text_is_a_formula_in_a_spreadsheet(sign: str) -> None:
    """A title such as =HYPERLINK(...) would send what stands beside it to whoever wrote it."""
    assert no_formula(f'{sign}HYPERLINK("https://evil.example")').startswith(f"'{sign}")


@pytest.mark.parametrize("text", ["-0.25", "+1e-3", "-12%", "-.5", "-", "2026-11-21", "a=b", "'quoted'", ""])
def test_what_is_no_formula_stays(text: str) -> None:
    """A number that somebody wrote as a text would be none any more."""
    assert no_formula(text) == text


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_we_read_each_text_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]]) -> None:
    """Two runs would differ in a label that is the same, or a parameter would not be found by its name."""
    file = tmp_path_factory.mktemp("cells") / "table.csv"
    rows = [{"name": name, "=title": title} for name, title in texts]
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, ["name", "'=title"])
        writer.writeheader()
        writer.writerows(map(without_formulas, rows))
    assert rows_of(file) == [{"name": name, "'=title": title} for name, title in texts]


def test_a_table_that_is_not_there_or_cut_off_has_the_rows_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "cut.csv").write_text("name,title\na\n", encoding="utf-8")
    assert (rows_of(None), rows_of(tmp_path / "cut.csv")) == ([], [{"name": "a"}])
