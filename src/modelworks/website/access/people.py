"""What is known of people: who they are, what they may do where, and what opens the door to them.

Of passwords argon2 hashes are kept, of sessions, tokens and links SHA-256 ones: who reads the database can not come in.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal, cast

import sqlalchemy as sql
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from modelworks.databases import answering, changing, open_database
from modelworks.errors import fail
from modelworks.logs import stamp, utc_now
from modelworks.website.access import tables, tries
from modelworks.website.access.mail import one_address
from modelworks.website.access.tables import LINKS, LOCK, MEMBERS, PEOPLE, SESSIONS, TOKENS, TRAIL, hashed

Role = Literal["viewer", "modeller", "reviewer", "admin"]
# The account of whoever started the website on their own machine.
OWNER = "owner"
ROLES: tuple[Role, ...] = ("viewer", "modeller", "reviewer", "admin")
Purpose = Literal["enter", "invite", "reset"]

SHORTEST_PASSWORD = 10
# Argon2 reads and checks whatever it is given; nobody types more.
LONGEST_PASSWORD = 1000
# The longest name to sign in with, and to be called by.
LONGEST_NAME = 100
# So much is kept of what a deed was about.
LONGEST_ABOUT = 500
DAY = 86400.0
# Long enough to open a browser or to read a letter, and no longer.
LINK_SECONDS: dict[Purpose, float] = {"enter": 300.0, "invite": 7 * DAY, "reset": DAY / 12}
_NAME = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may come in. `name` is what they sign in with, `title` what they are called."""

    id: str
    name: str
    title: str
    mail: str
    active: bool
    has_password: bool


@dataclass(frozen=True, slots=True)
class Token:
    """What a program comes in with, for one workspace or (empty) all, as at most what `scope` says."""

    id: str
    person: str
    title: str
    workspace: str
    scope: Role
    until: float
    since: str
    used: str


@dataclass(frozen=True, slots=True)
class Session:
    """A browser somebody signed in with."""

    hash: str
    person: str
    until: float
    since: str
    agent: str
    address: str


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of the trail."""

    number: int
    time: str
    person: str
    workspace: str
    what: str
    about: str
    address: str


# Asked for every page, so they are put together once. A token and its person both have an `id` and a `since`.
_OF_TOKEN = {name: f"token_{name}" for name in Token.__dataclass_fields__}
_SECRET: sql.BindParameter[str] = sql.bindparam("secret")
_NOW: sql.BindParameter[float] = sql.bindparam("now")
_WHOSE_TOKEN = (
    sql.select(PEOPLE, *(TOKENS.c[name].label(label) for name, label in _OF_TOKEN.items()))
    .join(TOKENS, TOKENS.c.person == PEOPLE.c.id)
    .where(TOKENS.c.hash == _SECRET, TOKENS.c.until > _NOW, PEOPLE.c.active)
)
_WHOSE_SESSION = (
    sql.select(PEOPLE)
    .join(SESSIONS, SESSIONS.c.person == PEOPLE.c.id)
    .where(SESSIONS.c.hash == _SECRET, SESSIONS.c.until > _NOW, PEOPLE.c.active)
)
_ROLE = sql.select(MEMBERS.c.role).where(
    MEMBERS.c.person == sql.bindparam("someone"), MEMBERS.c.workspace == sql.bindparam("place")
)


class People:
    """The people of a website in a database of SQLite or PostgreSQL; `url` is one of SQLAlchemy's.

    Raises
    ------
    ModelworksError
        W106 from every method, where the database does not answer.
    """

    def __init__(self, url: str, session_days: float, *, clock: Callable[[], float] = time.time) -> None:
        self._url = url
        self._clock = clock
        self._session_seconds = session_days * DAY
        # The second choice of RFC 9106, section 4. Said here, for with other numbers of a later argon2 the time of a
        # refusal would tell who has a password of before.
        self._hasher = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, salt_len=16)
        # Checked where nobody has that name, so that the answer takes as long.
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        # A check takes 64 MB: hundreds at once would take the machine down.
        self._checking = threading.BoundedSemaphore(2)
        self._mine = threading.local()
        with self._letters():
            self._engine = open_database(url, self, durable=True)
            tables.make(self._engine)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # -- people ----------------------------------------------------------------------------------------

    def add(self, name: str, title: str, *, mail: str = "") -> Person:
        """A new person, who can not come in yet; W110 for a name that is taken or is none, W125 for an address."""
        wanted = name.strip().lower()
        if not _NAME.fullmatch(wanted):
            hint = "letters, digits, dots and hyphens, as in ada.lovelace; an address of mail will do"
            fail("W110", f"`{name}` is no name to sign in with", hint=hint)
        called = "".join(each for each in title if each.isprintable()).strip()[:LONGEST_NAME]
        row = {
            "id": secrets.token_hex(6), "name": wanted, "title": called or wanted, "mail": one_address(mail),
            "password": "", "since": _now(), "active": True,
        }  # fmt: skip
        with self.change() as connection:
            if connection.execute(sql.select(PEOPLE.c.id).where(PEOPLE.c.name == wanted)).first():
                fail("W110", f"`{wanted}` is taken", hint="choose another name to sign in with")
            connection.execute(sql.insert(PEOPLE).values(row))
        return cast(Person, self.find(wanted))

    def find(self, name: str) -> Person | None:
        """The person who signs in by this name."""
        return self._one(PEOPLE.c.name == name.strip().lower())

    def get(self, person: str) -> Person | None:
        """The person of this id."""
        return self._one(PEOPLE.c.id == person)

    def set_mail(self, person: str, mail: str) -> None:
        """Where somebody gets mail, or (empty) nowhere; W125 for what is no address."""
        with self.change() as connection:
            connection.execute(sql.update(PEOPLE).where(PEOPLE.c.id == person).values(mail=one_address(mail)))

    def everybody(self, workspace: str) -> list[tuple[Person, Role]]:
        """Who belongs to a workspace, with their roles there."""
        asked = (
            sql.select(PEOPLE, MEMBERS.c.role)
            .join(MEMBERS, MEMBERS.c.person == PEOPLE.c.id)
            .where(MEMBERS.c.workspace == workspace)
        )
        with self.look() as connection:
            return [(_person(row), row.role) for row in connection.execute(asked.order_by(PEOPLE.c.name))]

    def role(self, person: str, workspace: str) -> Role | None:
        """What somebody may do in a workspace; None where they are no member of it."""
        with self.look() as connection:
            return cast("Role | None", connection.execute(_ROLE, {"someone": person, "place": workspace}).scalar())

    def workspaces_of(self, person: str) -> dict[str, Role]:
        """Where somebody is a member, and as what."""
        asked = sql.select(MEMBERS.c.workspace, MEMBERS.c.role).where(MEMBERS.c.person == person)
        with self.look() as connection:
            return {row.workspace: row.role for row in connection.execute(asked)}

    def set_role(self, person: str, workspace: str, role: Role | None) -> None:
        """Make somebody a member, or (None) no more; W111 where a workspace would be left without an admin."""
        with self.change() as connection:
            mine = (MEMBERS.c.person == person, MEMBERS.c.workspace == workspace)
            before = connection.execute(sql.select(MEMBERS.c.role).where(*mine)).scalar()
            if before == "admin" and role != "admin" and not self._other_admin(connection, person, workspace):
                fail("W111", "a workspace needs an admin", hint="make somebody else an admin first")
            connection.execute(sql.delete(MEMBERS).where(*mine))
            if role is not None:
                connection.execute(sql.insert(MEMBERS).values(person=person, workspace=workspace, role=role))

    def _other_admin(self, connection: sql.Connection, person: str, workspace: str) -> bool:
        others = (MEMBERS.c.workspace == workspace, MEMBERS.c.role == "admin", MEMBERS.c.person != person)
        return connection.execute(sql.select(MEMBERS.c.person).where(*others)).first() is not None

    # -- passwords -------------------------------------------------------------------------------------

    def set_password(self, person: str, password: str) -> None:
        """A new password, with which all sessions and links of before end; W112 for one that is too short."""
        self.keep_password(person, self.password_hash(password))

    def password_hash(self, password: str) -> str:
        """What is kept of a new password, which takes a while to work out; W112 for one that is too short."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            hint = "four words that do not belong together are easy to remember and hard to guess"
            fail("W112", f"a password has at least {SHORTEST_PASSWORD} letters", hint=hint)
        with self._checking:
            return self._hasher.hash(password)

    def keep_password(self, person: str, kept: str) -> None:
        """A new password, by its hash, with which all sessions and links of before end."""
        with self.change() as connection:
            connection.execute(sql.update(PEOPLE).where(PEOPLE.c.id == person).values(password=kept))
            connection.execute(sql.delete(SESSIONS).where(SESSIONS.c.person == person))
            connection.execute(sql.delete(LINKS).where(LINKS.c.person == person))

    def check_password(self, name: str, password: str, address: str) -> Person:
        """The person whose name and password these are.

        Raises
        ------
        ModelworksError
            W113 where they are not, whichever it is; W114 after too many that were not.
        """
        name = name.strip().lower()[:200]
        watched = {"pair": f"{name} {address}", "address": address, "name": name}
        now = self._clock()
        with self.change() as connection:
            tries.refuse_too_many(connection, now, watched, tries.MOST_FAILURES)
            # Counted before it is known whether it fits: of many sent at once all would be let through.
            tries.count(connection, now, watched)
            found = connection.execute(sql.select(PEOPLE).where(PEOPLE.c.name == name)).first()
        kept = found.password if found is not None and found.password and found.active else self._nobody
        if not self._fits(kept, password[: LONGEST_PASSWORD + 1]) or kept is self._nobody or found is None:
            fail("W113", "this name and this password do not belong together", hint="type both again")
        with self.change() as connection:
            tries.forget(connection, "pair", watched["pair"])
            tries.take_back(connection, now, watched)
        return _person(found)

    def _fits(self, kept: str, password: str) -> bool:
        try:
            with self._checking:
                return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    def count_asking(self, text: str, address: str) -> None:
        """Count that somebody asked for a link by mail; W114 after too many, whether or not there is such a name."""
        watched = {"asked-address": address, "asked-name": text.strip().lower()[:200]}
        with self.change() as connection:
            tries.refuse_too_many(connection, self._clock(), watched, tries.MOST_ASKED)
            tries.count(connection, self._clock(), watched)

    def reached_by(self, text: str) -> list[Person]:
        """Those with an address of mail whose name or address this is; several may share one."""
        wanted = text.strip().lower()
        named = sql.or_(PEOPLE.c.name == wanted, sql.func.lower(PEOPLE.c.mail) == wanted)
        asked = sql.select(PEOPLE).where(named, PEOPLE.c.mail != "", PEOPLE.c.active)
        with self.look() as connection:
            return [_person(row) for row in connection.execute(asked.order_by(PEOPLE.c.name))]

    # -- sessions --------------------------------------------------------------------------------------

    def begin_session(self, person: str, agent: str, address: str) -> str:
        """A new session; gives the secret by which it is known."""
        secret = secrets.token_urlsafe(32)
        row = {"hash": hashed(secret), "person": person, "until": self._clock() + self._session_seconds}
        said = {"since": _now(), "agent": agent[:200], "address": address[:100]}
        with self.change() as connection:
            connection.execute(sql.delete(SESSIONS).where(SESSIONS.c.until < self._clock()))
            connection.execute(sql.insert(SESSIONS).values(**row, **said))
        return secret

    def session(self, secret: str) -> Person | None:
        """Whose session it is; None where it has ended."""
        with self.look() as connection:
            found = connection.execute(_WHOSE_SESSION, {"secret": hashed(secret), "now": self._clock()}).first()
        return None if found is None else _person(found)

    def sessions(self, person: str) -> list[Session]:
        """Where somebody is signed in, the latest first."""
        asked = sql.select(SESSIONS).where(SESSIONS.c.person == person, SESSIONS.c.until > self._clock())
        with self.look() as connection:
            return [Session(**row._mapping) for row in connection.execute(asked.order_by(SESSIONS.c.since.desc()))]

    def end_session(self, person: str, hash: str) -> bool:
        """One browser is signed out; False where it was not signed in."""
        with self.change() as connection:
            mine = (SESSIONS.c.person == person, SESSIONS.c.hash == hash)
            return connection.execute(sql.delete(SESSIONS).where(*mine)).rowcount > 0

    # -- tokens ----------------------------------------------------------------------------------------

    def make_token(self, person: str, title: str, workspace: str, scope: Role, days: float) -> str:
        """What a program may come in with, for so many days; it is shown once and kept nowhere."""
        secret = f"mw_{secrets.token_urlsafe(32)}"
        row = {
            "hash": hashed(secret), "id": secrets.token_hex(6), "person": person, "title": title.strip()[:100],
            "workspace": workspace, "scope": scope, "until": self._clock() + days * DAY, "since": _now(), "used": "",
        }  # fmt: skip
        with self.change() as connection:
            connection.execute(sql.insert(TOKENS).values(row))
        return secret

    def token(self, secret: str) -> tuple[Person, Token] | None:
        """Whose token it is, and which; None where it is none, or has run out."""
        today = _now()[:10]
        with self.look() as connection:
            found = connection.execute(_WHOSE_TOKEN, {"secret": hashed(secret), "now": self._clock()}).first()
        if found is None:
            return None
        token = Token(**{name: getattr(found, label) for name, label in _OF_TOKEN.items()})
        if token.used != today:
            # Once a day is enough to see which nobody uses any more.
            with self.change() as connection:
                connection.execute(sql.update(TOKENS).where(TOKENS.c.id == token.id).values(used=today))
        return _person(found), replace(token, used=today)

    def tokens(self, person: str) -> list[Token]:
        """Somebody's tokens, the latest first."""
        wanted = [TOKENS.c[name] for name in Token.__dataclass_fields__]
        asked = sql.select(*wanted).where(TOKENS.c.person == person, TOKENS.c.until > self._clock())
        with self.look() as connection:
            return [Token(**row._mapping) for row in connection.execute(asked.order_by(TOKENS.c.since.desc()))]

    def end_token(self, person: str, token: str) -> bool:
        """A token opens nothing any more; False where there was none."""
        with self.change() as connection:
            mine = (TOKENS.c.person == person, TOKENS.c.id == token)
            return connection.execute(sql.delete(TOKENS).where(*mine)).rowcount > 0

    # -- one-time links --------------------------------------------------------------------------------

    def make_link(self, person: str, purpose: Purpose) -> str:
        """The secret of a link that opens once, and not for long."""
        secret = secrets.token_urlsafe(32)
        row = {"hash": hashed(secret), "person": person, "purpose": purpose}
        with self.change() as connection:
            connection.execute(sql.delete(LINKS).where(LINKS.c.until < self._clock()))
            connection.execute(sql.insert(LINKS).values(**row, until=self._clock() + LINK_SECONDS[purpose]))
        return secret

    def follow_link(self, secret: str, purposes: Sequence[Purpose], *, use: bool) -> Person:
        """Whom a link lets in; with `use` it opens nothing any more. W115 where it has been used, or is too old."""
        alive = (LINKS.c.hash == hashed(secret), LINKS.c.until > self._clock(), LINKS.c.purpose.in_(purposes))
        with self.change() as connection:
            asked = sql.select(PEOPLE).join(LINKS, LINKS.c.person == PEOPLE.c.id).where(*alive, PEOPLE.c.active)
            found = connection.execute(asked).first()
            if found is not None and use:
                connection.execute(sql.delete(LINKS).where(LINKS.c.hash == hashed(secret)))
        if found is None:
            fail("W115", "this link has been used, or is too old", hint="ask whoever gave it to you for another")
        return _person(found)

    # -- the trail -------------------------------------------------------------------------------------

    def note(self, person: str, workspace: str, what: str, about: str = "", address: str = "") -> None:
        """Write down that somebody did something; nothing of it is ever taken out again."""
        with self.change() as connection:
            _write_down(connection, person, workspace, what, about, address)

    def note_once(self, person: str, workspace: str, what: str, about: str, address: str = "") -> None:
        """The same, unless the trail says so already; `about` has what tells it from all other deeds."""
        same = (TRAIL.c.workspace == workspace, TRAIL.c.what == what, TRAIL.c.about == about[:LONGEST_ABOUT])
        with self.change() as connection:
            if connection.execute(sql.select(TRAIL.c.number).where(*same)).first() is None:
                _write_down(connection, person, workspace, what, about, address)

    def done(self, workspace: str, whats: Sequence[str], about: str, *, limit: int = 20) -> list[Deed]:
        """What of some kinds was done in a workspace about something that begins so, the latest first."""
        begins = TRAIL.c.about.startswith(about, autoescape=True)
        asked = sql.select(TRAIL).where(TRAIL.c.workspace == workspace, TRAIL.c.what.in_(whats), begins)
        with self.look() as connection:
            found = connection.execute(asked.order_by(TRAIL.c.number.desc()).limit(limit))
            return [Deed(**row._mapping) for row in found]

    def trail(self, workspace: str, *, before: int | None = None, limit: int = 100) -> list[Deed]:
        """What was done in a workspace, the latest first; with `before`, what came before that line.

        One signs in to all workspaces at once: each sees it of its members, and of all who did anything in it.
        """
        members = sql.select(PEOPLE.c.name).join(MEMBERS, MEMBERS.c.person == PEOPLE.c.id)
        known = members.where(MEMBERS.c.workspace == workspace).union(
            sql.select(TRAIL.c.person).where(TRAIL.c.workspace == workspace)
        )
        at_the_door = sql.and_(TRAIL.c.workspace == "", TRAIL.c.person.in_(known))
        asked = sql.select(TRAIL).where(sql.or_(TRAIL.c.workspace == workspace, at_the_door))
        if before is not None:
            asked = asked.where(TRAIL.c.number < before)
        with self.look() as connection:
            found = connection.execute(asked.order_by(TRAIL.c.number.desc()).limit(limit))
            return [Deed(**row._mapping) for row in found]

    # -- how -------------------------------------------------------------------------------------------

    def _one(self, condition: sql.ColumnElement[bool]) -> Person | None:
        with self.look() as connection:
            found = connection.execute(sql.select(PEOPLE).where(condition)).first()
        return None if found is None else _person(found)

    @contextmanager
    def look(self) -> Iterator[sql.Connection]:
        """A connection to the database, to read."""
        mine: sql.Connection | None = getattr(self._mine, "connection", None)
        with self._letters(), nullcontext(mine) if mine is not None else self._engine.connect() as connection:
            yield connection

    @contextmanager
    def change(self) -> Iterator[sql.Connection]:
        """A connection to the database whose changes are kept together, or not at all.

        What this thread changes while the block lasts belongs to it, also what other methods change: so a change and
        its line of the trail are one.
        """
        mine: sql.Connection | None = getattr(self._mine, "connection", None)
        if mine is not None:
            yield mine
            return
        with self._letters(), changing(self._engine, LOCK) as connection:
            self._mine.connection = connection
            try:
                yield connection
            finally:
                self._mine.connection = None

    @contextmanager
    def _letters(self) -> Iterator[None]:
        hint = "see whether its server runs, who may use it, and whether its disk is full"
        with answering(self._url, "W106", "the website's database", hint):
            try:
                yield
            except sql.exc.DataError as error:
                # PostgreSQL keeps no text with a zero byte; it is the question that is wrong, and not the database.
                said = str(error.orig).strip().partition("\n")[0]
                fail("W118", f"what was sent can not be kept: {said}", hint="go back and mend it")


def _write_down(connection: sql.Connection, person: str, workspace: str, what: str, about: str, address: str) -> None:
    row = {"time": _now(), "person": person, "workspace": workspace, "what": what}
    connection.execute(sql.insert(TRAIL).values(**row, about=about[:LONGEST_ABOUT], address=address[:100]))


def _now() -> str:
    return stamp(utc_now())


def _person(row: sql.Row[tuple[object, ...]]) -> Person:
    return Person(row.id, row.name, row.title, row.mail, bool(row.active), bool(row.password))
