"""How an index of runs keeps up with the folders: what came is read, what went is forgotten, nothing is read twice."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sql
from sqlalchemy.exc import DatabaseError, OperationalError, ProgrammingError

from modelworks.databases import answering, changing, open_database
from modelworks.runs._index_tables import (
    ABOUT,
    EDITION,
    FILES,
    FOLDERS,
    LOCK,
    MARKS,
    NUMBERS,
    RUNS,
    SCHEMA,
    TAGS,
    WORDS,
    checksums_of,
    insert,
    portions,
    row_of,
)
from modelworks.runs._marks import Mark, standing

if TYPE_CHECKING:
    from modelworks.runs._store import Changes, Store

# By these names the table of what it is about says in which state it is, and after which look at the folders.
STATE, LOOKED = "state", "looked"
_EDITION = "edition"
# Asked for every question that comes, so it is put together once.
_ABOUT_BOTH = sql.select(ABOUT.c.name, ABOUT.c.value).where(ABOUT.c.store.in_(["", sql.bindparam("here")]))
T = TypeVar("T")

# So many runs at once are a part of a table that its server has to know of.
MANY = 500


@dataclass(frozen=True, slots=True)
class _Known:
    """What the tables know of a store after a look: folders and when they changed, runs that could not be read and
    why, remarks, and what was said on the way to an approval."""

    looked: str | None
    folders: Mapping[str, tuple[int, bool]]
    damaged: Mapping[str, str]
    marks: set[str]
    words: set[str]


class Upkeep:
    """The tables of an index of one store, at a database's address, brought up to date by whoever asks."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._url = url
        self._engine = open_database(url, self)
        self._turn = threading.Lock()
        self._begun = self._done = 0
        self._as_now = threading.local()
        self._known: _Known | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def refresh(self) -> None:
        """Bring the table up to date with the folders.

        Where several threads ask at once, one looks for all who asked before it began: a website of many readers looks
        no more often than it can.
        """
        if getattr(self._as_now, "kept", None) is None:
            self._refresh_once()

    @contextlib.contextmanager
    def as_now(self) -> Iterator[None]:
        """What this thread asks while the block lasts is answered by one look at the folders, and not one each."""
        self.refresh()
        before = getattr(self._as_now, "kept", None)
        self._as_now.kept = {} if before is None else before
        try:
            yield
        finally:
            self._as_now.kept = before

    def _once(self, name: str, make: Callable[[], T]) -> T:
        """What is made once while `as_now` lasts, and each time without it."""
        kept: dict[str, T] | None = getattr(self._as_now, "kept", None)
        if kept is None:
            return make()
        if name not in kept:
            kept[name] = make()
        return kept[name]

    def _anew(self, name: str) -> None:
        """Forget what was made once: it is another one since."""
        kept: dict[str, Any] | None = getattr(self._as_now, "kept", None)
        if kept is not None:
            kept.pop(name, None)

    def _refresh_once(self) -> None:
        mine = self._begun + 1
        with self._turn:
            if self._done < mine:
                self._begun += 1
                self._refresh()
                self._done = self._begun

    def _refresh(self) -> None:
        with self._answering():
            looked = self._made().get(LOOKED)
            with self._engine.connect() as connection:
                # Read again only after somebody, in this process or another, has seen that something is new.
                if looked is None or self._known is None or self._known.looked != looked:
                    self._known = self._in_tables(connection, looked)
                known = self._known
                changes, damaged = self._look(connection, known)
            said, spoken = self._store.mark_names(), self._store.word_names()
            new_marks, lost_marks = said - known.marks, known.marks - said
            new_words, lost_words = spoken - known.words, known.words - spoken
            news = (changes.added, changes.removed, damaged, new_marks, lost_marks, new_words, lost_words)
            are_others = any(news)
            if not (changes or are_others or looked is None):
                return
            with self._changing() as connection:
                if are_others:
                    self._enter_state(connection)
                if changes.removed:
                    # Somebody else may have seen meanwhile that one is back, and would then not look again.
                    changes, damaged = self._look(connection, self._in_tables(connection, None))
                self._drop(connection, sorted(changes.removed))
                self._take(connection, sorted({*changes.added, *damaged}))
                self._remember(connection, changes.looked, changes.forgotten)
                self._say(connection, new_marks, lost_marks)
                self._speak(connection, new_words, lost_words)
                self._enter(connection, LOOKED)
                if len(changes.added) >= MANY:
                    self._count(connection)

    def _count(self, connection: sql.Connection) -> None:
        """Let a server see how much came: until it has looked by itself, it takes new tables for empty ones, and goes
        through them once for each run (a list of 10,000 took 0.7 s so, and 0.003 s afterwards)."""
        if self._engine.dialect.name == "postgresql":
            for table in (RUNS, NUMBERS, TAGS):
                connection.execute(sql.text(f"ANALYZE {table.name}"))

    def _look(self, connection: sql.Connection, known: _Known) -> tuple[Changes, list[str]]:
        """What came and went since the last look, and of which runs it is no longer true why they can not be read."""
        damaged = [key for key, why in known.damaged.items() if self._damage(key) != why]
        return self._store.changes(known.folders, lambda region: self._keys_below(connection, region)), damaged

    def rebuild(self) -> None:
        """Forget everything and read all folders anew."""
        with self._answering():
            self._made()
            with self._changing() as connection:
                for table in (RUNS, NUMBERS, FILES, TAGS, FOLDERS, MARKS, WORDS):
                    connection.execute(sql.delete(table).where(table.c.store == self._store.address))
                self._enter_state(connection)
            self.refresh()

    def read_checksums(self) -> None:
        """Take up the checksums of runs whose have not been read yet: a list of runs needs none of them."""
        with self._answering(), self._engine.connect() as connection:
            unread = self._keys(RUNS, RUNS.c.key.not_in(self._keys(FILES)))
            keys = list(connection.execute(unread).scalars())
        for some in portions(keys):
            found = [
                {"store": self._store.address, "key": key, "checksums": checksums_of(self._store, key)} for key in some
            ]
            with self._answering(), self._changing() as connection:
                # Somebody else may have read them meanwhile, or a run may have gone.
                self._delete(connection, FILES, FILES.c.key, some)
                there = set(connection.execute(self._keys(RUNS, RUNS.c.key.in_(some))).scalars())
                insert(connection, FILES, [each for each in found if each["key"] in there])

    def _made(self) -> Mapping[str, str]:
        """What the tables, of this edition, are about; one that can not be read is made anew, for nothing in it is the
        truth."""
        try:
            about = self._about()
            if about.get(_EDITION) != str(EDITION):
                with self._changing() as connection:
                    # Somebody else may have made them meanwhile.
                    if self._about().get(_EDITION) != str(EDITION):
                        SCHEMA.drop_all(connection)
                        SCHEMA.create_all(connection)
                        connection.execute(sql.insert(ABOUT).values(store="", name=_EDITION, value=str(EDITION)))
        except DatabaseError as error:
            # A server that does not answer, and what its owner has to mend there, are not ours to throw away.
            if isinstance(error, OperationalError) or self._engine.dialect.name != "sqlite":
                raise
            self._throw_away()
            about = self._made()
        return about

    def _about(self) -> Mapping[str, str]:
        """What the tables that are there are about; nothing, where there are none."""
        here = {"here": self._store.address}
        with self._engine.connect() as connection:
            try:
                found = connection.execute(_ABOUT_BOTH, here)
            except (OperationalError, ProgrammingError):
                # Asked only now: of every question that comes, all but the first find their tables.
                if not sql.inspect(connection).has_table(ABOUT.name):
                    return {}
                # Somebody else made them between the two questions; what is wrong otherwise is said again.
                found = connection.execute(_ABOUT_BOTH, here)
            return {row.name: row.value for row in found}

    def _throw_away(self) -> None:
        """Remove a file that is no database."""
        self._engine.dispose()
        file = str(self._engine.url.database)
        for each in (file, f"{file}-wal", f"{file}-shm"):
            Path(each).unlink(missing_ok=True)

    def state(self) -> str | None:
        """What is another one whenever the runs or what is said of them are, after a look at what is there now.

        Whichever process took up the change, all see another state; it is None where nothing has ever come.
        """
        self.refresh()
        with self._answering():
            return self._known_state()

    def _known_state(self) -> str | None:
        """The same, without a look."""
        return self._about().get(STATE)

    def _enter_state(self, connection: sql.Connection) -> None:
        """Runs, or what is said of them, are others now."""
        self._enter(connection, STATE)
        self._enter(connection, LOOKED)

    def _enter(self, connection: sql.Connection, name: str) -> None:
        self._delete(connection, ABOUT, ABOUT.c.name, [name])
        insert(connection, ABOUT, [{"store": self._store.address, "name": name, "value": secrets.token_hex(8)}])

    def _changing(self) -> contextlib.AbstractContextManager[sql.Connection]:
        """A transaction that no other refresh of any process overlaps."""
        return changing(self._engine, LOCK)

    def _in_tables(self, connection: sql.Connection, looked: str | None) -> _Known:
        """What is known; whoever says after which look takes it from before the rest is read, which can be newer."""
        here = self._store.address
        folders = connection.execute(sql.select(FOLDERS).where(FOLDERS.c.store == here))
        asked = sql.select(RUNS.c.key, RUNS.c.damage).where(RUNS.c.store == here, RUNS.c.damage.is_not(None))
        return _Known(
            looked,
            {row.folder: (row.changed, row.settled) for row in folders},
            {row.key: row.damage for row in connection.execute(asked)},
            set(connection.execute(sql.select(MARKS.c.name).where(MARKS.c.store == here)).scalars()),
            set(connection.execute(sql.select(WORDS.c.name).where(WORDS.c.store == here)).scalars()),
        )

    def _damage(self, key: str) -> str | None:
        """Why a run can not be read now; None where it can, and where it is gone."""
        return None if self._store.stamp(key) is None else row_of(self._store, key)[0]["damage"]

    def _keys_below(self, connection: sql.Connection, region: str) -> list[str]:
        """The keys of the runs known below a folder `study/model/region`."""
        of_region = RUNS.c.key.startswith(f"{region}/", autoescape=True)
        return list(connection.execute(self._keys(RUNS, of_region)).scalars())

    def _remember(
        self, connection: sql.Connection, looked: Mapping[str, tuple[int, bool]], forgotten: Iterable[str]
    ) -> None:
        self._delete(connection, FOLDERS, FOLDERS.c.folder, [*looked, *forgotten])
        insert(
            connection,
            FOLDERS,
            [
                {"store": self._store.address, "folder": folder, "changed": changed, "settled": settled}
                for folder, (changed, settled) in looked.items()
            ],
        )

    def _drop(self, connection: sql.Connection, keys: list[str]) -> None:
        for table in (RUNS, NUMBERS, FILES, TAGS):
            self._delete(connection, table, table.c.key, keys)

    def _delete(self, connection: sql.Connection, table: sql.Table, column: Any, values: list[str]) -> None:
        for some in portions(values):
            connection.execute(sql.delete(table).where(table.c.store == self._store.address, column.in_(some)))

    def _take(self, connection: sql.Connection, keys: list[str]) -> None:
        """Read these runs anew, and forget those that are gone."""
        self._drop(connection, keys)
        # In portions, so that a store of very many runs is never whole in memory.
        for some in portions(keys):
            self._read(connection, some)
        self._stand(connection, keys)

    def _read(self, connection: sql.Connection, keys: list[str]) -> None:
        runs: list[dict[str, Any]] = []
        numbers: list[dict[str, Any]] = []
        for key in keys:
            stamp = self._store.stamp(key)
            if stamp is None:
                continue
            told, found = row_of(self._store, key)
            told["stamp"] = stamp
            runs.append({"store": self._store.address, **told})
            numbers.extend({"store": self._store.address, "key": key, **each} for each in found)
        insert(connection, RUNS, runs)
        insert(connection, NUMBERS, numbers)

    def _say(self, connection: sql.Connection, new: set[str], lost: set[str]) -> None:
        """Take up new remarks, and what they change about the runs they are of."""
        about: set[str] = set()
        for some in portions(sorted(lost)):
            gone = sql.select(MARKS.c.run).where(MARKS.c.store == self._store.address, MARKS.c.name.in_(some))
            about.update(connection.execute(gone).scalars())
        self._delete(connection, MARKS, MARKS.c.name, sorted(lost))
        said = [{"store": self._store.address, "name": name, **_fields(mark)} for name, mark in self._store.marks(new)]
        self._delete(connection, MARKS, MARKS.c.name, [each["name"] for each in said])
        insert(connection, MARKS, said)
        self._stand(connection, sorted(about | {each["run"] for each in said}))

    def _speak(self, connection: sql.Connection, new: set[str], lost: set[str]) -> None:
        """Take up what was said on the way to an approval."""
        self._delete(connection, WORDS, WORDS.c.name, sorted(new | lost))
        said = [{"name": name, "said": word.as_text()} for name, word in self._store.words(new)] if new else []
        insert(connection, WORDS, [{"store": self._store.address, **each} for each in said])

    def _stand(self, connection: sql.Connection, keys: list[str]) -> None:
        """Tags and pins of some runs, from all that was said of them."""
        here = self._store.address
        for some in portions(keys):
            self._delete(connection, TAGS, TAGS.c.key, some)
            found = connection.execute(
                sql.select(MARKS).where(MARKS.c.store == here, MARKS.c.run.in_(some)).order_by(MARKS.c.name)
            ).fetchall()
            said: dict[str, list[Mark]] = {key: [] for key in some}
            for row in found:
                said[row.run].append(Mark(row.run, row.kind, row.text, row.by, row.when))
            stands = {key: standing(marks) for key, marks in said.items() if marks}
            insert(
                connection,
                TAGS,
                [{"store": here, "key": key, "tag": tag} for key, each in stands.items() for tag in each.tags],
            )
            for key, each in stands.items():
                connection.execute(
                    sql.update(RUNS).where(RUNS.c.store == here, RUNS.c.key == key).values(pinned=each.pinned)
                )

    def _keys(self, table: sql.Table, *conditions: Any) -> Any:
        return sql.select(table.c.key).where(table.c.store == self._store.address, *conditions)

    def _answering(self) -> contextlib.AbstractContextManager[None]:
        """A database that does not answer is a letter."""
        hint = "see whether its server runs and who may use it; without one, take `index` out of modelworks.toml"
        return answering(self._url, "R150", "the index of runs", hint)


def _fields(mark: Mark) -> dict[str, str]:
    return {name: getattr(mark, name) for name in Mark.__dataclass_fields__}
