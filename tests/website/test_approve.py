"""Standing behind a result on the website: who sees what, who may do what, and what every mistake says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from visitors import Site, token_on

from modelworks.runs import Requirement, Run, Store, propose, withdraw
from modelworks.study import store_around

FINE = (Requirement("verdict", True, "fine"),)


@pytest.fixture
def waiting(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of a study that no other test looks at, put forward by Ada; withdrawn in the end."""
    store = store_around(site.root)
    stage = tmp_path_factory.mktemp("stage")
    (stage / "table.csv").write_text("a\n1\n", encoding="utf-8")
    said = {
        "study": "signed",
        "title": "Signed?",
        "answer": "Four.",
        "provenance": {"person": "Ada"},
        "verdict": "fine",
    }
    run = store.publish(("signed", "sir", "here"), stages={"simulate": stage}, record=said)
    propose(store, run.key, needs=("reviewer",), found=FINE, by="Ada", comment="look at table 2")
    yield run
    if not site.browsers["admin"].get(f"{site.at}/runs/{run.id}/approve").text.count("Withdrawn"):
        withdraw(store, run.key, by="Ada", reason="the test is over")


def post(site: Site, kind: str, run: Run, verb: str, **fields: str) -> Any:
    """Fill in a form of the page as one of these people."""
    browser, page = site.browsers[kind], f"{site.at}/runs/{run.id}/approve"
    data = {"form_token": token_on(browser, page), **fields}
    return browser.post(f"{site.at}/runs/{run.id}/{verb}", data=data, headers={"accept": "text/html"})


def test_what_does_not_hold_is_shown_and_nothing_is_put_forward(site: Site) -> None:
    """The site's run was made by no commit, and says so before anybody tries."""
    page = site.browsers["modeller"].get(f"{site.at}/runs/{site.run.id}/approve").text
    assert "not committed when it was made" in page
    assert "see to what does not hold" in page
    answer = post(site, "modeller", site.run, "approve")
    assert answer.status_code == 409
    assert "R170" in answer.text
    assert "Nobody has put it forward yet" in answer.text


def test_the_files_of_a_run_are_read_again_when_one_was_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some are large, and a page that is only looked at once more does not read them all."""
    read: list[str] = []
    verify = Store.verify
    monkeypatch.setattr(Store, "verify", lambda self, key: read.append(key) or verify(self, key))
    browser, page = site.browsers["admin"], f"{site.at}/runs/{site.run.id}/approve"
    as_written = browser.get(page).text
    read.clear()
    assert browser.get(page).text == as_written
    assert read == []
    file = site.run.path / "README.txt"
    before = file.read_bytes()
    try:
        file.write_bytes(before + b"!")
        assert "README.txt: differs" in browser.get(page).text
    finally:
        file.write_bytes(before)
    assert browser.get(page).text == as_written


def test_a_reviewer_signs_what_was_put_forward(site: Site, waiting: Run) -> None:
    seal = store_around(site.root).seal(waiting.key) or ""
    address = f"{site.at}/runs/{waiting.id}/approve"
    assert "look at table 2" in site.browsers["viewer"].get(address).text
    assert 'action="' + address.replace("approve", "sign") not in site.browsers["viewer"].get(address).text
    assert post(site, "viewer", waiting, "sign", seal=seal).status_code == 403
    refused = post(site, "modeller", waiting, "sign", seal=seal)
    assert (refused.status_code, "Y164" in refused.text) == (409, True)
    other = post(site, "reviewer", waiting, "sign", seal="of another page")
    assert (other.status_code, "R174" in other.text) == (409, True)
    done = post(site, "reviewer", waiting, "sign", seal=seal, comment="read it all")
    assert (done.status_code, done.headers["location"]) == (303, address)
    page = site.browsers["viewer"].get(address).text
    assert "approved by Reviewer on" in page
    assert "read it all" in page
    shown = site.browsers["viewer"].get(f"{site.at}/runs/{waiting.id}").text.partition('id="approval"')[2]
    assert "Approved by Reviewer on" in shown
    assert all(each in shown for each in (seal, "read it all", "look at table 2"))
    assert "Approved by Reviewer on" in site.browsers["viewer"].get(f"{site.at}/approvals").text
    again = post(site, "admin", waiting, "sign", seal=seal)
    assert (again.status_code, "R173" in again.text) == (409, True)


def test_an_approved_run_is_withdrawn_by_a_reviewer_and_for_a_reason(site: Site, waiting: Run) -> None:
    seal = store_around(site.root).seal(waiting.key) or ""
    post(site, "reviewer", waiting, "sign", seal=seal)
    assert post(site, "modeller", waiting, "withdraw", reason="no").status_code == 403
    nothing = post(site, "reviewer", waiting, "withdraw", reason=" ")
    assert (nothing.status_code, "R178" in nothing.text) == (409, True)
    assert post(site, "reviewer", waiting, "withdraw", reason="<b>counted</b> twice").status_code == 303
    page = site.browsers["viewer"].get(f"{site.at}/approvals").text
    assert "withdrawn by Reviewer" in page
    assert "<b>counted" not in page


def test_whose_signature_is_waited_for_is_told_on_home_and_on_every_page(site: Site, waiting: Run) -> None:
    """Until they signed, and nobody else is."""

    def told(kind: str) -> tuple[bool, bool]:
        pages = [
            site.browsers[kind].get(f"{site.at}{each}", headers={"accept": "text/html"}).text for each in ("", "/jobs")
        ]
        assert ("Your signature is waited for" in pages[0]) == ("to be signed by you" in pages[0])
        return f"/runs/{waiting.id}/approve" in pages[0].partition('id="to-sign"')[2][:600], "by you" in pages[1]

    assert told("reviewer") == (True, True)
    assert told("modeller") == told("viewer") == (False, False)
    post(site, "reviewer", waiting, "sign", seal=store_around(site.root).seal(waiting.key) or "")
    assert told("reviewer") == (False, False)


def test_who_made_a_run_is_not_asked_to_sign_it(site: Site, tmp_path: Path) -> None:
    store = store_around(site.root)
    (tmp_path / "table.csv").write_text("a\n1\n", encoding="utf-8")
    said = {"study": "own", "title": "Own?", "provenance": {"person": "Reviewer"}, "verdict": "fine"}
    run = store.publish(("own", "sir", "here"), stages={"simulate": tmp_path}, record=said)
    propose(store, run.key, needs=("reviewer",), found=FINE, by="Ada")
    found = {kind: site.browsers[kind].get(site.at).text.count(f"Own?, run {run.id}") for kind in ("reviewer", "admin")}
    withdraw(store, run.key, by="Ada", reason="the test is over")
    assert found == {"reviewer": 0, "admin": 1}


def test_who_made_a_run_reads_who_may_sign_it_and_sees_no_form_that_is_refused(site: Site, tmp_path: Path) -> None:
    store = store_around(site.root)
    (tmp_path / "table.csv").write_text("a\n1\n", encoding="utf-8")
    said = {"study": "mine", "title": "Mine?", "provenance": {"person": "Reviewer"}, "verdict": "fine"}
    run = store.publish(("mine", "sir", "here"), stages={"simulate": tmp_path}, record=said)
    propose(store, run.key, needs=("reviewer",), found=FINE, by="Ada")
    shown = {kind: site.browsers[kind].get(f"{site.at}/runs/{run.id}/approve").text for kind in ("reviewer", "viewer")}
    withdraw(store, run.key, by="Ada", reason="the test is over")
    signs = {kind: text.partition('id="sign"')[2].partition("</section>")[0] for kind, text in shown.items()}
    assert "<form" not in signs["reviewer"] + signs["viewer"]
    assert "You made this run" in signs["reviewer"]
    assert "You made" not in signs["viewer"]
    assert all("As reviewer: Admin." in each for each in signs.values())
