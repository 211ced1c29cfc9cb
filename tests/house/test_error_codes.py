"""Every code that can be said has a page, and every page a code that is said."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError, explain, explanations

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "modelworks"
CODE = re.compile(r"[A-Z]\d{3}")
# What looks like a code of ours and is a word of a standard: the method of a code challenge (RFC 7636).
OF_A_STANDARD = {"S256"}


def codes_in_source() -> Iterator[tuple[str, str]]:
    """Each code that the source says, with its place."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        # Who looks a code up, as the website does for a status, does not say it.
        looked_up = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
        for node in ast.walk(tree):
            if id(node) in looked_up or not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if CODE.fullmatch(node.value) and node.value not in OF_A_STANDARD:
                yield node.value, f"{file.relative_to(ROOT)}, line {node.lineno}"


@pytest.mark.slow
def test_every_code_that_can_be_said_is_explained() -> None:
    """A letter ends with a code so that its reader can ask for more."""
    unexplained = [f"{place}: {code}" for code, place in codes_in_source() if code not in explanations()]
    assert not unexplained, "write a page in src/modelworks/error_codes/ for\n" + "\n".join(unexplained)


@pytest.mark.slow
def test_every_explained_code_is_said_somewhere() -> None:
    """A page for a code that is never said sends its reader looking for a mistake they can not make."""
    silent = set(explanations()) - {code for code, _ in codes_in_source()}
    assert not silent, f"nothing says {sorted(silent)}"


@pytest.mark.slow
def test_a_code_is_said_by_one_room() -> None:
    """Two rooms that say one code soon mean two things by it, and its page can explain only one.

    What `errors`, `dates` and `units` say may be said elsewhere: they belong to everybody.
    """
    rooms: dict[str, set[str]] = {}
    for code, place in codes_in_source():
        room = place.split("/")[2].split(",")[0].removesuffix(".py")
        rooms.setdefault(code, set()).update({room} - {"errors", "dates", "units"})
    shared = {code: sorted(said) for code, said in sorted(rooms.items()) if len(said) > 1}
    assert not shared, f"give each its own code: {shared}"


@pytest.mark.parametrize("file", sorted((PACKAGE / "error_codes").glob("*.toml")), ids=lambda file: file.stem)
def test_a_page_has_a_title_a_rule_an_example_and_a_remedy(file: Path) -> None:
    """The four things somebody stuck wants to know, and the family is the file's name."""
    for code, entry in tomllib.loads(file.read_text("utf-8")).items():
        assert CODE.fullmatch(code), code
        assert code.startswith(file.stem), code
        assert set(entry) == {"title", "rule", "example", "remedy"}, code
        assert all(isinstance(text, str) and len(text) > 5 for text in entry.values()), code
        assert not entry["title"].endswith("."), f"{code}: a title is not a sentence"


def test_no_two_codes_have_the_same_title() -> None:
    """Two codes for one mistake, or one title for two, both mislead."""
    titles = [each.title for each in explanations().values()]
    assert len(titles) == len(set(titles)), sorted({title for title in titles if titles.count(title) > 1})


def test_a_code_that_does_not_exist_gets_the_near_ones() -> None:
    """`explain P10l` is a slip of the finger."""
    with pytest.raises(ModelworksError) as raised:
        explain("P10l")
    assert raised.value.codes == ("Y901",)
