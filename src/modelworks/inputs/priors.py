"""What was believed of a parameter before the data, as a study's files state it.

Only the form is known here: the names of a family's arguments and where its values can lie. The
densities are in `calibration`, which must not be needed to read a file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeGuard

from modelworks.errors import ModelworksError, near
from modelworks.inputs import _scalars
from modelworks.inputs._fields import Fields
from modelworks.inputs._intervals import SCALES, SOLVE, arguments_of
from modelworks.inputs._nodes import MappingNode, Node, Place, ScalarNode, SequenceNode, in_words, kind, shortened
from modelworks.inputs.groups import EXCHANGEABLE, GROUPS, GroupEntry, is_name, read_group
from modelworks.units import as_written

Arguments = Mapping[str, float]


class Bounds(NamedTuple):
    """Between which a parameter lies, in its own unit; None where there is no limit."""

    lower: float | None = None
    upper: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value lies within.

        >>> Bounds(0, None).holds(-0.1), Bounds(0, None).holds(0)
        (False, True)
        """
        return self.low <= value <= self.high

    @property
    def low(self) -> float:
        return -math.inf if self.lower is None else self.lower

    @property
    def high(self) -> float:
        return math.inf if self.upper is None else self.upper

    def __str__(self) -> str:
        low, high = as_written(self.low), as_written(self.high)
        if self.lower is None or self.upper is None:
            return f"at {high} or below" if self.lower is None else f"at {low} or above"
        return f"between {low} and {high}"


@dataclass(frozen=True, slots=True)
class PriorEntry:
    """A family and its arguments: `normal`, `{"mean": 2.0, "sd": 1.0}`.

    `stated` is how it was written where that was by an interval: `95% between 3 and 7`.
    """

    family: str
    arguments: Arguments
    place: Place
    stated: str = ""

    @property
    def support(self) -> tuple[float, float]:
        """Between which values the family alone gives any probability, before any bounds."""
        return FAMILIES[self.family].support(self.arguments)

    def __str__(self) -> str:
        if self.stated:
            return f"{self.family}({self.stated})"
        arguments = ", ".join(f"{name}={as_written(value)}" for name, value in self.arguments.items())
        return f"{self.family}({arguments})"


@dataclass(frozen=True, slots=True)
class Family:
    """The form of a family: its arguments, those that must be above zero, and where its values lie."""

    arguments: tuple[str, ...]
    positive: frozenset[str]
    support: Callable[[Arguments], tuple[float, float]]


def _everywhere(_: Arguments) -> tuple[float, float]:
    return -math.inf, math.inf


def _above_zero(_: Arguments) -> tuple[float, float]:
    return 0.0, math.inf


def _unit_interval(_: Arguments) -> tuple[float, float]:
    return 0.0, 1.0


def _as_stated(arguments: Arguments) -> tuple[float, float]:
    return arguments["lower"], arguments["upper"]


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "normal": Family(("mean", "sd"), frozenset({"sd"}), _everywhere),
        "truncated_normal": Family(("mean", "sd", "lower", "upper"), frozenset({"sd"}), _as_stated),
        "log_normal": Family(("median", "sigma"), frozenset({"median", "sigma"}), _above_zero),
        "uniform": Family(("lower", "upper"), frozenset(), _as_stated),
        "log_uniform": Family(("lower", "upper"), frozenset({"lower", "upper"}), _as_stated),
        "beta": Family(("a", "b"), frozenset({"a", "b"}), _unit_interval),
        "gamma": Family(("mean", "sd"), frozenset({"mean", "sd"}), _above_zero),
        "logit_normal": Family(("median", "sigma"), frozenset({"median", "sigma"}), _unit_interval),
        "student_t": Family(("location", "scale", "df"), frozenset({"scale", "df"}), _everywhere),
        "cauchy": Family(("location", "scale"), frozenset({"scale"}), _everywhere),
        "half_normal": Family(("sd",), frozenset({"sd"}), _above_zero),
        "half_cauchy": Family(("scale",), frozenset({"scale"}), _above_zero),
        "exponential": Family(("mean",), frozenset({"mean"}), _above_zero),
    }
)

# Below this part of a normal inside the bounds, the bounds and the prior contradict each other: the
# draws would pile up at a bound in a tail whose shape nobody meant.
LEAST_MASS = 0.01


# The arguments of a family that are where it ends.
ENDS = ("lower", "upper")
_RANGE = re.compile(r"(\S+) *(?:to|–|\.\.) *(\S+)|between +(\S+) +and +(\S+)")


def read_prior(fields: Fields) -> PriorEntry | GroupEntry | None:
    """The prior under `prior:`, or None with letters."""
    node = fields.mapping("prior", "{normal: {mean: 2, sd: 1}}")
    if node is None:
        return None
    if len(node.fields) != 1:
        fields.say(
            "P106",
            f"{fields.what}: the prior names {len(node.fields)} families, but one is wanted",
            "write it as in `prior: {normal: {mean: 2, sd: 1}}`",
            "prior",
        )
        return None
    family, below = next(iter(node.fields.items()))
    if family not in FAMILIES and family not in GROUPS:
        hint = near(family, [*FAMILIES, *GROUPS])
        fields.say("P106", f"{fields.what}: `{shortened(family)}` is not a prior", hint, "prior")
        return None
    if family in FAMILIES and isinstance(below, ScalarNode) and _ends(below) is not None:
        return _with_range(family, below, fields)
    if not isinstance(below, MappingNode):
        wanted = FAMILIES[family].arguments if family in FAMILIES else GROUPS[family].arguments
        form = ", ".join(f"{name}: …" for name in wanted)
        fields.say(
            "P107", f"{fields.what}: the prior `{family}` is {kind(below)}", f"write `{family}: {{{form}}}`", "prior"
        )
        return None
    if family not in FAMILIES or (family in EXCHANGEABLE and any(map(is_name, below.fields.values()))):
        return read_group(family, below, fields)
    if any(name.endswith("%") for name in below.fields):
        return _with_interval(family, below, fields)
    return _with_arguments(family, below, fields)


def _ends(node: Node) -> tuple[Node, Node] | None:
    """The two ends of a text such as `1 to 4` or `between 1 and 4`."""
    found = _RANGE.fullmatch(node.text.strip()) if isinstance(node, ScalarNode) else None
    if found is None:
        return None
    low, high = (each for each in found.groups() if each is not None)
    return ScalarNode(low, False, node.place), ScalarNode(high, False, node.place)


def _with_range(family: str, node: ScalarNode, owner: Fields) -> PriorEntry | None:
    """A prior stated as in `log_normal: 1 to 4`: 95% between them, or for a family that has two ends all of it."""
    ends = _ends(node)
    named: dict[str, Node] = {"95%": node}
    if FAMILIES[family].arguments == ENDS and ends is not None:
        named = dict(zip(ENDS, ends, strict=True))
    below = MappingNode(named, dict.fromkeys(named, node.place), node.place)
    return (_with_interval if "95%" in named else _with_arguments)(family, below, owner)


def _with_interval(family: str, node: MappingNode, owner: Fields) -> PriorEntry | None:
    """A prior stated as in `{95%: [3, 7]}`."""
    what = f"{owner.what}: the prior `{family}`"
    name, value = next((name, value) for name, value in node.fields.items() if name.endswith("%"))
    if family not in SOLVE and family not in SCALES:
        hint = f"give its arguments, {', '.join(FAMILIES[family].arguments)}"
        owner.say("P107", f"{what} can not be stated by an interval", hint, "prior")
        return None
    items = value.items if isinstance(value, SequenceNode) else _ends(value) or ()
    if len(node.fields) > 1 or len(items) != 2:
        owner.say("P107", f"{what} is {in_words(node)}", "write one interval alone, as in `{95%: [3, 7]}`", "prior")
        return None
    try:
        percent, low, high = (
            _scalars.number(each if isinstance(each, ScalarNode) else ScalarNode("", False, each.place), what)
            for each in (ScalarNode(name[:-1], False, node.keys[name]), *items)
        )
        if not 0 < percent < 100:
            owner.say("P117", f"{what} has {percent:g}% in an interval", "write a share between 0% and 100%", "prior")
            return None
        arguments = arguments_of(family, percent / 100, low, high)
    except ModelworksError as error:
        for letter in error.letters:
            message = letter.message if letter.code != "P117" else f"{owner.what}: the prior {letter.message}"
            owner.say(letter.code, message, letter.hint, "prior")
        return None
    stated = f"{as_written(percent)}% between {as_written(low)} and {as_written(high)}"
    return PriorEntry(family, MappingProxyType(arguments), owner.place("prior"), stated)


def _with_arguments(family: str, node: MappingNode, owner: Fields) -> PriorEntry | None:
    wanted = FAMILIES[family].arguments
    what = f"{owner.what}: the prior `{family}`"
    faults = len(owner.letters.collected)
    for name in node.fields:
        if name not in wanted:
            hint = "write 1000, not 1,000" if name.isdigit() else near(name, wanted)
            owner.say("P107", f"{what} has no argument `{shortened(name)}`", hint, "prior")
    fields = Fields(node, owner.letters, what)
    values = {name: value for name in wanted if (value := fields.number(name)) is not None}
    missing = [name for name in wanted if name not in node.fields or _is_blank(node, name)]
    for name in missing:
        owner.say("P107", f"{what} lacks its argument `{name}`", f"it takes {', '.join(wanted)}", "prior")
    if len(owner.letters.collected) > faults or len(values) < len(wanted):
        return None
    if reason := impossible(family, values):
        change = "exchange the two" if "lower" in reason and "upper" in reason else "correct it"
        owner.say("P108", f"{what} has {reason}", f"{change}: it was written {in_words(node)}", "prior")
        return None
    return PriorEntry(family, MappingProxyType(values), owner.place("prior"))


def _is_blank(node: MappingNode, name: str) -> bool:
    value = node.fields[name]
    return isinstance(value, ScalarNode) and value.is_empty


def impossible(family: str, arguments: Arguments) -> str:
    """Why no such distribution exists, or nothing.

    >>> impossible("normal", {"mean": 2.0, "sd": -1.0})
    '`sd` -1, which must be above 0'
    """
    for name in sorted(FAMILIES[family].positive):
        if arguments[name] <= 0:
            return f"`{name}` {arguments[name]:g}, which must be above 0"
    if family == "logit_normal" and arguments["median"] >= 1:
        return f"`median` {arguments['median']:g}, which must be below 1"
    lower, upper = arguments.get("lower", -math.inf), arguments.get("upper", math.inf)
    if lower >= upper:
        return f"`lower` {lower:g}, which must be below `upper` {upper:g}"
    return ""


def mass_within(prior: PriorEntry, bounds: Bounds) -> float:
    """The part of a normal prior that lies within bounds.

    >>> here = Place("parameters.yaml", 1)
    >>> mass_within(PriorEntry("normal", {"mean": 0.0, "sd": 1.0}, here), Bounds(0, None))
    0.5
    """
    mean, sd = prior.arguments["mean"], prior.arguments["sd"]
    low, high = ((bound - mean) / sd for bound in (bounds.low, bounds.high))
    # The upper tail is taken from the other side, where its digits are.
    if low > 0:
        return (math.erfc(low / math.sqrt(2)) - math.erfc(high / math.sqrt(2))) / 2
    return (math.erfc(-high / math.sqrt(2)) - math.erfc(-low / math.sqrt(2))) / 2


def is_cut(prior: PriorEntry | GroupEntry | None) -> TypeGuard[PriorEntry]:
    """Whether bounds cut a prior: a normal's, and no other's; a group is none."""
    return isinstance(prior, PriorEntry) and prior.family == "normal"


def effective_support(prior: PriorEntry | GroupEntry, bounds: Bounds | None) -> tuple[float, float]:
    """Where a parameter can lie: the prior's support, cut at the bounds if it is a normal."""
    low, high = prior.support
    if bounds is None or not is_cut(prior):
        return low, high
    return max(low, bounds.low), min(high, bounds.high)
