"""The page in a real browser: drawn, silent, offline, narrow, dark, printed, and deaf to what a study says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelworks.report import Page, render_comparison, render_html
from modelworks.runs import Run, compare

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium", "playwright")]

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
PATIENCE_MS = 120_000
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_html(page), encoding="utf-8")
    return path


class Visit:
    """A tab on a page, with all that the page asked for and complained of."""

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab: Tab = browser.new_context(**options).new_page()
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.set_default_timeout(PATIENCE_MS)
        self.tab.goto(path.as_uri())

    def drawn(self) -> Visit:
        self.tab.wait_for_selector("html[data-figures=drawn]")
        return self

    def count(self, selector: str) -> int:
        return self.tab.locator(selector).count()

    def ask(self, script: str) -> Any:
        return self.tab.evaluate(script)


OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
# Panels of which a reader sees a part only; pairs of parameters, all in one drawing, may be scrolled on a phone.
CUT_PANELS = """[...document.querySelectorAll('figure:not(#figure-pairs) .panel')]
  .filter(panel => panel.scrollWidth > panel.clientWidth).length"""


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_six_runs_are_drawn_over_each_other(
    browser: Browser, compared_runs: list[Run], tmp_path: Path, viewport: Any
) -> None:
    place = tmp_path / "comparison.html"
    place.write_text(render_comparison(compare(compared_runs)), encoding="utf-8")
    visit = Visit(browser, place, viewport=viewport).drawn()
    assert visit.complaints == []
    assert [url for url in visit.requests if not url.startswith("data:")] == [place.as_uri()]
    assert visit.count("figure.is-live") == 3
    assert visit.ask(OVERFLOW) <= 0


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_every_figure_is_drawn_without_a_word_or_a_request(browser: Browser, report: Path, viewport: Any) -> None:
    """And the page is no wider than the window."""
    visit = Visit(browser, report, viewport=viewport).drawn()
    assert visit.complaints == []
    assert [url for url in visit.requests if not url.startswith("data:")] == [report.as_uri()]
    assert visit.count("figure[data-specs].is-live") == visit.count("figure[data-specs]") == 6
    assert visit.count(".live svg") >= 6
    assert visit.count(".still:visible") == 0
    assert visit.ask(OVERFLOW) <= 0
    assert visit.count(".live[data-columns] .panel") > 1
    assert visit.ask(CUT_PANELS) == 0


def test_dates_lie_along_the_axis(browser: Browser, report: Path) -> None:
    """Vega's interpreter took the milliseconds of an axis' ends for years, and put all points in one place."""
    visit = Visit(browser, report, viewport=DESK).drawn()
    places = visit.ask(
        "[...document.querySelectorAll('#figure-fit .mark-symbol path')].map(e => e.getBoundingClientRect().x)"
    )
    assert len({round(x) for x in places}) >= 14
    assert max(places) - min(places) > 600


def test_a_study_can_not_run_anything(browser: Browser, wicked_page: Page, tmp_path: Path) -> None:
    """Scripts in its title, its source, its figure and its diagram stay text."""
    path = tmp_path / "wicked.html"
    path.write_text(render_html(wicked_page), encoding="utf-8")
    visit = Visit(browser, path).drawn()
    assert visit.ask("window.broken === undefined")
    assert visit.complaints == []
    assert len([url for url in visit.requests if not url.startswith("data:")]) == 1


def test_without_scripts_the_pictures_stand_there(browser: Browser, report: Path) -> None:
    """Some mail programs and some ministries run none."""
    visit = Visit(browser, report, viewport=PHONE, java_script_enabled=False)
    assert visit.count(".still:visible") == 6
    assert visit.count("button.save:visible") == 0


def test_in_the_dark_the_page_is_dark_and_the_drawings_are_on_white(browser: Browser, report: Path) -> None:
    """They are made for white paper."""
    visit = Visit(browser, report, color_scheme="dark").drawn()
    colour = "(selector) => getComputedStyle(document.querySelector(selector)).backgroundColor"
    assert visit.tab.evaluate(colour, "body") == "rgb(21, 25, 30)"
    assert visit.tab.evaluate(colour, ".card") == "rgb(255, 255, 255)"


def test_printed_it_is_a_few_pages_of_paper(browser: Browser, report: Path) -> None:
    """With the pictures that were drawn for paper, and without what is only for a screen."""
    visit = Visit(browser, report, viewport=DESK).drawn()
    visit.tab.emulate_media(media="print")
    assert visit.count(".still:visible") == 6
    assert visit.count(".live svg:visible") == 0
    assert visit.count(".contents:visible") == 0
    printed = visit.tab.pdf(format="A4")
    assert 4 <= printed.count(b"/Type /Page\n") <= 10


def test_the_keyboard_reaches_what_can_be_used(browser: Browser, report: Path) -> None:
    """First the way past the head, then links, pictures that can be saved, tables that can be scrolled."""
    visit = Visit(browser, report, viewport=PHONE).drawn()
    reached = []
    for _ in range(45):
        visit.tab.keyboard.press("Tab")
        reached.append(visit.ask("document.activeElement.className || document.activeElement.tagName"))
    assert reached[0] == "skip"
    assert {"A", "save"} <= set(reached)
    assert any("table-box" in each for each in reached)


def test_a_picture_can_be_saved(browser: Browser, report: Path) -> None:
    """Into a slide, at twice its size."""
    visit = Visit(browser, report, viewport=DESK).drawn()
    with visit.tab.expect_download() as waiting:
        visit.tab.locator("#figure-fit button.save").click()
    saved = Path(waiting.value.path()).read_bytes()
    assert waiting.value.suggested_filename == "fit.png"
    assert saved.startswith(b"\x89PNG")
    assert int.from_bytes(saved[16:20], "big") > 1200


def test_a_figure_that_can_not_be_drawn_keeps_its_picture(browser: Browser, report: Path, tmp_path: Path) -> None:
    """And the others are drawn none the less."""
    text = report.read_text("utf-8")
    start = text.index('id="figure-fit-specs">') + len('id="figure-fit-specs">')
    path = tmp_path / "broken.html"
    path.write_text(
        text[:start] + '[{"mark":"no such mark"}]' + text[text.index("</script>", start) :], encoding="utf-8"
    )
    visit = Visit(browser, path).drawn()
    assert visit.count("#figure-fit .still:visible") == 1
    assert visit.count("figure[data-specs].is-live") == 5
    assert any("figure-fit" in each for each in visit.complaints)


# In whatever order they were drawn.
AXIS = """(name) => [...document.querySelectorAll(`#figure-${name} .role-axis-label text`)]
  .map((each) => each.textContent).sort().join()"""


def axes(visit: Visit, *names: str) -> list[str]:
    return [visit.tab.evaluate(AXIS, name) for name in names]


def until_differs(visit: Visit, name: str, before: str) -> None:
    visit.tab.wait_for_function(f"([name, before]) => ({AXIS})(name) !== before", arg=[name, before])


def test_figures_over_time_are_looked_at_closely_together(browser: Browser, report: Path) -> None:
    """Whoever wonders about a week in the fit wonders what the scenarios say of it; what has no time stays as it is."""
    visit = Visit(browser, report, viewport=DESK).drawn()
    names = ("fit", "scenarios", "prior-posterior")
    whole = axes(visit, *names)
    days = [visit.tab.get_by_label(name, exact=True).input_value() for name in ("From", "to")]
    show_all = visit.tab.get_by_role("button", name="Show all", exact=True)
    assert show_all.is_disabled()
    visit.tab.locator("#figure-fit .panel").scroll_into_view_if_needed()
    area = visit.tab.locator("#figure-fit .role-frame .background").first.bounding_box()
    assert area
    x, y = area["x"], area["y"] + area["height"] / 2
    visit.tab.mouse.move(x + 0.25 * area["width"], y)
    visit.tab.mouse.down()
    visit.tab.mouse.move(x + 0.5 * area["width"], y, steps=3)
    assert visit.count(".chosen-time") == 1
    visit.tab.mouse.up()
    until_differs(visit, "fit", whole[0])
    visit.tab.locator("#figure-scenarios .panel").first.scroll_into_view_if_needed()
    until_differs(visit, "scenarios", whole[1])
    assert axes(visit, "prior-posterior") == whole[2:]
    assert visit.tab.get_by_label("From", exact=True).input_value() > days[0]
    assert visit.count(".chosen-time") == 0
    show_all.press("Enter")
    for name, before in zip(names, whole, strict=True):
        visit.tab.locator(f"#figure-{name} .panel").first.scroll_into_view_if_needed()
        visit.tab.wait_for_function(f"([name, before]) => ({AXIS})(name) === before", arg=[name, before])
    assert visit.complaints == []


def test_the_time_that_figures_show_is_chosen_by_keyboard(browser: Browser, report: Path) -> None:
    """And on a phone, where a finger scrolls; what ends before it begins is told at its field."""
    visit = Visit(browser, report, viewport=PHONE).drawn()
    (whole,) = axes(visit, "fit")
    start, end = (visit.tab.get_by_label(name, exact=True) for name in ("From", "to"))
    last = end.input_value()
    end.fill(start.input_value())
    assert not end.evaluate("each => each.checkValidity()")
    assert axes(visit, "fit") == [whole]
    end.fill(last)
    start.fill(visit.tab.evaluate("last => new Date(Date.parse(last) - 5 * 864e5).toISOString().slice(0, 10)", last))
    visit.tab.locator("#figure-fit .panel").scroll_into_view_if_needed()
    until_differs(visit, "fit", whole)
    assert visit.ask(OVERFLOW) <= 0
    assert visit.complaints == []
