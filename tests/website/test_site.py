"""A site of all runs: whole, offline, the same each time, and never in place of somebody's own folder."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import Run, Store
from modelworks.website import publish_site

START = datetime(2026, 11, 21, 5, 15, tzinfo=UTC)


def number(median: float) -> dict[str, Any]:
    text = f"{median:g} ({median - 0.5:g} to {median + 0.5:g})"
    shown = {"title": "Basic reproduction number", "unit": "ratio", "text": text}
    return {"r0": {**shown, "median": median, "low": median - 0.5, "high": median + 0.5}}


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Two runs of one study, one of another that has only been simulated."""
    report = tmp_path / "report"
    report.mkdir()
    (report / "report.html").write_text("<!doctype html><title>report</title>", encoding="utf-8")
    hours = iter(range(10))
    store = Store(tmp_path / "runs", clock=lambda: START + timedelta(hours=next(hours)))
    for verdict, median in (("look", 3.0), ("fine", 4.0)):
        record = {
            "title": "Influenza in a school <1978>", "question": "How contagious was it?", "verdict": verdict,
            "answer": f"One case infected {median:g} others.", "sentences": ["The chains agree."], "seconds": 32.1,
            "finished": "2026-11-21T05:15:00+00:00", "quantities": number(median),
            "provenance": {"commit": "0f3c2ab9" * 5, "dirty": True, "person": "A. Modeller"},
        }  # fmt: skip
        store.publish(("boarding-school", "sir", "england"), stages={"report": report}, record=record)
    store.publish(("tb", "tb", "majuro"), stages={"simulate": report}, record={})
    return store.runs()


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def links(page: Path) -> Iterator[Path]:
    """Where a page's links lead, as files."""
    for target in re.findall(r'href="([^"#]+)"', page.read_text("utf-8")):
        yield (page.parent / target).resolve()


def test_every_link_leads_to_a_page_of_the_site(runs: list[Run], tmp_path: Path) -> None:
    """It is copied to a stick and opened from there."""
    site = publish_site(runs, tmp_path / "site")
    pages = list(site.rglob("index.html"))
    assert len(pages) == 3
    found = {target for page in pages for target in links(page)}
    assert all(target.is_file() and target.is_relative_to(site) for target in found)
    assert len([target for target in found if target.name == "report.html"]) == 2


def test_the_index_says_what_came_out(runs: list[Run], tmp_path: Path) -> None:
    """The question, the latest verdict and answer, and when."""
    text = (publish_site(runs, tmp_path / "site") / "index.html").read_text("utf-8")
    for said in ("How contagious was it?", "✓ Fine", "One case infected 4 others.", "21 November 2026", "2 runs"):
        assert said in text
    assert "One case infected 3 others." not in text
    assert "Influenza in a school &lt;1978&gt;" in text
    assert "Not judged" in text


def test_a_study_lists_its_runs_and_what_moved(runs: list[Run], tmp_path: Path) -> None:
    """Why is the number on the slide another one than last week?"""
    text = (publish_site(runs, tmp_path / "site") / "boarding-school" / "index.html").read_text("utf-8")
    for said in ("4 (3.5 to 4.5)", "3 (2.5 to 3.5)", "up by 33%, outside the earlier interval", "0f3c2ab", "32.1 s"):
        assert said in text
    assert text.index(runs[1].id) < text.index(runs[2].id)


def test_a_study_that_was_only_simulated_is_listed_without_a_report(runs: list[Run], tmp_path: Path) -> None:
    """It exists, and nobody has judged it."""
    text = (publish_site(runs, tmp_path / "site") / "tb" / "index.html").read_text("utf-8")
    assert "no report" in text
    assert "report.html" not in text


def test_the_same_runs_give_the_same_bytes(runs: list[Run], tmp_path: Path) -> None:
    """In whatever order they come, and also in the place of an older site."""
    site = tmp_path / "site"
    first = files(publish_site(runs, site))
    (site / "left-over.html").write_text("?", encoding="utf-8")
    assert files(publish_site(list(reversed(runs)), site)) == first
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".site")] == []


def test_a_folder_of_somebody_else_is_left_alone(runs: list[Run], tmp_path: Path) -> None:
    """`modelworks publish docs` must not delete the docs."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Mine\n", encoding="utf-8")
    for place in (docs, docs / "index.md"):
        with pytest.raises(ModelworksError) as raised:
            publish_site(runs, place)
        assert raised.value.codes == ("R130",)
    assert (docs / "index.md").read_text("utf-8") == "# Mine\n"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert publish_site(runs, empty).joinpath("index.html").is_file()


def test_a_site_that_was_cut_short_is_made_again(runs: list[Run], tmp_path: Path) -> None:
    """What was left beside it is cleared away, and the site that stood there stands until the new one is whole."""
    site = publish_site(runs, tmp_path / "site")
    before = files(site)
    shutil.copytree(site, tmp_path / ".site.new")
    assert files(publish_site(runs, site)) == before
    assert not (tmp_path / ".site.new").exists()
    # Killed between the two renames: the old site is all there is.
    site.rename(tmp_path / ".site.old")
    with pytest.raises(FileNotFoundError):
        publish_site([dataclasses.replace(runs[0], path=tmp_path / "gone"), vanished(runs[1])], site)
    assert files(site) == before


def vanished(run: Run) -> Run:
    """A run whose report is deleted between being listed and being copied."""

    class Vanished(Run):
        def file(self, name: str) -> Path | None:
            return self.path / "deleted.html"

    return Vanished(run.path, run.key, run.id, run.record)


def test_a_site_of_nothing_is_a_page_that_says_so(tmp_path: Path) -> None:
    """Better than an empty browser."""
    assert "Nothing has been published yet" in (publish_site([], tmp_path / "site") / "index.html").read_text("utf-8")


def test_a_record_of_an_older_version_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    """Runs outlive the program that wrote them."""
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "x.txt").write_text("x", encoding="utf-8")
    store = Store(tmp_path / "runs")
    odd = {"verdict": "splendid", "seconds": "long", "provenance": None, "finished": "last week", "sentences": None}
    store.publish(("flu", "sir", "x"), stages={"simulate": stage}, record=odd)
    text = (publish_site(store.runs(), tmp_path / "site") / "flu" / "index.html").read_text("utf-8")
    assert "Not judged" in text
    assert "last week" in text


@pytest.mark.slow
@pytest.mark.needs("chromium", "playwright")
def test_the_site_fits_a_phone_and_needs_no_network(runs: list[Run], tmp_path: Path, chromium_path: str) -> None:
    """Nor scripts: there are none."""
    from playwright.sync_api import sync_playwright

    site = publish_site(runs, tmp_path / "site")
    asked: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 390, "height": 844})
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        for page in ("index.html", "boarding-school/index.html"):
            tab.goto((site / page).as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
            assert tab.evaluate("getComputedStyle(document.body).maxWidth") != "none"
        browser.close()
    assert complaints == []
    assert len(asked) == 2
