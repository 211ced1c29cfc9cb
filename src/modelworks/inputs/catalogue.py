"""Every dataset of a repository: what it is, whose it is, and what its columns mean.

A dataset is either a file as it was received, held to its checksum, or the answer of a function
under `data/prepare/`. Either way one gets a table with the declared columns and no others: a column
without a unit and a meaning is not there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelworks.errors import Letter, Letters, ModelworksError, fail, near
from modelworks.inputs._cells import ENCODINGS, SEPARATORS, USUAL_FORM, TextForm
from modelworks.inputs._fields import Fields, groups
from modelworks.inputs._nodes import MappingNode, Place, shortened
from modelworks.inputs._pointers import pointer_at
from modelworks.inputs._prepared import CSV, FORMS, Recipe, is_a_name
from modelworks.inputs._raw import hold_to_checksum, raw_bytes
from modelworks.inputs._reading import Reading, file_sha256, is_a_path, shown
from modelworks.inputs._tables import read_table
from modelworks.inputs._yaml import read_mapping
from modelworks.inputs.columns import Column, read_columns
from modelworks.inputs.encryption import ENDING, decrypted, is_encrypted, without_contents
from modelworks.inputs.quality import Check, Finding, examine, read_checks

if TYPE_CHECKING:
    import pandas as pd

FILE = "catalogue.yaml"
# Titles and notes that stand above a table.
MOST_LINES_ABOVE = 1000
# An aggregate is made from sensitive data, and is itself for everybody to see.
SENSITIVITIES = ("public", "aggregate", "sensitive")
# Mistakes that say nothing of what the data hold.
ABOUT_KEYS = frozenset({"D102", "D103", "D104", "D170", "D171", "D172", "D176"})
FIELDS = (
    "title",
    "publisher",
    "licence",
    "source",
    "url",
    "retrieved",
    "file",
    "sha256",
    "sheet",
    "header",
    "separator",
    "encoding",
    "prepare",
    "uses",
    "kept_as",
    "sensitivity",
    "kept",
    "columns",
    "checks",
    "meaning",
)


@dataclass(frozen=True)
class Dataset:
    """One entry of the catalogue. Exactly one of `file` and `prepare` is there; `root` is the repository's.

    `sheet` is that of a workbook, `header` the line of the file with the names of its columns, `form` how a file of
    text is written; `kept` says whether git has the file, or the store of large files. A prepared table is `kept_as`
    CSV or Parquet.
    """

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
    checks: tuple[Check, ...] = ()
    url: str = ""
    sheet: str = ""
    header: int = 1
    kept: str = "git"
    form: TextForm = USUAL_FORM
    kept_as: str = CSV
    # Bytes that are looked at in place of those of the file.
    tried: bytes | None = field(default=None, repr=False)

    @property
    def _recipe(self) -> Recipe | None:
        if self.prepare is None:
            return None
        columns = tuple(self.columns)
        return Recipe(self.name, self.root, self.prepare, self.uses, columns, self.is_sensitive, self.kept_as)

    @property
    def is_sensitive(self) -> bool:
        """Whether nobody but the holders of a key may see it."""
        return self.sensitivity == "sensitive"

    @property
    def path(self) -> Path:
        """The file the table is read from; a prepared one is made when it is first asked for."""
        recipe = self._recipe
        return self.root / "data" / str(self.file) if recipe is None else recipe.path

    def files(self) -> tuple[Path, ...]:
        """The files the table is made from: the raw file, or the function's file and those it uses."""
        recipe = self._recipe
        return (self.path,) if recipe is None else recipe.files()

    def is_stale(self) -> bool:
        """Whether a prepared table has to be made (again) before it can be read."""
        recipe = self._recipe
        return recipe is not None and recipe.is_stale()

    @cached_property
    def sha256(self) -> str:
        """What tells this dataset's content from any other: the hash of its file, or of all it is prepared from.

        Raises
        ------
        ModelworksError
            Where a file is missing or differs from its checksum (D102, D103).
        """
        recipe = self._recipe
        return hashlib.sha256(self._raw()).hexdigest() if recipe is None else recipe.key()

    def _raw(self) -> bytes:
        """The bytes of a raw file as it lies there, held to their checksum."""
        if self.tried is not None:
            return self.tried
        if self.kept == "store" and not self.path.is_file() and pointer_at(self.path) is None:
            name = shown(self.path, self.root)
            fail(
                "D104", f"`{name}` is in the store of large files, not here", hint=f"modelworks data fetch {self.name}"
            )
        found = raw_bytes(self.path, self.root)
        hold_to_checksum(found, self.checksum, shown(self.path, self.root))
        return found

    def placed(self, error: ModelworksError) -> tuple[Letter, ...]:
        """The letters of a mistake, each at a line: that of the entry where nothing nearer is known."""
        return tuple(letter if letter.file else letter.at(*self.place) for letter in error.letters)

    def content(self) -> bytes:
        """The bytes of the table's file in the clear, held to their checksum.

        A sensitive raw file is held to that of its encrypted bytes, a prepared table to that of its own: encrypting
        the same twice gives other bytes.
        """
        recipe = self._recipe
        found = self._raw() if recipe is None else recipe.content()
        if self.is_sensitive:
            found = decrypted(found, self.path, self.root)
        if recipe is not None:
            hold_to_checksum(found, self.checksum, shown(self.path, self.root))
        return found

    def table(self) -> pd.DataFrame:
        """The declared columns, in their order: dates as datetime64, numbers as float64, text as text.

        Raises
        ------
        ModelworksError
            With every mistake of the file: a column missing, a cell that is no number, one outside its limits.
        """
        return self._table.copy()

    @cached_property
    def _table(self) -> pd.DataFrame:
        name = shown(self.path, self.root).removesuffix(ENDING)
        try:
            return read_table(
                self.content(), name, self.columns.values(),
                sheet=self.sheet, header=self.header, form=self.form, is_made=self.prepare is not None,
            )  # fmt: skip
        except ModelworksError as error:
            if self.is_sensitive and not set(error.codes) & ABOUT_KEYS:
                raise without_contents(error, f"reading `{self.name}`") from None
            raise


@dataclass(frozen=True)
class Catalogue(Mapping[str, Dataset]):
    """Every dataset by name.

    `names` also has those whose entry has a mistake; `complete` says whether the file could be read.
    """

    file: str
    entries: Mapping[str, Dataset]
    names: tuple[str, ...] = ()
    complete: bool = True

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

    def findings(self, name: str) -> list[Finding]:
        """What the checks of a dataset find in its table.

        Raises
        ------
        ModelworksError
            Where its table can not be had.
        """
        dataset = self.dataset(name)
        return examine(name, dataset.checks, dataset.table(), lambda other: self.dataset(other).table())

    def trying(self, name: str, found: bytes) -> Catalogue:
        """The same, where a dataset's file would hold these bytes."""
        tried = replace(self.dataset(name), tried=found, checksum=hashlib.sha256(found).hexdigest())
        return replace(self, entries={**self.entries, name: tried})

    def dataset(self, name: str) -> Dataset:
        """A dataset by name; a letter where there is none (D101)."""
        if name not in self.entries:
            fail("D101", f"there is no dataset `{name}` in {self.file}", hint=near(name, self.names))
        return self.entries[name]


def read_catalogue(reading: Reading, letters: Letters) -> Catalogue:
    """The catalogue under `data/`; empty where there is none, for a study may need no dataset."""
    path = reading.root / "data" / FILE
    file = reading.shown(path)
    if not path.exists():
        return Catalogue(file, {})
    content = reading.text_file(path, None, letters)
    if content is not None and _says_nothing(content):
        return Catalogue(file, {})
    node = None if content is None else read_mapping(content, file, letters)
    if node is None:
        return Catalogue(file, {}, complete=False)
    entries = {}
    for name, group in groups(node, letters, "dataset"):
        entry = _entry(name, group, reading.root, letters)
        if entry is not None:
            entries[name] = entry
    for each in entries.values():
        _check_secrecy(each, entries, letters)
    return Catalogue(file, entries, tuple(node.fields))


def _check_secrecy(dataset: Dataset, entries: Mapping[str, Dataset], letters: Letters) -> None:
    """Sensitive data lie encrypted, and what is made from them says what it is."""
    closed, file, line = dataset.is_sensitive, *dataset.place
    if dataset.file is not None and closed != is_encrypted(dataset.file):
        if closed:
            hint = f"`modelworks data encrypt data/{dataset.file}` encrypts it and corrects the entry"
            letters.add(
                "D173", f"`{dataset.name}` is sensitive, but its file is in the clear", hint=hint, file=file, line=line
            )
        else:
            message = f"the file of `{dataset.name}` is encrypted, but the entry does not say that it is sensitive"
            letters.add("D173", message, hint="write `sensitivity: sensitive`", file=file, line=line)
    secret = {f"data/{each.file}" if each.file else shown(each.path, each.root): each for each in entries.values()}
    used = [name for name in dataset.uses if is_encrypted(name) or _is_secret(secret.get(f"data/{name}"))]
    if used and dataset.sensitivity == "public":
        message = f"`{dataset.name}` is made from `{used[0]}`, which is sensitive, and does not say what it is itself"
        hint = "write `sensitivity: sensitive`; or `aggregate`, if nobody in the data can be known from the table"
        letters.add("D174", message, hint=hint, file=file, line=line)


def _is_secret(dataset: Dataset | None) -> bool:
    return dataset is not None and dataset.is_sensitive


def _says_nothing(content: bytes) -> bool:
    """Whether a file has only comments and blank lines, as a new repository's catalogue has."""
    return all(not line.strip() or line.lstrip().startswith(b"#") for line in content.splitlines())


def _entry(name: str, group: MappingNode, root: Path, letters: Letters) -> Dataset | None:
    before = len(letters.collected)
    fields = Fields(group, letters, f"the dataset `{name}`", FIELDS)
    if not is_a_name(name):
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
    _check_origin(fields, root)
    retrieved = fields.day("retrieved")
    columns = MappingProxyType(read_columns(fields))
    entry = Dataset(
        name=name,
        title=said["title"] or "",
        publisher=said["publisher"] or "",
        licence=said["licence"] or "",
        source=said["source"] or "",
        retrieved="" if retrieved is None else retrieved.isoformat(),
        file=_path(fields, "file"),
        prepare=_path(fields, "prepare"),
        uses=tuple(text for text in fields.texts("uses") if _is_path(text, "uses", fields)),
        checksum=_checksum(fields),
        sensitivity=fields.choice("sensitivity", SENSITIVITIES, "public") or "public",
        columns=columns,
        meaning=fields.text("meaning") or "",
        place=group.place,
        root=root,
        checks=read_checks(fields, columns),
        url=_address(fields),
        sheet=fields.text("sheet") or "",
        kept=fields.choice("kept", ("git", "store"), "git") or "git",
        header=fields.whole("header", 1, MOST_LINES_ABOVE, 1),
        form=_form(fields),
        kept_as=fields.choice("kept_as", FORMS, CSV) or CSV,
    )
    return entry if len(letters.collected) == before else None


def _form(fields: Fields) -> TextForm:
    """How a file of text is written."""
    return TextForm(
        fields.choice("separator", tuple(SEPARATORS)) or "",
        fields.choice("encoding", ENCODINGS, USUAL_FORM.encoding) or USUAL_FORM.encoding,
    )


def _check_origin(fields: Fields, root: Path) -> None:
    """A file with its checksum, or a function."""
    if ("file" in fields) == ("prepare" in fields):
        both = "both a file and a function" if "file" in fields else "neither a file nor a function"
        fields.say(
            "D110",
            f"{fields.what} has {both}, but exactly one is wanted",
            "write `file: raw/cases.csv`, or `prepare: prepare/cases.py:weekly`",
        )
    if "file" in fields and "sha256" not in fields:
        found = _present_checksum(root, fields.text("file") or "")
        fields.need("sha256", found or "the first word that `sha256sum` prints for the file", "D113")
    owned = {"prepare": ("uses", "kept_as"), "file": ("sheet", "header", "separator", "encoding", "kept")}
    for owner, name in ((owner, name) for owner, names in owned.items() for name in names):
        if name in fields and owner not in fields:
            fields.say("D110", f"{fields.what} has `{name}`, which belongs to `{owner}`", "remove it", name)


def _present_checksum(root: Path, file: str) -> str:
    """That of the file at hand; empty where it is not there, or holds only what points to the data."""
    path = root / "data" / file
    with suppress(OSError, ModelworksError):
        found = file_sha256(path, root, "D102")
        return found if pointer_at(path) is None else ""
    return ""


def _address(fields: Fields) -> str:
    """Where the raw file can be fetched from."""
    text = fields.text("url")
    if text is None:
        return ""
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        problem = f"{fields.what}: `url` is `{shortened(text)}`, which is no address of a file"
        fields.say("D143", problem, "write https://…, without a name or a password in it", "url")
    elif "file" not in fields:
        fields.say("D143", f"{fields.what} has a `url`, but no `file` it would become", "write `file:` too", "url")
    return text


def _path(fields: Fields, name: str) -> str | None:
    text = fields.text(name)
    return text if text is None or _is_path(text, name, fields) else None


def _is_path(text: str, name: str, fields: Fields) -> bool:
    if is_a_path(text):
        return True
    fields.say(
        "Y122", f"{fields.what}: `{name}` is no path", "write it from the folder data/, as in raw/cases.csv", name
    )
    return False


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


def check_dataset(catalogue: Catalogue, name: str, letters: Letters) -> None:
    """Whether a dataset's table can be had, with all its columns as declared, and its own checks hold."""
    try:
        found = catalogue.findings(name)
    except ModelworksError as error:
        letters.extend(catalogue[name].placed(error))
        return
    for each in found:
        if each.stops:
            letters.add(
                "D133",
                f"the dataset `{name}` fails its check `{each.check.name}`: {each.problem}",
                hint="correct the data; or, if all is as it should be, write `accepted:` with the reason below it",
                file=each.check.place.file,
                line=each.check.place.line,
            )
