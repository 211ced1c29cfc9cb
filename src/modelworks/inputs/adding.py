"""A file becomes a dataset: what can be guessed of it, and its entry in the catalogue.

What nobody can guess (whose it is, what may be done with it) is for a person to say.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelworks.errors import ModelworksError, counted, fail
from modelworks.inputs._cells import USUAL_FORM, TextForm
from modelworks.inputs._guessing import Guess, find_header, guess_columns, quoted
from modelworks.inputs._prepared import is_a_name
from modelworks.inputs._raw import raw_bytes
from modelworks.inputs._writing import replace_file
from modelworks.inputs.catalogue import FILE, Catalogue
from modelworks.inputs.encryption import ENDING, encrypt_file, encrypted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Proposal:
    """A file and what was guessed of it; what is empty is for a person to say."""

    path: Path
    name: str
    columns: tuple[Guess, ...]
    header: int = 1
    sheet: str = ""
    form: TextForm = USUAL_FORM
    title: str = ""
    publisher: str = ""
    licence: str = ""
    source: str = ""
    url: str = ""
    sensitive: bool = False
    large: bool = False


def propose(
    path: Path,
    catalogue: Catalogue,
    *,
    sheet: str = "",
    days: str = "",
    numbers: str = "",
    texts: Sequence[str] = (),
    form: TextForm = USUAL_FORM,
) -> Proposal:
    """What can be guessed of a file: its name, the line of its header, its columns.

    `days` is how it writes its days, and `numbers` what the digits are in 1.204 (`decimals` or `thousands`), where that
    can not be seen; `texts` are columns that hold texts, whatever they look like; `form` says how a file of text is
    written, whose semicolons are seen.

    Raises
    ------
    ModelworksError
        D102, D104, D112 or D119 where it can not be read, D106 or D108 where a column is mostly numbers or days, or
        03/04 may be in March or in April, D120 where 1.204 may be 1204, D145 where it is in the catalogue already.
    """
    found = raw_bytes(path, path.parent)
    same = hashlib.sha256(found).hexdigest()
    for each in catalogue.values():
        if each.checksum == same:
            fail(
                "D145", f"`{path.name}` is the dataset `{each.name}` already", hint=f"modelworks data show {each.name}"
            )
    if not form.separator and _has_semicolons(found, form.encoding):
        form = replace(form, separator="semicolon")
    cells, header = find_header(found, path.name, sheet, form)
    columns = guess_columns(cells, days, numbers, texts)
    return Proposal(path, _free_name(path.stem, catalogue.names), columns, header, sheet, form)


def _has_semicolons(found: bytes, encoding: str) -> bool:
    """Whether the first lines of a text have semicolons, and all as many."""
    lines = found[:10_000].decode(encoding, "ignore").splitlines()[:-1][:20]
    return len({line.count(";") for line in lines}) == 1 and ";" in lines[0]


def _free_name(stem: str, taken: Sequence[str]) -> str:
    """A name for the dataset from that of the file."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60] or "data"
    several = (name, *(f"{name}-{k}" for k in range(2, len(taken) + 3)))
    return next(each for each in several if each not in taken)


def add(proposal: Proposal, root: Path, today: date) -> tuple[str, list[str]]:
    """Copy the file under `data/raw/` and write its entry, with checks that hold today.

    Gives the entry, and what somebody should look at.

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
        checks, remarks = ("", []) if proposal.sensitive else _looked_at(dataset.table(), proposal.columns)
    except ModelworksError:
        replace_file(path, before.encode())
        raise
    replace_file(path, (above + entry + checks).encode())
    if proposal.large:
        _hide_from_git(raw, data)
    return entry + checks, remarks


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
        "separator": proposal.form.separator,
        "encoding": "" if proposal.form.encoding == USUAL_FORM.encoding else proposal.form.encoding,
    }
    lines = [f"{proposal.name}:", *(f"  {name}: {value}" for name, value in said.items() if value), "  columns:"]
    lines += [f"    {quoted(each.name)}: {each.entry}" for each in proposal.columns]
    return "\n".join(lines) + "\n"


def _key(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """What tells rows apart: one column that does so alone (a number of a case), else all that are never empty."""
    full = [name for name in names if table[name].notna().all()]
    return next(([name] for name in full if table[name].is_unique), full)


def _looked_at(table: pd.DataFrame, columns: Iterable[Guess]) -> tuple[str, list[str]]:
    """Checks that hold today (one row for each day and place, days without a gap), and remarks where one does not."""
    kinds = {each.name: each.unit for each in columns}
    keys = _key(table, [name for name, unit in kinds.items() if unit in ("date", "text")])
    days = [name for name, unit in kinds.items() if unit == "date"]
    counts = [name for name, unit in kinds.items() if unit == "people"]
    below = {name: np.flatnonzero(table[name] < 0).tolist() for name in counts}
    remarks = [
        f"`{name}` has {counted(len(rows), 'number')} below 0, the first in row {rows[0] + 1}: corrections?"
        for name, rows in below.items()
        if rows
    ]
    if not days or not keys:
        return "", remarks
    lines = []
    repeats = table.duplicated(keys)
    if repeats.any():
        row = int(repeats.to_numpy().argmax()) + 1
        remarks.append(f"{int(repeats.sum()):,} rows repeat another one's {' and '.join(keys)}, the first is row {row}")
    else:
        lines.append(
            f"    one row for each {' and '.join(keys)}: {{unique: {{columns: [{', '.join(map(quoted, keys))}]}}}}"
        )
    apart = table[days[0]].dropna().sort_values().diff().dropna().dt.days if keys == days and len(days) == 1 else None
    if apart is not None and apart.nunique() == 1 and apart.iloc[0] > 0:
        lines.append(f"    no day missing: {{every: {{column: {quoted(days[0])}, days: {apart.iloc[0]}}}}}")
    return ("  checks:\n" + "\n".join(lines) + "\n" if lines else ""), remarks
