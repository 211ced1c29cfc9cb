"""What happened and when, one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A moment as every file of a run writes it.

    >>> stamp(datetime(2026, 11, 21, 5, 15, 0, 123456, tzinfo=UTC))
    '2026-11-21T05:15:00.123Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Log:
    """A file to which events are added, each whole: several processes may write to the same one."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._clock = clock

    def event(self, name: str, **fields: Any) -> None:
        """Add one line: the time, the event's name, and its fields."""
        line = json.dumps({"time": stamp(self._clock()), "event": name, **fields}, ensure_ascii=False, default=str)
        # One write to a file opened for appending is not interleaved with another's.
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode("utf-8") + b"\n")
        finally:
            os.close(handle)


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a log; a line that a crash cut short is left out."""
    events = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events
