"""Sign-in by a provider that nobody here wrote, in a real browser: there and back by redirects, and what goes wrong.

The provider is `oidc-provider-mock` as a process of its own, and for the browser another site than ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from browsers import Served, Visit, assert_fit, serving
from ports import free_port

from modelworks.study import new_repository
from modelworks.website import read_settings
from modelworks.website.access.people import People

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("chromium", "playwright", "axe_playwright_python", "oidc_provider_mock"),
]

PATIENCE_SECONDS = 120.0
ADA = {"sub": "ada-1", "email": "Ada@example.org", "email_verified": True}
# Whoever has this address is invited, but that it is theirs nobody has seen.
MALLORY = {"sub": "mallory", "email": "ada@example.org", "email_verified": False}
# The provider with a clock that goes wrong by so many seconds.
PROGRAM = """\
import runpy, sys, time
right, wrong = time.time, float(sys.argv.pop(1))
time.time = lambda: right() + wrong
runpy.run_module("oidc_provider_mock", run_name="__main__")
"""


@contextmanager
def provider(port: int, *, ahead_seconds: float = 0.0) -> Iterator[None]:
    """The provider at a port, each time with another key, for as long as the block lasts."""
    people = [word for each in (ADA, MALLORY) for word in ("--user-claims", json.dumps(each))]
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(ahead_seconds), "--port", str(port), *people]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE_SECONDS
    try:
        while not answers(port):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"http://localhost:{port}/jwks", timeout=PATIENCE_SECONDS).status_code == 200
    return False


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def served(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A website with the provider's button, which has invited Ada by her address of mail."""
    root = new_repository(tmp_path_factory.mktemp("institute") / "ours")
    said = {"oidc_issuer": f"http://localhost:{port}", "oidc_client_id": "modelworks", "oidc_title": "the institute"}
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write("\n[website]\n" + "".join(f'{name} = "{value}"\n' for name, value in said.items()))
    settings = read_settings(root)
    people = People(settings.database, settings.session_days)
    people.set_role(people.add("ada", "Ada Lovelace", mail="ada@example.org").id, "ours", "viewer")
    people.close()
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(os.environ, "MODELWORKS_OIDC_SECRET", "s3cret: with % and spaces")
        with serving(root) as site:
            yield site


def press_the_button(tab: Page) -> None:
    tab.get_by_role("link", name="Sign in by the institute").click()


def signs_in_as(tab: Page, who: str, served: Served) -> None:
    """Press the button, and say at the provider who one is."""
    press_the_button(tab)
    tab.get_by_role("button", name=who, exact=True).click()
    tab.wait_for_url(f"{served.address}/**")


def read(tab: Page) -> str:
    """The letter on the page of sign-in, to which nobody who was refused is lost."""
    told = tab.get_by_role("alert").inner_text()
    tab.get_by_role("link", name="Sign in by the institute").wait_for()
    return told


def test_there_and_back_and_out_again(browser: Browser, served: Served, port: int) -> None:
    """To the page that was wanted, and after signing out to none."""
    visit = Visit(browser, served)
    tab = visit.tab
    with provider(port):
        tab.goto(f"{served.address}/w/ours/runs")
        assert tab.url == f"{served.address}/sign-in?next=%2Fw%2Fours%2Fruns"
        assert_fit(visit, "sign-in-by-provider")
        signs_in_as(tab, "ada-1", served)
        assert tab.url == f"{served.address}/w/ours/runs"
        tab.goto(f"{served.address}/account")
        assert "Ada Lovelace" in tab.locator("body").inner_text()
        tab.get_by_role("button", name="Sign out").first.click()
        tab.wait_for_url("**/sign-in")
        tab.goto(f"{served.address}/w/ours/runs")
        assert "/sign-in?next=" in tab.url
    # Its keys are others when it comes back.
    with provider(port):
        signs_in_as(tab, "ada-1", served)
        assert tab.url == f"{served.address}/w/ours/runs"


def test_who_is_not_invited_or_says_no_stays_outside_with_a_letter(browser: Browser, served: Served, port: int) -> None:
    visit = Visit(browser, served)
    tab = visit.tab
    with provider(port):
        tab.goto(f"{served.address}/sign-in")
        signs_in_as(tab, "mallory", served)
        assert "W136" in read(tab)
        visit.complaints, visit.foreign = [], []
        assert_fit(visit, "sign-in-refused")
        press_the_button(tab)
        tab.get_by_role("button", name="Deny").click()
        tab.wait_for_url(f"{served.address}/**")
        # Of what was begun it says nothing when it refuses, so that this may be somebody else's refusal.
        assert "W134" in read(tab)
        tab.goto(f"{served.address}/w/ours")
        assert "/sign-in" in tab.url


def test_a_clock_that_goes_a_little_wrong_is_forgiven(browser: Browser, served: Served, port: int) -> None:
    """Half a minute, and not five."""
    tab = Visit(browser, served).tab
    tab.goto(f"{served.address}/sign-in")
    with provider(port, ahead_seconds=300.0):
        signs_in_as(tab, "ada-1", served)
        assert "W135" in read(tab)
    with provider(port, ahead_seconds=30.0):
        signs_in_as(tab, "ada-1", served)
        assert tab.url == f"{served.address}/w/ours"


def test_a_provider_that_is_away_is_a_letter_beside_the_form(browser: Browser, served: Served, port: int) -> None:
    """Before somebody is sent there, and when they come back; who has a password comes in all the same."""
    visit = Visit(browser, served)
    tab = visit.tab
    tab.goto(f"{served.address}/sign-in")
    with provider(port):
        press_the_button(tab)
        agree = tab.get_by_role("button", name="ada-1", exact=True)
        agree.wait_for()
        back = tab.evaluate("new URL(location).searchParams.get('redirect_uri')")
        state = tab.evaluate("new URL(location).searchParams.get('state')")
    tab.goto(f"{back}?code=anything&state={state}")
    assert "W133" in read(tab)
    visit.complaints, visit.foreign = [], []
    assert_fit(visit, "sign-in-without-provider")
    assert tab.get_by_label("Password").is_visible()
