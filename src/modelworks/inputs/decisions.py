"""Choices between scenarios that a study is to prepare: by which number, and what each scenario costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from modelworks.errors import near
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Place
from modelworks.inputs.quantities import Quantity
from modelworks.inputs.scenarios import Scenario

FIELDS = ("title", "meaning", "among", "least", "most", "cost")


@dataclass(frozen=True, slots=True)
class Decision:
    """The best `among` scenarios: the one in which the `quantity`, with its `cost`, is least (or most).

    `quantity` is one of an output; the scenario it names itself plays no part. `cost` is in its unit, by scenario, and
    makes a scenario worse.
    """

    name: str
    title: str
    among: tuple[str, ...]
    quantity: str
    wanted: Literal["least", "most"]
    cost: Mapping[str, float]
    place: Place
    meaning: str = ""


def read_decisions(
    owner: Fields, quantities: Mapping[str, Quantity], scenarios: Mapping[str, Scenario]
) -> dict[str, Decision]:
    """Every decision by name; a letter for each that can not be."""
    found = {}
    for name, node in owner.groups("decisions", "decision"):
        fields = Fields(node, owner.letters, f"the decision `{name}`", FIELDS)
        if not name.isidentifier() or name in quantities:
            why = "has the name of a quantity" if name in quantities else "can not be named in an answer"
            fields.say("Y140", f"{fields.what} {why}", "use letters, digits and `_`, and a name of its own")
        found[name] = _decision(name, node, fields, quantities, scenarios)
    return found


def _decision(
    name: str,
    node: MappingNode,
    fields: Fields,
    quantities: Mapping[str, Quantity],
    scenarios: Mapping[str, Scenario],
) -> Decision:
    given = [word for word in ("least", "most") if word in fields]
    if len(given) != 1:
        message = f"{fields.what} says {' and '.join(given) or 'neither `least` nor `most`'}, but exactly one is wanted"
        fields.say("Y140", message, "write the quantity that is to be small, as in `least: infected`")
    quantity = (fields.text(given[0]) if given else None) or ""
    asked = quantities.get(quantity)
    if given and asked is None:
        hint = near(quantity, quantities)
        fields.say("Y140", f"{fields.what} names a quantity `{quantity}`, which is not there", hint, given[0])
    elif asked is not None and (asked.output is None or asked.statistic == "peak_date" or asked.above is not None):
        hint = "take a quantity with an `output` and a `statistic` that is a number"
        fields.say("Y140", f"{fields.what}: `{quantity}` is no number that each scenario has", hint, given[0])
    among = fields.texts("among") or tuple(scenarios)
    if len(set(among)) < 2:
        fields.say("Y140", f"{fields.what} is among {len(set(among))} scenarios", "name two or more", "among")
    cost = _cost(fields)
    for word, names in (("among", among), ("cost", tuple(cost))):
        known = scenarios if word == "among" else among
        for each in names:
            if each not in known:
                fields.say("Y140", f"{fields.what} names `{each}`, which is not there", near(each, known), word)
    return Decision(
        name=name,
        title=fields.text("title") or name.replace("_", " ").capitalize(),
        among=tuple(dict.fromkeys(among)),
        quantity=quantity,
        wanted="most" if given == ["most"] else "least",
        cost=MappingProxyType(cost),
        place=node.place,
        meaning=fields.text("meaning") or "",
    )


def _cost(fields: Fields) -> dict[str, float]:
    node = fields.mapping("cost", "{isolation: 50}")
    if node is None:
        return {}
    below = Fields(node, fields.letters, f"the cost of {fields.what}")
    return {name: value for name in node.fields if (value := below.number(name)) is not None}
