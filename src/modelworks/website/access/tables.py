"""The tables of people: made where they are missing, the same in SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sql

from modelworks.databases import changing
from modelworks.errors import fail

EDITION = 5
# Editions that this one makes its own by adding the tables that they have not.
EARLIER = ("1", "2", "3", "4")
# A lock of PostgreSQL that all who change these tables agree upon.
LOCK = 0x6D77_7765

schema = sql.MetaData()
_TEXT = sql.Text()


def _table(name: str, *columns: Any) -> sql.Table:
    return sql.Table(f"modelworks_{name}", schema, *columns)


def _text(name: str, *more: Any, **options: Any) -> sql.Column[str]:
    return sql.Column(name, _TEXT, *more, nullable=False, **options)


# `name` is what one signs in with, written small; an empty `password` fits nothing.
PEOPLE = _table(
    "people",
    _text("id", primary_key=True), _text("name", unique=True), _text("title"), _text("mail"), _text("password"),
    _text("since"), sql.Column("active", sql.Boolean, nullable=False),
)  # fmt: skip
MEMBERS = _table("members", _text("person", primary_key=True), _text("workspace", primary_key=True), _text("role"))
# Of what opens a door only a hash is kept. Moments are seconds since 1970.
SESSIONS = _table(
    "sessions",
    _text("hash", primary_key=True), _text("person", index=True), sql.Column("until", sql.Float(53), nullable=False),
    _text("since"), _text("agent"), _text("address"),
)  # fmt: skip
TOKENS = _table(
    "tokens",
    _text("hash", primary_key=True), _text("id", unique=True), _text("person", index=True), _text("title"),
    _text("workspace"), _text("scope"), sql.Column("until", sql.Float(53), nullable=False), _text("since"),
    _text("used"),
)  # fmt: skip
LINKS = _table(
    "links",
    _text("hash", primary_key=True), _text("person"), _text("purpose"),
    sql.Column("until", sql.Float(53), nullable=False),
)  # fmt: skip
# Who a provider of sign-ins says somebody is: its address, and its name for them, which it never gives to another.
IDENTITIES = _table(
    "identities",
    _text("issuer", primary_key=True), _text("subject", primary_key=True), _text("person", index=True), _text("since"),
)  # fmt: skip
FAILURES = _table("failures", _text("about", index=True), sql.Column("time", sql.Float(53), nullable=False, index=True))
TRAIL = _table(
    "trail",
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=True), _text("time"), _text("person"),
    _text("workspace", index=True), _text("what"), _text("about"), _text("address"),
)  # fmt: skip
# What was begun elsewhere, and stands in the trail when it is done; what is left here was cut off.
BEGUN = _table(
    "begun",
    _text("id", primary_key=True), sql.Column("began", sql.Float(53), nullable=False), _text("person"),
    _text("workspace"), _text("what"), _text("about"), _text("address"),
)  # fmt: skip
# What somebody found by exploring a run: where its controls stand, as they are said in an address.
SCENARIOS = _table(
    "scenarios",
    _text("id", primary_key=True), _text("workspace", index=True), _text("run"), _text("title"), _text("query"),
    _text("person"), _text("since"),
    sql.UniqueConstraint("workspace", "run", "title", name="modelworks_scenarios_named"),
)  # fmt: skip
# What somebody asks of the list of runs again and again: the query of its address. Of one account no two have one name.
VIEWS = _table(
    "views",
    _text("id", primary_key=True), _text("workspace", index=True), _text("person"), _text("title"), _text("query"),
    sql.Column("shared", sql.Boolean, nullable=False), _text("since"),
    sql.UniqueConstraint("workspace", "person", "title", name="modelworks_views_named"),
)  # fmt: skip
# What was answered to forms that were refused, until Back is pressed no more.
ANSWERS = _table(
    "answers",
    _text("hash", primary_key=True), _text("person", index=True), _text("browser"),
    sql.Column("time", sql.Float(53), nullable=False, index=True), sql.Column("status", sql.Integer, nullable=False),
    _text("headers"), sql.Column("body", sql.LargeBinary, nullable=False),
)  # fmt: skip
ABOUT = _table("website", _text("name", primary_key=True), _text("value"))

# What was done is never written over nor taken out; the database itself refuses.
_SQLITE = (
    "CREATE TRIGGER modelworks_trail_{what} BEFORE {what} ON modelworks_trail BEGIN SELECT RAISE(ABORT, 'kept'); END"
)
_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION modelworks_trail_kept() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'kept'; END $$",
    "CREATE TRIGGER modelworks_trail_kept BEFORE UPDATE OR DELETE ON modelworks_trail "
    "FOR EACH ROW EXECUTE FUNCTION modelworks_trail_kept()",
)


def make(engine: sql.Engine) -> None:
    """The tables, of this edition.

    Raises
    ------
    ModelworksError
        W105 where a later modelworks made them.
    """
    with engine.connect() as connection:
        if sql.inspect(connection).has_table(ABOUT.name) and _edition(connection) == str(EDITION):
            return
    with changing(engine, LOCK) as connection:
        schema.create_all(connection)
        found = _edition(connection)
        if found is None:
            _keep_the_trail(connection)
            connection.execute(sql.insert(ABOUT).values(name="edition", value=str(EDITION)))
        elif found in EARLIER:
            connection.execute(sql.update(ABOUT).where(ABOUT.c.name == "edition").values(value=str(EDITION)))
        elif found != str(EDITION):
            hint = "install the modelworks that made it, or give the website a new `database`"
            fail(
                "W105", f"the website's database is of edition {found}, and this modelworks reads {EDITION}", hint=hint
            )


def _edition(connection: sql.Connection) -> str | None:
    return connection.execute(sql.select(ABOUT.c.value).where(ABOUT.c.name == "edition")).scalar()


def _keep_the_trail(connection: sql.Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    for said in [_SQLITE.format(what=what) for what in ("UPDATE", "DELETE")] if sqlite else _POSTGRESQL:
        connection.exec_driver_sql(said)


def hashed(secret: str) -> str:
    """What is kept of something random and long; unlike a password it can not be guessed, so one hash is enough."""
    return hashlib.sha256(secret.encode("utf-8")).hexdigest()
