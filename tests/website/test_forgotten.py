"""A forgotten password: a link by mail to its owner, and nothing to anybody else, not even whether they are here."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ports import free_port
from starlette.testclient import TestClient
from visitors import PASSWORD, Site, let_in, sign_in, token_on

from modelworks.errors import ModelworksError
from modelworks.study import new_repository
from modelworks.website import create_app, read_settings
from modelworks.website.access.mail import one_address
from modelworks.website.access.tries import MOST_ASKED

ADDRESS = "http://127.0.0.1:8420"


@dataclass
class Postbox:
    """What came to a mail server."""

    mails: list[Any] = field(default_factory=list)
    to: list[str] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the server's name for it
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.to += envelope.rcpt_tos
        return "250 OK"


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    """A mail server, and its port."""
    from aiosmtpd.controller import Controller

    box, port = Postbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=120.0)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture
def mailing(postbox: tuple[Postbox, int], tmp_path: Path) -> Iterator[tuple[TestClient, Any, Postbox]]:
    """A website whose mail goes to the postbox, with Ada, who has an address."""
    box, port = postbox
    root = new_repository(tmp_path / "ours")
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[notify.mail]\nto = ["team@example.org"]\nserver = "127.0.0.1"\nport = {port}\ntls = "none"\n')
    app = create_app(read_settings(root))
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as browser:
        let_in(TestClient(app, base_url=ADDRESS), app, "ada", "viewer")
        people = app.state.house.people
        people.set_mail(people.find("ada").id, "Ada@example.org")
        yield browser, people, box


def ask(browser: TestClient, name: str) -> Any:
    data = {"name": name, "form_token": token_on(browser, "/forgotten")}
    return browser.post("/forgotten", data=data, headers={"accept": "text/html"})


@pytest.mark.parametrize("text", ["ada", " ADA@example.org "])
def test_a_link_comes_by_mail_and_opens_once(mailing: tuple[TestClient, Any, Postbox], text: str) -> None:
    """By one's name, and by one's address, however it is written."""
    browser, people, box = mailing
    assert ask(browser, text).status_code == 200
    [mail] = box.mails
    assert box.to == ["Ada@example.org"]
    [place] = re.findall(rf"{ADDRESS}(/password/\S+)", mail.get_content())
    new = "another four words here"
    data = {"password": new, "form_token": token_on(browser, place)}
    assert browser.post(place, data=data).status_code == 303
    assert browser.get("/w/ours").status_code == 200
    other = TestClient(browser.app, base_url=ADDRESS, follow_redirects=False)
    assert sign_in(other, "ada", PASSWORD).status_code == 401
    assert sign_in(other, "ada", new).status_code == 303
    assert other.get(place).status_code == 410
    assert "was sent a link for a password" in {each.what for each in people.trail("ours")}


def test_nobody_learns_who_there_is(mailing: tuple[TestClient, Any, Postbox]) -> None:
    """A name that there is, one that there is not, and one without an address: one page, and one limit."""
    browser, people, box = mailing
    people.add("bob", "Bob")
    said = {name: ask(browser, name) for name in ("ada", "nobody", "bob")}
    token = re.compile(r'name="form_token" value="[^"]*"')
    assert len({token.sub("", each.text) for each in said.values()}) == 1
    assert len(box.mails) == 1
    for name in ("ada", "nobody"):
        answers = [ask(browser, name).status_code for _ in range(MOST_ASKED["asked-name"])]
        assert answers == [200] * (MOST_ASKED["asked-name"] - 1) + [429]
    assert len(box.mails) == MOST_ASKED["asked-name"]


def test_one_address_does_not_ask_for_ever(mailing: tuple[TestClient, Any, Postbox]) -> None:
    browser, _, box = mailing
    answers = {ask(browser, f"guess{number}").status_code for number in range(MOST_ASKED["asked-address"])}
    assert answers == {200}
    assert ask(browser, "ada").status_code == 429
    assert box.mails == []


def test_a_mail_server_that_is_away_stands_in_the_trail(
    mailing: tuple[TestClient, Any, Postbox], tmp_path: Path
) -> None:
    """Whoever asked sees nothing of it, for it would tell that there is such a name; an admin does."""
    browser, people, _ = mailing
    settings = tmp_path / "ours" / "modelworks.toml"
    settings.write_text(re.sub(r"port = \d+", "port = 9", settings.read_text("utf-8")), encoding="utf-8")
    assert ask(browser, "ada").status_code == 200
    [deed] = [each for each in people.trail("ours") if each.what == "could not be sent a link"]
    assert "J151" in deed.about


def test_a_stranger_does_not_read_of_a_mistake_in_the_settings(
    mailing: tuple[TestClient, Any, Postbox], tmp_path: Path
) -> None:
    browser, _, _ = mailing
    with (tmp_path / "ours" / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write('\n[pigeon]\nhome = "the roof"\n')
    answer = browser.get("/forgotten", headers={"accept": "text/html"})
    assert answer.status_code == 200
    assert "pigeon" not in answer.text
    assert "sends no mail" in answer.text


def test_without_a_mail_server_the_page_says_who_helps(site: Site) -> None:
    text = site.browsers["nobody"].get("/forgotten", headers={"accept": "text/html"}).text
    assert "sends no mail" in text
    assert "<form" not in text.partition("<main")[2]


@pytest.mark.parametrize("text", ["ada", "a@b, c@d", "a@b\nBcc: all@example.org", "<a@b>", "a@@b"])
def test_what_is_no_address_is_a_letter(site: Site, text: str) -> None:
    with pytest.raises(ModelworksError) as raised:
        one_address(text)
    assert [*raised.value.codes] == ["W125"]
    admin, people = site.browsers["admin"], site.app.state.house.people
    viewer = people.find("viewer")
    data = {"mail": text, "form_token": token_on(admin, site.at)}
    refused = admin.post(f"{site.at}/people/{viewer.id}/mail", data=data, headers={"accept": "text/html"})
    assert refused.status_code == 422
    assert "W125" in refused.text


def test_an_admin_sets_the_address_of_members_who_are_theirs_alone(site: Site) -> None:
    """Whoever gets somebody's mail is that person everywhere."""
    admin, people = site.browsers["admin"], site.app.state.house.people
    viewer = people.find("viewer")
    data = {"mail": "viewer@example.org", "form_token": token_on(admin, site.at)}
    assert admin.post(f"{site.at}/people/{viewer.id}/mail", data=data).status_code == 303
    assert people.get(viewer.id).mail == "viewer@example.org"
    assert "viewer@example.org" in admin.get(f"{site.at}/people", headers={"accept": "text/html"}).text
    both = people.add("ivan", "Ivan")
    for workspace in ("ours", "theirs"):
        people.set_role(both.id, workspace, "viewer")
    assert admin.post(f"{site.at}/people/{both.id}/mail", data=data).status_code == 403
    assert people.get(both.id).mail == ""
