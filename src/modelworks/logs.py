"""What happened and when, one JSON object a line; and never a secret in it, or in whatever else is written down."""

from __future__ import annotations

import io
import json
import os
import re
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A moment as every file of a run writes it.

    >>> stamp(datetime(2026, 11, 21, 5, 15, 0, 123456, tzinfo=UTC))
    '2026-11-21T05:15:00.123Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# How a variable of the environment is called whose value is nobody's business.
SECRET_NAME = re.compile(r"token|secret|passw|credential|key", re.IGNORECASE)
_NAMES_A_FILE = re.compile(r"_(file|path|dir)$", re.IGNORECASE)
# Who asks, in an address: for a server of the web it may all be a token; for others only the password is one.
_IN_ADDRESS = re.compile(r"(?P<web>https?://)[^/\s@\"']+@|(?P<user>://[^/\s:@\"']*):[^/\s@\"']+@", re.IGNORECASE)
# A shorter one would be found in words that have nothing to do with it.
SHORTEST_SECRET = 6


# What a terminal obeys instead of showing it: colours, moves of the cursor, titles of windows (ECMA-48).
_OBEYED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def as_shown(line: str) -> str:
    r"""What a terminal would show of a line that a program printed, without its colours; nothing that it would obey.

    >>> as_shown("\x1b[31mstuck\x1b[0m at chain 3"), as_shown("10%\r20%\r"), as_shown("a\x1b]0;title\x07b\x00")
    ('stuck at chain 3', '20%', 'ab')
    """
    last = next((part for part in reversed(line.split("\r")) if part), "")
    return _CONTROLS.sub("", _OBEYED.sub("", last))


def without_secrets(text: str) -> str:
    """A text in which the secrets that this process was given are left out, also as JSON and addresses write them.

    These are the values of variables of the environment that are named like a secret, and what the files hold that
    such a variable ending with `_FILE` names. Passwords in addresses are nobody's business, whoever gave them.

    >>> without_secrets("from https://ada:hush@git.org/a to postgresql://ada:hush@db/a, not git@git.org:a")
    'from https://…@git.org/a to postgresql://ada:…@db/a, not git@git.org:a'
    """
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        for written in (secret, json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe="")):
            text = text.replace(written, "…")
    return _IN_ADDRESS.sub(lambda found: f"{found['web'] or found['user'] + ':'}…@", text)


def _secrets() -> Iterator[str]:
    for name, value in os.environ.items():
        if not SECRET_NAME.search(name):
            continue
        found = _content(value) if name.endswith("_FILE") else "" if _NAMES_A_FILE.search(name) else value
        if len(found.strip()) >= SHORTEST_SECRET:
            yield found.strip()


def _content(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        # Nobody could read it, so nobody can have written it down.
        return ""


class Discreet(io.TextIOBase):
    """A stream of text that passes on to another what is written, line by line, without secrets."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._begun = stream, ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        self._begun += text
        whole, newline, self._begun = self._begun.rpartition("\n")
        if newline:
            self._stream.write(without_secrets(whole + newline))
            # What was said before a kill is read after it.
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        # A secret may be cut in two here, so what has no end yet waits for it. At the end of Python, which closes all
        # streams in no order, the one below may be closed already.
        if not self._stream.closed:
            self._stream.flush()

    def close(self) -> None:
        if self._begun and not self._stream.closed:
            self._stream.write(without_secrets(self._begun))
            self._begun = ""
        super().close()


class Log:
    """A file to which events are added, each whole: several processes may write to the same one."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._clock = clock

    def event(self, name: str, *, level: str = "info", **fields: Any) -> None:
        """Add one line: the time, how grave it is (`debug`, `info`, `warning`, `error`), its name, its fields."""
        said = {"time": stamp(self._clock()), "level": level, "event": name, **fields}
        line = without_secrets(json.dumps(said, ensure_ascii=False, default=str))
        # One write to a file opened for appending is not interleaved with another's.
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode("utf-8") + b"\n")
        finally:
            os.close(handle)


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a log; a line that a crash cut short is left out."""
    lines = path.read_bytes().splitlines()
    return [event for line in lines if (event := event_of(line)) is not None]


def event_of(line: bytes) -> dict[str, Any] | None:
    """What a line of a log says; one that a crash has cut says nothing."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"time", "event"} <= found.keys() else None
