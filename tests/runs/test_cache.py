"""A finished stage is found by what made it; an unfinished one is never seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelworks.processes import Process
from modelworks.runs import StageCache, fingerprint
from modelworks.runs._process import attempt_name, is_abandoned

MARK = fingerprint("calibrate", 1)


def write(cache: StageCache, text: str = "draws") -> None:
    with cache.attempt("calibrate", MARK) as folder:
        (folder / "draws.txt").write_text(text, encoding="utf-8")


def attempts(cache: StageCache) -> list[Path]:
    return list((cache.root / ".attempts").iterdir())


def test_a_stage_is_seen_when_it_is_finished_and_not_before(tmp_path: Path) -> None:
    """The next command may look while this one is still writing."""
    cache = StageCache(tmp_path / "stages")
    assert cache.get(MARK) is None
    with cache.attempt("calibrate", MARK) as folder:
        (folder / "draws.txt").write_text("draws", encoding="utf-8")
        assert cache.get(MARK) is None
    found = cache.get(MARK)
    assert found is not None
    assert (found / "draws.txt").read_text("utf-8") == "draws"
    assert attempts(cache) == []


def test_a_stage_that_failed_leaves_nothing(tmp_path: Path) -> None:
    """A mistake in a model is no reason to find half a calibration later."""
    cache = StageCache(tmp_path)

    def fail() -> None:
        with cache.attempt("calibrate", MARK) as folder:
            (folder / "draws.txt").write_text("half", encoding="utf-8")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert cache.get(MARK) is None
    assert attempts(cache) == []


def test_who_finishes_second_is_discarded_without_a_word(tmp_path: Path) -> None:
    """Two commands at once make the same stage; either result is the result."""
    cache = StageCache(tmp_path)
    with cache.attempt("calibrate", MARK) as folder:
        (folder / "draws.txt").write_text("second", encoding="utf-8")
        write(cache, "first")
    found = cache.get(MARK)
    assert found is not None
    assert (found / "draws.txt").read_text("utf-8") == "first"
    assert attempts(cache) == []


def test_a_mistake_of_the_caller_is_not_a_stage(tmp_path: Path) -> None:
    """Neither a name that is no fingerprint nor a stage that wrote nothing."""
    cache = StageCache(tmp_path)
    with pytest.raises(ValueError, match="fingerprint"):
        cache.get("../../etc")
    with pytest.raises(ValueError, match="empty"), cache.attempt("calibrate", MARK):
        pass


def test_an_attempt_of_a_dead_process_is_swept_and_of_a_living_one_is_not(tmp_path: Path) -> None:
    """A calibration may take a day, so its age says nothing."""
    program = "from modelworks.runs._process import attempt_name; print(attempt_name('calibrate'))"
    dead = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    cache = StageCache(tmp_path)
    for name in (dead, attempt_name("calibrate")):
        (tmp_path / ".attempts" / name).mkdir(parents=True)
    write(cache)
    assert dead not in [path.name for path in attempts(cache)]
    assert len(attempts(cache)) == 1


def test_a_number_given_to_another_process_does_not_keep_an_attempt_alive(tmp_path: Path) -> None:
    """After a restart the same numbers are given out again."""
    me = Process.current()
    assert me.is_gone() is False
    assert Process(me.place, me.pid, me.started + 1).is_gone() is True


def test_an_attempt_of_another_machine_is_given_a_week(tmp_path: Path) -> None:
    """Its process can not be asked from here, so only long silence counts."""
    import os
    import time

    me = Process.current()
    assert Process("0" * 12, me.pid, me.started).is_gone() is None
    folder = tmp_path / f"calibrate-{'0' * 12}-{me.pid}-{me.started}-00000000"
    folder.mkdir()
    assert not is_abandoned(folder)
    old = time.time() - 8 * 24 * 3600
    os.utime(folder, (old, old))
    assert is_abandoned(folder)


def test_a_full_disk_is_a_letter_and_other_faults_are_their_own(tmp_path: Path) -> None:
    """What a model's file may not read is not about the cache."""
    from modelworks.errors import ModelworksError

    cache = StageCache(tmp_path)
    with pytest.raises(ModelworksError) as raised, cache.attempt("calibrate", MARK):
        raise OSError(28, "No space left on device")
    assert raised.value.codes == ("R120",)
    with pytest.raises(PermissionError), cache.attempt("calibrate", MARK):
        raise PermissionError(13, "Permission denied")
