"""What is said of a run after it was published: tags, pins, comments. The run itself never changes.

Each remark is a file of its own in the store, written whole and never edited, so that two people can remark at
once and nobody's word is lost. What holds now follows from reading all of them in the order of time.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelworks.errors import fail
from modelworks.logs import stamp
from modelworks.runs._atomic import disk_letters, flush_folder

MARKS = ".marks"
# A tag and its removal; a pin keeps a run from ever being pruned.
TAG, UNTAG, PIN, UNPIN, COMMENT = "tag", "untag", "pin", "unpin", "comment"
KINDS = (TAG, UNTAG, PIN, UNPIN, COMMENT)


@dataclass(frozen=True, slots=True)
class Mark:
    """One remark: about which run (its key), of which kind, with which words, by whom and when (UTC)."""

    run: str
    kind: str
    text: str
    by: str
    when: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of a run now: its tags in the order of the alphabet, and whether it is pinned."""

    tags: tuple[str, ...] = ()
    pinned: bool = False


def mark_file(mark: Mark) -> tuple[str, str]:
    """The name and the text of the file of a remark."""
    if mark.kind not in KINDS:
        raise ValueError(f"{mark.kind!r} is not a kind of remark: {', '.join(KINDS)}")
    if mark.kind in (TAG, UNTAG) and not _is_a_tag(mark.text):
        fail("R140", f"`{mark.text[:60]}` can not be a tag", hint="use letters, digits, `-`, `_` and `.`, up to 60")
    text = json.dumps(asdict(mark), ensure_ascii=False, indent=2) + "\n"
    return f"{_in_order(mark.when)}-{secrets.token_hex(4)}.json", text


def mark_of(said: Mapping[str, Any]) -> Mark:
    """A remark from what its file says."""
    return Mark(**{field: str(said.get(field) or "") for field in Mark.__dataclass_fields__})


def write_mark(root: Path, mark: Mark) -> None:
    """Add a remark to a folder of runs."""
    folder = root / MARKS
    name, text = mark_file(mark)
    with disk_letters(folder):
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{name}"
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder / name)
        flush_folder(folder)


def read_marks(root: Path, names: Iterable[str] | None = None) -> Iterator[tuple[str, Mark]]:
    """Every remark of a store with its file's name, in the order of time; those named only, where names are given."""
    folder = root / MARKS
    for name in sorted(mark_names(root) if names is None else names):
        yield name, mark_of(json.loads((folder / name).read_text(encoding="utf-8")))


def mark_names(root: Path) -> set[str]:
    """The files of remarks in a store."""
    folder = root / MARKS
    return {name for name in os.listdir(folder) if not name.startswith(".")} if folder.is_dir() else set()


def standing(marks: Iterable[Mark]) -> Standing:
    """What holds after all remarks about one run, given in the order of time.

    >>> standing([Mark("a", "tag", "paper", "", ""), Mark("a", "pin", "", "", ""), Mark("a", "untag", "paper", "", "")])
    Standing(tags=(), pinned=True)
    """
    tags: set[str] = set()
    pinned = False
    for mark in marks:
        if mark.kind == TAG:
            tags.add(mark.text)
        elif mark.kind == UNTAG:
            tags.discard(mark.text)
        elif mark.kind in (PIN, UNPIN):
            pinned = mark.kind == PIN
    return Standing(tuple(sorted(tags)), pinned)


def _is_a_tag(text: str) -> bool:
    return 0 < len(text) <= 60 and all(letter.isalnum() or letter in "-_." for letter in text)


def _in_order(when: str) -> str:
    """A moment as the beginning of a file's name, which sorts as moments do.

    >>> _in_order("2026-11-21T05:15:00.123Z")
    '20261121T051500.123Z'
    """
    return when.replace("-", "").replace(":", "")


def mark_now(run: str, kind: str, text: str, by: str, now: datetime) -> Mark:
    """A remark of this moment."""
    return Mark(run, kind, text, by, stamp(now.astimezone(UTC)))
