"""What was observed: each target names an output, its data, and how far they may lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelworks import units
from modelworks.errors import Letters, ModelworksError
from modelworks.inputs import _scalars
from modelworks.inputs._fields import Fields
from modelworks.inputs._layers import Layered, Layers, merged_entries
from modelworks.inputs._nodes import Earlier, Node, Place, ScalarNode
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
    "below",
    "by",
    "missing",
    "weekday",
    "weight",
    "why",
    "from",
    "to",
    "source",
    "title",
    "meaning",
)
INSTEAD = (frozenset({"values"}), frozenset({"dataset", "column", "date", "below", "by"}))
COVERS = ("instant", "day", "week", "month", "year")
WEEKDAYS: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """One observed series as the files give it.

    Either `values` (dates with numbers) or `dataset` with its `column` and `date_column` is there.
    `covers` is what one value stands for; its date is the first day of that, the last one where
    `dated` is `end`. `start` and `end` limit the series, both included. `limits` are the dates whose value is a limit
    that the true one lies below; in a dataset the column `below` has such limits. `by` names for each stratification
    of the output the column that says the stratum. `weekday` is a group of parameters, one for each day of the week,
    that values are multiplied by. A `weight` other than 1 has its reason in `why`.
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
    limits: frozenset[date] = frozenset()
    below: str | None = None
    by: Mapping[str, str] = field(default_factory=dict)
    skips_missing: bool = False
    weekday: str | None = None
    weight: float = 1.0
    why: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Every parameter that the target itself names."""
        weekday = () if self.weekday is None else tuple(f"{self.weekday}[{day}]" for day in WEEKDAYS)
        return (*self.likelihood.names, *weekday)

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
    values, limits = _values(layered, fields)
    dataset, column, day = _dataset(fields)
    covers = fields.choice("covers", COVERS, "instant") or "instant"
    dated = fields.choice("dated", ("start", "end"), "start") or "start"
    start, end = fields.day("from"), fields.day("to")
    if start is not None and end is not None and start > end:
        fields.say(
            "T113", f"{fields.what} begins on {start}, after its end on {end}", "exchange `from` and `to`", "from"
        )
    by, weight, why = _by(fields, likelihood), _weight(fields), fields.text("why") or ""
    weekday = fields.text("weekday")
    if weekday is not None and covers != "day":
        hint = "the days of the week are told apart where each value is of one day: `covers: day`"
        fields.say("T117", f"{fields.what} has effects of weekdays, but its values cover a {covers}", hint, "weekday")
    missing = fields.choice("missing", ("told", "skip"), "told")
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
        limits=limits,
        below=fields.text("below") if dataset is not None else None,
        by=MappingProxyType(by),
        skips_missing=missing == "skip",
        weekday=weekday,
        weight=weight,
        why=why,
    )


def _by(fields: Fields, likelihood: LikelihoodEntry | None) -> dict[str, str]:
    """The column for each stratification; categories are the strata of exactly one."""
    found = {}
    node = fields.mapping("by", "{place: region}")
    if node is not None:
        below = Fields(node, fields.letters, f"`by` of {fields.what}")
        found = {name: column for name in node.fields if (column := below.text(name)) is not None}
    if "by" in fields and "values" in fields:
        hint = "take the values from a dataset, or write a target for each stratum"
        fields.say("T117", f"{fields.what} is `by` strata, but its values are written here", hint, "by")
    if likelihood is not None and likelihood.categories and len(found) != 1:
        fields.say(
            "T117",
            f"{fields.what}: `{likelihood.family}` is of the strata of one stratification, but `by` names {len(found)}",
            "write `by: {strain: column}`, with the column that says the strain",
        )
    if likelihood is not None and likelihood.categories and "below" in fields:
        fields.say("T117", f"{fields.what}: categories have no limits", "leave those days out", "below")
    return found


def _weight(fields: Fields) -> float:
    """One, unless somebody asks for another and says why."""
    weight = fields.number("weight")
    if weight is not None and weight <= 0:
        fields.say("T118", f"{fields.what} has the weight {weight:g}, but must be above 0", "or remove it", "weight")
    if weight is not None and weight != 1:
        fields.statement("why", "the two surveys shared a laboratory", "T118")
    if "why" in fields and weight is None:
        fields.say("T118", f"{fields.what} says why, but has no weight", "`why:` is the reason for a `weight:`", "why")
    return 1.0 if weight is None else weight


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


def _values(layered: Layered, fields: Fields) -> tuple[dict[date, float], frozenset[date]]:
    """The inline values by date, and the dates of those that are limits: `<5`."""
    if "values" not in fields:
        return {}, frozenset()
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
        return {}, frozenset()
    limits = {text for text, each in node.fields.items() if isinstance(each, ScalarNode) and _is_limit(each)}
    node = replace(node, fields={text: _without_sign(each) for text, each in node.fields.items()})
    below = Fields(node, fields.letters, f"the values of {fields.what}")
    found: dict[date, float] = {}
    found_limits = set()
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
            if text in limits:
                found_limits.add(when)
    if not node.fields:
        fields.say("T110", f"{fields.what} has no values", "write them by date, as in `2018: 1366`", "values")
    return found, frozenset(found_limits)


def _is_limit(node: ScalarNode) -> bool:
    return node.text.strip().startswith("<")


def _without_sign(node: Node) -> Node:
    """`<5` as 5."""
    if isinstance(node, ScalarNode) and _is_limit(node):
        return replace(node, text=node.text.strip().removeprefix("<").strip(), quoted=False)
    return node
