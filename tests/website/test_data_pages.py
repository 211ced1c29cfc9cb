"""A page for each dataset: its series, its checks, whose it is, where it comes from and who uses it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

from modelworks import plots
from modelworks.report import DataPage, render_data_page
from modelworks.study import data_pages
from modelworks.website import publish_site
from modelworks.website._catalogue import datasets
from modelworks.website._house import Workspace
from modelworks.website.pages.data import EXAMPLE

ROWS = "week,place,cases\n" + "".join(
    f"2021-01-{day:02d},<b>{place}</b>,{day * size}\n" for day in (4, 11, 25) for place, size in (("N", 1), ("S", 2))
)
ENTRY = """
{name}:
  title: {title}
  publisher: Ministry of <i>Health</i>
  licence: CC BY 4.0
  source: https://example.org/bulletin
  retrieved: 2021-02-01
  {origin}
  columns:
    week: {{unit: date, meaning: the Monday}}
    place: {{unit: text, meaning: where}}
    cases: {{unit: people, meaning: cases reported}}
{checks}"""
CHECKS = """  checks:
    every week: {every: {column: week, days: 7, by: place}, accepted: the printer was broken}
    no repeats: {unique: {columns: [week, place]}}
"""
CODE = """
import pandas as pd

def same(cases):
    return pd.read_csv(cases)

def broken(cases):
    raise ValueError
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("data/raw", "data/prepare"):
        (tmp_path / folder).mkdir(parents=True)
    raw = f"file: raw/cases.csv\n  sha256: {hashlib.sha256(ROWS.encode()).hexdigest()}"
    made = "prepare: prepare/x.py:{}\n  uses: [raw/cases.csv]"
    entries = [
        ENTRY.format(name="cases", title="Cases", origin=raw, checks=CHECKS),
        ENTRY.format(name="same", title="The same", origin=made.format("same"), checks=""),
        ENTRY.format(name="broken", title="Broken", origin=made.format("broken"), checks=""),
    ]
    (tmp_path / "modelworks.toml").write_text("", encoding="utf-8")
    (tmp_path / "data" / "raw" / "cases.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "data" / "prepare" / "x.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "data" / "catalogue.yaml").write_text("".join(entries), encoding="utf-8")
    return tmp_path


@pytest.fixture
def pages(root: Path) -> dict[str, DataPage]:
    return {page.name: page for page in data_pages(root)}


def test_a_page_says_whose_it_is_and_what_was_found(pages: dict[str, DataPage]) -> None:
    page = pages["cases"]
    assert page.verdict == "look"
    assert [(check.verdict, check.accepted) for check in page.checks] == [
        ("look", "accepted: the printer was broken"),
        ("fine", ""),
    ]
    assert [(column.name, column.span) for column in page.columns][::2] == [
        ("week", "2021-01-04 to 2021-01-25"),
        ("cases", "4 to 50"),
    ]
    text = render_data_page(page)
    for said in ("Ministry of &lt;i&gt;Health&lt;/i&gt;", "CC BY 4.0", 'href="https://example.org/bulletin"'):
        assert said in text
    assert "<b>N" not in text


def test_a_page_leads_to_what_the_data_are_made_from_and_for(pages: dict[str, DataPage]) -> None:
    assert [(step.what, step.dataset) for step in pages["cases"].lineage] == [
        ("raw file", ""), ("this table", ""), ("used for", "same"), ("used for", "broken"),
    ]  # fmt: skip
    assert [(step.what, step.name) for step in pages["same"].lineage] == [
        ("made from", "cases"), ("made by", "data/prepare/x.py:same"), ("this table", "same"),
    ]  # fmt: skip


def test_a_table_that_can_not_be_had_has_a_page_that_says_why(pages: dict[str, DataPage]) -> None:
    page = pages["broken"]
    assert (page.verdict, page.figures) == ("stop", ())
    assert "ValueError" in render_data_page(page)


def test_the_site_has_the_data_beside_the_studies(pages: dict[str, DataPage], tmp_path: Path) -> None:
    site = publish_site([], tmp_path / "site", list(pages.values()))
    found = {
        (page.parent / target).resolve()
        for page in site.rglob("*.html")
        for target in re.findall(r'href="([^"#:]+)"', page.read_text("utf-8"))
    }
    assert {path.name for path in found} == {"index.html", "cases.html", "same.html", "broken.html"}
    assert all(path.is_file() for path in found)


def test_the_website_reads_the_data_again_when_a_file_that_counts_has_changed(root: Path) -> None:
    """Whatever else lies beside them is not even looked at."""
    workspace = Workspace("ours", root)
    datasets(workspace)
    # Prepared tables were made by the first look.
    first = datasets(workspace)
    (root / "data" / "raw" / "notes.csv").write_text("of nobody", encoding="utf-8")
    assert datasets(workspace) is first
    with (root / "data" / "prepare" / "x.py").open("a", encoding="utf-8") as file:
        file.write("# another\n")
    second = datasets(workspace)
    assert second is not first
    (root / "data" / "raw" / "cases.csv").unlink()
    assert [each.verdict for each in datasets(workspace)] == ["stop"] * 3
    (root / "studies" / "flu").mkdir(parents=True)
    (root / "studies" / "flu" / "study.yaml").write_text("title: Flu", encoding="utf-8")
    assert datasets(workspace) is not second


def test_the_example_of_an_empty_page_is_an_entry(tmp_path: Path) -> None:
    """Who copies it has a dataset."""
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "modelworks.toml").write_text("", encoding="utf-8")
    rows = "week,cases\n2021-01-04,10\n2021-01-11,20\n"
    (tmp_path / "data" / "raw" / "cases.csv").write_text(rows, encoding="utf-8")
    entry = EXAMPLE.replace("CHECKSUM", hashlib.sha256(rows.encode()).hexdigest())
    (tmp_path / "data" / "catalogue.yaml").write_text(entry, encoding="utf-8")
    [page] = data_pages(tmp_path)
    assert (page.verdict, len(page.checks)) == ("fine", 1)


def test_a_line_is_drawn_for_each_place_and_the_largest_are_shown() -> None:
    days = pd.date_range("2021-01-01", periods=5)
    table = pd.concat([pd.DataFrame({"day": days, "place": f"p{k}", "cases": float(k)}) for k in range(9)])
    figure = plots.figure("dataset")(table, ["cases"], day="day", by=["place"])
    (data,) = figure.spec["data"]["values"]
    assert list(dict.fromkeys(data["series"])) == ["p8", "p7", "p6", "p5", "p4", "p3"]
    assert len(data["value"]) == 30
    assert "6 largest of 9" in figure.caption


def test_without_days_each_row_is_counted_once() -> None:
    figure = plots.figure("dataset")(pd.DataFrame({"rate": [1.0, 1.0, 2.0, None]}), ["rate"])
    (data,) = figure.spec["data"]["values"]
    assert sum(data["rows"]) == 3


@pytest.mark.slow
@pytest.mark.needs("chromium", "playwright")
def test_a_page_asks_for_nothing_and_fits_a_phone(
    pages: dict[str, DataPage], tmp_path: Path, chromium_path: str
) -> None:
    from playwright.sync_api import sync_playwright

    path = tmp_path / "cases.html"
    path.write_text(render_data_page(pages["cases"]), encoding="utf-8")
    complaints: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark").new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.evaluate("[...document.images].every(each => each.complete && each.naturalWidth > 0)")
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 25, 30)"
        browser.close()
    assert complaints == []
    assert [each for each in asked if not each.startswith("data:")] == [path.as_uri()]
