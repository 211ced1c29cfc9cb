"""The website in a real browser: a newcomer's whole story, every page on a desk and a phone, keys alone, no scripts.

Where `MODELWORKS_SCREENSHOTS` names a folder, pictures of each page are left there for somebody to look at.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from browsers import PATIENCE_MS, Served, Visit, assert_fit, press, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium", "playwright", "axe_playwright_python", "git")]

PAGES = {
    "home": "", "runs": "/runs", "run": "/runs/RUN", "approve": "/runs/RUN/approve", "explore": "/runs/RUN/explore",
    "compare-none": "/compare", "compare": "/compare?run=RUN&run=OTHER", "approvals": "/approvals", "jobs": "/jobs",
    "job": "/jobs/JOB", "workflow": "/workflow", "new-run": "/studies/first-study/run", "data": "/data",
    "feeds": "/feeds", "people": "/people", "settings": "/settings", "glossary": "/glossary",
}  # fmt: skip
PASSWORD = "four words that rhyme"


@dataclass
class Story:
    """Where the newcomer has come to: the two runs, and the jobs that made them."""

    served: Served
    owner: Visit
    reviewer: Visit
    runs: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    @property
    def home(self) -> str:
        return f"{self.served.address}/w/our-studies"

    def at(self, place: str) -> str:
        """The address of a page, where `RUN`, `OTHER` and `JOB` are those of the story."""
        assert len(self.runs) == 2, "the newcomer did not come so far"
        run, other = self.runs
        return self.home + place.replace("RUN", run).replace("OTHER", other).replace("JOB", self.jobs[0])

    def follow(self) -> None:
        """From a job that has just been handed over to its run, without ever loading a page again."""
        from playwright.sync_api import expect

        tab = self.owner.tab
        tab.wait_for_url(re.compile("/jobs/"))
        self.jobs.append(tab.url.rpartition("/")[2])
        expect(tab.locator("#log")).to_contain_text("begun, as process")
        tab.get_by_role("link", name=re.compile("Look at run")).click()
        tab.wait_for_url(re.compile("/runs/"))
        self.runs.append(tab.url.rpartition("/")[2])


@pytest.fixture(scope="module")
def story(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A website in a folder that holds nothing, and two who have not come yet."""
    with serving(tmp_path_factory.mktemp("story")) as served:
        yield Story(served, Visit(browser, served), Visit(browser, served))


def test_a_newcomer_comes_from_nothing_to_a_number_that_others_read(browser: Browser, story: Story) -> None:
    """Without a terminal, with mistakes on the way, and with a second person to sign."""
    makes_a_repository(story)
    runs_the_study(story)
    looks_on(browser, story)
    reads_the_verdict(story)
    asks_again_with_a_mistake(story)
    compares(story)
    explores(story)
    lets_somebody_in(story)
    has_it_signed(story)
    reads_its_number_elsewhere(story)
    for visit in (story.owner, story.reviewer):
        assert (visit.complaints, visit.foreign) == ([], [])


def makes_a_repository(story: Story) -> None:
    from playwright.sync_api import expect

    tab = story.owner.tab
    tab.goto(story.served.link)
    assert_fit(story.owner, "first")
    name = tab.get_by_label("Name of the repository")
    name.fill("Our Studies")
    tab.get_by_role("button", name="Make it").click()
    expect(tab.get_by_role("alert")).to_contain_text("Y303")
    name.fill("our-studies")
    tab.get_by_role("button", name="Make it").click()
    tab.wait_for_url(story.home)
    assert_fit(story.owner, "home-before")


def runs_the_study(story: Story) -> None:
    story.owner.tab.get_by_role("button", name=re.compile("as it is")).click()


def looks_on(browser: Browser, story: Story) -> None:
    """Somebody whose connection is cut sees how far it was, and the newcomer how it ends."""
    tab = story.owner.tab
    tab.wait_for_url(re.compile("/jobs/"))
    cut_off = Visit(browser, story.served, storage_state=tab.context.storage_state())
    # Never answered: a page that is refused its events loads itself anew after a while, maybe in the middle of a look.
    cut_off.tab.route("**/events?*", lambda _: None)
    cut_off.tab.goto(tab.url)
    assert_fit(cut_off, "job-live")
    cut_off.tab.context.close()
    story.follow()


def reads_the_verdict(story: Story) -> None:
    from playwright.sync_api import expect

    expect(story.owner.tab.locator("#verdict")).to_contain_text("can be used")
    expect(story.owner.tab.locator("#answer .answer")).to_contain_text("One case infects")


def asks_again_with_a_mistake(story: Story) -> None:
    from playwright.sync_api import expect

    tab = story.owner.tab
    tab.goto(story.home)
    tab.get_by_role("link", name=re.compile("New run")).click()
    tab.locator(".field input").first.fill("normal(a lot)")
    tab.get_by_role("button", name="Start the run").click()
    wrong = tab.locator(".field.wrong")
    expect(wrong).to_contain_text("Y521")
    assert wrong.locator("input").input_value() == "normal(a lot)"
    assert_fit(story.owner, "new-run-mistake")
    wrong.locator("input").fill("log_normal(median=0.4, sigma=0.05)")
    tab.get_by_role("button", name="Start the run").click()
    story.follow()


def compares(story: Story) -> None:
    from playwright.sync_api import expect

    tab = story.owner.tab
    tab.get_by_role("link", name="Runs", exact=True).click()
    for run in story.runs:
        tab.get_by_label(f"Compare run {run}").check()
    tab.get_by_role("button", name="Compare").click()
    for words in ("contact_rate", *story.runs):
        expect(tab.locator("main")).to_contain_text(words)


def explores(story: Story) -> None:
    """What was found is shared by its address."""
    from playwright.sync_api import expect

    tab = story.owner.tab
    tab.goto(story.at("/runs/RUN"))
    tab.locator("#answer").get_by_role("link", name="What if?").click()
    tab.locator("html[data-explored]").wait_for()
    told = tab.locator("#told")
    # Between two steps of the slider, where a browser would move it to the next one.
    exact = "0.8512345678901234"
    tab.goto(f"{tab.url.partition('?')[0]}?times.contact_rate={exact}")
    tab.locator("html[data-explored]").wait_for()
    slider = tab.get_by_role("slider").first
    assert float(slider.input_value()) == pytest.approx(float(exact), abs=1e-14)
    expect(tab).to_have_url(re.compile(re.escape(exact)))
    before = told.inner_text()
    slider.press("ArrowLeft")
    expect(told).not_to_have_text(before, use_inner_text=True)
    expect(tab).to_have_url(re.compile(r"\?.*="))
    stands = slider.input_value()
    assert stands == "0.84"
    tab.goto(tab.url)
    assert tab.get_by_role("slider").first.input_value() == stands


def lets_somebody_in(story: Story) -> None:
    """By a link that is handed over."""
    tab = story.owner.tab
    tab.goto(f"{story.home}/people")
    tab.get_by_label("Signs in as", exact=True).fill("ada")
    tab.get_by_label("Name", exact=True).fill("Ada Lovelace")
    tab.locator("form.filters").get_by_label("Role").select_option("reviewer")
    tab.get_by_role("button", name="Let in").click()
    link = tab.locator(".once code").inner_text()
    assert_fit(story.owner, "people-link")
    new = story.reviewer.tab
    new.goto(link)
    assert_fit(story.reviewer, "password")
    new.get_by_label("Password").fill(PASSWORD)
    new.get_by_role("button", name="Choose it").click()
    new.wait_for_url(story.home)


def has_it_signed(story: Story) -> None:
    from playwright.sync_api import expect

    tab, other = story.owner.tab, story.reviewer.tab
    tab.goto(story.at("/runs/RUN"))
    tab.get_by_role("link", name="Approve", exact=True).click()
    assert_fit(story.owner, "approve-before")
    tab.get_by_role("button", name="Put forward").click()
    expect(tab.locator(".stands")).to_contain_text("Waiting for signatures")
    other.get_by_role("link", name="Approved", exact=True).click()
    other.get_by_role("link", name=re.compile(f"run {story.runs[0]}")).click()
    assert_fit(story.reviewer, "approve-sign")
    other.get_by_label(re.compile("Comment")).fill("The ribbons cover what was seen.")
    other.get_by_role("button", name=re.compile("Sign as Ada Lovelace")).click()
    expect(other.get_by_role("heading", level=1)).to_have_text("We stand behind this result")
    tab.goto(story.home)
    expect(tab.locator(".stands")).to_contain_text("Approved")


def reads_its_number_elsewhere(story: Story) -> None:
    """As Excel does: by a token, and from what is approved alone."""
    import httpx

    tab = story.reviewer.tab
    answer = story.owner.tab.locator(".answer").inner_text()
    tab.get_by_role("link", name="Ada Lovelace").click()
    tab.get_by_label("What it is for").fill("Excel")
    tab.get_by_role("button", name="Make a token").click()
    token = tab.locator(".once pre").inner_text()
    assert_fit(story.reviewer, "account")
    found = httpx.get(
        f"{story.home}/feeds/approved/odata/quantities", auth=("ada", token),
        params={"$filter": "quantity eq 'reproduction_number'"}, timeout=PATIENCE_MS / 1000,
    )  # fmt: skip
    [row] = found.json()["value"]
    assert row["run"] == story.runs[0]
    said = [float(each) for each in re.findall(r"\d+(?:\.\d+)?", answer)[:3]]
    # The sentence is rounded to three digits.
    assert said == pytest.approx([row["median"], row["low"], row["high"]], abs=0.0051)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_fit_for_everybody(story: Story, name: str) -> None:
    story.owner.tab.goto(story.at(PAGES[name]))
    assert_fit(story.owner, name)


def test_the_way_in_is_fit_for_everybody(browser: Browser, story: Story) -> None:
    visit = Visit(browser, story.served)
    visit.tab.goto(story.served.address)
    assert_fit(visit, "sign-in")
    visit.tab.context.close()


def test_keys_alone_suffice(browser: Browser, story: Story) -> None:
    """A run is asked for and cancelled, two are compared, a slider is moved; wherever one is, one sees it."""
    from playwright.sync_api import expect

    visit = Visit(browser, story.served, storage_state=story.owner.tab.context.storage_state())
    tab = visit.tab
    tab.goto(story.at(""))
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.keyboard.press("Enter")
    press(tab, tab.get_by_role("link", name=re.compile("New run")), "Enter")
    press(tab, tab.locator(".field input").first, "Control+A")
    tab.keyboard.type("0.35")
    press(tab, tab.get_by_role("button", name="Start the run"), "Enter")
    tab.wait_for_url(re.compile("/jobs/"))
    press(tab, tab.get_by_role("button", name="Cancel"), "Enter")
    expect(tab.get_by_role("heading", name="It was cancelled")).to_be_visible()
    press(tab, tab.get_by_role("link", name="Runs", exact=True), "Enter")
    for run in reversed(story.runs):
        press(tab, tab.get_by_label(f"Compare run {run}"), "Space")
    press(tab, tab.get_by_role("button", name="Compare"), "Enter")
    tab.wait_for_url(re.compile("/compare"))
    tab.goto(story.at("/runs/RUN/explore"))
    tab.locator("html[data-explored]").wait_for()
    press(tab, tab.get_by_role("slider").first, "ArrowRight")
    tab.wait_for_url(re.compile(r"/explore\?"))
    assert (visit.complaints, visit.foreign) == ([], [])
    tab.context.close()


def test_every_word_of_the_field_leads_to_its_meaning(browser: Browser, story: Story) -> None:
    """On the site itself; told beside the word to a keyboard too, and put away by Escape (WCAG 2.2, 1.4.13)."""
    from playwright.sync_api import expect

    visit = Visit(browser, story.served, storage_state=story.owner.tab.context.storage_state())
    tab, terms, met = visit.tab, visit.tab.locator("a.term"), set()
    for place in PAGES.values():
        tab.goto(story.at(place))
        met |= set(terms.evaluate_all("all => all.map(each => each.getAttribute('href'))"))
    tab.goto(story.at("/glossary"))
    there = tab.locator(".glossary > div").evaluate_all("all => all.map(each => `${location.pathname}#${each.id}`)")
    assert met <= set(there)
    tab.goto(story.at("/runs/RUN"))
    tab.locator("html[data-figures=drawn]").wait_for()
    # The tables that hold some are folded.
    for fold in tab.locator("details.fold > summary").all():
        fold.press("Enter")
    r_hat = tab.locator("a.term[href$='#r-hat']")
    r_hat.focus()
    told = tab.get_by_role("tooltip")
    expect(told).to_contain_text("whether the chains agree")
    assert r_hat.get_attribute("aria-describedby") == told.get_attribute("id")
    tab.keyboard.press("Escape")
    expect(told).to_be_hidden()
    tab.keyboard.press("Enter")
    tab.wait_for_url(re.compile("/glossary#r-hat"))
    expect(tab.locator("#r-hat")).to_be_in_viewport()
    assert (visit.complaints, visit.foreign) == ([], [])
    tab.context.close()


def test_without_scripts_everything_can_be_read(browser: Browser, story: Story) -> None:
    """Some ministries run none."""
    known = story.owner.tab.context.storage_state()
    visit = Visit(browser, story.served, storage_state=known, java_script_enabled=False)
    tab = visit.tab
    for place in PAGES.values():
        tab.goto(story.at(place))
        assert len(tab.locator("main").inner_text()) > 80, place
    tab.goto(story.at("/jobs/JOB"))
    assert "ended: done" in tab.locator("#log").inner_text()
    for place in ("/runs/RUN", "/runs/RUN/explore", "/compare?run=RUN&run=OTHER"):
        tab.goto(story.at(place))
        still = tab.locator("figure img").first
        still.scroll_into_view_if_needed()
        assert still.is_visible()
        assert still.evaluate("image => image.naturalWidth") > 0
    tab.context.close()


def test_a_second_start_finds_the_first(story: Story) -> None:
    """And lets its owner in again."""
    command = [sys.executable, "-m", "modelworks", "serve", "--no-browser"]
    ended = subprocess.run(
        command, cwd=story.served.folder, capture_output=True, text=True, check=False, timeout=PATIENCE_MS / 1000
    )
    assert ended.returncode == 0
    assert f"{story.served.address}/enter/" in ended.stderr
    assert f"process {story.served.process.pid}" in ended.stderr
