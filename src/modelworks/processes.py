"""Which process it is, and whether it still runs: known from a file or a table, by somebody else, later.

A process number alone is given again to somebody else, and a time alone can not tell a long calibration from
a dead one. A number together with the moment its process began, on this boot and in this container, can.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


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


def _started(pid: int) -> int | None:
    """The clock tick at which a process began (proc(5), field 22 of `stat`); None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in brackets and may itself hold spaces and brackets.
    fields = text[text.rindex(b")") + 2 :].split()
    # A zombie has ended; only its parent has not yet asked.
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
