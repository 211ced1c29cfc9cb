"""The walls of the house: who may import whom, and the few rules that keep a file readable.

The table of rooms is read from `docs/explanation/rooms.md`, so the page and the test can not disagree.
Imports are read from the source, those inside functions and under `TYPE_CHECKING` included: a wall
that is only crossed sometimes is still crossed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "modelworks"
PAGE = ROOT / "docs" / "explanation" / "rooms.md"
SHARED = frozenset({"caches", "databases", "dates", "errors", "logs", "processes", "sources", "units"})
DOOR = "modelworks"
NOWHERE_NAMES = frozenset({"core", "common", "utils", "util", "helpers", "helper", "base", "misc", "tools"})
LONGEST_FUNCTION = 60

# `module.function` → why it is better whole.
LONG_FUNCTIONS: dict[str, str] = {}


@dataclass(frozen=True)
class Import:
    """One import of one of our modules by another."""

    importer: str
    imported: str
    file: Path
    line: int
    for_types_only: bool = False

    @property
    def place(self) -> str:
        return f"{self.file.relative_to(ROOT)}, line {self.line}"


def module_name(file: Path) -> str:
    """`model/_graph.py` → `modelworks.model._graph`; a package is named by its folder."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources() -> dict[str, tuple[Path, ast.Module]]:
    """Every module of the package with its syntax tree."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {module_name(file): (file, ast.parse(file.read_text(encoding="utf-8"))) for file in files}


def absolute(importer: str, is_package: bool, node: ast.ImportFrom) -> str:
    """The module a `from … import` names, with the leading dots resolved."""
    if node.level == 0:
        return node.module or ""
    parts = importer.split(".")
    package = parts if is_package else parts[:-1]
    kept = package[: len(package) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def imported_modules(importer: str, is_package: bool, node: ast.AST) -> list[str]:
    """Our modules that one statement imports; `from a import b` is `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        source = absolute(importer, is_package, node)
        names = [f"{source}.{a.name}" if f"{source}.{a.name}" in sources() else source for a in node.names]
    else:
        return []
    return [name for name in names if name == DOOR or name.startswith(f"{DOOR}.")]


def type_checking_lines(tree: ast.Module) -> set[int]:
    """Lines under `if TYPE_CHECKING:`, which no program ever runs."""
    return {
        inner.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
        if isinstance(inner, ast.stmt)
    }


@cache
def imports() -> tuple[Import, ...]:
    """Every import of ours by ours."""
    return tuple(
        Import(name, imported, file, node.lineno, node.lineno in unrun)
        for name, (file, tree) in sources().items()
        for unrun in [type_checking_lines(tree)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for imported in imported_modules(name, file.name == "__init__.py", node)
    )


def room(module: str) -> str:
    """The room a module stands in; the package's own file is the door."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else DOOR
    return {"__main__": "cli"}.get(name, name).removeprefix("_")


@cache
def table() -> dict[str, frozenset[str]]:
    """Room → what it may import, from the page."""
    rows = re.findall(
        r"(?m)^\| (\w+) \| (?:shared|pure|record|face|door) \| (.+) \|$", PAGE.read_text(encoding="utf-8")
    )
    names = {name for name, _ in rows}
    allowed: dict[str, frozenset[str]] = {}
    for name, cell in rows:
        if cell == "everything":
            allowed[name] = frozenset(names)
        else:
            listed = frozenset() if cell == "nothing" else frozenset(re.split(r",\s*", cell))
            allowed[name] = listed | (frozenset() if name in SHARED else SHARED)
    return allowed


def wall_crossings() -> Iterator[str]:
    for each in imports():
        importer, imported = room(each.importer), room(each.imported)
        if importer not in table():
            yield f"{each.place}: the room `{importer}` is not in the table of {PAGE.relative_to(ROOT)}; add its row"
        elif imported not in (table()[importer] | {importer}):
            may = ", ".join(sorted(table()[importer])) or "nothing"
            yield (
                f"{each.place}: `{importer}` imports `{each.imported}`, but may import only {may}.\n"
                f"    Hand the value in as an argument, or do the joining in `study`."
            )


def test_every_room_imports_only_what_the_table_allows() -> None:
    """A wall that holds lets a reader understand one room at a time."""
    crossings = list(wall_crossings())
    assert not crossings, "\n" + "\n".join(crossings)


def test_the_table_names_every_room_and_no_other() -> None:
    """A row without a room, or a room without a row, means that the page has drifted."""
    standing = {room(name) for name in sources()}
    assert standing - set(table()) == set(), f"add a row to {PAGE.relative_to(ROOT)}"
    assert set(table()) - standing == set(), f"take the row out of {PAGE.relative_to(ROOT)}"


def test_private_modules_stay_in_their_room() -> None:
    """An underscore is a promise that the room may change the module without asking."""
    reached = [
        f"{each.place}: `{each.imported}` is private; import from `modelworks.{room(each.imported)}` instead"
        for each in imports()
        if room(each.importer) != room(each.imported)
        and any(part.startswith("_") and not part.startswith("__") for part in each.imported.split(".")[2:])
    ]
    assert not reached, "\n" + "\n".join(reached)


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of modules, first and last the same, or nothing."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for neighbour in sorted(graph.get(node, ())):
            if found := walk(neighbour, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := walk(node, []))), [])


def test_no_modules_import_in_a_circle() -> None:
    """A circle of imports can only be read, tested and changed as one piece.

    Imports inside functions count. Those for the type checker alone do not: a type may name what it is part of.
    """
    graph: dict[str, set[str]] = {name: set() for name in sources()}
    for each in imports():
        if each.imported in graph and each.imported != each.importer and not each.for_types_only:
            graph[each.importer].add(each.imported)
    circle = find_cycle(graph)
    assert not circle, "these import each other: " + " → ".join(circle) + "; move what both need into one of them"


def test_no_module_is_named_for_having_no_home() -> None:
    """`utils` says nothing about what is inside, and so everything ends up inside."""
    homeless = [
        str(file.relative_to(ROOT))
        for name, (file, _) in sources().items()
        if name.split(".")[-1].strip("_") in NOWHERE_NAMES
    ]
    assert not homeless, f"name these for what they hold: {homeless}"


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines below the docstring: a long explanation is not a long function."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def long_functions() -> Iterator[tuple[str, str]]:
    for name, (file, tree) in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LONGEST_FUNCTION:
                yield f"{name}.{node.name}", f"{file.relative_to(ROOT)}, line {node.lineno}: {length(node)} lines"


def test_no_function_is_longer_than_a_page() -> None:
    """Sixty lines is what one sees at once; the exceptions stand in the list with their reason."""
    long = dict(long_functions())
    unexplained = [
        f"{place} in `{name}`: split it, or list it with a reason"
        for name, place in long.items()
        if name not in LONG_FUNCTIONS
    ]
    assert not unexplained, "\n" + "\n".join(unexplained)
    assert set(LONG_FUNCTIONS) <= set(long), "a function in the list has become short: take it out"


def test_only_the_command_line_prints() -> None:
    """A room that prints can not be used inside a page, a job or a test."""
    printing = [
        f"{file.relative_to(ROOT)}, line {node.lineno}: return the text, and let the command line show it"
        for name, (file, tree) in sources().items()
        if room(name) != "cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing, "\n" + "\n".join(printing)


def narrows_a_type(test: ast.expr) -> bool:
    """`x is not None` and `isinstance(x, ...)` tell the type checker what no user can break."""
    if isinstance(test, ast.Compare):
        return all(isinstance(operator, ast.IsNot) for operator in test.ops)
    return isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "isinstance"


def test_nothing_is_asserted_about_what_a_user_gave() -> None:
    """`python -O` removes an assert, and a user can not mend an `AssertionError`; suites for extenders are tests."""
    asserted = [
        f"{file.relative_to(ROOT)}, line {node.lineno}: raise a letter, or let the types say it"
        for name, (file, tree) in sources().items()
        if room(name) != "testing"
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and not narrows_a_type(node.test)
    ]
    assert not asserted, "\n" + "\n".join(asserted)


@pytest.mark.parametrize(
    ("importer", "imported"), [("plots", "runs"), ("model", "inputs"), ("inputs", "model"), ("diagnostics", "plots")]
)
def test_the_walls_that_earn_their_keep_are_in_the_table(importer: str, imported: str) -> None:
    """These may not be opened by editing the table without being noticed here."""
    assert imported not in table()[importer]
