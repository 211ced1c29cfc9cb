"""What was believed of several parameters together, as a study's files state it; only the form is known here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from modelworks.errors import ModelworksError
from modelworks.inputs import _scalars
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Node, Place, ScalarNode, in_words, kind, shortened

ByLabel: TypeAlias = Mapping[str, float]
Argument: TypeAlias = float | str | ByLabel | Mapping[str, ByLabel]

EVERYWHERE, ABOVE_ZERO, UNIT_INTERVAL = (-math.inf, math.inf), (0.0, math.inf), (0.0, 1.0)

# Families whose arguments, where one names a parameter, are those of a group with a typical member.
EXCHANGEABLE: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"normal": EVERYWHERE, "log_normal": ABOVE_ZERO, "logit_normal": UNIT_INTERVAL}
)

# What an argument may be beside a number: the name of a parameter, numbers by label, or by pairs of labels.
NAME, LABELS, PAIRS = "the name of a parameter", "numbers by label", "numbers by pairs of labels"


@dataclass(frozen=True, slots=True)
class GroupFamily:
    """The form of a group's family: what each argument may be, and where the members lie."""

    arguments: Mapping[str, str]
    support: tuple[float, float]


def _lines(name: str, arguments: Mapping[str, str]) -> dict[str, GroupFamily]:
    """A family as it is, of the logarithm, and of the log odds, where the spread is called `sigma`."""
    on_line = {("sigma" if each == "sd" else each): what for each, what in arguments.items()}
    return {
        name: GroupFamily(arguments, EVERYWHERE),
        f"log_{name}": GroupFamily(on_line, ABOVE_ZERO),
        f"logit_{name}": GroupFamily(on_line, UNIT_INTERVAL),
    }


GROUPS: Mapping[str, GroupFamily] = MappingProxyType(
    {
        "normal": GroupFamily({"mean": NAME, "sd": NAME}, EVERYWHERE),
        "log_normal": GroupFamily({"median": NAME, "sigma": NAME}, ABOVE_ZERO),
        "logit_normal": GroupFamily({"median": NAME, "sigma": NAME}, UNIT_INTERVAL),
        **_lines("random_walk", {"start": NAME, "sd": NAME}),
        **_lines("spline", {"start": NAME, "sd": NAME, "pieces": ""}),
        "multivariate_normal": GroupFamily({"mean": LABELS, "sd": LABELS, "correlation": PAIRS}, EVERYWHERE),
        "multivariate_log_normal": GroupFamily({"median": LABELS, "sigma": LABELS, "correlation": PAIRS}, ABOVE_ZERO),
        "dirichlet": GroupFamily({"concentration": LABELS}, UNIT_INTERVAL),
    }
)


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A family of groups and its arguments: numbers, names of parameters, or numbers by label."""

    family: str
    arguments: Mapping[str, Argument]
    place: Place

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters among the arguments."""
        return tuple(value for value in self.arguments.values() if isinstance(value, str))

    @property
    def support(self) -> tuple[float, float]:
        return GROUPS[self.family].support

    def __str__(self) -> str:
        return self.family


def group_of(name: str) -> str:
    """The group that a member belongs to; a name that is none's is its own.

    >>> group_of("transmission[2021-01-11]"), group_of("contact_rate")
    ('transmission', 'contact_rate')
    """
    return name.partition("[")[0]


def is_name(node: Node) -> bool:
    """Whether a scalar is the name of a parameter rather than a number."""
    return isinstance(node, ScalarNode) and re.fullmatch(r"[A-Za-z]\w*", node.text.strip(), re.ASCII) is not None


def read_group(family: str, node: MappingNode, owner: Fields) -> GroupEntry | None:
    """The group's prior under its family's name, or None with letters."""
    wanted = GROUPS[family].arguments
    what = f"{owner.what}: the prior `{family}`"
    before = len(owner.letters.collected)
    for name in (*node.fields, *wanted):
        if name not in wanted or name not in node.fields:
            lack = "has no" if name not in wanted else "lacks its"
            owner.say("P107", f"{what} {lack} argument `{shortened(name)}`", f"it takes {', '.join(wanted)}", "prior")
    values = {
        name: value
        for name, each in node.fields.items()
        if name in wanted and (value := _argument(each, name, wanted[name], what, owner)) is not None
    }
    if len(owner.letters.collected) > before:
        return None
    return GroupEntry(family, MappingProxyType(values), owner.place("prior"))


def _argument(node: Node, name: str, also: str, what: str, owner: Fields) -> Argument | None:
    said = f"{what}: `{name}`"
    if also == NAME and is_name(node) and isinstance(node, ScalarNode):
        return node.text.strip()
    if also == PAIRS and isinstance(node, MappingNode):
        rows = {label: _by_label(row, f"{said} of `{label}`", owner) for label, row in node.fields.items()}
        return MappingProxyType({label: row for label, row in rows.items() if row is not None})
    if also == LABELS and isinstance(node, MappingNode):
        return _by_label(node, said, owner)
    if also == PAIRS or not isinstance(node, ScalarNode) or node.is_empty:
        hint = f"write {' or '.join(filter(None, ('a number' if also != PAIRS else '', also)))}"
        owner.say("P107", f"{said} is {kind(node)}", hint, "prior")
        return None
    return next(_numbers([node], said, owner), None)


def _by_label(node: Node, said: str, owner: Fields) -> ByLabel | None:
    if not isinstance(node, MappingNode) or not all(isinstance(each, ScalarNode) for each in node.fields.values()):
        hint = "write numbers by label, as in `{north: 1, south: 2}`"
        owner.say("P107", f"{said} is {in_words(node)}", hint, "prior")
        return None
    scalars = [each for each in node.fields.values() if isinstance(each, ScalarNode)]
    return MappingProxyType(dict(zip(node.fields, _numbers(scalars, said, owner), strict=False)))


def _numbers(nodes: list[ScalarNode], said: str, owner: Fields) -> Iterator[float]:
    for node in nodes:
        try:
            yield _scalars.number(node, said)
        except ModelworksError as error:
            owner.letters.extend(error.letters)
