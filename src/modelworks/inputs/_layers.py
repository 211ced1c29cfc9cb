"""One file made of several: a study's own over its region's over the base, joined by `extends`.

A name in a higher file wins. Every value keeps the place it came from and what it overrode.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from modelworks.errors import Letters
from modelworks.inputs._nodes import Earlier, MappingNode, Node, Place, ScalarNode, in_words, kind, overriding
from modelworks.inputs._reading import Reading, is_a_path, resolve
from modelworks.inputs._yaml import read_mapping

MOST_LAYERS = 10


@dataclass(frozen=True, slots=True)
class Layers:
    """The files of one chain, from the base to the study's own, each without its `extends`.

    `complete` says whether all of them could be read: where not, a name that is missing may be in the rest.
    """

    file: str
    nodes: tuple[MappingNode, ...]
    complete: bool


def read_layers(path: Path, reading: Reading, letters: Letters) -> Layers:
    """A file and all that it extends; what can not be read is left out, with a letter."""
    shown, before = reading.shown(path), len(letters.collected)
    nodes: list[MappingNode] = []
    seen: list[Path] = []
    asked_by: Place | None = None
    while True:
        content = reading.text_file(path, asked_by, letters)
        node = None if content is None else read_mapping(content, reading.shown(path), letters)
        seen.append(resolve(path))
        if node is None:
            break
        nodes.append(_without_extends(node))
        asked = node.fields.get("extends")
        if asked is None:
            break
        asked_by = node.keys["extends"]
        following = _followed(asked, asked_by, path, seen, reading, letters)
        if following is None:
            break
        path = following
    return Layers(shown, tuple(reversed(nodes)), complete=len(letters.collected) == before)


def _without_extends(node: MappingNode) -> MappingNode:
    return replace(node, fields={name: value for name, value in node.fields.items() if name != "extends"})


def _followed(
    asked: Node, place: Place, path: Path, seen: list[Path], reading: Reading, letters: Letters
) -> Path | None:
    """The file that an `extends` names, unless it leads nowhere or back."""
    if not isinstance(asked, ScalarNode) or asked.is_empty or not is_a_path(asked.text):
        letters.add(
            "Y122",
            f"`extends` is {kind(asked)}, but the path of one file is wanted",
            hint="write it from this file's folder, as in `extends: ../base/parameters.yaml`",
            file=place.file,
            line=place.line,
        )
        return None
    target = path.parent / asked.text
    if resolve(target) in seen or len(seen) >= MOST_LAYERS:
        circle = " → ".join(reading.shown(each) for each in [*seen, target])
        letters.add(
            "Y118",
            f"`extends` leads in a circle, or through more than {MOST_LAYERS} files: {circle}",
            hint="a base extends nothing, a region the base, a study the region",
            file=place.file,
            line=place.line,
        )
        return None
    return target


def merged(nodes: tuple[MappingNode, ...]) -> MappingNode | None:
    """The layers as one, name by name at every depth; the last wins."""
    if not nodes:
        return None
    result = nodes[0]
    for node in nodes[1:]:
        result = _over(node, result)
    return result


def _over(upper: MappingNode, lower: MappingNode) -> MappingNode:
    fields: dict[str, Node] = dict(lower.fields)
    for name, value in upper.fields.items():
        below = lower.fields.get(name)
        if isinstance(value, MappingNode) and isinstance(below, MappingNode):
            fields[name] = _over(value, below)
        else:
            fields[name] = value if below is None else overriding(value, below)
    return replace(upper, fields=fields, keys={**lower.keys, **upper.keys}, history=lower.history)


@dataclass(frozen=True, slots=True)
class Layered:
    """One entry, put together from every file that says something of it.

    `node` has all its fields, `place` is its name's in the highest file, `given` says for each field
    how high the file stands it came from, and `dropped` what a change of kind left behind.
    """

    node: MappingNode
    place: Place
    given: dict[str, int] = field(default_factory=dict)
    dropped: tuple[Earlier, ...] = ()

    @property
    def history(self) -> tuple[Earlier, ...]:
        """Everything this entry overrode, the lowest file first."""
        replaced = (each for value in self.node.fields.values() for each in value.history)
        return (*self.dropped, *replaced)


def merged_entries(
    nodes: tuple[MappingNode, ...], instead: tuple[frozenset[str], ...], noun: str, letters: Letters
) -> dict[str, Layered]:
    """Entries by name, each put together field by field; a field is replaced as a whole.

    `instead` are sets of fields of which one takes the place of another: a `value` in a higher file
    replaces a `prior` in a lower one.
    """
    found: dict[str, Layered] = {}
    for level, layer in enumerate(nodes):
        for name, value in layer.fields.items():
            place = layer.keys[name]
            if not isinstance(value, MappingNode):
                letters.add(
                    "Y122",
                    f"the {noun} `{name}` is {kind(value)}, but a group of names is wanted",
                    hint="indent its entries below it, one a line; another file's entries come with `extends:`",
                    file=place.file,
                    line=place.line,
                )
                continue
            found[name] = _entry_over(found.get(name), replace(value, place=place), level, instead)
    return found


def _entry_over(lower: Layered | None, upper: MappingNode, level: int, instead: tuple[frozenset[str], ...]) -> Layered:
    given = dict.fromkeys(upper.fields, level)
    if lower is None:
        return Layered(upper, upper.place, given)
    gone = [name for name in lower.node.fields if _is_replaced(name, upper, instead)]
    dropped = [Earlier(lower.node.keys[name], f"{name} {in_words(lower.node.fields[name])}") for name in gone]
    kept = {name: value for name, value in lower.node.fields.items() if name not in gone}
    fields = dict(kept)
    for name, value in upper.fields.items():
        fields[name] = overriding(value, kept[name]) if name in kept else value
    node = MappingNode(fields, {**lower.node.keys, **upper.keys}, upper.place)
    return Layered(node, upper.place, {**lower.given, **given}, (*lower.dropped, *dropped))


def _is_replaced(name: str, upper: MappingNode, instead: tuple[frozenset[str], ...]) -> bool:
    """Whether the upper file says in another way what this field of the lower file said."""
    mine = next((kind for kind in instead if name in kind), None)
    if mine is None or name in upper.fields:
        return False
    return any(other in upper.fields for kind in instead if kind is not mine for other in kind)
