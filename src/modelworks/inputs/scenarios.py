"""What a study asks "what if" about: parameters or data that differ from the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from modelworks.errors import ModelworksError, near
from modelworks.inputs import _scalars
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Node, Place, ScalarNode, kind

BASELINE = "baseline"
FIELDS = ("title", "meaning", "parameters", "data")


@dataclass(frozen=True, slots=True)
class Multiply:
    """A parameter times a number, in every draw."""

    multiply: float


Change = float | Multiply


@dataclass(frozen=True, slots=True)
class Scenario:
    """A counterfactual: parameters set or multiplied, and datasets put in the place of others.

    `data` maps the name that the model knows to the dataset it gets instead. `places` has the line of
    each parameter and dataset that is changed.
    """

    name: str
    title: str
    parameters: Mapping[str, Change]
    data: Mapping[str, str]
    place: Place
    places: Mapping[str, Place]
    meaning: str = ""

    @property
    def file(self) -> str:
        return self.place.file

    @property
    def line(self) -> int:
        return self.place.line


def read_scenarios(owner: Fields) -> dict[str, Scenario]:
    """Every scenario by name. The baseline, in which nothing differs, is the first unless it is written itself."""
    found = {name: _scenario(name, node, owner) for name, node in owner.groups("scenarios", "scenario")}
    if BASELINE in found:
        return found
    nothing: Mapping[str, Place] = MappingProxyType({})
    baseline = Scenario(BASELINE, "Baseline", {}, {}, owner.place("scenarios"), nothing)
    return {BASELINE: baseline, **found}


def _scenario(name: str, node: MappingNode, owner: Fields) -> Scenario:
    fields = Fields(node, owner.letters, f"the scenario `{name}`", FIELDS)
    changed = fields.mapping("parameters", "{contact_rate: {multiply: 0.5}}")
    replaced = fields.mapping("data", "{vaccination: another-dataset}")
    parameters = {} if changed is None else _changes(changed, fields)
    data = {}
    if replaced is not None:
        below = Fields(replaced, owner.letters, f"the data of {fields.what}")
        data = {key: text for key in replaced.fields if (text := below.text(key)) is not None}
    places = {**({} if changed is None else changed.keys), **({} if replaced is None else replaced.keys)}
    return Scenario(
        name=name,
        title=fields.text("title") or name.replace("-", " ").replace("_", " ").capitalize(),
        parameters=MappingProxyType(parameters),
        data=MappingProxyType(data),
        place=node.place,
        places=MappingProxyType(places),
        meaning=fields.text("meaning") or "",
    )


def _changes(node: MappingNode, owner: Fields) -> dict[str, Change]:
    found: dict[str, Change] = {}
    for name, value in node.fields.items():
        try:
            change = _change(name, value, owner)
        except ModelworksError as error:
            owner.letters.extend(error.letters)
            continue
        if change is not None:
            found[name] = change
    return found


def _change(name: str, node: Node, owner: Fields) -> Change | None:
    """A number, or what to multiply by."""
    what = f"{owner.what}: `{name}`"
    if isinstance(node, ScalarNode) and not node.is_empty:
        return _scalars.number(node, what)
    if isinstance(node, MappingNode) and set(node.fields) == {"multiply"}:
        factor = Fields(node, owner.letters, what, ("multiply",)).number("multiply")
        return None if factor is None else Multiply(factor)
    meant = near(next(iter(node.fields), ""), ("multiply",)) if isinstance(node, MappingNode) else ""
    owner.letters.add(
        "Y130",
        f"{what} is {kind(node)}, but a number or `multiply` is wanted",
        hint=(f"{meant} " if meant.endswith("?") else "") + f"write `{name}: 0.2`, or `{name}: {{multiply: 0.5}}`",
        file=node.place.file,
        line=node.place.line,
    )
    return None
