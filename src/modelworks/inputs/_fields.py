"""Reading the names of a mapping into values of the types wanted, collecting every mistake.

Each reader gives the value, or None where there is none or it is wrong; what is wrong is in the
letters by then. So one pass over a file finds all its mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from modelworks.errors import Letters, ModelworksError, near
from modelworks.inputs import _scalars
from modelworks.inputs._nodes import MappingNode, Node, Place, ScalarNode, SequenceNode, kind, shortened

T = TypeVar("T")

# What people write where they mean to write something later.
_PLACEHOLDER = re.compile(
    r"(todo|tbd|tba|tbc|fixme|xxx+|none|unknown|n/?a|\?+|-+|\.+|…)\W*|(todo|fixme)\b.*", re.I | re.S
)


class Fields:
    """The names of one mapping. `what` says whose they are, for sentences: "the parameter `boys`".

    A name that is not among the `known` is a letter; where `known` is None, the names are the user's own.
    """

    def __init__(self, node: MappingNode, letters: Letters, what: str, known: Sequence[str] | None = None) -> None:
        self.node = node
        self.letters = letters
        self.what = what
        for name in node.fields:
            if known is not None and name not in known:
                self._unknown(name, known)

    def __contains__(self, name: str) -> bool:
        """Whether the name is there with something behind it."""
        node = self.node.fields.get(name)
        return node is not None and not (isinstance(node, ScalarNode) and node.is_empty)

    def place(self, name: str) -> Place:
        """Where a name stands; where its owner stands, if it is not there."""
        return self.node.keys.get(name, self.node.place)

    def say(self, code: str, message: str, hint: str, name: str | None = None) -> None:
        """A letter about one of the names, or about their owner."""
        place = self.node.place if name is None else self.place(name)
        self.letters.add(code, message, hint=hint, file=place.file, line=place.line)

    def need(self, name: str, example: str, code: str = "Y121") -> bool:
        """Whether a name that must be there is; a letter where it is not."""
        if name in self:
            return True
        lacks = "is empty" if name in self.node.fields else "is missing"
        self.say(code, f"{self.what}: `{name}` {lacks}", f"write it, as in `{name}: {example}`", name)
        return False

    def text(self, name: str) -> str | None:
        """A text, as it stands."""
        node = self._scalar(name, "a text")
        return None if node is None else node.text.strip()

    def statement(self, name: str, example: str, code: str) -> str | None:
        """A text that must be there and say something."""
        if not self.need(name, example, code):
            return None
        text = self.text(name)
        if text is not None and (not text or _PLACEHOLDER.fullmatch(text)):
            self.say(code, f"{self.what}: `{name}` still says `{text}`", f"write it, as in `{name}: {example}`", name)
            return None
        return text

    def number(self, name: str) -> float | None:
        """A finite number."""
        return self._read(name, "a number", _scalars.number)

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """A whole number within limits."""
        value = self._read(name, "a whole number", _scalars.whole)
        if value is None:
            return default
        if not least <= value <= most:
            self.say(
                "Y123",
                f"{self.what}: `{name}` is {value:,}, but lies between {least:,} and {most:,}",
                f"leave it out for {default:,}",
                name,
            )
            return default
        return value

    def day(self, name: str) -> date | None:
        """A date."""
        return self._read(name, "a date", _scalars.day)

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str | None:
        """One of a few words."""
        text = self.text(name)
        if text is None or text in choices:
            return default if text is None else text
        listed = ", ".join(f"`{each}`" for each in choices)
        self.say(
            "Y124",
            f"{self.what}: `{name}` is `{shortened(text)}`, but is one of {listed}",
            near(text, choices),
            name,
        )
        return default

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; a single text is a list of one."""
        if name not in self:
            return ()
        node = self.node.fields[name]
        items = node.items if isinstance(node, SequenceNode) else (node,)
        found = [item.text.strip() for item in items if isinstance(item, ScalarNode) and not item.is_empty]
        if len(found) < len(items):
            self._wrong_kind(
                name, "a list of texts", next(i for i in items if not isinstance(i, ScalarNode) or i.is_empty)
            )
        return tuple(found)

    def mapping(self, name: str, example: str = "{name: value}") -> MappingNode | None:
        """The names under a name."""
        if name not in self:
            return None
        node = self.node.fields[name]
        if isinstance(node, MappingNode):
            return node
        self._wrong_kind(name, f"a group of names, as in `{name}: {example}`", node)
        return None

    def below(self, name: str, known: Sequence[str], example: str) -> Fields:
        """The fields under a name; without any where there is nothing to read."""
        node = self.mapping(name, example) or MappingNode({}, {}, self.place(name))
        return Fields(replace(node, place=self.place(name)), self.letters, f"`{name}`", known)

    def groups(self, name: str, noun: str) -> Iterator[tuple[str, MappingNode]]:
        """Each named group under a name: the scenarios, the quantities, the columns."""
        node = self.mapping(name)
        if node is not None:
            yield from groups(node, self.letters, noun)

    def _scalar(self, name: str, wanted: str) -> ScalarNode | None:
        if name not in self:
            return None
        node = self.node.fields[name]
        if isinstance(node, ScalarNode):
            return node
        self._wrong_kind(name, wanted, node)
        return None

    def _read(self, name: str, wanted: str, read: Callable[[ScalarNode, str], T]) -> T | None:
        node = self._scalar(name, wanted)
        if node is None:
            return None
        try:
            return read(node, f"{self.what}: `{name}`")
        except ModelworksError as error:
            self.letters.extend(error.letters)
            return None

    def _wrong_kind(self, name: str, wanted: str, node: Node) -> None:
        self.letters.add(
            "Y122",
            f"{self.what}: `{name}` is {kind(node)}, but {wanted.split(', as')[0]} is wanted",
            hint=f"write {wanted}",
            file=node.place.file,
            line=node.place.line,
        )

    def _unknown(self, name: str, known: Sequence[str]) -> None:
        shown = shortened(name)
        if re.fullmatch(r"\d+", name):
            hint = "a comma inside braces ends a value: write 1000, not 1,000"
        else:
            hint = near(name, known)
        self.say("Y120", f"{self.what}: `{shown}` is not a name that is read here", hint, name)


def groups(node: MappingNode, letters: Letters, noun: str) -> Iterator[tuple[str, MappingNode]]:
    """Each name of a mapping with the group behind it, placed at its name; a letter for each that is no group."""
    for name, value in node.fields.items():
        if isinstance(value, MappingNode):
            yield name, replace(value, place=node.keys[name])
        else:
            place = node.keys[name]
            letters.add(
                "Y122",
                f"the {noun} `{shortened(name)}` is {kind(value)}, but a group of names is wanted",
                hint="indent its entries below it, one a line",
                file=place.file,
                line=place.line,
            )
