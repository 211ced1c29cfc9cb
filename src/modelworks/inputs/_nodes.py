"""What a YAML file says, each piece with the file and line it stands on.

Nothing is interpreted here: a scalar is the text that was written. What it means (a number, a date,
a name) is decided where it is known what is wanted, so that `no`, `010` and `1e-3` can not turn into
something else on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias


class Place(NamedTuple):
    """A line of a file, the file named as a reader of the repository knows it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a lower file said before a higher one overrode it."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One word, number or text, as written."""

    text: str
    quoted: bool
    place: Place
    history: tuple[Earlier, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing, or one of the ways to write nothing.

        >>> ScalarNode("~", False, Place("a.yaml", 1)).is_empty, ScalarNode("~", True, Place("a.yaml", 1)).is_empty
        (True, False)
        """
        return not self.quoted and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    items: tuple[Node, ...]
    place: Place
    history: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Names with what stands behind each; `keys` has the place of each name."""

    fields: Mapping[str, Node]
    keys: Mapping[str, Place]
    place: Place
    history: tuple[Earlier, ...] = ()


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def in_words(node: Node) -> str:
    """A node on one line, as it could have been written.

    >>> here = Place("a.yaml", 1)
    >>> in_words(MappingNode({"mean": ScalarNode("2", False, here)}, {"mean": here}, here))
    '{mean: 2}'
    """
    if isinstance(node, ScalarNode):
        return node.text
    if isinstance(node, SequenceNode):
        return "[" + ", ".join(map(in_words, node.items)) + "]"
    return "{" + ", ".join(f"{name}: {in_words(value)}" for name, value in node.fields.items()) + "}"


def kind(node: Node) -> str:
    """What a node is, for a sentence."""
    if isinstance(node, ScalarNode):
        return "empty" if node.is_empty else f"`{shortened(node.text)}`"
    return "a list" if isinstance(node, SequenceNode) else "a group of names"


def shortened(text: str) -> str:
    """A text short enough for a sentence, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "…"


def overriding(upper: Node, lower: Node) -> Node:
    """The upper node, knowing what the lower one said."""
    return replace(upper, history=(*lower.history, Earlier(lower.place, in_words(lower))))


def places(node: Node, prefix: str = "") -> Iterator[tuple[str, Place]]:
    """Every name below a node, dotted, with its place: `time.start`."""
    if isinstance(node, MappingNode):
        for name, value in node.fields.items():
            yield prefix + name, node.keys[name]
            yield from places(value, f"{prefix}{name}.")


def histories(node: Node, prefix: str = "") -> Iterator[tuple[str, tuple[Earlier, ...]]]:
    """Every name below a node whose value overrode another, dotted, with what it overrode."""
    if isinstance(node, MappingNode):
        for name, value in node.fields.items():
            if value.history:
                yield prefix + name, value.history
            yield from histories(value, f"{prefix}{name}.")
