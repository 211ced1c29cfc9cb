"""Which process it is, and whether it still runs: known from a file or a table, by somebody else, later.

A process number alone is given again to somebody else, and a time alone can not tell a long calibration from
a dead one. A number together with the moment its process began, on this boot and in this container, can.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn


@dataclass(frozen=True, slots=True)
class Process:
    """A process that can not be mistaken for a later one.

    `place` stands for the machine since its last start and the container on it; `started` counts the kernel's clock
    ticks from that start.
    """

    place: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> Process:
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Process:
        """A process of this machine; one that has ended already is gone from the first."""
        return cls(this_place(), pid, _started(pid) or 0)

    def is_gone(self) -> bool | None:
        """Whether the process has ended; None where that can not be known from here."""
        if self.place != this_place() or not Path("/proc/self/stat").exists():
            return None
        return _started(self.pid) != self.started


def this_place() -> str:
    """Twelve hexadecimal digits for this boot of this machine, and this container, whose processes we can see."""
    return _place(os.getpid())


@functools.lru_cache(maxsize=1)
def _place(_pid: int) -> str:
    """The place of this process, which stays where it is; one that it begins may be elsewhere."""
    told = [os.uname().nodename if hasattr(os, "uname") else ""]
    for source in (_boot, _namespace):
        try:
            told.append(source())
        except OSError:
            told.append("")
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:12]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return os.readlink("/proc/self/ns/pid")


def group_is_gone(group: int) -> bool:
    """Whether every process of a group (pgrp, field 5 of `stat`) has ended; those not yet waited for have."""
    return all(fields is None or int(fields[2]) != group for fields in map(_running, _pids()))


@contextlib.contextmanager
def interrupted_by(number: signal.Signals) -> Iterator[None]:
    """While the block lasts a signal is an interruption like Ctrl-C's, which a thread other than the first never hears.

    Raises
    ------
    KeyboardInterrupt
        Where the signal comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupted(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before: Any = signal.signal(number, interrupted)
    try:
        yield
    finally:
        signal.signal(number, before)


def _pids() -> Iterator[int]:
    return (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))


def _started(pid: int) -> int | None:
    """The clock tick at which a process began (field 22 of `stat`); None if there is no such process."""
    fields = _running(pid)
    return None if fields is None else int(fields[19])


def _running(pid: int) -> list[bytes] | None:
    """What the kernel says of a process, from field 3 of `stat` on (proc(5)); None when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in brackets and may itself hold spaces and brackets.
    fields = text[text.rindex(b")") + 2 :].split()
    # A zombie has ended; only its parent has not yet asked.
    return None if fields[0] in (b"Z", b"X") else fields


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Nobody else is in here, in whichever process of this machine; who is killed in here leaves it open."""
    # There is none on Windows, where the rest of this module is wanted too.
    import fcntl

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
