"""Every dataset of a repository: what it is, whose it is, and what its columns mean.

A dataset is either a file as it was received, held to its checksum, or the answer of a function
under `data/prepare/`. Either way one gets a table with the declared columns and no others: a column
without a unit and a meaning is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from modelworks import units
from modelworks.errors import Letters, ModelworksError, fail, near
from modelworks.inputs import _prepared, _tables
from modelworks.inputs._fields import Fields, groups
from modelworks.inputs._nodes import MappingNode, Place
from modelworks.inputs._reading import Reading
from modelworks.inputs._yaml import read_mapping
from modelworks.inputs.priors import Bounds

if TYPE_CHECKING:
    import pandas as pd

FILE = "catalogue.yaml"
FIELDS = (
    "title",
    "publisher",
    "licence",
    "source",
    "retrieved",
    "file",
    "sha256",
    "prepare",
    "uses",
    "sensitivity",
    "columns",
    "meaning",
)
COLUMN_FIELDS = ("unit", "meaning", "lower", "upper", "missing")
ColumnKind = Literal["date", "text", "number"]


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column. `unit` is `date`, `text`, or the unit of its numbers.

    `missing` says whether an empty cell is allowed; a limit is part of what is allowed.
    """

    name: str
    unit: str
    meaning: str
    bounds: Bounds
    missing: bool
    place: Place

    @property
    def kind(self) -> ColumnKind:
        return "date" if self.unit == "date" else "text" if self.unit == "text" else "number"


@dataclass(frozen=True)
class Dataset:
    """One entry of the catalogue. Exactly one of `file` and `prepare` is there; `root` is the repository's."""

    name: str
    title: str
    publisher: str
    licence: str
    source: str
    retrieved: str
    file: str | None
    prepare: str | None
    uses: tuple[str, ...]
    checksum: str | None
    sensitivity: str
    columns: Mapping[str, Column]
    meaning: str
    place: Place
    root: Path = field(repr=False)

    @property
    def path(self) -> Path:
        """The file the table is read from; a prepared one is made when it is first asked for."""
        if self.file is not None:
            return self.root / "data" / self.file
        return _prepared.path(self)

    @cached_property
    def sha256(self) -> str:
        """What tells this dataset's content from any other: the checksum of its file, or of all it is prepared from.

        Raises
        ------
        ModelworksError
            Where a file is missing or differs from its checksum (D102, D103).
        """
        return _tables.checked(self) if self.prepare is None else _prepared.key(self)

    @cached_property
    def _table(self) -> pd.DataFrame:
        content = self.content()
        return _tables.read(content, self)

    def content(self) -> bytes:
        """The bytes of the table's file, held to their checksum."""
        return _tables.content(self) if self.prepare is None else _prepared.content(self)

    def table(self) -> pd.DataFrame:
        """The declared columns, in their order: dates as datetime64, numbers as float64, text as text.

        Raises
        ------
        ModelworksError
            With every mistake of the file: a column missing, a cell that is no number, one outside its limits.
        """
        return self._table.copy()

    def files(self) -> tuple[Path, ...]:
        """The files the table is made from: the raw file, or the function's file and what it uses."""
        if self.prepare is None:
            return (self.path,)
        return _prepared.files(self)


@dataclass(frozen=True)
class Catalogue(Mapping[str, Dataset]):
    """Every dataset by name. `names` also has those whose entry could not be read."""

    file: str
    entries: Mapping[str, Dataset]
    names: tuple[str, ...] = ()

    @classmethod
    def read(cls, root: Path) -> Catalogue:
        """The catalogue of the repository at `root`; a `ModelworksError` with every mistake of it."""
        letters = Letters()
        catalogue = read_catalogue(Reading(root), letters)
        letters.raise_if_any()
        return catalogue

    def __getitem__(self, name: str) -> Dataset:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def dataset(self, name: str) -> Dataset:
        """A dataset by name; a letter where there is none (D101)."""
        if name not in self.entries:
            fail("D101", f"there is no dataset `{name}` in {self.file}", hint=near(name, self.names))
        return self.entries[name]


def read_catalogue(reading: Reading, letters: Letters) -> Catalogue:
    """The catalogue under `data/`; empty where there is none, for a study may need no dataset."""
    path = reading.root / "data" / FILE
    shown = reading.shown(path)
    if not path.exists():
        return Catalogue(shown, {})
    content = reading.text_file(path, None, letters)
    if content is None or _says_nothing(content):
        return Catalogue(shown, {})
    node = read_mapping(content, shown, letters)
    if node is None:
        return Catalogue(shown, {})
    entries = {}
    for name, group in groups(node, letters, "dataset"):
        entry = _entry(name, group, node.keys[name], reading.root, letters)
        if entry is not None:
            entries[name] = entry
    return Catalogue(shown, entries, tuple(node.fields))


def _says_nothing(content: bytes) -> bool:
    """Whether a file has only comments and blank lines, as a new repository's catalogue has."""
    return all(not line.strip() or line.lstrip().startswith(b"#") for line in content.splitlines())


def _entry(name: str, group: MappingNode, place: Place, root: Path, letters: Letters) -> Dataset | None:
    before = len(letters.collected)
    fields = Fields(group, letters, f"the dataset `{name}`", FIELDS)
    if not _prepared.is_a_name(name):
        fields.say("D118", f"`{name[:80]}` can not be the name of a dataset", "use letters, digits, `-` and `_`")
    said = {
        key: fields.statement(key, example, "D109")
        for key, example in (
            ("title", "Cases reported each week"),
            ("publisher", "Ministry of Health"),
            ("licence", "CC BY 4.0"),
            ("source", "https://... or a citation"),
        )
    }
    _check_origin(fields)
    retrieved = fields.day("retrieved")
    entry = Dataset(
        name=name,
        title=said["title"] or "",
        publisher=said["publisher"] or "",
        licence=said["licence"] or "",
        source=said["source"] or "",
        retrieved="" if retrieved is None else retrieved.isoformat(),
        file=fields.text("file"),
        prepare=fields.text("prepare"),
        uses=fields.texts("uses"),
        checksum=_checksum(fields),
        sensitivity=fields.choice("sensitivity", ("public", "sensitive"), "public") or "public",
        columns=MappingProxyType(_columns(fields)),
        meaning=fields.text("meaning") or "",
        place=place,
        root=root,
    )
    return entry if len(letters.collected) == before else None


def _check_origin(fields: Fields) -> None:
    """A file with its checksum, or a function."""
    if ("file" in fields) == ("prepare" in fields):
        both = "both a file and a function" if "file" in fields else "neither a file nor a function"
        fields.say(
            "D110",
            f"{fields.what} has {both}, but exactly one is wanted",
            "write `file: raw/cases.csv`, or `prepare: prepare/cases.py:weekly`",
        )
    if "file" in fields:
        fields.need("sha256", "the first word that `sha256sum` prints for the file", "D113")
        if "uses" in fields:
            fields.say("D110", f"{fields.what} has `uses`, which belongs to `prepare`", "remove it", "uses")


def _checksum(fields: Fields) -> str | None:
    text = fields.text("sha256")
    if text is None:
        return None
    if len(text) == 64 and set(text.lower()) <= set("0123456789abcdef"):
        return text.lower()
    fields.say(
        "D113",
        f"{fields.what}: the checksum has {len(text)} characters, but SHA-256 has 64, each 0 to 9 or a to f",
        "copy the first word that `sha256sum` prints for the file",
        "sha256",
    )
    return None


def _columns(fields: Fields) -> dict[str, Column]:
    """The declared columns; at least one."""
    if not fields.need("columns", "{cases: {unit: people, meaning: cases reported}}", "D109"):
        return {}
    found = {}
    for name, group in fields.groups("columns", "column"):
        found[name] = _column(name, group, fields)
    return found


def _column(name: str, group: MappingNode, owner: Fields) -> Column:
    fields = Fields(group, owner.letters, f"the column `{name}`", COLUMN_FIELDS)
    unit = fields.statement("unit", "people", "D115") or "text"
    if unit not in ("date", "text"):
        try:
            units.parse(unit)
        except ModelworksError as error:
            for letter in error.letters:
                hint = f"{letter.hint}; a column may also be `date` or `text`"
                fields.say("D115", f"{fields.what}: {letter.message}", hint, "unit")
    bounds = Bounds(fields.number("lower"), fields.number("upper"))
    if bounds.low > bounds.high:
        fields.say("D117", f"{fields.what}: `lower` is above `upper`", "exchange them", "lower")
    if unit in ("date", "text") and bounds != Bounds():
        fields.say("D117", f"{fields.what} has limits, but holds no numbers", "remove `lower` and `upper`", "unit")
    meaning = fields.statement("meaning", "cases reported in the week", "D109") or ""
    missing = fields.choice("missing", ("allowed", "refused"), "allowed") != "refused"
    return Column(name, unit, meaning, bounds, missing, fields.node.place)


def check_dataset(dataset: Dataset, letters: Letters) -> None:
    """Whether a dataset's table can be had, with all its columns as declared."""
    try:
        dataset.table()
    except ModelworksError as error:
        letters.extend(letter if letter.file else letter.at(*dataset.place) for letter in error.letters)
