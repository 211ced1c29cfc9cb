"""Whatever is done to a study's files, the answer is a study or letters, and never a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelworks.errors import explanations
from modelworks.inputs import StudyInputs, check_files

YAML_FILES = (
    "studies/school/study.yaml",
    "studies/school/parameters.yaml",
    "studies/school/targets.yaml",
    "studies/base/parameters.yaml",
    "data/catalogue.yaml",
)
OTHERS = ("modelworks.toml", "data/raw/cases.csv")

# What somebody might type, and what somebody might type to break things.
# fmt: off
WORDS = (
    "", "~", "0", "-1", "1e400", "1e-400", "010", "1,000", "no", "yes", ".nan", ".inf", "2021-13-01", "9999-12-31",
    "0001-01-01", "[]", "{}", "[[", "}", "- x", ": ", "? a", "&a x", "*a", "<<: {}", "!!set {}", "|", ">", "'", '"',
    "#", "%", "@", "\t", "\x00", "{a: {b: {c: 1}}}", "[1, 2]", "../..", "/etc/passwd", "\u2028", "é", "٣", "{",
    "{}{", "{0}", "null", "true", "1:30", "x" * 400, '"\\0"', '"\\ud800"', "extends: .", "---", "...", "--- a",
    "per per", "normal", "{normal: {mean: 1, sd: 1e-320}}",
)
# fmt: on

Edit = tuple[str, float, int, str]
edits = st.lists(
    st.tuples(
        st.sampled_from(YAML_FILES + OTHERS),
        st.floats(0, 1),
        st.integers(0, 30),
        st.one_of(st.sampled_from(WORDS), st.text(max_size=12)),
    ),
    min_size=1,
    max_size=4,
)


def edited(text: str, where: float, removed: int, put: str) -> str:
    """A text with a part taken out and another put in its place."""
    start = round(where * len(text))
    return text[:start] + put + text[start + removed :]


def value_replaced(text: str, where: float, put: str) -> str:
    """A text with what stands behind one of its colons replaced; such files are read further than others."""
    lines = text.splitlines(keepends=True)
    k = min(int(where * len(lines)), len(lines) - 1)
    name, colon, _ = lines[k].partition(":")
    return "".join([*lines[:k], f"{name}{colon} {put}\n", *lines[k + 1 :]])


def spoiled(template: Path, changes: list[Edit]) -> tuple[StudyInputs | None, tuple[str, ...]]:
    """What is said of a copy of the repository after some edits."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "copy"
        shutil.copytree(template, root)
        for name, where, removed, put in changes:
            path = root / name
            text = path.read_bytes().decode("utf-8", "surrogateescape")
            text = value_replaced(text, where, put) if removed == 0 else edited(text, where, removed, put)
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
        inputs, letters = check_files(root / "studies" / "school")
        for letter in letters:
            str(letter)
        return inputs, tuple(letter.code for letter in letters)


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(edits)
@example([("studies/school/study.yaml", 0.0, 0, '"\\ud800"')])
@example([("studies/school/parameters.yaml", 0.0, 0, '"\\0"')])
@example([("data/catalogue.yaml", 0.3, 30, "*a")])
def test_any_edit_gives_a_study_or_letters(repository: Path, changes: list[Edit]) -> None:
    """Each letter with a code that is explained; anything raised here fails the test."""
    inputs, codes = spoiled(repository, changes)
    assert inputs is not None or codes
    assert set(codes) <= set(explanations())


@pytest.mark.slow
@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(edits)
def test_very_many_edits_give_a_study_or_letters(repository: Path, changes: list[Edit]) -> None:
    """The same, with many more, which outside CI are others each time."""
    inputs, codes = spoiled(repository, changes)
    assert inputs is not None or codes
    assert set(codes) <= set(explanations())
