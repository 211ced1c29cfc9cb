"""Which run a file or a number comes from: by what the file says, by its checksum, or by the number in a record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from modelworks.errors import ModelworksError
from modelworks.runs._fingerprint import file_hash
from modelworks.runs._origin import beside, origins_of
from modelworks.runs._run import CHECKSUMS
from modelworks.runs._store import Store

# A number as somebody copied it out of a report, with our minus or that of a keyboard, and commas at the thousands.
_NUMBER = re.compile(r"[-−]?\d[\d,]*(\.\d+)?")
_PARTS = ("median", "low", "high", "mean", "value")


@dataclass(frozen=True, slots=True)
class Trace:
    """A run that something comes from: `name` is the file in it, or the number; `how` it was found.

    `there` says whether the run is in the store.
    """

    key: str
    name: str
    how: Literal["says so", "checksum", "number"]
    there: bool = True
    text: str = ""


def trace_file(store: Store, path: Path) -> list[Trace]:
    """The runs of a store that a file comes from, the latest first."""
    there = set(store.published())
    found = [Trace(each.key, each.file, "says so", each.key in there) for each in origins_of(path)]
    if found or beside(path).is_file():
        return found
    wanted = file_hash(path)
    return [
        Trace(key, name, "checksum")
        for key in sorted(there, key=_moment, reverse=True)
        for name, checksum in _checksums(store, key).items()
        if checksum == wanted
    ]


def trace_number(store: Store, text: str) -> list[Trace]:
    """The runs of a store with a number that reads so, to as many digits as it was given with; the latest first.

    >>> is_number("3.20"), is_number("1,234"), is_number("figure.png")
    (True, True, False)
    """
    return [
        Trace(key, name, "number", text=said)
        for key in sorted(store.published(), key=_moment, reverse=True)
        for name, said in _numbers(_record(store, key), text.strip())
    ]


def is_number(text: str) -> bool:
    """Whether a text reads as a number in a report does."""
    return _NUMBER.fullmatch(text.strip()) is not None


def _numbers(record: Mapping[str, Any], text: str) -> Iterator[tuple[str, str]]:
    plain = text.replace("−", "-").replace(",", "")
    decimals = len(plain.partition(".")[2])
    for group in ("quantities", "parameters"):
        for name, said in (record.get(group) or {}).items():
            parts = {part: said[part] for part in _PARTS if isinstance(said.get(part), (int, float))}
            met = next((part for part, value in parts.items() if f"{value:.{decimals}f}" == plain), None)
            if met is not None:
                yield name, f"its {met} is {parts[met]!r}" + (f" {said['unit']}" if said.get("unit") else "")


def _moment(key: str) -> tuple[str, str]:
    moment, _, name = key.rpartition("/")
    return moment.rpartition("/")[2], name


def _checksums(store: Store, key: str) -> Mapping[str, Any]:
    try:
        return store.part(key, CHECKSUMS)
    except ModelworksError:
        # A run that can not be read, or went meanwhile, is none that anything can be traced to.
        return {}


def _record(store: Store, key: str) -> Mapping[str, Any]:
    try:
        return store.record(key)
    except ModelworksError:
        return {}
