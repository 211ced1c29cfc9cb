"""What is changed about people and its line of the trail are one: both are there, or neither is."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import servers
import sqlalchemy as sql
from starlette.testclient import TestClient
from visitors import PASSWORD, let_in, sign_in, token_on

from modelworks.databases import open_database
from modelworks.errors import Letter, ModelworksError
from modelworks.jobs import Order
from modelworks.study import new_repository
from modelworks.website import create_app, read_settings
from modelworks.website.access import deeds
from modelworks.website.access.deeds import deed
from modelworks.website.access.people import People
from modelworks.website.access.tables import LINKS, MEMBERS, PEOPLE, SESSIONS, TOKENS, TRAIL, schema

PATIENCE_SECONDS = 120.0
HTML = {"accept": "text/html"}
NEW = "four other words that rhyme"


# -- one by one --------------------------------------------------------------------------------------------


@dataclass
class Office:
    """A website with an admin who is signed in, and a member, whom changes are about."""

    app: Any
    admin: TestClient
    member: TestClient
    url: str

    @property
    def people(self) -> People:
        return self.app.state.house.people  # type: ignore[no-any-return]

    @property
    def id(self) -> str:
        someone = self.people.find("bob")
        assert someone is not None
        return someone.id


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    settings = read_settings(new_repository(tmp_path / "ours"))
    app = create_app(settings)
    with TestClient(app, base_url=settings.address, follow_redirects=False) as admin:
        member = TestClient(app, base_url=settings.address, follow_redirects=False)
        let_in(admin, app, "ada", "admin")
        let_in(member, app, "bob", "viewer")
        sign_in(member, "bob")
        yield Office(app, admin, member, settings.database)


def invite(of: Office) -> Any:
    said = {"name": "carol", "role": "viewer", "form_token": token_on(of.admin, "/w/ours/people")}
    return of.admin.post("/w/ours/people", data=said, headers=HTML)


def about(of: Office, what: str, **said: str) -> Any:
    said["form_token"] = token_on(of.admin, "/w/ours/people")
    return of.admin.post(f"/w/ours/people/{of.id}/{what}", data=said, headers=HTML)


def own(of: Office, where: str, **said: str) -> Any:
    said["form_token"] = token_on(of.member, "/account")
    return of.member.post(f"/account/{where}", data=said, headers=HTML)


def end_token(of: Office) -> Any:
    [token] = of.people.tokens(of.id)
    return own(of, f"tokens/{token.id}/end")


def other_session(of: Office) -> str:
    """The browser in which the member was signed in before this one."""
    return min(of.people.sessions(of.id), key=lambda each: each.until).hash


def choose(of: Office) -> Any:
    page = f"/password/{of.people.make_link(of.id, 'reset')}"
    # A look at the form changes nothing; the link itself was there before.
    stranger = TestClient(of.app, base_url=str(of.admin.base_url), follow_redirects=False)
    return lambda: stranger.post(page, data={"password": NEW, "form_token": token_on(stranger, page)}, headers=HTML)


CHANGES: dict[str, Callable[[Office], Any]] = {
    "an invitation": invite,
    "a role": lambda of: about(of, "role", role="modeller"),
    "a removal": lambda of: about(of, "role", role="none"),
    "an address": lambda of: about(of, "mail", mail="bob@example.org"),
    "a link": lambda of: about(of, "link"),
    "a token": lambda of: own(of, "tokens", title="mine"),
    "a token's end": end_token,
    "a password": lambda of: own(of, "password", before=PASSWORD, after=NEW),
    "another browser's end": lambda of: own(of, f"sessions/{other_session(of)}/end"),
    "an end": lambda of: of.member.post("/sign-out", data={"form_token": token_on(of.member, "/account")}),
}


def everything(of: Office) -> dict[str, list[tuple[Any, ...]]]:
    """What every table holds, but for what was tried."""
    engine = open_database(of.url)
    with engine.connect() as connection:
        tables = [each for each in schema.sorted_tables if not each.name.endswith("failures")]
        found = {each.name: sorted(map(tuple, connection.execute(sql.select(each)))) for each in tables}
    engine.dispose()
    return found


@contextmanager
def without_a_trail(of: Office) -> Iterator[None]:
    """While the block lasts the database takes no line of the trail, as if the power went before it."""
    engine = open_database(of.url)
    refusal = "BEFORE INSERT ON modelworks_trail BEGIN SELECT RAISE(ABORT, 'the power is gone'); END"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER refused {refusal}")
        yield
        connection.exec_driver_sql("DROP TRIGGER refused")
    engine.dispose()


@pytest.mark.parametrize("what", CHANGES)
def test_what_can_not_stand_in_the_trail_is_not_done(office: Office, what: str) -> None:
    """The change goes with its line, whatever it is."""
    office.people.make_token(office.id, "old", "", "viewer", 1)
    before = everything(office)
    with without_a_trail(office):
        assert CHANGES[what](office).status_code == 503
    assert everything(office) == before
    assert CHANGES[what](office).status_code in (200, 303)
    after = everything(office)
    assert len(after[TRAIL.name]) > len(before[TRAIL.name])
    assert any(after[name] != before[name] for name in before if name != TRAIL.name)


def test_a_password_is_chosen_with_its_line_and_its_link_is_kept_for_who_was_not_heard(office: Office) -> None:
    """Whoever was told that something does not answer sends the same form again."""
    again = choose(office)
    before = everything(office)
    with without_a_trail(office):
        assert again().status_code == 503
    assert everything(office) == before
    assert again().status_code == 303
    assert again().status_code == 410


def test_what_was_not_there_is_not_said_to_be_taken_back(office: Office) -> None:
    """The trail tells of what happened."""
    assert own(office, "tokens/nothing/end").status_code == 303
    assert "took a token back" not in {each.what for each in office.people.trail("ours")}


# -- what is done elsewhere --------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone: nothing more is done."""


def cut_off(office: Office, what: str, about: str, error: BaseException) -> None:
    """Somebody does something, and in the middle of it that happens."""
    with suppress(type(error)), deed(office.people, "bob", "ours", what, about, "here"):
        raise error


def told_later(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the trail says when nothing of before can be under way any more, of what nobody knows for sure."""
    now = time.time()
    monkeypatch.setattr(deeds.time, "time", lambda: now + 2 * deeds.UNFINISHED_SECONDS)
    for _ in range(2):
        assert office.admin.get("/w/ours/settings").status_code == 200
    monkeypatch.undo()
    return [(each.what, each.about) for each in office.people.trail("ours") if deeds.PERHAPS in each.what]


def test_what_was_cut_off_is_told_as_what_perhaps_was_done(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and not while it may be under way; what was refused was not done."""
    unsure, refused = (ModelworksError([Letter(code, "so")]) for code in ("J101", "R171"))
    for about, error in (("run a", Killed()), ("run b", unsure), ("run c", refused)):
        cut_off(office, "signed", about, error)
    assert office.admin.get("/w/ours/settings").status_code == 200
    assert "signed" not in {each.what.partition(",")[0] for each in office.people.trail("ours")}
    said = f"signed, {deeds.PERHAPS}"
    assert told_later(office, monkeypatch) == [(said, "run b"), (said, "run a")]


def test_what_was_done_and_could_not_be_written_down_is_told_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is cancelled, whatever becomes of the line that says so."""
    queue = office.app.state.house.workspaces["ours"].queue
    [job] = queue.submit([Order("a study", ("true",))])
    form = {"form_token": token_on(office.admin, "/account")}
    with without_a_trail(office):
        assert office.admin.post(f"/w/ours/jobs/{job}/cancel", data=form, headers=HTML).status_code == 503
    assert queue.get(job).state == "cancelled"
    assert told_later(office, monkeypatch) == [(f"cancelled, {deeds.PERHAPS}", f"job {job}: a study")]
    assert office.admin.post(f"/w/ours/jobs/{job}/retry", data=form, headers=HTML).status_code == 303
    assert office.people.trail("ours")[0].what == "retried"
    assert told_later(office, monkeypatch)[1:] == []


# -- killed in the middle of many --------------------------------------------------------------------------

WRITERS, KILLS, LEAST, MOST = 3, 2, 4, 14
# The admin of this test and whoever starts the website are let in at a terminal, and not by the website.
AT_THE_TERMINAL = ("grace", "owner")


@dataclass
class Kept:
    """A repository whose website is started and killed, and what its writers were told was done."""

    root: Path
    url: str
    port: int
    admin: str
    invited: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    website: subprocess.Popen[bytes] | None = None

    @property
    def at(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "modelworks", "serve", "--no-browser", "--no-jobs", "--port", str(self.port)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with (self.root.parent / "server.log").open("ab") as log:
            self.website = subprocess.Popen(command, cwd=self.root, env=environment, stderr=log, stdout=log)
        until(self.is_ready)

    def is_ready(self) -> bool:
        assert self.website is not None
        assert self.website.poll() is None, (self.root.parent / "server.log").read_text(encoding="utf-8")
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.at}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        return False

    def kill(self) -> None:
        assert self.website is not None
        self.website.send_signal(signal.SIGKILL)
        self.website.wait()

    def answered(self, what: str, answer: httpx.Response) -> httpx.Response:
        if answer.status_code in (200, 303):
            self.done[what] += 1
        else:
            self.wrong.append(f"{what}: {answer.status_code} {answer.text[:300]}")
        return answer


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def write(kept: Kept, names: Iterator[str], over: threading.Event) -> None:
    """One person after the other comes, changes, and goes, until nobody answers any more."""
    with suppress(httpx.TransportError):
        while not over.is_set():
            one_life(kept, next(names))


def one_life(kept: Kept, name: str) -> None:
    """Invited, a password chosen, a token made and taken back, a role, an address, a link, signed out, removed."""
    people = f"{kept.at}/w/ours/people"
    by_admin = {"authorization": f"Bearer {kept.admin}", **HTML}
    with httpx.Client(timeout=PATIENCE_SECONDS, headers=HTML) as browser:

        def change(what: str, where: str, **said: str) -> httpx.Response:
            return kept.answered(what, httpx.post(where, data=said, headers=by_admin, timeout=PATIENCE_SECONDS))

        def send(what: str, where: str, form: str, **said: str) -> httpx.Response:
            page = browser.get(form).text
            said["form_token"] = page.partition('name="form_token" value="')[2].partition('"')[0]
            return kept.answered(what, browser.post(where, data=said))

        page = change("invited", people, name=name, role="viewer").text
        kept.invited.append(name)
        [link] = re.findall(r"/password/[\w-]+", page)[:1]
        row = page.partition(f">{name}<")[2] or page.partition(name)[2]
        person = re.findall(r"/people/(\w+)/role", row)[0]
        send("chose", kept.at + link, kept.at + link, password=NEW)
        token = send("token", f"{kept.at}/account/tokens", f"{kept.at}/account", title=name).text
        ends = re.findall(r"/account/tokens/(\w+)/end", token)[0]
        send("ended", f"{kept.at}/account/tokens/{ends}/end", f"{kept.at}/account")
        change("role", f"{people}/{person}/role", role="modeller")
        change("mail", f"{people}/{person}/mail", mail=f"{name}@example.org")
        change("link", f"{people}/{person}/link")
        send("token", f"{kept.at}/account/tokens", f"{kept.at}/account", title=name)
        send("out", f"{kept.at}/sign-out", f"{kept.at}/account")
        change("gone", f"{people}/{person}/role", role="none")


def check(kept: Kept) -> None:
    """What the tables hold is what follows from the trail, line by line."""
    engine = open_database(kept.url)
    with engine.connect() as connection:
        people = {
            each.name: each for each in connection.execute(sql.select(PEOPLE)) if each.name not in AT_THE_TERMINAL
        }
        trail = connection.execute(sql.select(TRAIL).order_by(TRAIL.c.number)).all()
        roles = {each.person: each.role for each in connection.execute(sql.select(MEMBERS))}
        held = {
            table.name: Counter(connection.execute(sql.select(table.c.person)).scalars())
            for table in (TOKENS, LINKS, SESSIONS)
        }
    engine.dispose()
    told = {name: Told() for name in people}
    for each in trail:
        # Of what admins do the line is about a person, of what people do themselves it is by one.
        name = re.split(r"[: ]", each.about)[0] if each.person == "grace" else each.person
        told[name].hear(each.what, each.about)
    for name, person in people.items():
        numbers = {table: count[person.id] for table, count in held.items()}
        is_so = Told(roles.get(person.id, "none"), person.mail or "none", bool(person.password), *numbers.values())
        assert told[name] == is_so, (name, [each._tuple() for each in trail if name in (each.person, each.about)])
    assert set(kept.invited) <= people.keys()
    lines = Counter(each.what for each in trail)
    what = {
        "invited": "invited",
        "chose": "chose a password",
        "token": "made a token",
        "ended": "took a token back",
        "out": "signed out",
    }
    assert all(lines[line] >= kept.done[done] for done, line in what.items())


@dataclass
class Told:
    """How somebody stands, as the trail says it."""

    role: str = "never a member"
    mail: str = "none"
    has_password: bool = False
    tokens: int = 0
    links: int = 0
    sessions: int = 0

    def hear(self, what: str, about: str) -> None:
        if what == "invited":
            self.role = about.rpartition(" ")[2]
        elif what == "gave a role":
            self.role = about.rpartition(": ")[2]
        elif what == "set an address of mail":
            self.mail = about.rpartition(": ")[2]
        elif what == "made a link for a password":
            self.links += 1
        elif what == "chose a password":
            self.has_password, self.links, self.sessions = True, 0, 0
        elif what == "signed in":
            self.sessions += 1
        elif what == "signed out":
            self.sessions -= 1
        elif what in ("made a token", "took a token back"):
            self.tokens += 1 if what == "made a token" else -1
        else:
            raise AssertionError(what)


@contextmanager
def kept_at(top: Path, database: str) -> Iterator[Kept]:
    root = new_repository(top / "ours")
    if database:
        file = root / "modelworks.toml"
        text = file.read_text(encoding="utf-8")
        file.write_text(f'{text}\n[website]\ndatabase = "{database}"\n', encoding="utf-8")
    settings = read_settings(root)
    people = People(settings.database, settings.session_days)
    grace = people.add("grace", "Grace")
    people.set_role(grace.id, "ours", "admin")
    token = people.make_token(grace.id, "tests", "ours", "admin", 1)
    people.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    kept = Kept(root, settings.database, port, token)
    try:
        yield kept
    finally:
        if kept.website is not None and kept.website.poll() is None:
            kept.kill()


def killed_again_and_again(kept: Kept) -> None:
    """At a moment that nobody chose, with several changes under way."""
    chance, names = random.Random(7), (f"person-{number}" for number in range(10_000))
    for _ in range(KILLS):
        kept.start()
        enough, over = sum(kept.done.values()) + chance.randint(LEAST, MOST), threading.Event()
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(write, kept, iter([next(names) for _ in range(100)]), over) for _ in range(WRITERS)]
            try:
                until(lambda: sum(kept.done.values()) >= enough or any(each.done() for each in writers))  # noqa: B023
                kept.kill()
            finally:
                over.set()
            for each in writers:
                each.result(PATIENCE_SECONDS)
        assert kept.wrong == []
        check(kept)


@pytest.mark.slow
def test_the_trail_tells_of_what_is_so_whenever_the_website_is_killed(tmp_path: Path) -> None:
    """Nobody is a member, has a token or a password, of which the trail does not tell; nor the other way round."""
    with kept_at(tmp_path, "") as kept:
        killed_again_and_again(kept)


@pytest.mark.slow
@pytest.mark.needs("postgres", "psycopg")
def test_the_same_holds_in_postgresql(tmp_path: Path) -> None:
    """Its transactions are begun in another way."""
    with servers.Postgres() as server, kept_at(tmp_path, server.url) as kept:
        killed_again_and_again(kept)
