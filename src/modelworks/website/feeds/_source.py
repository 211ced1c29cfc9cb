"""The runs that a feed tells of, the latest first, and their tables a stretch at a time: never all runs in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from modelworks.errors import ModelworksError
from modelworks.runs import Promotion, Row, Store
from modelworks.website.feeds._of_run import table_of
from modelworks.website.feeds._schema import RUNS, Table

# Bytes of tables kept in memory for who asks again: a page of a feed comes with the pages beside it.
KEPT_BYTES = 64 * 2**20
# Hidden columns that say where a row stands among all: runs from the latest, rows within a run from the first.
MOMENT, ROW = "_moment", "_row"


@dataclass(frozen=True, slots=True)
class Entry:
    """A run that a feed tells of: its row in the table of runs, and the store that has its folder."""

    row: Mapping[str, Any]
    store: Store

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def moment(self) -> str:
        """Where it stands among all runs: no two stand at the same place, and a later one at a greater."""
        return f"{self.row['key'].split('/')[3]}/{self.id}"


def entry(key: str, said: Mapping[str, Any], store: Store, promotion: Promotion | None = None) -> Entry:
    """A run as the feeds tell of it, from what its record, or its row of the index, says."""
    study, model, region, moment, folder = key.split("/")
    known = said.get("provenance") or said
    told: dict[str, Any] = {name: said.get(name) for name in ("title", "answer", "verdict", "seconds", "until")}
    told |= {
        "key": key,
        "id": folder.rpartition("-")[2],
        "study": study,
        "model": model,
        "region": region,
        "commit": folder[:7],
    }
    told |= {"person": known.get("person"), "dirty": bool(known.get("dirty"))}
    told |= {"made": datetime.fromisoformat(moment).replace(tzinfo=None), "finished": _moment(said.get("finished"))}
    told["approved"] = promotion is not None and promotion.state == "approved"
    if promotion is not None and told["approved"]:
        told |= {"approved_by": ", ".join(promotion.signers), "approved_at": _moment(promotion.approved)}
    return Entry(told, store)


def entry_of_row(row: Row, store: Store, *, promoted: bool = True) -> Entry:
    """A run of the index; with `promoted` also whether it is stood behind."""
    told = {each.name: getattr(row, each.name) for each in fields(row)}
    return entry(row.key, told, store, row.promotion if promoted else None)


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        return None


@dataclass(frozen=True)
class Feed:
    """Runs, the latest first. `cache` may be shared by several feeds: a run's tables never change."""

    entries: Sequence[Entry]
    cache: TableCache
    # What was lined up before, and the places at which it is told otherwise here.
    _before: tuple[Feed, Sequence[int]] | None = None
    _made: list[pa.Table] = field(default_factory=list)

    def but_for(self, others: Mapping[int, Entry]) -> Feed:
        """The same runs, with something else told of those at some places."""
        entries = list(self.entries)
        for place, each in others.items():
            entries[place] = each
        return Feed(entries, self.cache, (self, list(others)))

    def chunks(self, table: Table, entries: Sequence[Entry]) -> Iterator[pa.Table]:
        """The rows of a table, a chunk for each of these runs, with the columns that say where each row stands.

        The table of runs itself comes whole, for all runs.
        """
        if table.name == RUNS.name:
            yield self._runs()
            return
        for each in entries:
            yield placed(self.cache.table(each, table), each.moment)

    def _runs(self) -> pa.Table:
        # Two threads that make it at once make the same.
        if not self._made:
            self._made.append(_table_of(self.entries) if self._before is None else self._made_anew(*self._before))
        return self._made[0]

    def _made_anew(self, before: Feed, places: Sequence[int]) -> pa.Table:
        """The table of before with other rows at some places: to make all of ten thousand takes half a second."""
        order = np.arange(len(self.entries))
        order[places] = len(order) + np.arange(len(places))
        return pa.concat_tables([before._runs(), _table_of([self.entries[place] for place in places])]).take(order)


def _table_of(entries: Sequence[Entry]) -> pa.Table:
    """The table of runs, with the columns that say where each row stands among all."""
    made = pa.Table.from_pylist([dict(each.row) for each in entries], RUNS.arrow())
    moments = pa.array([each.moment for each in entries], pa.string())
    return made.append_column(MOMENT, moments).append_column(ROW, pa.array([0] * len(entries), pa.int64()))


def placed(table: pa.Table, moment: str) -> pa.Table:
    """A run's table with the columns that say where its rows stand among all."""
    stand = pa.repeat(pa.scalar(moment, pa.string()), table.num_rows)
    return table.append_column(MOMENT, stand).append_column(ROW, pa.array(np.arange(table.num_rows)))


class TableCache:
    """Tables of runs, those asked for last, up to some bytes; how many rows the others have is remembered as well."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most = most_bytes
        self._tables: OrderedDict[tuple[str, str], pa.Table] = OrderedDict()
        self._rows: dict[tuple[str, str], int] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def table(self, of: Entry, table: Table) -> pa.Table:
        """A table of one run; one that was pruned meanwhile has no rows to tell of. W221 for one that is damaged."""
        name = (str(of.row["key"]), table.name)
        with self._lock:
            found = self._tables.get(name)
            if found is not None:
                self._tables.move_to_end(name)
                return found
        made = _read(of, table)
        if made is None:
            return table.arrow().empty_table()
        with self._lock:
            self._keep(name, made)
        return made

    def rows(self, of: Entry, table: Table) -> int:
        """How many rows a table of a run has."""
        known = self._rows.get((str(of.row["key"]), table.name))
        return self.table(of, table).num_rows if known is None else known

    def _keep(self, name: tuple[str, str], table: pa.Table) -> None:
        self._rows[name] = table.num_rows
        if name in self._tables or table.nbytes > self._most // 2:
            return
        self._tables[name] = table
        self._bytes += table.nbytes
        while self._bytes > self._most:
            self._bytes -= self._tables.popitem(last=False)[1].nbytes


def _read(of: Entry, table: Table) -> pa.Table | None:
    """A table of a run; None where its folder is no more."""
    try:
        return table_of(of.store.open(of.row["key"]), table)
    except (ModelworksError, FileNotFoundError):
        if of.store.stamp(of.row["key"]) is not None:
            raise
        return None
