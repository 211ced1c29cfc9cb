"""The tables of an index of runs, and what of a run goes into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from modelworks.errors import ModelworksError
from modelworks.runs._find import FACETS, PARTS, numbers_of
from modelworks.runs._run import CHECKSUMS, id_of
from modelworks.runs._store import folder_name

if TYPE_CHECKING:
    from modelworks.runs._store import Store

# Of another edition an index is thrown away and made anew.
EDITION = 7
# A lock of PostgreSQL that all who refresh an index of runs agree upon.
LOCK = 0x6D77_7275

SCHEMA = sql.MetaData()
_TEXT, _NUMBER = sql.Text(), sql.Float(53)


def _table(name: str, keys: Mapping[str, Any], **columns: Any) -> sql.Table:
    return sql.Table(
        f"modelworks_{name}",
        SCHEMA,
        sql.Column("store", _TEXT, primary_key=True),
        *(sql.Column(each, kind, primary_key=True) for each, kind in keys.items()),
        *(sql.Column(each, kind) for each, kind in columns.items()),
    )


RUNS = _table(
    "runs",
    {"key": _TEXT},
    id=_TEXT, study=_TEXT, of_study=_TEXT, changes=_TEXT,
    model=_TEXT, region=_TEXT, time=_TEXT, commit=_TEXT, dirty=sql.Boolean(), until=_TEXT,
    verdict=_TEXT, finished=_TEXT, seconds=_NUMBER, title=_TEXT, answer=_TEXT, person=_TEXT, pinned=sql.Boolean(),
    damage=_TEXT, stamp=_TEXT,
)  # fmt: skip
NUMBERS = _table("numbers", {"key": _TEXT, "kind": _TEXT, "name": _TEXT}, **dict.fromkeys(PARTS, _NUMBER))
# What tells a run's files apart: the first digits of the checksum of each, read when somebody first asks for them.
FILES = _table("files", {"key": _TEXT}, checksums=_TEXT)
TAGS = _table("tags", {"key": _TEXT, "tag": _TEXT})
FOLDERS = _table("folders", {"folder": _TEXT}, changed=sql.BigInteger(), settled=sql.Boolean())
MARKS = _table("marks", {"name": _TEXT}, run=_TEXT, kind=_TEXT, text=_TEXT, by=_TEXT, when=_TEXT)
WORDS = _table("words", {"name": _TEXT}, said=_TEXT)
ABOUT = _table("about", {"name": _TEXT}, value=_TEXT)

sql.Index("modelworks_runs_in_order", RUNS.c.store, RUNS.c.time.desc(), RUNS.c.id.desc())
sql.Index("modelworks_runs_by_id", RUNS.c.store, RUNS.c.id)
# Counts those of a study, gives them in order, and finds the damaged ones, without a look at any row.
for _name in ("study", "of_study"):
    _latest = (RUNS.c[_name], RUNS.c.time.desc(), RUNS.c.id.desc())
    sql.Index(f"modelworks_runs_by_{_name}", RUNS.c.store, RUNS.c.damage, *_latest)
# Counts the runs by what they are narrowed by (`FACETS`) without a look at any row.
sql.Index("modelworks_runs_of_facets", RUNS.c.store, RUNS.c.damage, *(RUNS.c[name] for name in FACETS))
sql.Index("modelworks_numbers_by_name", NUMBERS.c.store, NUMBERS.c.name, NUMBERS.c.value)
# Few are damaged, and every list asks which.
_DAMAGED = RUNS.c.damage.is_not(None)
sql.Index("modelworks_runs_damaged", RUNS.c.store, RUNS.c.key, sqlite_where=_DAMAGED, postgresql_where=_DAMAGED)
for _part in PARTS:
    sql.Index(f"modelworks_numbers_by_{_part}", NUMBERS.c.store, NUMBERS.c[_part])

# Enough that hardly ever another file begins so; the run's own list has the last word.
_DIGITS = 20


def row_of(store: Store, key: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a list shows of a run, and its numbers; of one that can not be read, why."""
    study, model, region, moment, folder = key.split("/")
    row: dict[str, Any] = dict.fromkeys(column.name for column in RUNS.columns if column.name != "store")
    row |= {"key": key, "id": id_of(Path(key)), "study": study, "model": model, "region": region, "time": moment}
    row |= {"commit": folder[:7], "of_study": study, "pinned": False, "dirty": False}
    try:
        record = store.record(key)
    except ModelworksError as error:
        return {**row, "damage": str(error.letters[0])}, []
    known = record.get("provenance") or {}
    row |= {name: record.get(name) for name in ("until", "verdict", "finished", "seconds", "title", "answer")}
    row |= {"person": known.get("person"), "dirty": bool(known.get("dirty"))}
    if rerun := record.get("rerun"):
        row |= {"of_study": folder_name(rerun.get("of") or study), "changes": "; ".join(rerun.get("changes") or ())}
    return row, list(numbers_of(record))


def checksums_of(store: Store, key: str) -> str:
    """What begins the checksum of each file of a run; nothing where they can not be read."""
    try:
        return " ".join(beginning(str(each)) for each in store.part(key, CHECKSUMS).values())
    except ModelworksError:
        return ""


def beginning(checksum: str) -> str:
    """The digits of a checksum that the index keeps."""
    return checksum[:_DIGITS]


def insert(connection: sql.Connection, table: sql.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sql.insert(table), rows)


def portions(values: list[str], size: int = 500) -> Iterator[list[str]]:
    """Values in portions; an old SQLite takes 999 in one question."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
