"""Who is at work in an attempt folder, said by its name, so that it can be known whether they still are.

A process number alone is given again to somebody else, and a time alone can not tell a long calibration from
a dead one. A number together with the moment its process began, on this boot and in this container, can.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

# How long an attempt of another machine, of which we can not ask anything, stays untouched before it is swept.
PATIENCE_SECONDS = 7 * 24 * 3600.0

_NAME = re.compile(r".*-(?P<place>[0-9a-f]{12})-(?P<pid>\d+)-(?P<started>\d+)-[0-9a-f]{8}")


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
        pid = os.getpid()
        return cls(_place(), pid, _started(pid) or 0)

    def is_gone(self) -> bool | None:
        """Whether the process has ended; None where that can not be known from here."""
        if self.place != _place() or not Path("/proc/self/stat").exists():
            return None
        return _started(self.pid) != self.started


def attempt_name(purpose: str) -> str:
    """A new name for an attempt folder, which says whose it is."""
    me = Process.current()
    return f"{purpose}-{me.place}-{me.pid}-{me.started}-{secrets.token_hex(4)}"


def is_abandoned(attempt: Path) -> bool:
    """Whether nobody will finish an attempt: its process has ended, or nothing was heard of it for a week."""
    name = _NAME.fullmatch(attempt.name)
    gone = Process(name["place"], int(name["pid"]), int(name["started"])).is_gone() if name else None
    if gone is not None:
        return gone
    try:
        return time.time() - attempt.stat().st_mtime > PATIENCE_SECONDS
    except FileNotFoundError:
        return False


def _place() -> str:
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
