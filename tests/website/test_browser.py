"""The website in a real browser: a newcomer's way to a run, every page on a desk and a phone, nothing in the way.

Where `MODELWORKS_SCREENSHOTS` names a folder, a picture of each page is left there for somebody to look at.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelworks.study import new_repository

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium", "playwright", "axe_playwright_python")]

PATIENCE = 120_000
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
PAGES = (
    "", "/runs", "/runs/RUN", "/jobs", "/jobs/JOB", "/workflow", "/studies/first-study/run", "/data", "/people",
    "/settings",
)  # fmt: skip


@dataclass
class Served:
    """A website that runs as a process of its own, and the link that let its owner in."""

    folder: Path
    address: str
    link: str
    process: subprocess.Popen[str]
    run: str = ""
    job: str = ""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = new_repository(tmp_path_factory.mktemp("served") / "ours")
    with _serving(folder, "/enter/") as here:
        yield here


@contextmanager
def _serving(folder: Path, kind: str) -> Iterator[Served]:
    """`modelworks serve` in a folder, for as long as the block lasts; the link it says is of this kind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "modelworks", "serve", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    yield Served(folder, f"http://127.0.0.1:{port}", _link(process, kind), process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode in (0, 130)


def _link(process: subprocess.Popen[str], kind: str = "/enter/") -> str:
    """What the process says when it answers."""
    assert process.stderr is not None
    for line in process.stderr:
        if kind in line:
            return line.strip()
    raise AssertionError("the website did not start")


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def owner(browser: Browser, served: Served) -> Any:
    """The cookies of the owner, who followed the link."""
    context = browser.new_context()
    context.new_page().goto(served.link)
    state = context.storage_state()
    context.close()
    return state


class Visit:
    """A tab of the owner's, with all that its pages complained of and asked others for."""

    def __init__(self, browser: Browser, served: Served, owner: Any, **options: Any) -> None:
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.tab: Page = browser.new_context(storage_state=owner, **options).new_page()
        self.tab.set_default_timeout(PATIENCE)
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda each: self._ask(each.url, served.address))

    def _ask(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:")):
            self.foreign.append(url)


def test_who_has_nothing_comes_to_a_live_job_without_a_terminal(browser: Browser, tmp_path: Path) -> None:
    """One button makes a repository, the next runs its study; with a mistake in the name on the way."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect

    with _serving(tmp_path, "/begin/") as served:
        visit = Visit(browser, served, None, viewport=SIZES["phone"])
        tab = visit.tab
        tab.goto(served.link)
        found = Axe().run(tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
        assert found.violations_count == 0, found.generate_report()
        assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        if folder := os.environ.get("MODELWORKS_SCREENSHOTS"):
            tab.screenshot(path=Path(folder) / "first.png", full_page=True)
        tab.get_by_label("Name of the repository").fill("Our Studies")
        tab.get_by_role("button", name="Make it").click()
        expect(tab.get_by_role("alert")).to_contain_text("Y303")
        visit.complaints[:] = [each for each in visit.complaints if "422" not in each]
        tab.get_by_label("Name of the repository").fill("our-studies")
        tab.get_by_role("button", name="Make it").click()
        tab.get_by_role("button", name=re.compile("as it is")).click()
        tab.wait_for_url(re.compile("/jobs/"))
        # A worker is there: it begins by itself. That a job comes to its run is told below.
        expect(tab.locator("#log")).to_contain_text("begun, as process")
        tab.get_by_role("button", name="Cancel").click()
        expect(tab.get_by_role("heading", name="It was cancelled")).to_be_visible()
        assert (visit.complaints, visit.foreign) == ([], [])
        tab.context.close()


def test_a_newcomer_comes_from_a_question_to_a_run(browser: Browser, served: Served, owner: Any) -> None:
    """With a mistake on the way, which is told at its field."""
    from playwright.sync_api import expect

    visit = Visit(browser, served, owner, viewport=SIZES["desk"])
    tab = visit.tab
    tab.goto(served.address)
    tab.get_by_role("link", name=re.compile("New run")).first.click()
    field = tab.locator(".field input").first
    before = field.input_value()
    field.fill("normal(a lot)")
    tab.locator("select[name=until]").select_option("simulate")
    tab.get_by_role("button", name="Start the run").click()
    wrong = tab.locator(".field.wrong")
    expect(wrong).to_contain_text("Y521", timeout=PATIENCE)
    assert wrong.locator("input").input_value() == "normal(a lot)"
    # That the browser logs the answer's status is no complaint of the page.
    visit.complaints[:] = [each for each in visit.complaints if "422" not in each]
    wrong.locator("input").fill(before)
    tab.get_by_role("button", name="Start the run").click()
    tab.wait_for_url(re.compile("/jobs/"))
    served.job = tab.url.rpartition("/")[2]
    # Nobody loads this page again: the job's own words bring the end.
    link = tab.get_by_role("link", name=re.compile("Look at run"))
    link.wait_for(timeout=PATIENCE)
    expect(tab.locator("#log")).to_contain_text("ended: done")
    link.click()
    tab.wait_for_url(re.compile("/runs/"))
    served.run = tab.url.rpartition("/")[2]
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    assert (visit.complaints, visit.foreign) == ([], [])


@pytest.mark.parametrize("place", PAGES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_fit_for_everybody(
    browser: Browser, served: Served, owner: Any, place: str, size: str, scheme: Any
) -> None:
    """No wider than the window, no complaint, nothing from elsewhere, and nothing that axe holds against WCAG AA."""
    from axe_playwright_python.sync_playwright import Axe

    assert served.run, "the newcomer did not come to a run"
    visit = Visit(browser, served, owner, viewport=SIZES[size], color_scheme=scheme)
    visit.tab.goto(served.address + "/w/ours" + place.replace("RUN", served.run).replace("JOB", served.job))
    assert visit.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    found = Axe().run(visit.tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
    assert found.violations_count == 0, found.generate_report()
    assert (visit.complaints, visit.foreign) == ([], [])
    if folder := os.environ.get("MODELWORKS_SCREENSHOTS"):
        name = place.strip("/").replace(served.run, "run").replace("/", "-") or "home"
        visit.tab.screenshot(path=Path(folder) / f"{name}-{size}-{scheme}.png", full_page=True)
    visit.tab.context.close()


def test_without_scripts_everything_can_be_read(browser: Browser, served: Served, owner: Any) -> None:
    """Some ministries run none."""
    visit = Visit(browser, served, owner, viewport=SIZES["phone"], java_script_enabled=False)
    for place in ("", "/runs", f"/jobs/{served.job}"):
        visit.tab.goto(served.address + "/w/ours" + place)
        assert visit.tab.locator("main").inner_text().strip()
    assert "ended: done" in visit.tab.locator("#log").inner_text()


def test_a_second_start_finds_the_first(served: Served) -> None:
    """And lets its owner in again."""
    command = [sys.executable, "-m", "modelworks", "serve", "--no-browser"]
    ended = subprocess.run(command, cwd=served.folder, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0
    assert f"{served.address}/enter/" in ended.stderr
    assert f"process {served.process.pid}" in ended.stderr
