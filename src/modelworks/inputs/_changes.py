"""What differs between two editions of a table: rows that came, rows that went, cells that are another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks.inputs.catalogue import Dataset

if TYPE_CHECKING:
    import pandas as pd

# So many are listed; all are counted.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One row that came or went, or one cell of a row: `row` says which, `before` and `after` what it held."""

    what: str
    row: str
    column: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """How many rows came and went, how many cells are another, and the first of them.

    `key` are the columns that tell rows apart; without any a cell that changed is a row that went and one that came.
    """

    added: int
    gone: int
    changed: int
    key: tuple[str, ...]
    first: tuple[Change, ...]


def changes(before: Dataset, after: Dataset) -> Changes:
    """What differs between the tables of two editions of a dataset, whatever the order of their rows.

    Raises
    ------
    ModelworksError
        Where one of the tables can not be had.
    """
    old, new = before.table(), after.table()
    key = _key(before, old, new)
    return _by_key(old, new, key) if key else _by_row(old, new)


def _key(dataset: Dataset, old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """The columns that tell the rows of both apart: those of a check that says so, else the days and texts."""
    said = [list(check.arguments["columns"]) for check in dataset.checks if check.rule == "unique"]
    named = [name for name, column in dataset.columns.items() if column.kind in ("date", "text")]
    for names in (*said, named):
        if names and all(
            not each[names].isna().any(axis=None) and not each.duplicated(names).any() for each in (old, new)
        ):
            return names
    return []


def _by_key(old: pd.DataFrame, new: pd.DataFrame, key: list[str]) -> Changes:
    index = key if len(key) > 1 else key[0]
    before, after = old.set_index(index), new.set_index(index)
    came, went = after.index.difference(before.index, sort=False), before.index.difference(after.index, sort=False)
    both = before.index.intersection(after.index, sort=False)
    left, right = before.loc[both], after.loc[both, before.columns]
    unlike = ((left != right) & ~(left.isna() & right.isna())).to_numpy(dtype=bool)

    def cells() -> Iterator[Change]:
        for row, column in np.argwhere(unlike):
            yield Change(
                "changed", _named(key, both[row]), str(left.columns[column]),
                _shown(left.iat[row, column]), _shown(right.iat[row, column]),
            )  # fmt: skip

    rows = chain(
        cells(),
        (Change("gone", _named(key, each)) for each in went),
        (Change("added", _named(key, each)) for each in came),
    )
    return Changes(len(came), len(went), int(unlike.sum()), tuple(key), tuple(islice(rows, MOST_LISTED)))


def _by_row(old: pd.DataFrame, new: pd.DataFrame) -> Changes:
    """As multisets of whole rows."""
    before, after = (Counter(_rows(each)) for each in (old, new))
    went, came = before - after, after - before
    rows = chain(
        (Change("gone", _named(old.columns, each)) for each in went.elements()),
        (Change("added", _named(old.columns, each)) for each in came.elements()),
    )
    return Changes(came.total(), went.total(), 0, (), tuple(islice(rows, MOST_LISTED)))


def _rows(table: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    # An empty number is not equal to itself; what is shown of it is.
    return zip(*(table[name].map(_shown) for name in table.columns), strict=True)


def _named(key: Iterable[str], row: Any) -> str:
    values = row if isinstance(row, tuple) else (row,)
    return ", ".join(f"{name} {_shown(value)}" for name, value in zip(key, values, strict=True))


def _shown(value: Any) -> str:
    """A cell as a person writes it: a day without its midnight, a whole number without a point, nothing for nothing."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(float(value))
    return str(value).removesuffix(" 00:00:00")
