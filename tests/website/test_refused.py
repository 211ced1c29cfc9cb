"""A form that is refused leads to a page that one can come back to, and that nobody else reads."""

from __future__ import annotations

import re
from typing import Any

from starlette.testclient import TestClient
from visitors import Site, sign_in, token_on

from modelworks.website._app import create_app
from modelworks.website.access.answers import MOST_KEPT

PAGE = "/w/ours/studies/first-study/run"
FORM = {
    "accept": "text/html",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "referer": f"http://127.0.0.1:8420{PAGE}?from=home",
}


def as_a_form(browser: TestClient, **headers: str) -> Any:
    """Send what can not be a rate, as a browser sends a form."""
    data = {"form_token": token_on(browser, PAGE), "parameter contact_rate": "-0.4 sent"}
    return browser.post(PAGE, data=data, headers={**FORM, **headers})


def fresh(site: Site, name: str) -> TestClient:
    browser = TestClient(site.app, base_url="http://127.0.0.1:8420", follow_redirects=False)
    sign_in(browser, name)
    return browser


def test_a_refused_form_leads_to_a_page_that_is_read_again(site: Site) -> None:
    """Back and Reload ask for that page, and send nothing."""
    browser = fresh(site, "modeller")
    sent = as_a_form(browser)
    assert sent.status_code == 303
    place = sent.headers["location"]
    assert re.fullmatch(rf"{PAGE}\?from=home&mistake=[\w-]{{20,}}", place)
    for _ in range(2):
        shown = browser.get(place)
        assert shown.status_code == 422
        assert 'value="-0.4 sent"' in shown.text
        assert "can not be run yet" in shown.text or "in what was typed" in shown.text
        assert shown.headers["cache-control"] == "no-store"
    # Sent from there, it leads to an address with one mistake, the later.
    again = as_a_form(browser, referer=f"http://127.0.0.1:8420{place}").headers["location"]
    assert again.count("mistake=") == 1
    assert again != place


def test_any_process_of_the_website_shows_what_another_has_refused(site: Site) -> None:
    """Behind a proxy each question may come to another: what was typed must not be lost on the way."""
    browser = fresh(site, "modeller")
    place = as_a_form(browser).headers["location"]
    with TestClient(create_app(site.app.state.house.settings), base_url="http://127.0.0.1:8420") as other:
        other.cookies.update(browser.cookies)
        shown = other.get(place, headers={"accept": "text/html"})
    assert shown.status_code == 422
    assert 'value="-0.4 sent"' in shown.text


def test_of_one_person_the_latest_are_kept_and_others_lose_nothing(site: Site) -> None:
    browser, other = fresh(site, "modeller"), fresh(site, "admin")
    kept = as_a_form(other).headers["location"]
    first, *_, last = [as_a_form(browser).headers["location"] for _ in range(MOST_KEPT + 1)]
    assert [browser.get(place).status_code for place in (first, last)] == [303, 422]
    assert other.get(kept).status_code == 422


def test_what_was_typed_is_shown_to_nobody_else(site: Site) -> None:
    """Neither in another browser, nor to who signs in after them in this one; both get the page of the form."""
    browser = fresh(site, "modeller")
    place = as_a_form(browser).headers["location"]
    other = fresh(site, "modeller").get(place)
    assert (other.status_code, other.headers["location"]) == (303, f"{PAGE}?from=home")
    browser.post("/sign-out", data={"form_token": token_on(browser, PAGE)})
    assert browser.get(place).status_code == 303
    sign_in(browser, "admin")
    assert browser.get(place).status_code == 303


def test_an_older_browser_without_https_says_so_otherwise_and_a_program_is_answered_at_once(site: Site) -> None:
    browser = fresh(site, "modeller")
    told = [
        as_a_form(browser, **{"sec-fetch-mode": mode, "upgrade-insecure-requests": upgrade}).status_code
        for mode, upgrade in (("", "1"), ("cors", ""), ("", ""))
    ]
    assert told == [303, 422, 422]


def test_a_form_from_elsewhere_leads_nowhere(site: Site) -> None:
    """Where a page of another site sent it, or nobody knows, it is answered as it is."""
    browser = fresh(site, "modeller")
    for came in ("https://evil.example/w/ours", "//evil.example", ""):
        assert as_a_form(browser, referer=came).status_code == 422
