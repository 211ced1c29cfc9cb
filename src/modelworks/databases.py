"""SQLite and PostgreSQL, opened and changed in one way by everybody who keeps a table.

SQLite 3.26 will do: nothing here, and nothing in what uses it, needs `RETURNING`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from modelworks.errors import fail

# How long one waits for another's transaction, or for a server.
PATIENCE_SECONDS = 30.0


def open_database(url: str, owner: object | None = None, *, durable: bool = False) -> sql.Engine:
    """A database by an address of SQLAlchemy's; the folder of a file is made.

    It is closed when its owner is gone, if it has one, and by `dispose`.
    With `durable` what was committed is on the disk; without, a power cut may take back the last changes of a file.
    """
    engine = _engine(url, durable=durable)
    if owner is not None:
        weakref.finalize(owner, engine.dispose)
    return engine


def _engine(url: str, *, durable: bool) -> sql.Engine:
    address = sql.make_url(url)
    if address.get_backend_name() != "sqlite":
        # A look is one question, and not three with the beginning and the end of a transaction; `changing` says both.
        waits = {"connect_timeout": int(PATIENCE_SECONDS)}
        # A server that was away and is back is asked by connections that it knows: nobody is told that it is away.
        return sql.create_engine(address, isolation_level="AUTOCOMMIT", connect_args=waits, pool_pre_ping=True)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    # Kept open: to open a file takes five times as long as a question. `dispose` closes.
    pool = sql.QueuePool if address.database else sql.StaticPool
    engine = sql.create_engine(address, connect_args={"timeout": PATIENCE_SECONDS}, poolclass=pool)

    # The driver's own idea of when a transaction begins is not ours: `BEGIN IMMEDIATE` below says it.
    @sql.event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        record.info["file"] = _file_at(address.database)

    @sql.event.listens_for(engine, "checkout")
    def _look_whether_it_is_there(_: object, record: Any, __: object) -> None:
        # Somebody may have deleted the file, or put another in its place: what is open is then nobody's any more.
        if record.info["file"] != _file_at(address.database):
            raise sql.exc.DisconnectionError

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let those who read and the one who changes not wait for each other, which is written in the file once.

    Of several who open a new file at the same moment SQLite refuses some at once, however patient they are.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


def _file_at(path: str | None) -> tuple[int, int] | None:
    """Which file there is at a place now."""
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(path) if path else None
        return (found.st_dev, found.st_ino) if found else None
    return None


@contextlib.contextmanager
def changing(engine: sql.Engine, lock: int) -> Iterator[sql.Connection]:
    """A transaction that no other with the same lock overlaps, in this process or another; it counts whole or not."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # In one question: each to a server takes a moment.
            connection.exec_driver_sql(f"BEGIN; SELECT pg_advisory_xact_lock({lock:d})")
        yield connection
        connection.commit()


@contextlib.contextmanager
def answering(url: str, code: str, what: str, hint: str) -> Iterator[None]:
    """A database that does not answer is a letter, which never shows a password."""
    try:
        yield
    except sql.exc.SQLAlchemyError as error:
        place = sql.make_url(url).render_as_string(hide_password=True)
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        fail(code, f"{what} at {place} does not answer: {said}", hint=hint)
