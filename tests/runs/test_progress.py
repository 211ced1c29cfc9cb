"""A person sees how long it will take; a pipe and a log are left in peace."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelworks.logs import Log
from modelworks.runs import Progress


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def worked(*, seconds_each: Callable[[int], float], on_terminal: bool = False, quiet: bool = False) -> str:
    """What a step of a hundred parts wrote."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream=stream, clock=clock, on_terminal=on_terminal, quiet=quiet)
    progress.start("calibrate", total=100)
    for part in range(100):
        clock.now += seconds_each(part)
        progress.advance()
    progress.finish()
    return stream.getvalue()


def test_a_quick_step_says_nothing_to_a_log() -> None:
    """Nobody wonders for three seconds."""
    assert worked(seconds_each=lambda _: 0.03) == ""


def test_a_log_hears_every_few_seconds() -> None:
    """A hundred seconds are twenty lines and not a hundred."""
    lines = worked(seconds_each=lambda _: 1.0).splitlines()
    assert len(lines) == 20
    assert lines[0] == "calibrate  █░░░░░░░░░░░░░░░░░░░░░░░  5%  about 1 min 35 s left"


def test_the_time_left_follows_the_pace_of_late() -> None:
    """Warmup is slow; what comes after it must not be judged by it."""
    lines = worked(seconds_each=lambda part: 10.0 if part < 50 else 1.0).splitlines()
    late = next(line for line in lines if " 80%" in line)
    assert "about 20 s left" in late


def test_a_terminal_has_one_line_that_is_taken_away_again() -> None:
    """The result stands where the bar stood."""
    text = worked(seconds_each=lambda _: 0.5, on_terminal=True)
    assert "\n" not in text
    assert text.startswith("\r\x1b[2Kcalibrate")
    assert text.endswith("\r\x1b[2K")


def test_quiet_is_silent() -> None:
    """A script asked for it."""
    assert worked(seconds_each=lambda _: 10.0, quiet=True) == ""
    assert worked(seconds_each=lambda _: 10.0, quiet=True, on_terminal=True) == ""


def test_a_step_of_unknown_length_says_how_long_it_has_been() -> None:
    """Better than a bar that lies."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream=stream, clock=clock, on_terminal=False)
    progress.start("prepare")
    clock.now += 65
    progress.update(3, note="reading contacts")
    assert stream.getvalue() == "prepare  1 min 5 s so far  reading contacts\n"


def test_more_parts_than_announced_are_not_more_than_all() -> None:
    """A sampler may draw a few more than it was asked for."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream=stream, clock=clock, on_terminal=False)
    progress.start("calibrate", total=10)
    clock.now += 60
    progress.update(12)
    assert "100%" in stream.getvalue()


def test_a_closed_terminal_does_not_stop_the_work() -> None:
    """The window was closed; the calibration goes on."""
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream=stream, clock=clock, on_terminal=True)
    stream.close()
    progress.start("calibrate", total=10)
    progress.advance()
    progress.finish()


@pytest.mark.parametrize("verb", ["advance", "finish"])
def test_without_a_step_there_is_nothing_to_report(verb: str) -> None:
    """A callback may come late, when the step is over."""
    stream = io.StringIO()
    getattr(Progress(stream=stream), verb)()
    assert stream.getvalue() == ""


def test_a_log_is_one_json_object_a_line(tmp_path: Path) -> None:
    """Any program can read it."""
    log = Log(tmp_path / "log.jsonl", clock=lambda: datetime(2026, 11, 21, 5, 15, tzinfo=UTC))
    log.event("started", stage="calibrate", chains=4)
    log.event("finished", note="zwei\nZeilen")
    first, second = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert first == {
        "time": "2026-11-21T05:15:00.000Z",
        "level": "info",
        "event": "started",
        "stage": "calibrate",
        "chains": 4,
    }
    assert second["note"] == "zwei\nZeilen"


def test_a_dumb_terminal_gets_lines_and_no_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell inside of an editor shows the code that takes a line away instead of obeying it."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for kind, is_redrawn in (("xterm", True), ("dumb", False)):
        monkeypatch.setenv("TERM", kind)
        stream = Terminal()
        progress = Progress(stream=stream)
        progress.start("calibrate", 4)
        progress.finish()
        assert ("\x1b" in stream.getvalue()) is is_redrawn
