"""On which line of a model's file stands what a letter is about.

A model that was declared knows no lines. A letter about it names what it is about, as in "the flow `recovery` names a
compartment `recoverd`", and the file has these names as texts; what a loop makes of pieces stands on no line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from modelworks.sources import parsed

# Of what a name stands for in a letter, how its declaration is written; of anything else it may be any.
_CALLED = {"parameter": ("Parameter", "group"), "pool": ("Pool",), "stratification": ("Stratification", "Strata")}


@dataclass(frozen=True, slots=True)
class _Declaration:
    """A name with all that is said of it: `Transition("recovery", …)`, or `"in_bed": people(…)`."""

    name: str
    line: int
    called: str
    within: tuple[ast.AST, ...]

    @property
    def texts(self) -> dict[str, int]:
        """The last line of each text within."""
        return dict(each for node in self.within for each in _texts(node))

    @property
    def keywords(self) -> dict[str, int]:
        return {each.arg: each.value.lineno for each in self.within if isinstance(each, ast.keyword) and each.arg}


def line_of(source: str | bytes, message: str) -> int | None:
    r"""The line of a file that a letter is about; None where none can be told.

    >>> source = 'Transition(\n    "recovery",\n    "infectious",\n    "recoverd",\n    rate=0.5,\n)'
    >>> line_of(source, "the flow `recovery` names a compartment `recoverd`")
    4
    >>> line_of(source, "the rate of the flow `recovery` is days"), line_of(source, "`birth` is below 0")
    (5, None)
    """
    named = re.findall(r"`([^`]+)`", message)
    tree = parsed(source)
    declared = list(_declarations(tree))
    for name in named:
        others = [each for each in named if each != name]
        found = [each for each in declared if each.name == name and _may_be(each, message)]
        # The one that also says what is wrong with it.
        found.sort(key=lambda each: sum(other in each.texts for other in others), reverse=True)
        if found:
            return _within(found[0], others, re.sub(r"`[^`]*`", "", message))
    # One that is only used, as a compartment in a list.
    return next((line for name in named for text, line in _texts(tree) if text == name), None)


def _within(found: _Declaration, others: list[str], said: str) -> int:
    """The line of what is wrong in a declaration, or that of its name."""
    for other in reversed(others):
        if other in found.texts:
            return found.texts[other]
    return next((line for word, line in found.keywords.items() if re.search(rf"\b{word}\b", said)), found.line)


def _may_be(found: _Declaration, message: str) -> bool:
    kind = re.search(rf"\b({'|'.join(_CALLED)}) `{re.escape(found.name)}`", message)
    return kind is None or found.called in _CALLED[kind[1]]


def _declarations(tree: ast.AST) -> Iterator[_Declaration]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            for name, line in _text(node.args[0]):
                yield _Declaration(name, line, called, (*node.args[1:], *node.keywords))
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                for name, line in _text(key):
                    yield _Declaration(name, line, "", (value,))


def _texts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every text with its line."""
    return (each for node in ast.walk(tree) for each in _text(node))


def _text(node: ast.AST | None) -> Iterator[tuple[str, int]]:
    """The text that a node is, with its line; nothing of any other."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, node.lineno
