"""Which run a file or a number comes from: by what the file says, by its checksum, or by the number in a record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modelworks.errors import ModelworksError
from modelworks.runs._fingerprint import file_hash
from modelworks.runs._origin import beside, origins_of
from modelworks.runs._run import CHECKSUMS, RECORD

if TYPE_CHECKING:
    from modelworks.runs._index import Index

# A number as somebody copied it out of a report, with our minus or that of a keyboard, and commas at the thousands.
_NUMBER = re.compile(r"[-−]?\d[\d,]*(\.\d+)?(\s*\([^()]*\))?")
# A report shows three digits of a number, and zeros behind them.
_DIGITS_SHOWN = 3
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


def trace_file(index: Index, path: Path) -> Iterator[Trace]:
    """The runs that a file comes from, the latest first."""
    origins = origins_of(path)
    if origins or beside(path).is_file():
        there = index.there(each.key for each in origins)
        yield from (Trace(each.key, each.file, "says so", each.key in there) for each in origins)
        return
    wanted = file_hash(path)
    for key in index.with_file(wanted):
        for name, checksum in _part(index, key, CHECKSUMS).items():
            if checksum == wanted:
                yield Trace(key, name, "checksum")


def trace_number(index: Index, text: str) -> Iterator[Trace]:
    """The runs with a number that reads so, to as many digits as it was given with; the latest first.

    Zeros at the end of a whole number may be what a report left out: 1,010 is also 1,014, of which it shows three
    digits.
    """
    plain = text.partition("(")[0].strip().replace("−", "-").replace(",", "")
    half = 0.5 * 10.0 ** _last_place(plain)
    # A little more than what is rounded to it; the record itself has the last word.
    more = half * 1.0000001 + abs(float(plain)) * 1e-12
    for key in index.with_number(float(plain) - more, float(plain) + more):
        for name, said in _numbers(_part(index, key, RECORD), plain):
            yield Trace(key, name, "number", text=said)


def _last_place(plain: str) -> int:
    """The power of ten of the last digit that somebody may have meant.

    >>> _last_place("3.20"), _last_place("1010"), _last_place("1200"), _last_place("100"), _last_place("1235")
    (-2, 1, 1, 0, 0)
    """
    whole, _, decimals = plain.lstrip("-").partition(".")
    if decimals:
        return -len(decimals)
    return max(min(len(whole) - len(whole.rstrip("0")), len(whole) - _DIGITS_SHOWN), 0)


def is_number(text: str) -> bool:
    """Whether a text reads as a number in a report does, alone or with its interval.

    >>> is_number("3.20"), is_number("1,234"), is_number("2.54 (2.38 to 2.72)"), is_number("figure.png")
    (True, True, True, False)
    """
    return _NUMBER.fullmatch(text.strip()) is not None


def _numbers(record: Mapping[str, Any], plain: str) -> Iterator[tuple[str, str]]:
    for group in ("quantities", "parameters"):
        for name, said in (record.get(group) or {}).items():
            parts = {part: said[part] for part in _PARTS if isinstance(said.get(part), (int, float))}
            met = next((part for part, value in parts.items() if _reads(value, plain)), None)
            if met is not None:
                yield name, f"its {met} is {parts[met]!r}" + (f" {said['unit']}" if said.get("unit") else "")


def _reads(value: float, plain: str) -> bool:
    """Whether a number is written so, with all its digits or with those that a report shows."""
    decimals = len(plain.partition(".")[2])
    return f"{value:.{decimals}f}" == plain or round(value, -_last_place(plain)) == float(plain)


def _part(index: Index, key: str, name: str) -> Mapping[str, Any]:
    try:
        return index.part(key, name)
    except ModelworksError:
        # A run that can not be read, or went meanwhile, is none that anything can be traced to.
        return {}
