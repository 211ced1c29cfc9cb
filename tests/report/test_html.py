"""The page as a text: whole in itself, escaped, in order, and readable in the dark."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from modelworks.report import Page, render_html, stylesheet, take_picture
from modelworks.report._html import bundle, script_json

VOID = {"meta", "link", "img", "br", "wbr", "input", "hr"}


class Reader(HTMLParser):
    """Collects elements with their attributes and texts, and whether every one is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


@pytest.fixture(scope="module")
def html(page: Page) -> str:
    return render_html(page)


@pytest.fixture(scope="module")
def read(html: str) -> Reader:
    return Reader(html)


@pytest.mark.slow
def test_the_verdict_comes_first_and_in_words(read: Reader) -> None:
    """Who reads only the top of the page must not miss that the numbers are not to be used."""
    order = ["Look: an expert must look", "Before you use this", "One case infected", "Fit to the data", "Assumptions"]
    places = [read.text.index(each) for each in order]
    assert places == sorted(places)


def test_everything_of_the_page_is_said(read: Reader, page: Page) -> None:
    """An assumption that is not on the page can not be questioned."""
    for row in page.assumptions:
        for text in (row.name, row.value, row.unit, row.place):
            assert text in read.text
    for said in (
        page.title, page.question, page.answer, *page.sentences, *page.warnings, *page.rebuild,
        "3.22 (2.71 to 3.83)", "1978-01-27 (1978-01-26 to 1978-01-28)", "British Medical Journal", "9f2c9f2c9f2c",
        "41916e18f1b1d8f8a9e7f34d9a3c1f8f3a54b111", "with changes that were not committed", "AMD EPYC, 2 cores",
        "finished before, not done again", "contact_rate multiplied by 0.4", "12 values, 2 held out",
        "Was the rest foreseen?", "1 of 2", "9.8%", "21.4", "48.5",
    ):  # fmt: skip
        assert said in read.text, said


def test_the_file_needs_nothing_else(html: str, read: Reader) -> None:
    """It is opened on a train, and in ten years."""
    assert len(html.encode()) < 3_000_000
    assert not [a for a in read.all("script", "link", "img", "iframe") if re.match("https?:", a.get("src") or "")]
    assert not read.all("link", "iframe", "object", "embed", "base", "form")
    assert "@import" not in stylesheet()
    assert "url(" not in stylesheet()
    policy = next(a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_vega_is_in_the_page_once_and_only_if_there_is_a_figure(html: str, bare_page: Page) -> None:
    """It is nine tenths of the file."""
    assert html.count("window.vegaEmbed=") == 1
    assert len(render_html(bare_page)) < 40_000


def test_every_element_is_closed_and_every_place_has_its_own_name(read: Reader) -> None:
    """A browser mends a broken page silently, and each in its own way."""
    assert read.unbalanced == []
    assert read.open == []
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in read.all("a"):
        target = attributes["href"] or ""
        assert target.startswith("https://") or target[1:] in ids


def test_headings_go_down_one_level_at_a_time(read: Reader) -> None:
    """They are the table of contents of somebody who can not see the page."""
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_pictures_tables_and_boxes_have_names(read: Reader) -> None:
    """What can be scrolled can be reached by keyboard, and says what it is."""
    assert all(image.get("alt") for image in read.all("img"))
    assert len(read.all("caption")) == len(read.all("table"))
    assert all(cell.get("scope") for cell in read.all("th"))
    assert read.all("html") == [{"lang": "en"}]
    boxes = [a for a in read.all("div") if "table-box" in (a.get("class") or "")]
    assert all(box.get("tabindex") == "0" and box.get("aria-label") for box in boxes)


def test_the_least_page_is_a_page(bare_page: Page) -> None:
    """A study is looked at before it is finished."""
    read = Reader(render_html(bare_page))
    assert "Not judged" in read.text
    assert "gives no answer" in read.text
    assert read.unbalanced == []


def test_markup_in_a_study_is_text(wicked_page: Page) -> None:
    """Somebody else's study is opened in the browser in which one is signed in elsewhere."""
    read = Reader(render_html(wicked_page))
    assert len([a for a in read.all("script") if a.get("type") != "application/json"]) == 2
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert not [a for a in read.all("img") if a.get("src") == "x"]
    assert not [a for a in read.all("a") if "javascript:" in (a["href"] or "")]
    assert "</script><script>window.broken=1</script>" in read.text


def test_a_specification_in_the_page_is_the_one_that_was_drawn(html: str, page: Page) -> None:
    """What is escaped for the page is the same again when it is read."""
    held = re.findall(r'<script type="application/json" id="figure-[a-z-]+-specs">(.*?)</script>', html)
    assert [json.loads(each) for each in held] == [list(figure.panels) for figure in page.figures]
    assert json.loads(script_json({"a": "</script>\u2028&<!--"})) == {"a": "</script>\u2028&<!--"}


def test_the_same_page_is_the_same_bytes(page: Page, html: str) -> None:
    """A report that differs from run to run can not be compared."""
    assert render_html(page) == html


def test_a_page_without_a_commit_says_so(page: Page) -> None:
    """Better than a gap in which one does not see that something is missing."""
    read = Reader(render_html(dataclasses.replace(page, sections=(), provenance={})))
    assert "none: the study is in no git repository" in read.text


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"commit": None, "dirty": None}, "none: the study is in no git repository"),
        ({"commit": None, "dirty": True}, "none: nothing is committed yet in the git repository of the study"),
    ],
)
def test_why_there_is_no_commit_is_said(bare_page: Page, known: dict[str, Any], said: str) -> None:
    """A repository without a commit is not the same as no repository."""
    assert said in render_html(dataclasses.replace(bare_page, provenance=known))


def test_what_is_cut_off_on_a_phone_says_so(html: str) -> None:
    """Two tables of numbers and the diagram are wider than a phone, and a phone shows no scroll bar."""
    assert html.count("Scroll sideways for more") == 3


def luminance(colour: str) -> float:
    """Relative luminance of a colour (W3C WCAG 2.2)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_paper(theme: str) -> None:
    """4.5 to 1 is the least that W3C asks for (WCAG 2.2, 1.4.3)."""
    block = stylesheet().split("@media")[theme == "dark"]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    pairs = [("ink", "paper"), ("quiet", "paper"), ("link", "paper"), ("ink", "code"), ("ink", "raised")]
    pairs += [(tone, f"{tone}-paper") for tone in ("fine", "look", "stop", "unjudged")]
    pairs += [("ink", f"{tone}-paper") for tone in ("fine", "look", "stop", "unjudged")]
    weak = [f"{a} on {b}" for a, b in pairs if contrast(colours[a], colours[b]) < 4.5]
    assert weak == []


def test_a_picture_that_was_drawn_before_is_taken_only_for_the_same_figure(page: Page, tmp_path: Path) -> None:
    """What an earlier stage drew is not drawn again, and a figure that changed since is."""
    same = dataclasses.replace(page.figures[0])
    changed = dataclasses.replace(same, spec={**same.spec, "description": "another"})
    unknown = dataclasses.replace(same)
    (tmp_path / f"{same.name}.vl.json").write_text(same.json(), encoding="utf-8")
    (tmp_path / f"{same.name}.png").write_bytes(b"drawn before")
    take_picture(same, tmp_path)
    take_picture(changed, tmp_path)
    take_picture(unknown, tmp_path / "nowhere")
    assert same.png() == b"drawn before"
    assert not changed.pictures
    assert not unknown.pictures


def test_the_script_of_figures_is_put_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept from one process to the next, and made again where what was kept is damaged."""
    made = iter(["first\r\nline", "second"])
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path))
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda: next(made))
    anew = bundle.__wrapped__
    assert anew() == "first\nline"
    assert anew() == "first\nline"
    (kept,) = (tmp_path / "scripts").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert anew() == "second"
