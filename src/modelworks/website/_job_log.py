"""The log of a job as its page shows it: its stages with the time each took, and its lines folded by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from modelworks.runs import duration
from modelworks.study import log_in_words


@dataclass(slots=True)
class Stage:
    """A stage of the attempt under way, or of the last; `began` and `ended` are as the log says them."""

    name: str
    state: Literal["waiting", "running", "done", "kept", "failed"] = "waiting"
    began: str = ""
    ended: str = ""

    @property
    def took(self) -> str:
        """How long it took, in words; what is not over says nothing."""
        if self.state not in ("done", "failed"):
            return {"waiting": "to come", "running": "under way", "kept": "kept"}[self.state]
        seconds = datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.began)
        return duration(seconds.total_seconds())


@dataclass(slots=True)
class Part:
    """What was said in a stage, or before the first one: lines with their numbers, from 1 on.

    Of the stages of earlier attempts none `is_of_last`: a link to a stage leads to the last.
    """

    title: str
    is_of_last: bool = True
    lines: list[tuple[int, str]] = field(default_factory=list)


class SaidSoFar:
    """A log that was read: `stages` in their order, `parts` of lines, how far the job is, and the `place` where more
    will come. Of a job that `is_over` nothing is under way, whether its log comes to that or was cut off."""

    def __init__(self, events: Iterable[tuple[str, Mapping[str, Any]]], *, is_over: bool) -> None:
        self.stages: list[Stage] = []
        self.parts: list[Part] = []
        self.progress: Mapping[str, Any] | None = None
        self.mixing = self.place = ""
        self.count, last = 0, ""
        for place, event in events:
            self.place = place
            self._hear(event)
            last = event["time"]
        if is_over:
            self._end(last, "failed")

    def _hear(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            self.progress = event
            return
        if kind == "mixing":
            self.mixing = log_in_words(event)[10:]
        else:
            self.progress = None
        if kind == "begun":
            self._begin()
        elif kind == "stage":
            self._enter(event)
        elif kind == "ended":
            self._end(event["time"], "done" if event["state"] == "done" else "failed")
        self.count += 1
        if not self.parts:
            self.parts.append(Part(""))
        self.parts[-1].lines.append((self.count, log_in_words(event)))

    def _begin(self) -> None:
        """An attempt begins: what stages an earlier one had come to says nothing any more."""
        self.stages = []
        for each in self.parts:
            each.is_of_last = False
        self.parts.append(Part(""))

    def _enter(self, event: Mapping[str, Any]) -> None:
        self._end(event["time"], "done")
        self.stages = self.stages or [Stage(name) for name in event["of"]]
        for each in self.stages:
            if each.name == event["stage"]:
                each.state, each.began = "kept" if event["kept"] else "running", event["time"]
        self.parts.append(Part(event["stage"]))

    def _end(self, time: str, state: Literal["done", "failed"]) -> None:
        for each in self.stages:
            if each.state == "running":
                each.state, each.ended = state, time

    def shown(self, search: str, line: int, most: int) -> tuple[list[Part], int]:
        """The parts with those of their lines that a page shows, and how many lines before them it does not.

        These are the last, or those around a `line` that was asked for (0 for none), with the words that were searched.
        """
        numbers = [number for each in self.parts for number, text in each.lines if search.lower() in text.lower()]
        first = max(0, len(numbers) - most)
        if line:
            first = min(first, max(0, sum(number < line for number in numbers) - most // 2))
        chosen = frozenset(numbers[first : first + most])
        parts = [replace(each, lines=[said for said in each.lines if said[0] in chosen]) for each in self.parts]
        return [each for each in parts if each.lines], first
