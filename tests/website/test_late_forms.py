"""A form sent after its session has ended: what was typed is kept, the way in is shown, and nobody is led elsewhere."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from markupsafe import escape
from starlette.testclient import TestClient
from visitors import WICKED, Site, sign_in, token_on

PAGE = "/w/ours/studies/first-study/run"
HERE = {"accept": "text/html", "sec-fetch-site": "same-origin", "referer": f"http://127.0.0.1:8420{PAGE}"}
TYPED = {"parameter contact_rate": f"-0.4 {WICKED}", "until": "simulate"}


def ended(site: Site) -> TestClient:
    """A browser whose session has ended since its page was loaded."""
    browser = TestClient(site.app, base_url="http://127.0.0.1:8420", follow_redirects=False)
    sign_in(browser, "modeller")
    copied = browser.cookies["modelworks_session"]
    browser.post("/sign-out", data={"form_token": token_on(browser, site.at)})
    browser.cookies.set("modelworks_session", copied)
    return browser


def typed_into(text: str) -> dict[str, str]:
    """The fields of the form that is to be sent again, as a browser reads them."""
    found = re.findall(r'<textarea name="([^"]*)" hidden>\n(.*?)</textarea>', text, re.DOTALL)
    token = re.search(r'name="form_token" value="(\w+)"', text.partition("<main")[2])
    assert token is not None
    return {html.unescape(name): html.unescape(value) for name, value in found} | {"form_token": token[1]}


def test_what_was_typed_is_sent_again_after_signing_in(site: Site) -> None:
    """In the same window: the way in opens another one."""
    browser = ended(site)
    refused = browser.post(PAGE, data={**TYPED, "form_token": "old"}, headers=HERE)
    assert refused.status_code == 401
    assert f'href="/sign-in?next={PAGE}" target="_blank"' in refused.text
    assert WICKED not in refused.text
    kept = typed_into(refused.text)
    assert {name: kept[name] for name in TYPED} == TYPED
    browser.cookies.delete("modelworks_session")
    sign_in(browser, "modeller")
    since = browser.post(PAGE, data=kept, headers=HERE)
    assert since.status_code == 403
    assert "You have signed in since" in since.text
    # One next step is said, and it is the button.
    assert "W109" in since.text
    assert "load its page again" not in since.text
    assert "come back to this page" not in refused.text
    again = browser.post(PAGE, data=typed_into(since.text), headers=HERE)
    assert again.status_code == 422
    assert f'value="{escape(TYPED["parameter contact_rate"])}"' in again.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8420"},
        {"origin": "null"},
        {"origin": "http://[evil"},
    ],
)
def test_what_another_site_sent_is_not_offered_to_be_sent_again(site: Site, headers: dict[str, str]) -> None:
    """Whoever signs in then would do in good faith what somebody else has made up."""
    for browser in (ended(site), site.browsers["modeller"]):
        answer = browser.post(PAGE, data=TYPED, headers={"accept": "text/html", **headers})
        assert answer.status_code in (401, 403)
        assert "simulate" not in answer.text


def test_a_browser_that_says_only_its_origin_is_believed(site: Site) -> None:
    """As one does at an address without https."""
    headers = {"accept": "text/html", "origin": "http://127.0.0.1:8420"}
    assert "simulate" in ended(site).post(PAGE, data=TYPED, headers=headers).text


@pytest.mark.parametrize("came", ["https://evil.example/w/ours", "//evil.example", "http://127.0.0.1:8420.evil/x", ""])
def test_the_way_in_leads_back_to_nowhere_else(site: Site, came: str) -> None:
    text = ended(site).post(PAGE, data=TYPED, headers={**HERE, "referer": came}).text
    assert 'href="/sign-in?next=/"' in text
    assert "evil" not in text


@pytest.mark.parametrize(
    "sent",
    [
        {"data": {"a password": "four words"}},
        {"data": {"why": "four words" * 20_000}},
        {"data": {"why": "four words"}, "files": {"file": ("a.csv", b"four words")}},
    ],
    ids=["password", "too long", "file"],
)
def test_what_is_not_kept_is_said_to_be_lost(site: Site, sent: dict[str, Any]) -> None:
    """A password is shown to nobody; and how much stands in an answer has an end."""
    answer = ended(site).post(PAGE, headers=HERE, **sent)
    assert answer.status_code == 401
    assert "four words" not in answer.text
    assert "could not be kept" in answer.text
    assert f'href="/sign-in?next={PAGE}"' in answer.text


def test_a_script_of_a_page_is_refused_without_a_window_that_asks_for_a_password(site: Site) -> None:
    """While a browser shows that window the page's own buttons do nothing; a program is told how to come in."""
    asked = {"text": "0.4", "name": "contact_rate"}
    place = "/w/ours/studies/first-study/believed"
    for headers, told in (({"sec-fetch-mode": "cors"}, False), ({}, True)):
        answer = ended(site).get(place, params=asked, headers=headers)
        assert answer.status_code == 401
        assert ("www-authenticate" in answer.headers) is told
