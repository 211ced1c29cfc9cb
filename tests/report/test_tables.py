"""Tables whose columns keep their names, and the same page as Markdown."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest

from modelworks.report import Page, read_page, render_markdown, tables, write_report, write_tables
from modelworks.report._markdown import plain
from modelworks.runs import Progress

# Somebody's dashboard reads these; a column is added at the end, never renamed.
COLUMNS = {
    "quantities": ["name", "title", "unit", "median", "low", "high", "text"],
    "posterior": [
        "name", "meaning", "unit", "prior", "mean", "sd", "q025", "q50", "q975", "r_hat", "ess_bulk", "ess_tail",
    ],
    "checks": ["name", "title", "verdict", "reason", "value", "measures", "threshold", "remedy"],
    "reliance": ["name", "title", "kind", "source", "move", "unit", "in_sd", "distance"],
    "fits": [
        "name", "points", "inside", "p_mean", "p_maximum", "p_time_of_maximum", "p_dispersion", "autocorrelation",
        "elpd", "se", "doubtful",
    ],
    "scenarios": ["name", "title", "changed"],
    "targets": [
        "name", "output", "unit", "covers", "points", "held_out", "first", "last", "likelihood", "source",
    ],
    "averted": [
        "scenario", "output", "unit", "median", "low", "high", "share", "share_low", "share_high",
    ],
    "thresholds": ["name", "title", "scenario", "ever", "highest", "highest_on", "likely"],
    "forecasts": ["name", "unit", "points", "inside", "chance", "crps", "naive_crps"],
    "assumptions": ["name", "value", "unit", "source", "place", "meaning", "by", "when", "why"],
    "data": ["name", "title", "publisher", "licence", "source", "sha256", "retrieved", "checks"],
    "stages": ["name", "seconds", "reused"],
}  # fmt: skip


def test_the_columns_keep_their_names_and_types(page: Page, bare_page: Page) -> None:
    """Also where a table is empty: a reader must not have to ask."""
    full, empty = tables(page), tables(bare_page)
    assert {name: list(table.columns) for name, table in full.items()} == COLUMNS
    for name, table in full.items():
        assert table.dtypes.equals(empty[name].dtypes)
        assert len(table) == len(getattr(page, name))


def test_csv_and_parquet_hold_the_same_numbers(page: Page, tmp_path: Path) -> None:
    """To the last bit: somebody will take a difference of two."""
    write_tables(page, tmp_path)
    for name, table in tables(page).items():
        stored = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert stored.equals(table)
        numbers = list(table.select_dtypes("float64"))
        assert pd.read_csv(tmp_path / f"{name}.csv")[numbers].equals(table[numbers])


def test_markdown_says_the_same(page: Page) -> None:
    """A pull request shows what the page shows."""
    text = render_markdown(page, {"fit": "figures/fit.png"})
    order = [
        "# Influenza",
        "> **! Look: an expert",
        "## Answer",
        "](<figures/fit.png>)",
        "## Assumptions",
        "## How to cite",
    ]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "| Basic reproduction number | 3.22 (2.71 to 3.83) | ratio |" in text
    assert "traces.png" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 25
    assert "| contact\\_rate<br>per day | 1.7" in text


@pytest.mark.parametrize(
    "text", ["a | b", "<img src=x>", "*x* _y_ `z`", "[a](javascript:b)", "# x", "- x", "1. x", "a\nb"]
)
def test_nothing_in_a_study_is_markup(text: str) -> None:
    """A parameter called `contact_rate_` is not the beginning of a slanted text."""
    shown = plain(text)
    assert "\n" not in shown
    bare = shown
    for sign in "\\`*_[]<>|~&#-.":
        bare = bare.replace("\\" + sign, "")
    assert not set("`*_[]<>|#") & set(bare)
    assert not bare.startswith(("- ", "1. "))


def test_markdown_of_a_wicked_page_keeps_its_rows(wicked_page: Page, page: Page) -> None:
    """A bar in a source must not shift the columns."""
    rows = dataclasses.replace(page.assumptions[0], source="a | b\n| c")
    text = render_markdown(dataclasses.replace(wicked_page, assumptions=(rows,)), {})
    line = next(line for line in text.splitlines() if line.startswith("| population"))
    assert line.replace("\\|", "").count("|") == 6
    assert "<script>" not in text.replace("\\<", "").split("```")[0]


def test_a_report_leaves_everything_in_its_folder(bare_page: Page, page: Page, tmp_path: Path) -> None:
    """The page, the text, each figure twice and each table twice."""
    told = io.StringIO()
    write_report(
        dataclasses.replace(page, sections=page.sections[:1]), tmp_path, Progress(stream=told, on_terminal=True)
    )
    assert "draw the figures" in told.getvalue()
    assert "write the report" in told.getvalue()
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        "report.html", "report.md", "page.json", "figures/fit.png", "figures/fit.vl.json",
        *(f"tables/{name}.{kind}" for name in COLUMNS for kind in ("csv", "parquet")),
    }  # fmt: skip
    again = read_page(tmp_path, {"provenance": page.provenance})
    assert again == dataclasses.replace(page, sections=page.sections[:1])
    bare = tmp_path / "bare"
    bare.mkdir()
    write_report(bare_page, bare)
    assert not (bare / "figures").exists()
