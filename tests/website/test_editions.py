"""A PostgreSQL that an earlier modelworks filled with people is read by this one, with all that is in it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sql
from argon2 import PasswordHasher
from visitors import PASSWORD

from modelworks.website._scenarios import saved
from modelworks.website._views import views
from modelworks.website.access.identities import person_of
from modelworks.website.access.oidc import Identity
from modelworks.website.access.people import DAY, People
from modelworks.website.access.tables import ABOUT, EDITION, hashed, schema

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres", "psycopg")]

SECOND = Path(__file__).with_name("people_edition_2.sql")
SINCE = "2026-01-02T03:04:05Z"


@pytest.fixture
def empty(postgres_url: str) -> Iterator[str]:
    """A database of its own, which nobody else has tables in."""
    name = f"people_{secrets.token_hex(4)}"
    server = sql.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sql.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()


def filled(url: str, edition: int) -> None:
    """The tables as that edition made them, with somebody who has all that one could have then."""
    rows = {
        "people": {"id": "a1", "name": "ada", "title": "Ada", "mail": "ada@example.org", "since": SINCE},
        "members": {"person": "a1", "workspace": "ours", "role": "admin"},
        "sessions": {"hash": hashed("session"), "person": "a1", "since": SINCE, "agent": "", "address": ""},
        "tokens": {"hash": hashed("token"), "id": "t1", "person": "a1", "title": "old", "workspace": "ours"},
        "links": {"hash": hashed("link"), "person": "a1", "purpose": "reset"},
        "trail": {"time": SINCE, "person": "ada", "workspace": "ours", "what": "signed", "about": "", "address": ""},
        "scenarios": {"id": "s1", "workspace": "ours", "run": "r", "title": "half", "query": "", "person": "Ada"},
        "website": {"name": "edition", "value": str(edition)},
    }
    rows["people"] |= {"password": PasswordHasher().hash(PASSWORD), "active": True}  # type: ignore[dict-item]
    rows["tokens"] |= {"scope": "viewer", "since": SINCE, "used": ""}
    rows["scenarios"] |= {"since": SINCE}
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(SECOND.read_text(encoding="utf-8"))
        if edition == 1:
            connection.exec_driver_sql("DROP TABLE modelworks_scenarios")
            del rows["scenarios"]
        for name, row in rows.items():
            until = {"until": time.time() + DAY} if name in ("sessions", "tokens", "links") else {}
            connection.execute(sql.insert(schema.tables[f"modelworks_{name}"]).values({**row, **until}))
    engine.dispose()


@pytest.mark.parametrize("edition", [1, 2])
def test_people_of_an_earlier_edition_are_there_with_all_they_had(empty: str, edition: int) -> None:
    """Several processes of the new website begin at once, each of which may be the first."""
    filled(empty, edition)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: People(empty, session_days=2), range(4)))
    for people in opened:
        ada = people.check_password("ada", PASSWORD, "127.0.0.1")
        assert (ada.mail, people.role(ada.id, "ours")) == ("ada@example.org", "admin")
        assert people.session("session") == people.follow_link("link", ("reset",), use=False) == ada
        found = people.token("token")
        assert found is not None
        assert (found[0], found[1].title) == (ada, "old")
        assert [(each.number, each.what) for each in people.trail("ours")] == [(1, "signed")]
        assert views(people, "ours", ada.id) == []
        assert [each.title for each in saved(people, "ours")] == (["half"] if edition == 2 else [])
    came = Identity("https://login.example.org", "subject", "ada@example.org")
    assert {person_of(people, came, "").name for people in opened} == {"ada"}
    assert [each.what for each in opened[0].trail("ours")] == ["is from now on known by", "signed"]
    assert kept(empty) == str(EDITION)
    for people in opened:
        people.close()


def kept(url: str) -> str | None:
    """The edition that the database says it is of; on the way there, that its trail can still not be changed."""
    engine = sql.create_engine(url)
    with pytest.raises(sql.exc.DatabaseError, match="kept"), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM modelworks_trail")
    with engine.connect() as connection:
        found: str | None = connection.execute(sql.select(ABOUT.c.value).where(ABOUT.c.name == "edition")).scalar()
    engine.dispose()
    return found
