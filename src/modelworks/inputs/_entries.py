"""What a catalogue says of the datasets that come of some files, so that two editions of it can be compared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from modelworks.errors import Letters
from modelworks.inputs._nodes import MappingNode, ScalarNode, SequenceNode, in_words
from modelworks.inputs._prepared import FORMS
from modelworks.inputs._yaml import read_mapping
from modelworks.inputs.encryption import ENDING

# Each field of an entry as one line; where it stands in the file, and in which order, is left out.
Entry: TypeAlias = Mapping[str, str]


def catalogue_entries(content: bytes, file: str) -> dict[str, Entry] | None:
    """Every entry of a catalogue as it is written, mistakes and all; None where it is no catalogue."""
    node = read_mapping(content, file, Letters())
    if node is None:
        return None
    return {
        name: {each: in_words(value) for each, value in entry.fields.items()} | {"uses": "\n".join(_uses(entry))}
        for name, entry in node.fields.items()
        if isinstance(entry, MappingNode)
    }


def entries_of(entries: Mapping[str, Entry], files: Collection[str]) -> set[str]:
    """The datasets that are one of these files (named from the folder of data), or are prepared by one; with all that
    such a dataset is prepared from, for of what is sensitive no file is among those of a run."""
    found = {name for name, entry in entries.items() if set(_sources(entry)) & set(files)}
    while True:
        used = {file for name in found for file in entries[name]["uses"].splitlines()}
        more = {name for name, entry in entries.items() if {entry.get("file", ""), *_kept(name)} & used}
        if more <= found:
            return found
        found |= more


def _uses(entry: MappingNode) -> Iterator[str]:
    node = entry.fields.get("uses")
    for each in node.items if isinstance(node, SequenceNode) else ():
        if isinstance(each, ScalarNode):
            yield each.text


def _sources(entry: Entry) -> Iterator[str]:
    """The file of an entry, or the one with the function that prepares it."""
    yield entry.get("file", "")
    yield entry.get("prepare", "").partition(":")[0]


def _kept(name: str) -> Iterator[str]:
    """Where the table of a dataset lies, if it is prepared."""
    for form in FORMS:
        yield from (f"prepared/{name}.{form}", f"prepared/{name}.{form}{ENDING}")
