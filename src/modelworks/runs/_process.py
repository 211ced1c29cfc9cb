"""Who is at work in an attempt folder, said by its name, so that it can be known whether they still are."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path

from modelworks.processes import Process

# How long an attempt of another machine, of which we can not ask anything, stays untouched before it is swept.
PATIENCE_SECONDS = 7 * 24 * 3600.0

_NAME = re.compile(r".*-(?P<place>[0-9a-f]{12})-(?P<pid>\d+)-(?P<started>\d+)-[0-9a-f]{8}")


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
