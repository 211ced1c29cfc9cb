"""What was observed: each target names an output, its data, and how far they may lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelworks import units
from modelworks.errors import Letters, ModelworksError
from modelworks.inputs import _scalars
from modelworks.inputs._fields import Fields
from modelworks.inputs._layers import Layered, Layers, merged_entries
from modelworks.inputs._nodes import Earlier, Place, ScalarNode
from modelworks.inputs.likelihoods import LikelihoodEntry, read_likelihood

if TYPE_CHECKING:
    from modelworks.inputs._series import Series
    from modelworks.inputs.catalogue import Catalogue

FIELDS = (
    "output",
    "dataset",
    "column",
    "date",
    "values",
    "unit",
    "covers",
    "dated",
    "likelihood",
    "from",
    "to",
    "source",
    "title",
    "meaning",
)
INSTEAD = (frozenset({"values"}), frozenset({"dataset", "column", "date"}))
COVERS = ("instant", "day", "week", "month", "year")


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """One observed series as the files give it.

    Either `values` (dates with numbers) or `dataset` with its `column` and `date_column` is there.
    `covers` is what one value stands for; its date is the first day of that, the last one where
    `dated` is `end`. `start` and `end` limit the series, both included.
    """

    name: str
    output: str
    unit: str
    likelihood: LikelihoodEntry
    dataset: str | None
    column: str | None
    date_column: str | None
    values: Mapping[date, float]
    covers: str
    dated: str
    start: date | None
    end: date | None
    source: str
    title: str
    meaning: str
    place: Place
    history: tuple[Earlier, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)

    def at(self, *names: str) -> Place:
        """Where the first of these names that is written stands; where the target does, if none is."""
        return next((self.places[name] for name in names if name in self.places), self.place)

    @property
    def file(self) -> str:
        return self.place.file

    @property
    def line(self) -> int:
        return self.place.line

    def series(self, catalogue: Catalogue) -> Series:
        """The observations within the target's window, in the order of time."""
        from modelworks.inputs._series import series_of

        return series_of(self, catalogue)


@dataclass(frozen=True)
class Targets(Mapping[str, TargetEntry]):
    """Every target by name. `file` is the study's own file; `complete` says whether all of them could be read."""

    file: str
    entries: Mapping[str, TargetEntry]
    complete: bool = True

    def __getitem__(self, name: str) -> TargetEntry:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def read_targets(layers: Layers, letters: Letters) -> Targets:
    """Every target of the files of one chain; those with mistakes are left out, with their letters."""
    found = merged_entries(layers.nodes, INSTEAD, "target", letters)
    if layers.nodes and not found:
        letters.add(
            "T115",
            f"{layers.file} names no target",
            hint="a target names an output of the model and what was observed of it",
            file=layers.file,
        )
    entries = {name: entry for name, each in found.items() if (entry := _entry(name, each, letters)) is not None}
    return Targets(layers.file, entries, layers.complete and len(entries) == len(found))


def _entry(name: str, layered: Layered, letters: Letters) -> TargetEntry | None:
    before = len(letters.collected)
    fields = Fields(layered.node, letters, f"the target `{name}`", FIELDS)
    output = fields.statement("output", "incidence", "T101")
    unit = _unit(fields)
    likelihood = read_likelihood(fields)
    values = _values(layered, fields)
    dataset, column, day = _dataset(fields)
    covers = fields.choice("covers", COVERS, "instant") or "instant"
    dated = fields.choice("dated", ("start", "end"), "start") or "start"
    start, end = fields.day("from"), fields.day("to")
    if start is not None and end is not None and start > end:
        fields.say(
            "T113", f"{fields.what} begins on {start}, after its end on {end}", "exchange `from` and `to`", "from"
        )
    if len(letters.collected) > before or output is None or unit is None or likelihood is None:
        return None
    return TargetEntry(
        name=name,
        output=output,
        unit=unit,
        likelihood=likelihood,
        dataset=dataset,
        column=column,
        date_column=day,
        values=MappingProxyType(values),
        covers=covers,
        dated=dated,
        start=start,
        end=end,
        source=fields.text("source") or "",
        title=fields.text("title") or name.replace("_", " ").capitalize(),
        meaning=fields.text("meaning") or "",
        place=layered.place,
        history=layered.history,
        places=MappingProxyType(dict(layered.node.keys)),
    )


def _unit(fields: Fields) -> str | None:
    text = fields.statement("unit", "people", "T101")
    if text is None:
        return None
    try:
        units.parse(text)
    except ModelworksError as error:
        for letter in error.letters:
            fields.say(letter.code, f"{fields.what}: {letter.message}", letter.hint, "unit")
        return None
    return text


def _dataset(fields: Fields) -> tuple[str | None, str | None, str | None]:
    """The dataset, its column of values and its column of dates."""
    if ("dataset" in fields) == ("values" in fields):
        both = "both a dataset and values" if "dataset" in fields else "neither a dataset nor values"
        fields.say(
            "T102",
            f"{fields.what} has {both}, but exactly one is wanted",
            "name a `dataset:` of data/catalogue.yaml, or write `values:` by date",
        )
    if "dataset" not in fields:
        return None, None, None
    for name, example in (("column", "cases"), ("date", "week_start")):
        fields.need(name, example, "T101")
    return fields.text("dataset"), fields.text("column"), fields.text("date")


def _values(layered: Layered, fields: Fields) -> dict[date, float]:
    """The inline values by date."""
    if "values" not in fields:
        return {}
    fields.statement("source", "British Medical Journal 1978; 1: 587", "T111")
    if "source" in layered.given and layered.given["source"] < layered.given["values"]:
        fields.say(
            "T111",
            f"{fields.what} has new values here, but their source is that of the old ones",
            "give the new values' own `source:` beside them",
            "values",
        )
    node = fields.mapping("values", "{2018: 1366, 2019: 1290}")
    if node is None:
        return {}
    below = Fields(node, fields.letters, f"the values of {fields.what}")
    found: dict[date, float] = {}
    for text in node.fields:
        key = ScalarNode(text, False, node.keys[text])
        try:
            when = _scalars.day(key, f"the values of {fields.what}")
        except ModelworksError as error:
            fields.letters.extend(error.letters)
            continue
        if not below.need(text, "42", "T108"):
            continue
        value = below.number(text)
        if value is not None and when in found:
            below.say("T112", f"{fields.what} has two values for {when}", "keep one of them", text)
        elif value is not None:
            found[when] = value
    if not node.fields:
        fields.say("T110", f"{fields.what} has no values", "write them by date, as in `2018: 1366`", "values")
    return found
