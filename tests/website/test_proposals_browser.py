"""A corrected file in a real browser: sent, looked at, accepted and declined, by keys alone and without scripts.

Where `MODELWORKS_SCREENSHOTS` names a folder, pictures of each page are left there for somebody to look at.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import PATIENCE_MS, Served, Visit, assert_fit, press, serving

from modelworks.study import new_repository, propose_file
from modelworks.website import sign_in_link
from modelworks.website.pages.data import EXAMPLE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium", "playwright", "axe_playwright_python", "git")]

WEEKS = [f"2021-{month:02d}-{day:02d}" for month, day in ((1, 4), (1, 11), (1, 18), (1, 25), (2, 1), (2, 8))]
TABLE = "week,cases\n" + "".join(f"{week},{10 * number}\n" for number, week in enumerate(WEEKS, 1))
CORRECTED = TABLE.replace(",30\n", ",33\n").replace(",60\n", ",61\n")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A repository with one dataset that git has, and a file of somebody else's that could not be used."""
    root = new_repository(tmp_path_factory.mktemp("corrected") / "ours")
    (root / "data" / "raw").mkdir(parents=True, exist_ok=True)
    (root / "data" / "raw" / "cases.csv").write_text(TABLE, encoding="utf-8")
    entry = EXAMPLE.replace("CHECKSUM", hashlib.sha256(TABLE.encode()).hexdigest())
    (root / "data" / "catalogue.yaml").write_text(entry, encoding="utf-8")
    git = ("git", "-C", str(root), "-c", "user.name=Git", "-c", "user.email=git@example.org")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=Begin")):
        subprocess.run((*git, *words), check=True, capture_output=True)
    late = TABLE.replace("2021-01-18,30\n", "").encode()
    propose_file(root, "cases", late, why="The third week was never printed.", by="Grace Hopper", login="grace")
    with serving(root) as site:
        yield site


def test_a_corrected_file_from_the_form_to_the_files_at_hand(browser: Browser, served: Served, tmp_path: Path) -> None:
    """Each page on the way is fit for everybody; who has only keys comes as far."""
    visit, file = Visit(browser, served), tmp_path / "corrected.csv"
    tab = visit.tab
    tab.goto(served.link)
    tab.get_by_role("link", name="Data", exact=True).click()
    assert_fit(visit, "data-waiting")
    tab.get_by_role("link", name="Cases reported each week", exact=True).click()
    assert_fit(visit, "dataset")
    press(tab, tab.get_by_role("link", name="Propose a corrected file"), "Enter")
    file.write_text(TABLE, encoding="utf-8")
    sends(tab, file)
    tab.get_by_role("alert").wait_for()
    assert "D147" in tab.get_by_role("alert").inner_text()
    assert_fit(visit, "propose-mistake")
    file.write_text(CORRECTED, encoding="utf-8")
    sends(tab, file)
    tab.get_by_role("heading", name="What differs from the present table").wait_for()
    assert_fit(visit, "proposal")
    press(tab, tab.get_by_role("button", name="Accept the file"), "Enter")
    tab.get_by_role("heading", name="was accepted").wait_for()
    assert_fit(visit, "proposal-accepted")
    tab.goto(tab.url.partition("/data")[0])
    assert_fit(visit, "home-waiting")
    assert (served.folder / "data" / "raw" / "cases.csv").read_text(encoding="utf-8") == CORRECTED
    assert (visit.complaints, visit.foreign) == ([], [])
    tab.context.close()


def sends(tab: Page, file: Path) -> None:
    tab.get_by_label("File").set_input_files(file)
    tab.get_by_label("Why").fill("The bulletin of March has these numbers, and says why.")
    press(tab, tab.get_by_role("button", name="Propose"), "Enter")


def test_a_new_dataset_by_keys_alone(browser: Browser, served: Served, tmp_path: Path) -> None:
    """The file, what it is with a mistake in it, and the page of what is proposed."""
    visit, file = Visit(browser, served), tmp_path / "deaths by week.csv"
    file.write_text(TABLE.replace("cases", "deaths"), encoding="utf-8")
    tab = visit.tab
    tab.goto(sign_in_link(served.folder, served.address))
    tab.get_by_role("link", name="Data", exact=True).click()
    press(tab, tab.get_by_role("link", name="Add a dataset"), "Enter")
    press(tab, tab.get_by_label("Everybody of the team"), "Space")
    tab.get_by_label("File").set_input_files(file)
    assert_fit(visit, "new-data")
    press(tab, tab.get_by_role("button", name="Go on"), "Enter")
    for name in ("What it is", "Who published it", "What may be done with it", "Where you found it"):
        tab.get_by_label(name, exact=True).fill("Deaths by week, of the ministry's bulletin")
    tab.get_by_label("Unit", exact=True).nth(1).fill("peeple")
    press(tab, tab.get_by_role("button", name="Propose"), "Enter")
    tab.get_by_role("alert").wait_for()
    assert "D115" in tab.get_by_role("alert").inner_text()
    assert_fit(visit, "new-columns-mistake")
    tab.get_by_label("Unit", exact=True).nth(1).fill("people")
    press(tab, tab.get_by_role("button", name="Propose"), "Enter")
    tab.get_by_role("heading", name="proposed").wait_for()
    assert_fit(visit, "new-data-proposed")
    press(tab, tab.get_by_role("button", name="Accept the dataset"), "Enter")
    tab.get_by_role("heading", name="was accepted").wait_for()
    assert (served.folder / "data" / "raw" / "deaths-by-week.csv").read_bytes() == file.read_bytes()
    press(tab, tab.get_by_role("link", name="Stop this website"), "Enter")
    assert_fit(visit, "stop")
    tab.context.close()


def test_without_scripts_it_is_looked_at_and_declined(browser: Browser, served: Served) -> None:
    """A check that stops studies is shown before anybody could accept it."""
    visit = Visit(browser, served, java_script_enabled=False)
    tab = visit.tab
    command = [sys.executable, "-m", "modelworks", "serve", "--no-browser"]
    second = subprocess.run(
        command, cwd=served.folder, capture_output=True, text=True, check=True, timeout=PATIENCE_MS / 1000
    )
    tab.goto(next(word for word in second.stderr.split() if "/enter/" in word))
    tab.get_by_role("link", name="Data", exact=True).click()
    tab.locator("#waiting").locator("..").get_by_role("link").first.click()
    text = tab.locator("main").inner_text()
    assert "It can not be accepted" in text
    assert "1 row gone" in text
    assert tab.get_by_role("button", name="Accept").count() == 0
    tab.get_by_label("Why not").fill("The week is in the annex of the bulletin.")
    tab.get_by_role("button", name="Decline it").click()
    tab.get_by_role("heading", name="was declined").wait_for()
    tab.get_by_role("link", name="Cases reported each week").first.click()
    assert "The week is in the annex" in tab.locator("main").inner_text()
    tab.context.close()
