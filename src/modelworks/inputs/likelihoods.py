"""How far an observation may lie from the model, as a study's files state it; only the form is known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TypeAlias

from modelworks.errors import ModelworksError, near
from modelworks.inputs import _scalars
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Node, Place, ScalarNode, kind, shortened


@dataclass(frozen=True, slots=True)
class Family:
    """The form of a likelihood: its arguments, and which observations it can be asked about.

    `counts` take whole numbers from zero on; `above_zero` only numbers above zero; `categories` are held against each
    other, each a stratum of one output.
    """

    arguments: tuple[str, ...]
    counts: bool = False
    above_zero: bool = False
    categories: bool = False


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "poisson": Family((), counts=True),
        "negative_binomial": Family(("overdispersion",), counts=True),
        "normal": Family(("sd",)),
        "log_normal": Family(("sigma",), above_zero=True),
        "binomial": Family(("trials",), counts=True),
        "beta_binomial": Family(("trials", "overdispersion"), counts=True),
        "multinomial": Family((), counts=True, categories=True),
        "dirichlet_multinomial": Family(("overdispersion",), counts=True, categories=True),
        "exact": Family(()),
    }
)


@dataclass(frozen=True, slots=True)
class FromColumn:
    """An argument that stands beside each value, in a column of the same dataset."""

    column: str


@dataclass(frozen=True, slots=True)
class ByDate:
    """An argument written out for each date of the values."""

    values: Mapping[date, float]


Argument: TypeAlias = float | str | FromColumn | ByDate


@dataclass(frozen=True, slots=True)
class LikelihoodEntry:
    """A family and its arguments, each a number, the name of a parameter, or a number for each value."""

    family: str
    arguments: Mapping[str, Argument]
    place: Place

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters among the arguments."""
        return tuple(value for value in self.arguments.values() if isinstance(value, str))

    @property
    def counts(self) -> bool:
        return FAMILIES[self.family].counts

    @property
    def above_zero(self) -> bool:
        return FAMILIES[self.family].above_zero

    @property
    def categories(self) -> bool:
        return FAMILIES[self.family].categories


def read_likelihood(fields: Fields) -> LikelihoodEntry | None:
    """The likelihood under `likelihood:`, or None with letters. One without arguments may be a single word."""
    if not fields.need("likelihood", "{negative_binomial: {overdispersion: 0.1}}", "T101"):
        return None
    node = fields.node.fields["likelihood"]
    if isinstance(node, ScalarNode):
        return _with_arguments(node.text.strip(), None, fields)
    if not isinstance(node, MappingNode) or len(node.fields) != 1:
        fields.say(
            "T104",
            f"{fields.what}: the likelihood is {kind(node)}, but one family is wanted",
            "write it as in `likelihood: {normal: {sd: 5}}`",
            "likelihood",
        )
        return None
    family, below = next(iter(node.fields.items()))
    return _with_arguments(family, below, fields)


def _with_arguments(family: str, node: Node | None, owner: Fields) -> LikelihoodEntry | None:
    if family not in FAMILIES:
        shown = shortened(family)
        owner.say("T104", f"{owner.what}: `{shown}` is not a likelihood", near(family, FAMILIES), "likelihood")
        return None
    wanted = FAMILIES[family].arguments
    what = f"{owner.what}: the likelihood `{family}`"
    takes = f"it takes {', '.join(wanted)}" if wanted else "it takes none"
    if isinstance(node, ScalarNode) and node.is_empty:
        node = None
    if node is not None and not isinstance(node, MappingNode):
        owner.say("T105", f"{what} is followed by {kind(node)}, but its arguments are wanted", takes, "likelihood")
        return None
    before = len(owner.letters.collected)
    given = {} if node is None else node.fields
    for name in given:
        if name not in wanted:
            owner.say("T105", f"{what} has no argument `{shortened(name)}`", takes, "likelihood")
    values: dict[str, Argument] = {}
    for name in wanted:
        if name not in given:
            owner.say("T105", f"{what} lacks its argument `{name}`", takes, "likelihood")
        elif (value := _argument(given[name], name, what, owner)) is not None:
            values[name] = value
    if len(owner.letters.collected) > before:
        return None
    return LikelihoodEntry(family, MappingProxyType(values), owner.place("likelihood"))


def _argument(node: Node, name: str, what: str, owner: Fields) -> Argument | None:
    """A number, the name of a parameter, or where there is a number for each value."""
    if isinstance(node, MappingNode):
        return _for_each(node, name, what, owner)
    if not isinstance(node, ScalarNode) or node.is_empty:
        hint = "write a number, the name of a parameter, or `{column: ...}` for one beside each value"
        owner.letters.add(
            "T105", f"{what}: `{name}` is {kind(node)}", hint=hint, file=node.place.file, line=node.place.line
        )
        return None
    if not _scalars.looks_like_a_number(node.text.strip()):
        return node.text.strip()
    return _number(node, name, what, owner)


def _for_each(node: MappingNode, name: str, what: str, owner: Fields) -> Argument | None:
    """`{column: tested}`, or `{2018: 300, 2019: 412}`."""
    fields = Fields(node, owner.letters, f"{what}: `{name}`")
    if list(node.fields) == ["column"]:
        column = fields.text("column")
        return None if column is None else FromColumn(column)
    found: dict[date, float] = {}
    for text, each in node.fields.items():
        try:
            when = _scalars.day(ScalarNode(text, False, node.keys[text]), f"{what}: `{name}`")
        except ModelworksError as error:
            owner.letters.extend(error.letters)
            continue
        value = _number(each, name, what, owner) if isinstance(each, ScalarNode) else fields.number(text)
        if value is not None:
            found[when] = value
    return ByDate(MappingProxyType(found))


def _number(node: ScalarNode, name: str, what: str, owner: Fields) -> float | None:
    try:
        value = _scalars.number(node, f"{what}: `{name}`")
    except ModelworksError as error:
        owner.letters.extend(error.letters)
        return None
    if value <= 0 or (name == "trials" and value != int(value)):
        rule = "a whole number above 0" if name == "trials" else "above 0"
        owner.say("T105", f"{what}: `{name}` is {value:g}, but must be {rule}", "correct the number", "likelihood")
        return None
    return value
