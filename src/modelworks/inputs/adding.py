"""A file becomes a dataset: what can be guessed of it, and its entry in the catalogue.

What nobody can guess (whose it is, what may be done with it) is for a person to say.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from modelworks.errors import ModelworksError, fail
from modelworks.inputs._cells import MISSING, Cells, read_cells
from modelworks.inputs._prepared import is_a_name
from modelworks.inputs._raw import raw_bytes
from modelworks.inputs._scalars import EARLIEST_YEAR, LATEST_YEAR
from modelworks.inputs._writing import replace_file
from modelworks.inputs._written import ISO, PLAIN, THOUSANDS, layouts_of, number_of
from modelworks.inputs.catalogue import FILE, Catalogue
from modelworks.inputs.encryption import ENDING, encrypt_file, encrypted

if TYPE_CHECKING:
    import pandas as pd

# Titles above a table are seldom longer.
HEADER_WITHIN = 20
# What a name of a column says of its unit, the first that fits.
_UNITS = (
    (r"percent|pct|%", "percent"),
    (r"per_?100_?000|per_?100k|_100k", "per 100,000 people"),
    (r"share|fraction|proportion|coverage|probability", "proportion"),
    (r"case|death|people|population|admission|notif|test|dose|hosp|icu|infect|recover|birth|number|count", "people"),
)


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column seems to be. `example` are its first values."""

    name: str
    unit: str
    meaning: str
    written: str = ""
    at_least_zero: bool = False
    example: str = ""

    @property
    def entry(self) -> str:
        """The column as the catalogue has it."""
        said = [f"unit: {quoted(self.unit)}", f"meaning: {quoted(self.meaning)}"]
        said += ["lower: 0"] if self.at_least_zero and self.unit not in ("date", "text") else []
        said += [f"written: {self.written}"] if self.written not in ("", ISO, PLAIN) else []
        return f"{{{', '.join(said)}}}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A file and what was guessed of it; what is empty is for a person to say."""

    path: Path
    name: str
    columns: tuple[Guess, ...]
    header: int = 1
    sheet: str = ""
    title: str = ""
    publisher: str = ""
    licence: str = ""
    source: str = ""
    url: str = ""
    sensitive: bool = False
    large: bool = False


def propose(path: Path, catalogue: Catalogue, *, sheet: str = "", days: str | None = None) -> Proposal:
    """What can be guessed of a file: its name, the line of its header, its columns.

    `days` is how it writes its days, where that can not be seen.

    Raises
    ------
    ModelworksError
        D102, D104, D112 or D119 where it can not be read, D108 where 03/04 may be in March or in April, D145 where it
        is in the catalogue already.
    """
    found = raw_bytes(path, path.parent)
    same = hashlib.sha256(found).hexdigest()
    for each in catalogue.values():
        if each.checksum == same:
            fail(
                "D145", f"`{path.name}` is the dataset `{each.name}` already", hint=f"modelworks data show {each.name}"
            )
    cells, header = _cells(found, path.name, sheet)
    columns = tuple(_guess(name, cells.column(name), days) for name in cells.header if name)
    return Proposal(path, _free_name(path.stem, catalogue.names), columns, header, sheet)


def _cells(found: bytes, file: str, sheet: str) -> tuple[Cells, int]:
    """The table, from the first line on that can be its header; the first line's letters where none can."""
    first: ModelworksError | None = None
    for header in range(1, HEADER_WITHIN + 1):
        try:
            cells = read_cells(found, file, sheet=sheet, header=header)
        except ModelworksError as error:
            first = first or error
        else:
            if len(cells.header) > 1 and all(cells.header):
                return cells, header
    if first is not None:
        raise first
    return read_cells(found, file, sheet=sheet), 1


def _free_name(stem: str, taken: Sequence[str]) -> str:
    """A name for the dataset from that of the file."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60] or "data"
    several = (name, *(f"{name}-{k}" for k in range(2, len(taken) + 3)))
    return next(each for each in several if each not in taken)


def _guess(name: str, texts: Iterable[str], days: str | None) -> Guess:
    """A column's kind from all its cells, its unit from its name."""
    known = [text for text in texts if text not in MISSING]
    meaning = re.sub(r"[_\s]+", " ", name).strip() or name
    example = ", ".join(dict.fromkeys(known[:50]))[:40]
    years = all(re.fullmatch(r"\d{4}", text) and EARLIEST_YEAR <= int(text) <= LATEST_YEAR for text in known)
    layouts = layouts_of(dict.fromkeys(known))
    if layouts and (not years or re.search("year|date", name.lower())):
        written = next((each for each in (ISO, days) if each in layouts), layouts[0])
        if len(layouts) > 1 and written not in (ISO, days):
            hint = f"ask who wrote the file, then add --days {' or --days '.join(layouts)}"
            fail("D108", f"`{name}` has days such as `{known[0]}`, which may be two days", hint=hint)
        return Guess(name, "date", meaning, written, example=example)
    if re.search(r"(^|[_ ])(id|code)$", name.lower()):
        return Guess(name, "text", meaning, example=example)
    for written in (PLAIN, THOUSANDS):
        values = [value for text in known if (value := number_of(text, written)) is not None]
        if known and len(values) == len(known):
            unit = next((unit for form, unit in _UNITS if re.search(form, name.lower())), "dimensionless")
            return Guess(name, unit, meaning, written, min(values) >= 0, example)
    return Guess(name, "text", meaning, example=example)


def add(proposal: Proposal, root: Path, today: date) -> str:
    """Copy the file under `data/raw/` and write its entry, with checks that hold today; gives the entry.

    The catalogue stays as it was where the entry would have a mistake.

    Raises
    ------
    ModelworksError
        D109 where something was not said, D145 for a name or a file that is there already, and with what is wrong with
        the entry or the table.
    """
    data = root / "data"
    path = data / FILE
    unsaid = [name for name in ("title", "publisher", "licence", "source") if not getattr(proposal, name)]
    if unsaid:
        problem = f"nobody can guess the {', the '.join(unsaid)} of `{proposal.path.name}`"
        fail("D109", problem, hint=f"say it, as in --{unsaid[0]} …")
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    _check_name(proposal, before)
    raw = _in_raw(proposal, data)
    entry = _entry(proposal, raw.relative_to(data).as_posix(), hashlib.sha256(raw.read_bytes()).hexdigest(), today)
    above = before + ("\n" if before and not before.endswith("\n") else "")
    replace_file(path, (above + entry).encode())
    try:
        dataset = Catalogue.read(root).dataset(proposal.name)
        # Who encrypts data need not have a key to them.
        entry += "" if proposal.sensitive else _checks(dataset.table(), proposal.columns)
    except ModelworksError:
        replace_file(path, before.encode())
        raise
    replace_file(path, (above + entry).encode())
    if proposal.large:
        _hide_from_git(raw, data)
    return entry


def _hide_from_git(raw: Path, data: Path) -> None:
    """Git is not to take a file that the store of large files keeps."""
    ignored = data / ".gitignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
    name = re.sub(r"([\[\]*?#! ])", r"\\\1", raw.relative_to(data).as_posix())
    replace_file(ignored, "\n".join([*lines, f"/{name}", ""]).encode())


def _check_name(proposal: Proposal, catalogue: str) -> None:
    if not is_a_name(proposal.name):
        fail(
            "D118", f"`{proposal.name[:80]}` can not be the name of a dataset", hint="use letters, digits, `-` and `_`"
        )
    if re.search(rf"(?m)^{re.escape(proposal.name)}\s*:", catalogue):
        fail("D145", f"there is a dataset `{proposal.name}` already", hint="give this one a --name of its own")


def _in_raw(proposal: Proposal, data: Path) -> Path:
    """The file under `data/`: as it lies there, or a copy in `data/raw/`; encrypted where it is sensitive."""
    path = proposal.path.resolve()
    if path.is_relative_to(data.resolve()):
        there = data / path.relative_to(data.resolve())
        return encrypt_file(there, data.parent) if proposal.sensitive else there
    content = path.read_bytes()
    target = data / "raw" / path.name
    if proposal.sensitive:
        content, target = encrypted(content, data.parent), target.with_name(target.name + ENDING)
    if target.exists() and target.read_bytes() != content:
        name = f"data/raw/{target.name}"
        fail("D145", f"there is another file `{name}` already", hint="rename yours; raw files are never overwritten")
    replace_file(target, content)
    return target


def _entry(proposal: Proposal, file: str, sha256: str, today: date) -> str:
    """The text of the entry, without checks."""
    said: Mapping[str, str] = {
        "title": quoted(proposal.title),
        "publisher": quoted(proposal.publisher),
        "licence": quoted(proposal.licence),
        "source": quoted(proposal.source),
        "url": quoted(proposal.url) if proposal.url else "",
        "retrieved": today.isoformat(),
        "file": quoted(file),
        "sha256": sha256,
        "sensitivity": "sensitive" if proposal.sensitive else "",
        "kept": "store" if proposal.large else "",
        "sheet": quoted(proposal.sheet) if proposal.sheet else "",
        "header": str(proposal.header) if proposal.header > 1 else "",
    }
    lines = [f"{proposal.name}:", *(f"  {name}: {value}" for name, value in said.items() if value), "  columns:"]
    lines += [f"    {quoted(each.name)}: {each.entry}" for each in proposal.columns]
    return "\n".join(lines) + "\n"


def _checks(table: pd.DataFrame, columns: Iterable[Guess]) -> str:
    """Checks that hold today: one row for each day and place, and days without a gap."""
    kinds = {each.name: each.unit for each in columns}
    keys = [name for name, unit in kinds.items() if unit in ("date", "text")]
    days = [name for name, unit in kinds.items() if unit == "date"]
    if not keys or not days or table.duplicated(keys).any():
        return ""
    lines = [f"    one row for each {' and '.join(keys)}: {{unique: {{columns: [{', '.join(map(quoted, keys))}]}}}}"]
    apart = table[days[0]].drop_duplicates().sort_values().diff().dropna().dt.days.unique()
    if len(keys) == 1 and len(apart) == 1:
        lines.append(f"    no day missing: {{every: {{column: {quoted(days[0])}, days: {apart[0]}}}}}")
    return "  checks:\n" + "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A text as YAML reads it back, in quotation marks where it could be anything else.

    >>> quoted("Ministry of Health"), quoted("no: 5"), quoted("1e3")
    ('Ministry of Health', '"no: 5"', '"1e3"')
    """
    plain = re.fullmatch(r"[A-Za-z/(][\w ./()&+%-]*", text) and text == text.strip()
    return text if plain else json.dumps(text, ensure_ascii=False)
