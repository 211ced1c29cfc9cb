"""Attempts as processes of this machine, which go on when the worker that began them does not."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from modelworks.errors import fail
from modelworks.jobs._attempt import DISK_STATUS, OTHERS_STATUS, Attempt
from modelworks.jobs._job import Order
from modelworks.jobs.executors import Sight
from modelworks.processes import Process

# Who was asked to end and has not after so long is ended.
GRACE_SECONDS = 20.0


class ProcessExecutor:
    """Each attempt is a process in a session of its own; its handle says which, so that a later worker finds it."""

    name = "process"

    def __init__(self, *, grace_seconds: float = GRACE_SECONDS) -> None:
        self._grace = grace_seconds
        self._children: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._asked: dict[str, float] = {}
        self._late: set[str] = set()

    def submit(self, attempt: Attempt, order: Order) -> str:
        begun = attempt.process()
        if begun is not None:
            return handle_of(begun)
        pid = self._start([*order.command, str(attempt.folder)], order, attempt.folder / "output.txt")
        handle = handle_of(Process.of(pid))
        self._children[handle] = pid
        return handle

    def poll(self, handles: Mapping[Attempt, str]) -> Mapping[Attempt, Sight]:
        self._reap()
        for handle in self._codes.keys() - set(handles.values()):
            del self._codes[handle]
        return {attempt: self._sight(handle, attempt) for attempt, handle in handles.items()}

    def cancel(self, handles: Mapping[Attempt, str]) -> None:
        for attempt, handle in handles.items():
            self._end(handle, _who(handle, attempt))

    def _start(self, words: list[str], order: Order, output: Path) -> int:
        """A child that carries out a command, in a session of its own; gives its number."""
        writing = (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), writing, (os.POSIX_SPAWN_DUP2, 1, 2)]
        environment = {**os.environ, **order.environment}
        try:
            # Not `Popen`, which holds that nobody may leave a child behind.
            return os.posix_spawnp(words[0], words, environment, file_actions=files, setsid=True)
        except (FileNotFoundError, PermissionError) as error:
            fail("J110", f"`{words[0]}` could not be started: {error.strerror}", hint="modelworks doctor")

    def _sight(self, handle: str, attempt: Attempt) -> Sight:
        process, gone = _who_and_whether_gone(handle, attempt)
        if gone is None:
            return Sight("unknown", "it began on another machine, or before this one was restarted")
        if gone:
            self._reap()
            # A child of ours whose other threads are still ending looks gone, and has no status yet.
            return Sight("running") if self._children.get(handle) == process.pid else self._ending(handle)
        allowed = attempt.resources().walltime_seconds
        if allowed is not None and _seconds_since(process) > allowed:
            self._late.add(handle)
            self._end(handle, process)
        return Sight("running")

    def _reap(self) -> None:
        """What became of the children that have ended; without this they would never quite be gone."""
        for handle, pid in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[handle]
                self._codes[handle] = os.waitstatus_to_exitcode(status)

    def _end(self, handle: str, process: Process) -> None:
        """Ask a process to end, and make it end when it has not after a while."""
        if process.is_gone() is not False:
            return
        since = self._asked.setdefault(handle, time.monotonic())
        number = signal.SIGKILL if time.monotonic() - since > self._grace else signal.SIGTERM
        # It leads a group of its own, with all it has begun; it may have ended by itself since our look.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _ending(self, handle: str) -> Sight:
        code = self._codes.get(handle)
        self._asked.pop(handle, None)
        if handle in self._late:
            self._late.discard(handle)
            return Sight("ended", "its time was up", "walltime")
        if code == OTHERS_STATUS:
            # Begun twice, as by a worker that died before it could say so; the one that carried it out is gone.
            return Sight("ended", "its process was killed", "killed")
        if code is None or code < 0:
            by = "" if code is None else f", by {signal.Signals(-code).name}"
            return Sight("ended", f"its process was killed{by}", "killed")
        if code == DISK_STATUS:
            return Sight("ended", "the disk was full", "disk")
        return Sight("ended", f"its process ended with status {code}", "exit")


def _who_and_whether_gone(handle: str, attempt: Attempt) -> tuple[Process, bool | None]:
    """The process that carries an attempt out, and whether it has ended.

    The one begun may have ended because another said meanwhile that it carries the attempt out: that one counts.
    """
    process = _who(handle, attempt)
    gone = process.is_gone()
    now = _who(handle, attempt) if gone else process
    return (process, gone) if now == process else (now, now.is_gone())


def _who(handle: str, attempt: Attempt) -> Process:
    """The process that carries an attempt out: the one that says so there, or as long as none does, the one begun."""
    return attempt.process() or _process(handle)


def handle_of(process: Process) -> str:
    """What `poll` and `cancel` know a process by."""
    return f"{process.place}:{process.pid}:{process.started}"


def _process(handle: str) -> Process:
    place, pid, started = handle.split(":")
    return Process(place, int(pid), int(started))


def _seconds_since(process: Process) -> float:
    """How long a process has been there, by the kernel's clock, which nobody can set."""
    up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return up - process.started / os.sysconf("SC_CLK_TCK")
