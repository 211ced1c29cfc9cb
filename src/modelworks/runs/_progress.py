"""How far a long step is, and how long it will still take, told to a person and never to a pipe.

On a terminal one line is written over again; elsewhere (a log, CI) a line comes every few seconds; with
`quiet` nothing does.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from modelworks.logs import Log

BAR_WIDTH = 24
# Often enough to look alive, too seldom to cost anything.
REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0
LOG_SECONDS = 1.0
# The time left follows the pace of the last part of the work: warmup is slower than what comes after it.
RECENT_SECONDS = 20.0


@dataclass
class _Step:
    """The step under way, and the pace it went at of late."""

    name: str
    total: float | None
    began: float
    done: float = 0.0
    note: str = ""
    recent: deque[tuple[float, float]] | None = None

    def seen(self, now: float) -> None:
        if self.recent is None:
            self.recent = deque([(self.began, 0.0)])
        self.recent.append((now, self.done))
        while len(self.recent) > 2 and now - self.recent[1][0] > RECENT_SECONDS:
            self.recent.popleft()

    def seconds_left(self) -> float | None:
        """By the pace of the last seconds; None as long as there is none."""
        if self.total is None or not self.recent:
            return None
        (then, before), (now, done) = self.recent[0], self.recent[-1]
        return (self.total - done) * (now - then) / (done - before) if done > before and now > then else None


class Progress:
    """Reports one step after another: `start`, `advance` or `update` as often as one likes, `finish`.

    Several threads may report to it. `stream`, `clock` (seconds) and `on_terminal` are arguments for the sake of
    tests.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_terminal: bool | None = None,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._quiet = quiet
        self._on_terminal = _can_be_redrawn(self._stream) if on_terminal is None else on_terminal
        self._step: _Step | None = None
        self._shown = float("-inf")
        self._lock = threading.Lock()

    def start(self, name: str, total: float | None = None) -> None:
        """Begin a step of `total` parts; None where nobody knows how many there are."""
        with self._lock:
            self._close()
            self._step = _Step(name, total, self._clock())
            # A plain log hears of a step only if it takes long enough to wonder.
            self._shown = float("-inf") if self._on_terminal else self._step.began
            self._show()

    def advance(self, parts: float = 1) -> None:
        """So many more parts are done."""
        with self._lock:
            if self._step is not None:
                self._move(self._step, self._step.done + parts, self._step.note)

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        """So many parts are done in all; `note` is a word on what is going on now."""
        with self._lock:
            if self._step is not None:
                if total is not None:
                    self._step.total = total
                self._move(self._step, done, note)

    def finish(self) -> None:
        """The step is over; its line is taken away again."""
        with self._lock:
            self._close()

    def say(self, text: str) -> None:
        """Something to be read now, before a long step, and never taken away; quiet or not."""
        with self._lock:
            self._close()
            self._write(f"{text}\n")

    def mention(self, text: str) -> None:
        """Something good to know while one waits, and never taken away; nothing where it is quiet."""
        if not self._quiet:
            self.say(text)

    def mixed(self, draws: int, r_hat: float, effective_draws: float, by_chain: Sequence[float]) -> None:
        """How well chains have mixed; a line of progress has it in its note."""

    def stage(self, name: str, of: Sequence[str], *, kept: bool) -> None:
        """A stage of those named begins, or is taken as it was `kept`; a line of progress names its steps alone."""

    def _move(self, step: _Step, done: float, note: str) -> None:
        step.done = done if step.total is None else min(done, step.total)
        step.note = note
        step.seen(self._clock())
        self._show()

    def _show(self) -> None:
        step, now = self._step, self._clock()
        if self._quiet or step is None or now - self._shown < (REDRAW_SECONDS if self._on_terminal else LINE_SECONDS):
            return
        self._shown = now
        text = progress_line(step.name, step.done, step.total, now - step.began, step.seconds_left(), step.note)
        self._write(f"\r\x1b[2K{text}" if self._on_terminal else f"{text}\n")

    def _close(self) -> None:
        if self._step is not None and self._on_terminal and not self._quiet:
            self._write("\r\x1b[2K")
        self._step = None

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more (the terminal was closed); the work goes on without a word.
            self._quiet = True


class ProgressLog(Progress):
    """Reports to a log instead, for somebody who looks on from elsewhere, now or later."""

    def __init__(self, log: Log, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock=clock, on_terminal=False)
        self._log = log

    def start(self, name: str, total: float | None = None) -> None:
        super().start(name, total)
        self._log.event("step", step=name)

    def mixed(self, draws: int, r_hat: float, effective_draws: float, by_chain: Sequence[float]) -> None:
        worth = [round(each, 1) for each in by_chain]
        told = {"draws": draws, "r_hat": round(r_hat, 4), "effective_draws": round(effective_draws, 1)}
        self._log.event("mixing", level="debug", **told, by_chain=worth)

    def stage(self, name: str, of: Sequence[str], *, kept: bool) -> None:
        self._log.event("stage", stage=name, of=list(of), kept=kept)

    def _show(self) -> None:
        step, now = self._step, self._clock()
        if step is None or now - self._shown < LOG_SECONDS:
            return
        self._shown = now
        told = {"step": step.name, "done": step.done, "total": step.total, "note": step.note}
        self._log.event("progress", level="debug", **told, seconds=round(now - step.began, 1), left=step.seconds_left())

    def _write(self, text: str) -> None:
        self._log.event("said", text=text.rstrip("\n"))


class SharedProgress(Progress):
    """Reports to several at once: a terminal, and a log for those who look on from elsewhere."""

    def __init__(self, *listeners: Progress) -> None:
        super().__init__(quiet=True)
        self._listeners = listeners

    def start(self, name: str, total: float | None = None) -> None:
        for each in self._listeners:
            each.start(name, total)

    def advance(self, parts: float = 1) -> None:
        for each in self._listeners:
            each.advance(parts)

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        for each in self._listeners:
            each.update(done, total, note)

    def finish(self) -> None:
        for each in self._listeners:
            each.finish()

    def say(self, text: str) -> None:
        for each in self._listeners:
            each.say(text)

    def mention(self, text: str) -> None:
        for each in self._listeners:
            each.mention(text)

    def mixed(self, draws: int, r_hat: float, effective_draws: float, by_chain: Sequence[float]) -> None:
        for each in self._listeners:
            each.mixed(draws, r_hat, effective_draws, by_chain)

    def stage(self, name: str, of: Sequence[str], *, kept: bool) -> None:
        for each in self._listeners:
            each.stage(name, of, kept=kept)


def _can_be_redrawn(stream: TextIO) -> bool:
    """A dumb terminal (an editor's shell) shows the codes that take a line away again instead of obeying them."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def progress_line(
    name: str, done: float, total: float | None, elapsed: float, left: float | None, note: str = ""
) -> str:
    """One line on how far a step is.

    >>> progress_line("calibrate", 50, 200, 4.0, 12.4)
    'calibrate  ██████░░░░░░░░░░░░░░░░░░  25%  about 12 s left'
    >>> progress_line("prepare", 0, None, 65.0, None, "reading")
    'prepare  1 min 5 s so far  reading'
    """
    told = f"about {duration(left)} left" if left is not None else f"{duration(elapsed)} so far"
    parts = [name, told, note]
    if total:
        filled = int(BAR_WIDTH * done / total)
        parts[1:1] = ["█" * filled + "░" * (BAR_WIDTH - filled), f"{100 * done / total:.0f}%"]
    return "  ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Seconds as one says them.

    >>> duration(0.4), duration(59.6), duration(3700), duration(200000)
    ('1 s', '1 min', '1 h 1 min', '2 d 7 h')
    """
    whole = max(1, round(seconds))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    first = next(k for k, (_, size) in enumerate(units) if whole >= size)
    parts = []
    for name, size in units[first : first + 2]:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)
