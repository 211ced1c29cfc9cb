"""Where runs are found quickly: a table of what the folders say, which can be thrown away at any time.

The folders are the truth. The index remembers when each folder of runs was last looked at, and looks again only
where a name was added or removed since; deleting its file costs one slow listing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from sqlalchemy.exc import DatabaseError, OperationalError

from modelworks.databases import answering, changing, open_database
from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.runs._find import COMPARISONS, Condition, Wanted, day, numbers_of
from modelworks.runs._marks import Mark, standing
from modelworks.runs._promotion import APPROVED, Promotion, by_run, what_holds
from modelworks.runs._run import id_of
from modelworks.runs._store import DEPTH, folder_name
from modelworks.runs._words import Word, word_of

if TYPE_CHECKING:
    from modelworks.runs._store import Changes, Store

# Of another edition an index is thrown away and made anew.
EDITION = 2
# A lock of PostgreSQL that all who refresh an index of runs agree upon.
LOCK = 0x6D77_7275

_schema = sql.MetaData()
_TEXT, _NUMBER = sql.Text(), sql.Float(53)


def _table(name: str, keys: Mapping[str, Any], **columns: Any) -> sql.Table:
    return sql.Table(
        f"modelworks_{name}",
        _schema,
        sql.Column("store", _TEXT, primary_key=True),
        *(sql.Column(each, kind, primary_key=True) for each, kind in keys.items()),
        *(sql.Column(each, kind) for each, kind in columns.items()),
    )


RUNS = _table(
    "runs",
    {"key": _TEXT},
    id=_TEXT, study=_TEXT, model=_TEXT, region=_TEXT, time=_TEXT, commit=_TEXT, dirty=sql.Boolean(), until=_TEXT,
    verdict=_TEXT, finished=_TEXT, seconds=_NUMBER, title=_TEXT, answer=_TEXT, person=_TEXT, pinned=sql.Boolean(),
    damage=_TEXT, stamp=_TEXT,
)  # fmt: skip
NUMBERS = _table("numbers", {"key": _TEXT, "kind": _TEXT, "name": _TEXT}, value=_NUMBER, low=_NUMBER, high=_NUMBER)
TAGS = _table("tags", {"key": _TEXT, "tag": _TEXT})
FOLDERS = _table("folders", {"folder": _TEXT}, changed=sql.BigInteger(), settled=sql.Boolean())
MARKS = _table("marks", {"name": _TEXT}, run=_TEXT, kind=_TEXT, text=_TEXT, by=_TEXT, when=_TEXT)
WORDS = _table("words", {"name": _TEXT}, said=_TEXT)
ABOUT = _table("about", {"name": _TEXT}, value=_TEXT)

sql.Index("modelworks_runs_in_order", RUNS.c.store, RUNS.c.time.desc(), RUNS.c.id.desc())
sql.Index("modelworks_numbers_by_name", NUMBERS.c.store, NUMBERS.c.name, NUMBERS.c.value)


@dataclass(frozen=True, slots=True)
class Row:
    """One run as a list shows it."""

    key: str
    id: str
    study: str
    model: str
    region: str
    commit: str
    dirty: bool
    until: str | None
    verdict: str | None
    finished: str | None
    seconds: float | None
    title: str | None
    answer: str | None
    person: str | None
    pinned: bool
    tags: tuple[str, ...]
    promotion: Promotion | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The runs asked for, the latest first, and how many there are of them without a limit."""

    rows: tuple[Row, ...]
    total: int
    damaged: tuple[Letter, ...] = ()


class Index:
    """The runs of one store in a table of SQLite or PostgreSQL.

    `url` is one of SQLAlchemy's. Several processes may use one index at once, and each brings it up to date by
    itself: nobody has to tell it of a run.
    """

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self._url = url
        self._engine = open_database(url)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def select(self, wanted: Wanted | None = None) -> Listing:
        """The runs asked for, after a look at what the folders hold now.

        Raises
        ------
        ModelworksError
            R150 when the database does not answer, R151 for a condition on a number no run has.
        """
        asked = wanted or Wanted()
        with _letters(self._url):
            self.refresh()
            while changed := self._changed(asked):
                # What somebody changed or removed by hand inside a run leaves no trace where we look for changes.
                with self._changing() as connection:
                    self._take(connection, changed)
            return self._selected(asked)

    def refresh(self) -> None:
        """Bring the table up to date with the folders."""
        with _letters(self._url):
            self._made()
            with self._engine.connect() as connection:
                changes, damaged, marks = self._look(connection)
                words = self._known_words(connection)
            said, spoken = self._store.mark_names(), self._store.word_names()
            new_marks, lost_marks = said - marks, marks - said
            if not (changes or damaged or new_marks or lost_marks or spoken != words):
                return
            with self._changing() as connection:
                if changes.removed:
                    # Somebody else may have seen meanwhile that one is back, and would then not look again.
                    changes, damaged, _ = self._look(connection)
                self._drop(connection, sorted(changes.removed))
                self._take(connection, sorted({*changes.added, *damaged}))
                self._remember(connection, changes.looked, changes.forgotten)
                self._say(connection, new_marks, lost_marks)
                self._speak(connection, spoken - words, words - spoken)

    def _look(self, connection: sql.Connection) -> tuple[Changes, list[str], set[str]]:
        """What came and went since the last look, which runs could not be read, and the remarks that are known."""
        seen, damaged, marks = self._remembered(connection)
        return self._store.changes(seen, lambda region: self._known(connection, region)), damaged, marks

    def rebuild(self) -> None:
        """Forget everything and read all folders anew."""
        with _letters(self._url):
            self._made()
            with self._changing() as connection:
                for table in (RUNS, NUMBERS, TAGS, FOLDERS, MARKS, WORDS):
                    connection.execute(sql.delete(table).where(table.c.store == self._store.address))
            self.refresh()

    def spoken(self) -> list[Word]:
        """All that was said on the way to an approval, after a look at what is there now."""
        self.refresh()
        with _letters(self._url):
            return self._spoken()

    def _spoken(self) -> list[Word]:
        asked = sql.select(WORDS.c.said).where(WORDS.c.store == self._store.address)
        with self._engine.connect() as connection:
            return [word_of(said) for said in connection.execute(asked).scalars()]

    def seal(self, key: str) -> str | None:
        """The SHA-256 of a run's list of checksums, as it is now."""
        return self._store.seal(key)

    def keys(self, digits: str) -> list[str]:
        """The keys of runs whose id begins so, after a look at what is there now; two of them, where there are more."""
        self.refresh()
        asked = self._keys(RUNS, RUNS.c.id.startswith(digits.lower(), autoescape=True)).limit(2)
        with _letters(self._url), self._engine.connect() as connection:
            return list(connection.execute(asked).scalars())

    def names_of_numbers(self) -> list[str]:
        """Every parameter, quantity and measure that a condition may be about."""
        with self._engine.connect() as connection:
            found = connection.execute(
                sql.select(NUMBERS.c.name).where(NUMBERS.c.store == self._store.address).distinct()
            )
            return sorted(row.name for row in found)

    # -- asking --------------------------------------------------------------------------------------

    def _changed(self, wanted: Wanted) -> list[str]:
        """Those of the runs to be shown whose record is no longer as it was read."""
        asked = self._asked(wanted, RUNS.c.key, RUNS.c.stamp)
        with self._engine.connect() as connection:
            return [row.key for row in connection.execute(asked) if self._store.stamp(row.key) != row.stamp]

    def _asked(self, wanted: Wanted, *columns: Any) -> Any:
        order = (RUNS.c.time.desc(), RUNS.c.id.desc())
        asked = sql.select(*columns).where(*self._conditions(wanted)).order_by(*order).limit(wanted.limit)
        return asked if wanted.after is None else asked.where(_after(wanted.after))

    def _selected(self, wanted: Wanted) -> Listing:
        with self._engine.connect() as connection:
            found = connection.execute(self._asked(wanted, RUNS)).fetchall()
            total = len(found)
            if wanted.after is not None or total == wanted.limit:
                count = sql.select(sql.func.count(RUNS.c.key)).where(*self._conditions(wanted))
                total = connection.execute(count).scalar_one()
            tags = self._tags(connection, [row.key for row in found])
            damaged = connection.execute(self._keys(RUNS, RUNS.c.damage.is_not(None)).order_by(RUNS.c.key)).scalars()
            letters = [letter for key in damaged for letter in _why_not(self._store, key)]
        stands = by_run(what_holds(self._spoken(), self))
        rows = tuple(_row(dict(row._mapping), tags.get(row.key, ()), stands.get(row.key)) for row in found)
        return Listing(rows, total, tuple(letters))

    def _conditions(self, wanted: Wanted) -> Iterator[Any]:
        yield RUNS.c.store == self._store.address
        yield RUNS.c.damage.is_(None)
        for name in ("study", "model", "region"):
            value = getattr(wanted, name)
            if value is not None:
                yield RUNS.c[name] == folder_name(value)
        for name in ("verdict", "person", "pinned"):
            value = getattr(wanted, name)
            if value is not None:
                yield RUNS.c[name] == value
        if wanted.commit is not None:
            yield RUNS.c.commit.startswith(wanted.commit.lower()[:7], autoescape=True)
        if wanted.since is not None:
            yield RUNS.c.time >= day(wanted.since)
        if wanted.until is not None:
            # A day's runs come after the day alone and before anything that begins with the next letter.
            yield RUNS.c.time < day(wanted.until) + "~"
        if wanted.approved:
            yield RUNS.c.key.in_([e.run for e in what_holds(self._spoken(), self) if e.state == APPROVED])
        if wanted.tag is not None:
            yield RUNS.c.key.in_(self._keys(TAGS, TAGS.c.tag == wanted.tag))
        for name in dict.fromkeys(each.name for each in wanted.conditions):
            if not self._has_number(name):
                fail("R151", f"no run has a number called `{name}`", hint=near(name, self.names_of_numbers()))
            # Together, so that the two ends of a range are one stretch of the table.
            compared = [_compared(each) for each in wanted.conditions if each.name == name]
            yield RUNS.c.key.in_(self._keys(NUMBERS, NUMBERS.c.name == name, *compared))

    def _has_number(self, name: str) -> bool:
        with self._engine.connect() as connection:
            return connection.execute(self._keys(NUMBERS, NUMBERS.c.name == name).limit(1)).first() is not None

    def _keys(self, table: sql.Table, *conditions: Any) -> Any:
        return sql.select(table.c.key).where(table.c.store == self._store.address, *conditions)

    def _tags(self, connection: sql.Connection, keys: list[str]) -> dict[str, tuple[str, ...]]:
        tags: dict[str, tuple[str, ...]] = {}
        for some in _portions(keys):
            found = connection.execute(
                sql.select(TAGS).where(TAGS.c.store == self._store.address, TAGS.c.key.in_(some)).order_by(TAGS.c.tag)
            )
            for row in found:
                tags[row.key] = (*tags.get(row.key, ()), row.tag)
        return tags

    # -- keeping up ----------------------------------------------------------------------------------

    def _made(self) -> None:
        """The tables, of this edition; one that can not be read is made anew, for nothing in it is the truth."""
        try:
            if self._edition() != str(EDITION):
                with self._changing() as connection:
                    # Somebody else may have made them meanwhile.
                    if self._edition() != str(EDITION):
                        _schema.drop_all(connection)
                        _schema.create_all(connection)
                        connection.execute(sql.insert(ABOUT).values(store="", name="edition", value=str(EDITION)))
        except DatabaseError as error:
            # A server that does not answer, and what its owner has to mend there, are not ours to throw away.
            if isinstance(error, OperationalError) or self._engine.dialect.name != "sqlite":
                raise
            self._throw_away()
            self._made()

    def _edition(self) -> str | None:
        """The edition of the tables that are there."""
        with self._engine.connect() as connection:
            if not sql.inspect(connection).has_table(ABOUT.name):
                return None
            asked = sql.select(ABOUT.c.value).where(ABOUT.c.store == "", ABOUT.c.name == "edition")
            return connection.execute(asked).scalar()

    def _throw_away(self) -> None:
        """Remove a file that is no database."""
        self._engine.dispose()
        file = str(self._engine.url.database)
        for each in (file, f"{file}-wal", f"{file}-shm"):
            Path(each).unlink(missing_ok=True)

    def _changing(self) -> contextlib.AbstractContextManager[sql.Connection]:
        """A transaction that no other refresh of any process overlaps."""
        return changing(self._engine, LOCK)

    def _remembered(self, connection: sql.Connection) -> tuple[dict[str, tuple[int, bool]], list[str], set[str]]:
        """What was looked at and when; the runs that could not be read; the remarks known."""
        here = self._store.address
        folders = connection.execute(sql.select(FOLDERS).where(FOLDERS.c.store == here))
        seen = {row.folder: (row.changed, row.settled) for row in folders}
        damaged = connection.execute(sql.select(RUNS.c.key).where(RUNS.c.store == here, RUNS.c.damage.is_not(None)))
        marks = connection.execute(sql.select(MARKS.c.name).where(MARKS.c.store == here))
        return seen, list(damaged.scalars()), set(marks.scalars())

    def _known(self, connection: sql.Connection, region: str) -> list[str]:
        """The keys of the runs known below a folder `study/model/region`."""
        of_region = RUNS.c.key.startswith(f"{region}/", autoescape=True)
        return list(connection.execute(self._keys(RUNS, of_region)).scalars())

    def _remember(
        self, connection: sql.Connection, looked: Mapping[str, tuple[int, bool]], forgotten: Iterable[str]
    ) -> None:
        self._delete(connection, FOLDERS, FOLDERS.c.folder, [*looked, *forgotten])
        _insert(
            connection,
            FOLDERS,
            [
                {"store": self._store.address, "folder": folder, "changed": changed, "settled": settled}
                for folder, (changed, settled) in looked.items()
            ],
        )

    def _drop(self, connection: sql.Connection, keys: list[str]) -> None:
        for table in (RUNS, NUMBERS, TAGS):
            self._delete(connection, table, table.c.key, keys)

    def _delete(self, connection: sql.Connection, table: sql.Table, column: Any, values: list[str]) -> None:
        for some in _portions(values):
            connection.execute(sql.delete(table).where(table.c.store == self._store.address, column.in_(some)))

    def _take(self, connection: sql.Connection, keys: list[str]) -> None:
        """Read these runs anew, and forget those that are gone."""
        self._drop(connection, keys)
        runs: list[dict[str, Any]] = []
        numbers: list[dict[str, Any]] = []
        for key in keys:
            stamp = self._store.stamp(key)
            if stamp is None:
                continue
            told, found = _told(self._store, key)
            told["stamp"] = stamp
            runs.append({"store": self._store.address, **told})
            numbers.extend({"store": self._store.address, "key": key, **each} for each in found)
        _insert(connection, RUNS, runs)
        _insert(connection, NUMBERS, numbers)
        self._stand(connection, keys)

    def _say(self, connection: sql.Connection, new: set[str], lost: set[str]) -> None:
        """Take up new remarks, and what they change about the runs they are of."""
        about: set[str] = set()
        for some in _portions(sorted(lost)):
            gone = sql.select(MARKS.c.run).where(MARKS.c.store == self._store.address, MARKS.c.name.in_(some))
            about.update(connection.execute(gone).scalars())
        self._delete(connection, MARKS, MARKS.c.name, sorted(lost))
        said = [{"store": self._store.address, "name": name, **_fields(mark)} for name, mark in self._store.marks(new)]
        self._delete(connection, MARKS, MARKS.c.name, [each["name"] for each in said])
        _insert(connection, MARKS, said)
        self._stand(connection, sorted(about | {each["run"] for each in said}))

    def _known_words(self, connection: sql.Connection) -> set[str]:
        return set(connection.execute(sql.select(WORDS.c.name).where(WORDS.c.store == self._store.address)).scalars())

    def _speak(self, connection: sql.Connection, new: set[str], lost: set[str]) -> None:
        """Take up what was said on the way to an approval."""
        self._delete(connection, WORDS, WORDS.c.name, sorted(new | lost))
        said = [{"name": name, "said": word.as_text()} for name, word in self._store.words(new)] if new else []
        _insert(connection, WORDS, [{"store": self._store.address, **each} for each in said])

    def _stand(self, connection: sql.Connection, keys: list[str]) -> None:
        """Tags and pins of some runs, from all that was said of them."""
        here = self._store.address
        for some in _portions(keys):
            self._delete(connection, TAGS, TAGS.c.key, some)
            found = connection.execute(
                sql.select(MARKS).where(MARKS.c.store == here, MARKS.c.run.in_(some)).order_by(MARKS.c.name)
            ).fetchall()
            said: dict[str, list[Mark]] = {key: [] for key in some}
            for row in found:
                said[row.run].append(Mark(row.run, row.kind, row.text, row.by, row.when))
            stands = {key: standing(marks) for key, marks in said.items() if marks}
            _insert(
                connection,
                TAGS,
                [{"store": here, "key": key, "tag": tag} for key, each in stands.items() for tag in each.tags],
            )
            for key, each in stands.items():
                connection.execute(
                    sql.update(RUNS).where(RUNS.c.store == here, RUNS.c.key == key).values(pinned=each.pinned)
                )


def _after(key: str) -> Any:
    """What comes after a run in the list; R151 where that is no key."""
    parts = key.split("/")
    if len(parts) != DEPTH:
        fail("R151", f"`{key}` is no key of a run", hint="take it from the list: study/model/region/time/commit-id")
    moment = parts[3]
    earlier = sql.and_(RUNS.c.time == moment, RUNS.c.id < id_of(Path(key)))
    return sql.or_(RUNS.c.time < moment, earlier)


def _compared(condition: Condition) -> Any:
    return COMPARISONS[condition.operator](NUMBERS.c.value, condition.number)


def _why_not(store: Store, key: str) -> tuple[Letter, ...]:
    """Why a run can not be read."""
    try:
        store.record(key)
    except ModelworksError as error:
        return error.letters
    return ()


def _told(store: Store, key: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a list shows of a run, and its numbers; of one that can not be read, why."""
    study, model, region, moment, folder = key.split("/")
    row: dict[str, Any] = dict.fromkeys(column.name for column in RUNS.columns if column.name != "store")
    row |= {"key": key, "id": id_of(Path(key)), "study": study, "model": model, "region": region, "time": moment}
    row |= {"commit": folder[:7], "pinned": False, "dirty": False}
    try:
        record = store.record(key)
    except ModelworksError as error:
        return {**row, "damage": str(error.letters[0])}, []
    known = record.get("provenance") or {}
    row |= {name: record.get(name) for name in ("until", "verdict", "finished", "seconds", "title", "answer")}
    row |= {"person": known.get("person"), "dirty": bool(known.get("dirty"))}
    return row, list(numbers_of(record))


def _row(found: Mapping[str, Any], tags: tuple[str, ...], promotion: Promotion | None) -> Row:
    fields = {name: found[name] for name in Row.__dataclass_fields__ if name not in ("tags", "promotion")}
    return Row(**fields, tags=tags, promotion=promotion)


def _fields(mark: Mark) -> dict[str, str]:
    return {name: getattr(mark, name) for name in Mark.__dataclass_fields__}


def _insert(connection: sql.Connection, table: sql.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sql.insert(table), rows)


def _portions(values: list[str], size: int = 500) -> Iterator[list[str]]:
    """Values in portions; an old SQLite takes 999 in one question."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _letters(url: str) -> contextlib.AbstractContextManager[None]:
    hint = "see whether its server runs and who may use it; without one, take `index` out of modelworks.toml"
    return answering(url, "R150", "the index of runs", hint)
