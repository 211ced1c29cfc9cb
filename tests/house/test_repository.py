"""What is and is not in the repository: no host, no machine's path, a current lock, tidy fragments."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import lock
import pytest

ROOT = Path(__file__).parents[2]

# Put together from parts, so that this file does not hold what it looks for.
UNWANTED = {
    "a package index's host": [
        "pypi" + ".org",
        "python" + "hosted",
        "npm" + "js",
        "conda" + ".anaconda",
        "deb." + "debian",
    ],
    "a path of one machine": [
        "/wo" + "rk/",
        "/ro" + "ot/",
        "/ho" + "me/",
        "/tmp/" + "h",
        "/tmp/" + "brief",
        "/Us" + "ers/",
    ],
    "a secret": ["BEGIN " + "PRIVATE KEY", "gh" + "p_", "AKI" + "A"],
}
TEXT_LIMIT_BYTES = 2_000_000


def tracked_files() -> list[Path]:
    """Every file that a clone gets (all files where there is no git, as in an unpacked archive)."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name]
    return [file for name in names if (file := ROOT / name).is_file()]


def text_of(file: Path) -> str:
    """The text of a file, or nothing where it is a picture or another binary."""
    content = file.read_bytes()[:TEXT_LIMIT_BYTES]
    return "" if b"\0" in content else content.decode("utf-8", "replace")


@pytest.mark.needs("git")
@pytest.mark.parametrize("what", sorted(UNWANTED))
def test_no_file_holds(what: str) -> None:
    """What is true of one machine or one network is wrong on the next."""
    found = [
        f"{file.relative_to(ROOT)}, line {number}: {word}"
        for file in tracked_files()
        for number, line in enumerate(text_of(file).splitlines(), start=1)
        for word in UNWANTED[what]
        if word in line
    ]
    assert not found, "\n".join(found)


@pytest.mark.needs("git")
def test_no_file_is_large() -> None:
    """A clone is read on a train; what is large is made or fetched."""
    large = [
        f"{file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB"
        for file in tracked_files()
        if file.stat().st_size > TEXT_LIMIT_BYTES
    ]
    assert not large, large


def test_the_lock_answers_the_package() -> None:
    """What is installed is what the package asks for."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert not lock.unanswered(pyproject, lock.LOCK.read_text("utf-8")), "run `make lock` and commit requirements.lock"


def test_every_line_of_the_lock_has_a_hash_and_none_a_host() -> None:
    """A hash says what may be installed; a host would say from where, which is each team's own affair."""
    text = lock.LOCK.read_text("utf-8") + lock.CI_LOCK.read_text("utf-8")
    assert not re.findall(r"(?m)^.*(?:://|--index|--find-links| @ ).*$", text)
    entries = re.findall(r"(?m)^[a-z0-9._-]+==.*(?:\n[ \t]+.*)*", text)
    unhashed = [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry]
    assert entries
    assert not unhashed


def fragments() -> list[Path]:
    return sorted(file for file in (ROOT / "changelog").iterdir() if not file.name.startswith(("README", ".")))


def test_every_fragment_of_the_changelog_is_of_a_known_kind() -> None:
    """A fragment with a misspelt kind would be left out of the release notes without a word."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]
    kinds = [kind["directory"] for kind in settings["type"]]
    assert kinds[0] == "numbers", "numbers that may change come first"
    for fragment in fragments():
        assert re.fullmatch(rf"\+?[a-z0-9-]+\.({'|'.join(kinds)})\.md", fragment.name), fragment.name
        text = fragment.read_text("utf-8").strip()
        assert re.fullmatch(r"(?s)[A-Z].+\.", text), f"{fragment.name} is not a sentence"


@pytest.mark.needs("towncrier")
def test_the_release_notes_can_be_made_from_the_fragments() -> None:
    """A release is no moment to find out."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "next"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


SKIPPING = {"skip", "skipif", "importorskip", "xfail"}


def other_skips(file: Path) -> Iterator[str]:
    """Ways of skipping besides `needs`, in one file of tests."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in SKIPPING:
            yield f"{file.relative_to(ROOT)}, line {node.lineno}: `{node.attr}`"


def test_every_skip_goes_through_needs() -> None:
    """Only `needs` turns a missing component into a failure in CI; any other skip hides it for ever."""
    skips = [
        skip
        for file in sorted((ROOT / "tests").rglob("*.py"))
        if file.name != "conftest.py"
        for skip in other_skips(file)
    ]
    assert not skips, "use `@pytest.mark.needs(...)` instead of\n" + "\n".join(skips)


def test_the_tests_can_not_reach_the_network() -> None:
    """A test that asks the network is a test of the network."""
    import socket

    with socket.socket() as outward, pytest.raises(RuntimeError, match="network"):
        outward.connect(("192.0.2.1", 80))
