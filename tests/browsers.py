"""Real browsers at a website that runs as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ports import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_MS = 120_000
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
# The letters of a drawing that lie wholly outside it, where nobody sees them.
CUT_OFF = """[...document.querySelectorAll(".panel svg text")].filter((each) => {
  const [letters, drawing] = [each, each.ownerSVGElement].map((one) => one.getBoundingClientRect());
  return letters.width > 0 && letters.bottom <= drawing.top;
}).map((each) => each.textContent)"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


@dataclass
class Served:
    """A website, and the link that lets its owner in."""

    folder: Path
    address: str
    link: str
    process: subprocess.Popen[str]


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """`modelworks serve` in a folder, for as long as the block lasts."""
    port = free_port()
    command = [sys.executable, "-m", "modelworks", "serve", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        yield Served(folder, f"http://127.0.0.1:{port}", _link(process), process)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode in (0, 130)


def _link(process: subprocess.Popen[str]) -> str:
    """What the process says when it answers."""
    assert process.stderr is not None
    heard = []
    for line in process.stderr:
        heard.append(line)
        if "/enter/" in line or "/begin/" in line:
            return line.strip()
    raise AssertionError(f"the website did not start: {''.join(heard)}")


class Visit:
    """A tab, with all that its pages complained of and asked others for."""

    def __init__(self, browser: Browser, served: Served, **options: Any) -> None:
        from playwright.sync_api import expect

        expect.set_options(timeout=PATIENCE_MS)
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.tab: Page = browser.new_context(viewport=SIZES["desk"], **options).new_page()
        self.tab.set_default_timeout(PATIENCE_MS)
        self.tab.on("console", lambda message: self._hear(message.text))
        self.tab.on("pageerror", lambda error: self._hear(str(error)))
        self.tab.on("request", lambda each: self._ask(each.url, served.address))

    def _hear(self, text: str) -> None:
        # That the browser logs the status of an answer that names a mistake is no complaint of the page.
        if "status of 422" not in text:
            self.complaints.append(text)

    def _ask(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:")):
            self.foreign.append(url)


def assert_fit(visit: Visit, name: str) -> None:
    """A page as it stands is fit for everybody: wide and narrow, light and dark; its pictures are kept for people.

    It is no wider than the window, its drawings show their titles, and axe holds nothing against it.
    """
    from axe_playwright_python.sync_playwright import Axe

    tab = visit.tab
    if tab.locator("figure[data-specs]").count():
        tab.locator("html[data-figures=drawn]").wait_for()
    for size, viewport in SIZES.items():
        tab.set_viewport_size(viewport)  # type: ignore[arg-type]
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, f"{name} on a {size}"
            assert tab.evaluate(CUT_OFF) == [], f"{name} on a {size}"
            # In the dark only the colours are others.
            rules = RULES if scheme == "light" else ["color-contrast"]
            found = Axe().run(tab, options={"runOnly": rules})
            assert found.violations_count == 0, f"{name}, {size}, {scheme}: {found.generate_report()}"
            picture(tab, f"{name}-{size}-{scheme}")
    tab.set_viewport_size(SIZES["desk"])  # type: ignore[arg-type]
    tab.emulate_media(color_scheme="light")
    assert (visit.complaints, visit.foreign) == ([], []), name


def press(tab: Page, target: Any, key: str) -> None:
    """Come to something by the tabulator, seeing all the way where one is, and press a key there."""
    target.wait_for()
    for _ in range(200):
        tab.keyboard.press("Tab")
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        if target.evaluate("each => each === document.activeElement"):
            tab.keyboard.press(key)
            return
    raise AssertionError(f"no key leads to {target}")


def picture(tab: Page, name: str) -> None:
    """The whole page, where `MODELWORKS_SCREENSHOTS` names a folder for somebody to look into."""
    if folder := os.environ.get("MODELWORKS_SCREENSHOTS"):
        tab.screenshot(path=Path(folder) / f"{re.sub('[^a-z-]+', '-', name)}.png", full_page=True)
