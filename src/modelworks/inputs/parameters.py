"""The parameters of a study: each with a value or a prior, a unit and a source."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from modelworks import units
from modelworks.errors import Letters, ModelworksError
from modelworks.inputs._fields import Fields
from modelworks.inputs._layers import Layered, Layers, merged_entries
from modelworks.inputs._nodes import Earlier, Place
from modelworks.inputs.groups import GroupEntry, group_of
from modelworks.inputs.priors import LEAST_MASS, Bounds, PriorEntry, effective_support, is_cut, mass_within, read_prior

FIELDS = ("value", "prior", "unit", "source", "bounds", "meaning", "by", "when", "why")
INSTEAD = (frozenset({"value"}), frozenset({"prior"}))

# About 117 billion people have ever been born (Population Reference Bureau 2022).
PEOPLE_EVER = 1.2e11

# The largest share each word allows. `ratio` and `multiplier` may exceed one and are not here.
_SHARES = {"proportion": 1.0, "probability": 1.0, "fraction": 1.0, "percent": 100.0, "%": 100.0}


def largest_share(unit: str) -> float:
    """The largest number that a unit of a share can have; no limit for other units.

    >>> largest_share("percent"), largest_share("ratio")
    (100.0, inf)
    """
    return _SHARES.get(unit.strip().lower(), math.inf)


@dataclass(frozen=True, slots=True)
class ParameterEntry:
    """One parameter as the files give it, in its own unit; exactly one of `value` and `prior` is there.

    Of a group (`transmission[north]`, `transmission[south]`) it is what is said of all members that have no entry
    of their own.
    `place` is its name in the highest file that says something of it; `history` is what that and
    other files overrode, the lowest first.
    """

    name: str
    value: float | None
    prior: PriorEntry | GroupEntry | None
    unit: str
    source: str
    bounds: Bounds | None
    meaning: str
    place: Place
    history: tuple[Earlier, ...] = ()
    by: str = ""
    when: str = ""
    why: str = ""

    @property
    def file(self) -> str:
        return self.place.file

    @property
    def line(self) -> int:
        return self.place.line


def turns_sign(factor: float, entry: ParameterEntry) -> bool:
    """Whether a factor is below 0 where the parameter's bounds do not say that it may be."""
    return factor < 0 and (entry.bounds is None or entry.bounds.low >= 0)


@dataclass(frozen=True)
class Parameters(Mapping[str, ParameterEntry]):
    """Every parameter by name. `file` is the study's own file.

    `names` also has those whose entry has a mistake; `complete` says whether every file could be read,
    so that a name that is not among them has no entry anywhere.
    """

    file: str
    entries: Mapping[str, ParameterEntry]
    names: tuple[str, ...] = ()
    complete: bool = True
    layers: Layers | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> ParameterEntry:
        return self.entries[name]

    def of(self, name: str) -> ParameterEntry:
        """The entry of a parameter: its own, or that of its group."""
        return self.entries[name if name in self.entries else group_of(name)]

    def reads(self, name: str) -> bool:
        """Whether `of` has an answer."""
        return name in self.entries or group_of(name) in self.entries

    def have(self, name: str) -> bool:
        """Whether a parameter, or its group, has an entry, be it one with a mistake."""
        return name in self.names or group_of(name) in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def read_parameters(layers: Layers, letters: Letters) -> Parameters:
    """Every entry of the files of one chain; those with mistakes are left out, with their letters."""
    found = merged_entries(layers.nodes, INSTEAD, "parameter", letters)
    entries = {name: entry for name, each in found.items() if (entry := _entry(name, each, letters)) is not None}
    return Parameters(layers.file, entries, tuple(found), layers.complete, layers)


def _entry(name: str, layered: Layered, letters: Letters) -> ParameterEntry | None:
    before = len(letters.collected)
    fields = Fields(layered.node, letters, f"the parameter `{name}`", FIELDS)
    _check_name(name, fields)
    value, prior = _value_or_prior(fields)
    unit = fields.statement("unit", "per day", "P103")
    source = fields.statement("source", "Grinsztajn et al. 2021, doi:10.1002/sim.9164", "P104")
    _check_own_source(layered, fields)
    bounds = _bounds(fields)
    entry = ParameterEntry(
        name=name,
        value=value,
        prior=prior,
        unit=unit or "",
        source=source or "",
        bounds=bounds,
        meaning=fields.text("meaning") or "",
        place=layered.place,
        history=layered.history,
        by=fields.text("by") or "",
        when=fields.text("when") or "",
        why=fields.text("why") or "",
    )
    _check_bounds(entry, fields)
    if unit is not None:
        _check_unit(entry, fields)
    return entry if len(letters.collected) == before else None


def _check_name(name: str, fields: Fields) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}(\[[^\[\]/]{1,80}\])?", name):
        fields.say(
            "P115",
            f"`{name[:80]}` can not be the name of a parameter",
            "use letters, digits and `_`, as in contact_rate, and begin with a letter; one of a group has its label "
            "in brackets, as in contact_rate[north]",
        )


def _value_or_prior(fields: Fields) -> tuple[float | None, PriorEntry | GroupEntry | None]:
    if ("value" in fields) == ("prior" in fields):
        both = "both a value and a prior" if "value" in fields else "neither a value nor a prior"
        fields.say(
            "P102",
            f"{fields.what} has {both}, but exactly one is wanted",
            "a `value:` is taken as known; a `prior:` is learned from the targets",
        )
    return fields.number("value"), read_prior(fields)


def _check_own_source(layered: Layered, fields: Fields) -> None:
    """A higher file that changes the number says where the new number is from."""
    changed = max((layered.given[name] for name in ("value", "prior") if name in layered.given), default=0)
    if "source" in layered.given and layered.given["source"] < changed:
        fields.say(
            "P114",
            f"{fields.what} has a new number here, but its source is that of the old one",
            "give the new number's own `source:` beside it",
            "prior" if "prior" in fields else "value",
        )


def _bounds(fields: Fields) -> Bounds | None:
    if "bounds" not in fields:
        return None
    node = fields.mapping("bounds", "{lower: 0, upper: 10}")
    if node is None:
        return None
    below = Fields(node, fields.letters, f"the bounds of {fields.what}", ("lower", "upper"))
    bounds = Bounds(below.number("lower"), below.number("upper"))
    if bounds.low >= bounds.high:
        fields.say(
            "P112",
            f"{fields.what}: the lower bound {bounds.low:g} is not below the upper bound {bounds.high:g}",
            "exchange them; for a known number give a `value:`",
            "bounds",
        )
        return None
    return None if bounds == Bounds() else bounds


def _check_bounds(entry: ParameterEntry, fields: Fields) -> None:
    """The value, or all that the prior holds possible, lies within the parameter's own bounds."""
    bounds = entry.bounds
    if bounds is None:
        return
    if entry.value is not None and not bounds.holds(entry.value):
        fields.say(
            "P105",
            f"{fields.what} is {entry.value:g}, but its bounds say that it lies {bounds}",
            "correct one of the two",
            "value",
        )
    if entry.prior is None:
        return
    if is_cut(entry.prior):
        mass = mass_within(entry.prior, bounds)
        if mass < LEAST_MASS:
            fields.say(
                "P110",
                f"{fields.what}: only {100 * mass:.2g}% of its prior {entry.prior} lies {bounds}",
                "check the sign and the unit of both; a prior that is cut keeps at least 1%",
                "prior",
            )
        return
    low, high = entry.prior.support
    if low < bounds.low or high > bounds.high:
        fields.say(
            "P109",
            f"{fields.what}: its prior {entry.prior} reaches from {low:g} to {high:g}, but it lies {bounds}",
            "widen the bounds, or take a prior that ends there: uniform, truncated_normal, or normal, which is cut",
            "prior",
        )


def _check_unit(entry: ParameterEntry, fields: Fields) -> None:
    """The number is one that its unit can have."""
    try:
        unit = units.parse(entry.unit)
    except ModelworksError as error:
        for letter in error.letters:
            fields.say(letter.code, f"{fields.what}: {letter.message}", letter.hint, "unit")
        return
    largest = largest_share(entry.unit)
    if largest < math.inf:
        _check_share(entry, largest, fields)
    elif unit.time < 0:
        _check_not_negative(entry, fields, "P101", "a rate")
    elif unit.people > 0:
        _check_not_negative(entry, fields, "P116", "a number of people")
        _check_believable(entry, unit.factor, fields)
    elif unit.time > 0 and entry.value is not None:
        _check_not_negative(entry, fields, "P116", "a duration")


def _possible(entry: ParameterEntry) -> tuple[float, float]:
    """From where to where the parameter can lie; nowhere in doubt about an entry that is wrong already."""
    if entry.value is not None:
        return entry.value, entry.value
    return (0.0, 0.0) if entry.prior is None else effective_support(entry.prior, entry.bounds)


def _check_not_negative(entry: ParameterEntry, fields: Fields, code: str, noun: str) -> None:
    """Below zero only where the bounds say, in so many words, that it may be: growth, a shift in time."""
    low, _ = _possible(entry)
    if low >= 0 or (entry.bounds is not None and entry.bounds.low < 0):
        return
    if entry.value is not None:
        message = f"`{entry.name}` is {entry.value:g} {entry.unit}, but {noun} is never below 0"
        hint = "check the sign; where below 0 is meant, as in growth, say so with `bounds: {lower: ...}`"
        fields.say(code, message, hint, "value")
        return
    message = f"the prior of `{entry.name}`, {entry.prior}, reaches below 0, but {noun} is never below 0"
    hint = "add `bounds: {lower: 0}`, which cuts a normal there, or take a log_normal"
    if isinstance(entry.prior, GroupEntry):
        hint = "take the log_ form of the group, as in log_normal or log_random_walk"
    fields.say(code, message, hint, "prior")


def _check_share(entry: ParameterEntry, largest: float, fields: Fields) -> None:
    low, high = _possible(entry)
    if low >= 0 and high <= largest:
        return
    name = "value" if entry.value is not None else "prior"
    if entry.value is not None:
        what, hint = f"is {entry.value:g}", "check the value and the unit: `percent`, `proportion`, or `ratio`"
    else:
        what = f"has a prior, {entry.prior}, from {low:g} to {high:g}"
        # Bounds cut a normal, and no other family.
        cut = f"add `bounds: {{lower: 0, upper: {largest:g}}}`" if is_cut(entry.prior) else ""
        inside = "take a beta or uniform prior" if largest == 1 else "take a uniform prior"
        hint = f"{inside}, or {cut or f'a truncated_normal with `lower: 0, upper: {largest:g}`'}"
        if isinstance(entry.prior, GroupEntry):
            hint = "take the logit_ form of the group, as in logit_normal or logit_random_walk"
    fields.say("P111", f"`{entry.name}` {what}, but a {entry.unit} lies between 0 and {largest:g}", hint, name)


def _check_believable(entry: ParameterEntry, factor: float, fields: Fields) -> None:
    _, high = _possible(entry)
    if math.isfinite(high) and high * factor > PEOPLE_EVER:
        fields.say(
            "P113",
            f"`{entry.name}` is up to {high:,.0f} {entry.unit}, more than have ever lived",
            "check the number of zeros and the unit",
            "value" if entry.value is not None else "prior",
        )
