"""What a log says of its stages, and which of its lines a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelworks.website._job_log import SaidSoFar

OF = ["simulate", "calibrate", "report"]


def event(second: int, kind: str, **more: Any) -> Mapping[str, Any]:
    return {"time": f"2026-11-21T05:15:{second:02}.000Z", "event": kind, **more}


def stage(second: int, name: str, *, kept: bool = False) -> Mapping[str, Any]:
    return event(second, "stage", stage=name, of=OF, kept=kept)


def said(*events: Mapping[str, Any], is_over: bool = False) -> SaidSoFar:
    return SaidSoFar(((str(number), each) for number, each in enumerate(events)), is_over=is_over)


def stands(log: SaidSoFar) -> list[tuple[str, str, str]]:
    return [(each.name, each.state, each.took) for each in log.stages]


BEGUN = event(0, "begun", pid=7, host="node3")


def test_a_stage_takes_from_its_begin_to_that_of_the_next() -> None:
    log = said(BEGUN, stage(1, "simulate", kept=True), stage(1, "calibrate"), event(2, "step", step="draw"))
    assert stands(log) == [
        ("simulate", "kept", "kept"), ("calibrate", "running", "under way"), ("report", "waiting", "to come"),
    ]  # fmt: skip
    ended = said(BEGUN, stage(1, "calibrate"), stage(13, "report"), event(17, "ended", state="done", counts=True))
    assert stands(ended)[1:] == [("calibrate", "done", "12 s"), ("report", "done", "4 s")]


def test_a_job_that_was_cut_off_has_nothing_under_way() -> None:
    """A machine that loses its power writes no last line; a second attempt begins with its own stages."""
    cut = (BEGUN, stage(1, "calibrate"), event(9, "step", step="draw"))
    assert stands(said(*cut, is_over=True))[1] == ("calibrate", "failed", "8 s")
    assert stands(said(*cut, BEGUN)) == []
    parts, _ = said(*cut, BEGUN, stage(3, "calibrate")).shown("", 0, 10)
    told = [(each.title, each.is_of_last) for each in parts]
    assert told == [("", False), ("calibrate", False), ("", True), ("calibrate", True)]
    assert stands(said(*cut, BEGUN, stage(3, "simulate")))[1] == ("calibrate", "waiting", "to come")


def test_lines_keep_their_numbers_in_whichever_part_they_are_shown() -> None:
    """A link to a line that was sent to somebody leads there when the log has long gone on."""
    steps = [event(2, "step", step=f"step {number}") for number in range(1, 101)]
    log = said(BEGUN, stage(1, "calibrate"), *steps, stage(3, "report"))
    assert (log.count, log.place) == (103, "102")
    last, hidden = log.shown("", 0, 10)
    assert hidden == 93
    assert [(each.title, [number for number, _ in each.lines]) for each in last] == [
        ("calibrate", list(range(94, 103))), ("report", [103]),
    ]  # fmt: skip
    [around], hidden = log.shown("", 40, 10)
    assert [number for number, _ in around.lines] == list(range(35, 45))
    assert hidden == 34
    [found], hidden = log.shown("STEP 77", 0, 10)
    assert ([number for number, _ in found.lines], hidden) == ([79], 0)
    [begin, *_], _ = log.shown("", 1, 10)
    assert begin.lines[0] == (1, "05:15:00  begun, as process 7 of node3")


def test_how_far_a_step_is_holds_until_something_is_said() -> None:
    told = event(2, "progress", step="draw", done=3, total=4, seconds=1.0, left=2.0, note="")
    assert said(BEGUN, told).progress == told
    assert said(BEGUN, told, event(3, "step", step="next")).progress is None


def test_what_a_program_printed_in_colours_is_told_without_them() -> None:
    """Nothing of it is obeyed: not by a terminal, whose screen it could clear, and not by a page."""
    log = said(BEGUN, event(1, "said", text="\x1b[2J\x1b[31mstuck\x1b[0m\x1b]8;;https://example.org\x1b\\ here"))
    [part], _ = log.shown("", 0, 10)
    assert part.lines[-1] == (2, "05:15:01  stuck here")
