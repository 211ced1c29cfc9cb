"""A ledger holds what was kept, whole entries only, whatever a kill or a power failure left behind them."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from modelworks.runs import Ledger
from modelworks.runs import _ledger as ledgers

ENTRIES = {b"one": b"first", b"two": b"", b"three": b"\0" * 40}


def written(path: Path) -> bytes:
    with Ledger(path) as ledger:
        for key, value in ENTRIES.items():
            ledger.keep(key, value)
    return path.read_bytes()


def recalled(path: Path) -> dict[bytes, bytes]:
    with Ledger(path) as ledger:
        found = {key: ledger.recall(key) for key in ENTRIES}
    return {key: value for key, value in found.items() if value is not None}


def test_what_was_kept_is_recalled_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.ledger"
    written(path)
    assert recalled(path) == ENTRIES
    with Ledger(path) as ledger:
        assert len(ledger) == 3
        assert ledger.recall(b"four") is None


def test_a_torn_entry_is_left_out_wherever_it_is_torn_and_others_follow_it(tmp_path: Path) -> None:
    """Every prefix of the file is what some kill leaves."""
    path = tmp_path / "a.ledger"
    content = written(path)
    whole = list(ENTRIES)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        found = recalled(path)
        assert list(found) == whole[: len(found)]
        assert all(found[key] == ENTRIES[key] for key in found)
        written(path)
        assert recalled(path) == ENTRIES


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\xff" * 100])
def test_a_tail_that_was_never_filled_is_no_entry(tail: bytes, tmp_path: Path) -> None:
    """After a power failure the end of a file may be zeros, or anything."""
    path = tmp_path / "a.ledger"
    path.write_bytes(written(path) + tail)
    assert recalled(path) == ENTRIES


def test_entries_reach_the_file_while_the_work_goes_on(tmp_path: Path) -> None:
    """A process that is killed closes nothing."""
    path = tmp_path / "a.ledger"
    ledger = Ledger(path, clock=itertools.count().__next__)
    ledger.keep(b"one", b"first")
    assert list(recalled(path)) == [b"one"]
    ledger.__exit__()


def test_two_processes_may_add_to_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ledger"
    with Ledger(path) as mine, Ledger(path) as theirs:
        mine.keep(b"one", b"first")
        theirs.keep(b"two", b"")
    assert recalled(path) == {b"one": b"first", b"two": b""}


def test_only_the_last_ledgers_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    """Studies are changed often, and each change begins a ledger of its own."""
    for k in range(ledgers.KEPT + 3):
        path = tmp_path / f"{k}.ledger"
        written(path)
        os.utime(path, (k, k))
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    written(tmp_path / "new.ledger")
    left = {each.name for each in tmp_path.iterdir()}
    latest = {f"{k}.ledger" for k in range(4, ledgers.KEPT + 3)}
    assert left == {"new.ledger", "notes.txt", "folder", *latest}


def test_a_ledger_that_grew_too_long_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST_BYTES", 40)
    written(tmp_path / "a.ledger")
    assert list(recalled(tmp_path / "a.ledger")) == [b"one", b"two"]
