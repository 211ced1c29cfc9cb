"""Signing in, links, tokens and roles: what opens a door, and what does not any more."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import servers
import sqlalchemy as sql
from argon2 import PasswordHasher
from starlette.testclient import TestClient
from visitors import PASSWORD, Site, sign_in, token_on

from modelworks.errors import ModelworksError
from modelworks.study import new_repository
from modelworks.website import read_settings
from modelworks.website._scenarios import saved
from modelworks.website.access.people import DAY, People
from modelworks.website.access.tables import FAILURES, PEOPLE
from modelworks.website.access.tries import MOST_FAILURES


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(tmp_path: Path, clock: Clock) -> Iterator[People]:
    known = People(f"sqlite:///{tmp_path / 'people.sqlite'}", session_days=2, clock=clock)
    yield known
    known.close()


def code(raised: pytest.ExceptionInfo[ModelworksError]) -> str:
    return raised.value.codes[0]


def test_nothing_that_opens_a_door_stands_in_the_database(people: People, tmp_path: Path) -> None:
    """Who reads the file can not come in."""
    ada = people.add("ada", "Ada")
    people.set_password(ada.id, PASSWORD)
    secrets = [
        people.begin_session(ada.id, "", ""), people.make_token(ada.id, "x", "", "viewer", 1),
        people.make_link(ada.id, "reset"), PASSWORD,
    ]  # fmt: skip
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert all(secret.encode() not in kept for secret in secrets)
    assert b"$argon2id$" in kept


def test_a_session_ends_by_itself_by_its_owner_and_by_a_new_password(people: People, clock: Clock) -> None:
    """A lost laptop is one click, or one password, away from being harmless."""
    ada = people.add("ada", "Ada")
    secrets = [people.begin_session(ada.id, "", "") for _ in range(2)]
    people.end_session(ada.id, people.sessions(ada.id)[0].hash)
    assert sum(people.session(secret) is not None for secret in secrets) == 1
    people.set_password(ada.id, PASSWORD)
    assert [people.session(secret) for secret in secrets] == [None, None]
    fresh = people.begin_session(ada.id, "", "")
    clock.now += 2 * DAY + 1
    assert people.session(fresh) is None


def test_a_link_opens_once_for_what_it_is_for_and_not_for_long(people: People, clock: Clock) -> None:
    """Looking at it uses nothing up: programs that read mail look, too."""
    ada = people.add("ada", "Ada")
    link = people.make_link(ada.id, "invite")
    assert people.follow_link(link, ("invite",), use=False) == ada
    for purposes in (("enter",), ("reset",)):
        with pytest.raises(ModelworksError) as raised:
            people.follow_link(link, purposes, use=True)
        assert code(raised) == "W115"
    assert people.follow_link(link, ("invite",), use=True) == ada
    old = people.make_link(ada.id, "enter")
    clock.now += 301
    for used in (link, old):
        with pytest.raises(ModelworksError):
            people.follow_link(used, ("invite", "enter"), use=True)


def test_a_password_can_not_be_guessed_by_trying(people: People, clock: Clock) -> None:
    """And somebody else who tries does not keep its owner out."""
    ada = people.add("ada", "Ada")
    people.set_password(ada.id, PASSWORD)
    said = set()
    for _ in range(MOST_FAILURES["pair"]):
        with pytest.raises(ModelworksError) as raised:
            people.check_password("ada", "guess", "10.0.0.1")
        said.add(str(raised.value))
    with pytest.raises(ModelworksError) as raised:
        people.check_password("ada", PASSWORD, "10.0.0.1")
    assert code(raised) == "W114"
    assert people.check_password("ADA ", PASSWORD, "10.0.0.2").name == "ada"
    with pytest.raises(ModelworksError) as raised:
        people.check_password("nobody", "guess", "10.0.0.3")
    assert said == {str(raised.value)}, "it says whether there is such a name"
    clock.now += 901
    assert people.check_password("ada", PASSWORD, "10.0.0.1")


@pytest.mark.slow
def test_the_time_of_a_refusal_does_not_tell_who_there_is(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for nobody, for somebody who is closed out or has no password, waits for the same work."""
    for name in ("ada", "closed", "invited"):
        someone = people.add(name, name)
        if name != "invited":
            people.set_password(someone.id, PASSWORD)
    with people.change() as connection:
        connection.execute(sql.update(PEOPLE).where(PEOPLE.c.name == "closed").values(active=False))
    asked: list[tuple[str, str]] = []
    verify = PasswordHasher.verify

    def watched(hasher: PasswordHasher, kept: str, password: str) -> bool:
        asked.append((kept.rpartition("$")[0].rpartition("$")[0], password))
        return verify(hasher, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    told = set()
    for name in ("ada", "nobody", "closed", "invited"):
        with pytest.raises(ModelworksError) as raised:
            people.check_password(name, "wrong password", "here")
        told.add(raised.value.letters)
    assert len(told) == 1
    assert asked == [("$argon2id$v=19$m=65536,t=3,p=4", "wrong password")] * 4


def test_many_guesses_at_once_are_not_more_than_one_after_the_other(people: People) -> None:
    """Whoever sends them together is not answered before they are counted; who knows the password is not counted."""
    people.set_password(people.add("ada", "Ada").id, PASSWORD)

    def guess(number: int) -> str:
        with pytest.raises(ModelworksError) as raised:
            people.check_password("ada", f"guess {number}", "10.0.0.1")
        return code(raised)

    assert people.check_password("ada", PASSWORD, "10.0.0.1").name == "ada"
    with people.look() as connection:
        assert connection.execute(sql.select(FAILURES)).all() == []
    with ThreadPoolExecutor(12) as pool:
        answers = Counter(pool.map(guess, range(12)))
    assert answers == {"W113": MOST_FAILURES["pair"], "W114": 12 - MOST_FAILURES["pair"]}


def test_the_trail_can_not_be_changed_even_in_the_database(people: People, tmp_path: Path) -> None:
    """Neither by us nor by somebody with the file open."""
    people.note("ada", "ours", "signed", "run 7f3a21")
    url = f"sqlite:///{tmp_path / 'people.sqlite'}"
    for said in ("UPDATE modelworks_trail SET what = 'nothing'", "DELETE FROM modelworks_trail"):
        with pytest.raises(sql.exc.DatabaseError, match="kept"), servers.changing(url) as connection:
            connection.exec_driver_sql(said)
    assert people.trail("ours")[0].what == "signed"


def test_people_of_an_earlier_edition_are_read_and_get_what_is_new(people: People, tmp_path: Path) -> None:
    """A website that was there before goes on with its people."""
    people.add("ada", "Ada")
    url = f"sqlite:///{tmp_path / 'people.sqlite'}"
    with servers.changing(url) as connection:
        connection.exec_driver_sql("DROP TABLE modelworks_scenarios")
        connection.exec_driver_sql("UPDATE modelworks_website SET value = '1' WHERE name = 'edition'")
    again = People(url, session_days=2)
    assert again.find("ada") is not None
    assert saved(again, "ours") == []
    with servers.changing(url) as connection:
        connection.exec_driver_sql("UPDATE modelworks_website SET value = '99' WHERE name = 'edition'")
    with pytest.raises(ModelworksError) as raised:
        People(url, session_days=2)
    assert code(raised) == "W105"
    again.close()


def test_a_workspace_keeps_an_admin(people: People) -> None:
    """Else nobody could ever let somebody in again."""
    ada, bob = people.add("ada", "Ada"), people.add("bob", "Bob")
    people.set_role(ada.id, "ours", "admin")
    for role in ("viewer", None):
        with pytest.raises(ModelworksError) as raised:
            people.set_role(ada.id, "ours", role)  # type: ignore[arg-type]
        assert code(raised) == "W111"
    people.set_role(bob.id, "ours", "admin")
    people.set_role(ada.id, "ours", None)
    assert people.role(ada.id, "ours") is None


@pytest.mark.parametrize("name", ["", "Ada Lovelace", "<b>", "a" * 101, "../x"])
def test_a_name_is_one_that_can_be_typed_and_read(people: People, name: str) -> None:
    """And one belongs to one person, however it is written."""
    with pytest.raises(ModelworksError) as raised:
        people.add(name, "x")
    assert code(raised) == "W110"
    people.add("Ada", "Ada")
    with pytest.raises(ModelworksError):
        people.add("ada", "Another")


def test_the_key_is_its_owners_alone_and_stays(folder: Path) -> None:
    """Who has it can sign a session of anybody."""
    assert read_settings(folder).key == read_settings(folder).key
    assert stat.S_IMODE((folder / ".modelworks" / "website.key").stat().st_mode) == 0o600


def test_others_reach_the_site_only_where_an_address_for_them_is_written(folder: Path) -> None:
    """Cookies and links would be made for the wrong place."""
    with pytest.raises(ModelworksError) as raised:
        read_settings(folder, host="0.0.0.0")
    assert code(raised) == "W101"


def test_two_workspaces_do_not_share_a_queue(tmp_path: Path) -> None:
    """Each would show, and carry out, the other's jobs."""
    ours, theirs = (new_repository(tmp_path / name) for name in ("ours", "theirs"))
    for root in (ours, theirs):
        settings = root / "modelworks.toml"
        shared = f'queue = "sqlite:///{tmp_path}/queue.sqlite"\n'
        settings.write_text(shared + settings.read_text(encoding="utf-8"), encoding="utf-8")
    with (ours / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write('\n[website]\nworkspaces = ["../theirs"]\n')
    with pytest.raises(ModelworksError) as raised:
        read_settings(ours)
    assert code(raised) == "W103"


# -- through the pages ------------------------------------------------------------------------------------


def fresh(site: Site) -> TestClient:
    return TestClient(site.app, base_url="http://127.0.0.1:8420", follow_redirects=False)


def test_a_wrong_password_says_so_and_keeps_the_name(site: Site) -> None:
    """The name was typed once."""
    answer = sign_in(fresh(site), "viewer", "wrong password")
    assert answer.status_code == 401
    assert "W113" in answer.text
    assert 'value="viewer"' in answer.text
    assert "set-cookie" not in answer.headers or "modelworks_session" not in answer.headers["set-cookie"]


def test_the_cookie_is_read_by_no_script_and_by_no_other_site(site: Site) -> None:
    """And one that was changed opens nothing."""
    browser = fresh(site)
    cookie = sign_in(browser, "viewer").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert browser.get(site.at).status_code == 200
    value = browser.cookies["modelworks_session"]
    browser.cookies.set("modelworks_session", value[:-2] + ("aa" if value[-2:] != "aa" else "bb"))
    assert browser.get(site.at, headers={"cookie": "modelworks_session=" + value[:-4]}).status_code == 401


def test_signing_out_ends_the_session_where_it_is_kept(site: Site) -> None:
    """A cookie that somebody copied opens nothing any more."""
    browser = fresh(site)
    sign_in(browser, "viewer")
    copied = browser.cookies["modelworks_session"]
    out = browser.post("/sign-out", data={"form_token": token_on(browser, site.at)})
    # What it kept of runs for a day is not for whoever sits down there next.
    assert (out.status_code, out.headers["clear-site-data"]) == (303, '"cache"')
    assert fresh(site).get(site.at, headers={"cookie": f"modelworks_session={copied}"}).status_code == 401


@pytest.mark.parametrize("place", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(site: Site, place: str) -> None:
    """A link to our own page of sign-in must not end on somebody else's."""
    browser = fresh(site)
    filled = {"name": "viewer", "password": PASSWORD, "next": place, "form_token": token_on(browser, "/sign-in")}
    assert browser.post("/sign-in", data=filled).headers["location"] == "/"


def test_an_admin_lets_somebody_in_who_chooses_a_password(site: Site) -> None:
    """By a link that is shown once."""
    admin = site.browsers["admin"]
    filled = {"name": "grace", "title": "Grace", "role": "modeller", "form_token": token_on(admin, site.at)}
    text = admin.post(f"{site.at}/people", data=filled, headers={"accept": "text/html"}).text
    link = text.partition("<pre")[2].partition("<code>")[2].partition("<")[0]
    assert "from another it opens nothing" in text
    place = link.partition("8420")[2]
    browser = fresh(site)
    short = browser.post(place, data={"password": "short", "form_token": token_on(browser, place)})
    assert short.status_code == 422
    assert "W112" in short.text
    chosen = browser.post(place, data={"password": PASSWORD, "form_token": token_on(browser, place)})
    assert chosen.status_code == 303
    assert browser.get(f"{site.at}/runs").status_code == 200
    assert fresh(site).get(place).status_code == 410
    assert "invited" in admin.get(f"{site.at}/settings").text


def test_a_link_for_somebody_of_another_workspace_is_not_made(site: Site) -> None:
    """Its holder could do there what that person may."""
    people = site.app.state.house.people
    heidi = people.add("heidi", "Heidi")
    people.set_role(heidi.id, "ours", "viewer")
    people.set_role(heidi.id, "theirs", "admin")
    admin = site.browsers["admin"]
    answer = admin.post(f"{site.at}/people/{heidi.id}/link", data={"form_token": token_on(admin, site.at)})
    assert answer.status_code == 403
    stranger = people.find("stranger")
    answer = admin.post(f"{site.at}/people/{stranger.id}/link", data={"form_token": token_on(admin, site.at)})
    assert answer.status_code == 404


def make_token(site: Site, kind: str, **said: str) -> str:
    browser = site.browsers[kind]
    filled = {"title": "a program", "days": "1", "form_token": token_on(browser, site.at), **said}
    text = browser.post("/account/tokens", data=filled, headers={"accept": "text/html"}).text
    return text.partition('aria-label="Token"><code>')[2].partition("<")[0]


def test_a_token_opens_what_it_is_for_and_no_more(site: Site) -> None:
    """Not even what its owner may, nor an account."""
    token = make_token(site, "admin", scope="viewer", workspace="ours")
    program = fresh(site)
    bearer = {"authorization": f"Bearer {token}"}
    assert program.get(f"{site.at}/runs", headers=bearer).status_code == 200
    assert program.get(f"{site.at}/runs", auth=("anything", token)).status_code == 200
    assert program.get(f"{site.at}/settings", headers=bearer).status_code == 403
    assert program.get("/w/theirs", headers=bearer).status_code == 404
    assert program.get("/account", headers=bearer).status_code == 403
    assert program.post("/account/tokens", headers=bearer, data={"scope": "admin"}).status_code == 403
    assert program.get(f"{site.at}/runs", headers={"authorization": "Bearer mw_wrong"}).status_code == 401
    people = site.app.state.house.people
    admin = people.find("admin")
    for each in people.tokens(admin.id):
        people.end_token(admin.id, each.id)
    assert program.get(f"{site.at}/runs", headers=bearer).status_code == 401


def test_a_token_that_a_browser_remembers_is_not_sent_for_another_site(site: Site) -> None:
    """Typed once into the browser's own window, it goes along with whatever a page elsewhere makes it send."""
    token = make_token(site, "modeller", scope="modeller", workspace="ours")
    program, place = fresh(site), f"{site.at}/jobs/{site.job}/cancel"
    foreign = {"sec-fetch-site": "cross-site"}
    assert program.get(f"{site.at}/runs", auth=("anything", token), headers=foreign).status_code == 200
    answer = program.post(place, auth=("anything", token), headers=foreign)
    assert answer.status_code == 403
    assert answer.json()["mistakes"][0]["code"] == "W109"


def test_more_than_the_site_takes_is_refused_before_it_is_read(site: Site) -> None:
    """A gigabyte would fill the memory."""
    browser = site.browsers["modeller"]
    headers = {"content-length": str(10**9), "content-type": "application/x-www-form-urlencoded"}
    answer = browser.post(f"{site.at}/jobs/{site.job}/retry", content=b"x", headers=headers)
    assert answer.status_code == 413
    assert answer.json()["mistakes"][0]["code"] == "W116"
