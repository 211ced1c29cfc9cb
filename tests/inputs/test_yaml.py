"""What a file says is what was written, whatever another YAML reader would make of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from modelworks.errors import Letters, ModelworksError
from modelworks.inputs import Place, _scalars, check_files, read_study
from modelworks.inputs._nodes import ScalarNode
from modelworks.inputs._yaml import LARGEST_BYTES, read_mapping

HERE = Place("study.yaml", 1)


def letters_about(content: bytes) -> Letters:
    letters = Letters()
    read_mapping(content, "study.yaml", letters)
    return letters


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "Y112", None),
        (b"# nothing yet\n", "Y112", None),
        (b"---\n", "Y112", None),
        (b"- a\n- b\n", "Y113", 1),
        (b"just words\n", "Y113", 1),
        (b"a: 1\nb: caf\xe9\n", "Y111", 2),
        ("a: 1\n".encode("utf-16"), "Y111", 1),
        (b"a: 1\n" * (LARGEST_BYTES // 5 + 1), "Y114", None),
        (b"a: \x00\n", "Y101", 1),
        (rb'a: "\0"', "Y111", 1),
        (b'a: 1\nb: ["\\ud800"]\n', "Y111", 2),
        (b"%YAML 3.0\n---\na: 1\n", "Y101", 1),
        (b"%TAG ! tag:x,2000:\n---\na: !b 1\n", "Y116", 3),
        (b"a: *nowhere\n", "Y109", 1),
        (b"a: 1\na: 2\na: 3\n", "Y102", 2),
        (b"a:\n  b: 1\n   c: 2\n", "Y101", 3),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_a_letter(content: bytes, code: str, line: int | None) -> None:
    """Whatever bytes a file holds, its owner is told, and where."""
    assert (code, line) in [(letter.code, letter.line) for letter in letters_about(content)]


def test_a_bomb_of_aliases_does_not_explode() -> None:
    """Nine lines that stand for a billion words elsewhere are nine lines here."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    letters = letters_about("\n".join(lines).encode())
    assert {letter.code for letter in letters} == {"Y109"}


def test_brackets_without_end_are_a_letter_and_no_crash() -> None:
    """A parser that recurses would run out of stack."""
    assert {letter.code for letter in letters_about(b"a: " + b"[" * 5000)} <= {"Y101", "Y137"}
    assert {letter.code for letter in letters_about(b"a: " + b"[" * 5000 + b"]" * 5000)} == {"Y137"}


def test_a_mark_in_front_of_the_text_is_not_part_of_it() -> None:
    """Some editors write one, and nobody can see it."""
    letters = Letters()
    node = read_mapping("title: x\n".encode("utf-8-sig"), "study.yaml", letters)
    assert node is not None
    assert list(node.fields) == ["title"]
    assert not letters


def test_windows_line_ends_change_nothing(study: Path) -> None:
    """A file may have been through any editor."""
    plain = read_study(study)
    for name in ("study.yaml", "parameters.yaml", "targets.yaml"):
        path = study / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_study(study).parameters == plain.parameters


@pytest.mark.parametrize("text", ["no", "NO", "yes", "on", "010", "1e-3", "12-30", "1978-01-21", "true", "1_000"])
def test_a_text_stays_the_text_that_was_written(study: Path, text: str) -> None:
    """Norway is a region, and a code keeps its zero."""
    path = study / "study.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("region: england", f"region: {text}"), encoding="utf-8")
    assert read_study(study).study.region == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1E3", 1000), ("+.5", 0.5), ("-2.", -2), ("0.5", 0.5), ("0", 0), ("1.5e+2", 150), ("0e0", 0)],
)
def test_every_usual_spelling_of_a_number_is_a_number(text: str, value: float) -> None:
    """PyYAML reads `1e-3` as a text."""
    assert _scalars.number(ScalarNode(text, False, HERE), "`rate`") == value


@pytest.mark.parametrize("text", ["", "e5", "1e", "--1", "1.2.3", "٣", "1 2", "0b1", "0o17", "½", "1e5.2", "=1"])
def test_nothing_else_is_a_number(text: str) -> None:
    """A number that two programs may read differently is asked about."""
    with pytest.raises(ModelworksError):
        _scalars.number(ScalarNode(text, False, HERE), "`rate`")


def test_a_long_seed_keeps_all_its_digits() -> None:
    """A floating-point number would round it, and the draws would be others."""
    assert _scalars.whole(ScalarNode("9007199254740993", False, HERE), "`seed`") == 9007199254740993


def test_a_bare_year_is_its_first_of_january() -> None:
    """As one writes 2018 for a survey of that year."""
    assert _scalars.day(ScalarNode("2018", False, HERE), "`start`") == date(2018, 1, 1)


def test_a_link_out_of_the_repository_is_refused(study: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Others could not rebuild the study, and a file handed in could show us any other."""
    outside = tmp_path_factory.mktemp("outside") / "parameters.yaml"
    outside.write_text("secret:\n  value: 1\n", encoding="utf-8")
    (study / "parameters.yaml").unlink()
    (study / "parameters.yaml").symlink_to(outside)
    _, letters = check_files(study)
    assert [letter.code for letter in letters] == ["Y115"]
    assert "secret" not in str(letters)


def test_links_that_lead_in_a_circle_are_a_letter(study: Path) -> None:
    """Reading them would never end."""
    (study / "targets.yaml").unlink()
    (study / "targets.yaml").symlink_to(study / "targets.yaml")
    _, letters = check_files(study)
    assert [letter.code for letter in letters] == ["Y117"]


@pytest.mark.parametrize("name", ["parameters.yaml", "targets.yaml"])
def test_a_missing_file_is_one_letter(study: Path, name: str) -> None:
    """And not one for every name that would have been in it."""
    (study / name).unlink()
    _, letters = check_files(study)
    assert [letter.code for letter in letters] == ["Y117"]
