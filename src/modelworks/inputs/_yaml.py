"""Reading a YAML file into nodes: every trap of the format is a letter, and no object is ever made.

Anchors, aliases, merge keys and tags are refused. Their work is done by `extends`, which says in
which file a value stands, and without them a file can not be larger than it looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

from modelworks.errors import Letters, ModelworksError, fail
from modelworks.inputs._nodes import MappingNode, Node, Place, ScalarNode, SequenceNode

# A study's files are written by people. The largest catalogue we know of has 60 kB.
LARGEST_BYTES = 1_000_000
DEEPEST = 20
# An escape can say half of a character of UTF-16, which no encoding can write, and zero, which no database keeps.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
# What git writes around two versions that it could not merge; in a text of several lines they would be indented.
_OF_A_MERGE = tuple(re.compile(rf"^{mark}{{7}}(?=\s|$)", re.MULTILINE) for mark in "<=>")


def read_mapping(content: bytes, file: str, letters: Letters) -> MappingNode | None:
    """The names a file holds, or None where it can not be read at all; mistakes go into `letters`."""
    try:
        text = decoded(content, file)
        _refuse_unfinished_merge(text, file)
        node = _Composer(text, file, letters).document()
    except ModelworksError as error:
        letters.extend(error.letters)
        return None
    if isinstance(node, MappingNode):
        return node
    letters.add(
        "Y113",
        f"{file} holds {'a list' if isinstance(node, SequenceNode) else 'a text'}, not names with values",
        hint="each line begins with a name and a colon, as in `title: Influenza in a school`",
        file=file,
        line=node.place.line,
    )
    return None


def decoded(content: bytes, file: str) -> str:
    """The text of a file, without the mark that some editors put in front."""
    if len(content) > LARGEST_BYTES:
        fail(
            "Y114",
            f"{file} has {len(content):,} bytes; at most {LARGEST_BYTES:,} are read",
            hint="put tables into data/raw as CSV, and name them in data/catalogue.yaml",
            file=file,
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        fail(
            "Y111",
            f"{file} is not UTF-8 text (byte {content[error.start]:#04x})",
            hint="save it again as UTF-8; in many editors: Save with encoding",
            file=file,
            line=line,
        )


def _refuse_unfinished_merge(text: str, file: str) -> None:
    begins, between, ends = (each.search(text) for each in _OF_A_MERGE)
    if not (begins and between and ends):
        return
    fail(
        "Y165",
        f"{file} has an unfinished merge: git put two versions here, one above `=======` and one below",
        hint="keep what shall stand, remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`, then `git add` the file",
        file=file,
        line=text.count("\n", 0, begins.start()) + 1,
    )


class _Composer:
    """Makes nodes of the parser's events."""

    def __init__(self, text: str, file: str, letters: Letters) -> None:
        self.text = text
        self.file = file
        self.letters = letters
        self.events = _events(text, file)

    def document(self) -> Node:
        """The only document of the file."""
        event = next(self.events)
        node = None if type(event).__name__ == "StreamEndEvent" else self.node(next(self.events), 0)
        if node is None or (isinstance(node, ScalarNode) and node.is_empty):
            fail("Y112", f"{self.file} is empty", hint="write its first entry", file=self.file)
        next(self.events)
        after = next(self.events)
        if type(after).__name__ != "StreamEndEvent":
            self.say(
                "Y136", "a second document begins here", "remove the line `---`; one file holds one document", after
            )
        return node

    def node(self, event: Any, depth: int) -> Node:
        """The node that begins with an event."""
        if depth > DEEPEST:
            fail(
                "Y137",
                f"names are nested more than {DEEPEST} deep",
                hint="no file of a study needs more than six levels",
                file=self.file,
                line=self.place(event).line,
            )
        self.refuse_machinery(event)
        name = type(event).__name__
        if name == "MappingStartEvent":
            return self.mapping(event, depth)
        if name == "SequenceStartEvent":
            return self.sequence(event, depth)
        text = getattr(event, "value", "")
        if _UNWRITABLE.search(text):
            hint = "write the character itself, and not its number after a backslash"
            self.say("Y111", "a character stands here that no text can hold", hint, event)
            text = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
        return ScalarNode(text, getattr(event, "style", None) is not None, self.place(event))

    def mapping(self, start: Any, depth: int) -> MappingNode:
        fields: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            key, value = self.node(event, depth + 1), self.node(next(self.events), depth + 1)
            if not isinstance(key, ScalarNode) or key.is_empty:
                self.say("Y138", "a name is missing before the colon", "write one word before the colon", event)
            elif key.text == "<<" and not key.quoted:
                self.say("Y109", "`<<` (a merge key) is not read", "name the other file with `extends:`", event)
            elif key.text in fields:
                first = keys[key.text].line
                self.say(
                    "Y102",
                    f"`{key.text}` stands twice: on line {first} and on line {key.place.line}",
                    "remove one of them; YAML would silently keep the last",
                    event,
                )
            else:
                fields[key.text], keys[key.text] = value, key.place
        return MappingNode(fields, keys, self.place(start))

    def sequence(self, start: Any, depth: int) -> SequenceNode:
        items = []
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            items.append(self.node(event, depth + 1))
        return SequenceNode(tuple(items), self.place(start))

    def refuse_machinery(self, event: Any) -> None:
        if getattr(event, "anchor", None) is not None:
            mark = "*" if type(event).__name__ == "AliasEvent" else "&"
            self.say(
                "Y109",
                f"`{mark}{event.anchor}` (an anchor or alias) is not read",
                "write the value out, or put it into a file of its own and name that with `extends:`",
                event,
            )
        if getattr(event, "tag", None) is not None:
            self.say(
                "Y116",
                f"`{_short_tag(str(event.tag))}` (a tag) is not read",
                "remove the word that begins with `!`; a text that begins with `!` needs quotes",
                event,
            )

    def say(self, code: str, message: str, hint: str, event: Any) -> None:
        self.letters.add(code, message, hint=hint, file=self.file, line=self.place(event).line)

    def place(self, event: Any) -> Place:
        """Where an event begins; for a key or value, the line it stands on."""
        return Place(self.file, event.start_mark.line + 1)


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _events(text: str, file: str) -> Iterator[Any]:
    """The parser's events after the first; what it stumbles over is a letter."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        events = YAML(typ="safe", pure=True).parse(text)
        next(events)
        yield from events
    except YAMLError as error:
        _stumbled(error, text, file)
    except (ValueError, IndexError, AttributeError, AssertionError, RecursionError) as error:
        # The parser trips over a few malformed directives and escapes without saying so itself.
        fail(
            "Y101",
            f"{file} is not YAML: {type(error).__name__} while reading it",
            hint="remove lines that begin with `%`, and escapes such as `\\U` in double quotes",
            file=file,
        )


def _stumbled(error: Any, text: str, file: str) -> NoReturn:
    mark = getattr(error, "problem_mark", None)
    context = str(getattr(error, "context", None) or "")
    if "flow" in context or "quoted" in context:
        # Where it was opened says more than where the parser gave up, which may be the end of the file.
        what = "quotation mark" if "quoted" in context else "bracket"
        fail(
            "Y101",
            f"{file} can not be read: a {what} is opened here and not closed, or holds what it can not",
            hint=f"close the {what} on this line, or put a text with commas, colons or brackets in quotes",
            file=file,
            line=error.context_mark.line + 1,
        )
    position = getattr(error, "position", None)
    lines = text.splitlines() or [""]
    number = mark.line if mark is not None else text.count("\n", 0, position or 0)
    line = lines[min(number, len(lines) - 1)]
    if re.match(r"[ ]*\t", line):
        fail(
            "Y103",
            "this line is indented with a tab",
            hint="indent with spaces, two a level; most editors can be told to",
            file=file,
            line=number + 1,
        )
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    fail("Y101", f"{file} can not be read here: {problem}", hint=_advice(line), file=file, line=number + 1)


def _advice(line: str) -> str:
    """What most likely makes a line unreadable."""
    value = line.partition(":")[2].strip()
    if value[:1] in tuple("@`%&*!|>,]}?-"):
        return f"a text that begins with `{value[0]}` needs quotes around it"
    if ": " in value or value.endswith(":"):
        return "a text with a colon in it needs quotes around it"
    return "look at this line and the one before: its indentation, a missing colon, or a missing space after one"
