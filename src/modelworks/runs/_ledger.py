"""What was worked out, kept entry by entry, so that work that was killed need not be done again.

A ledger is one file to which entries are added: after a kill it holds all but those of the last moment, and perhaps a
part of one, which its checksum gives away. What the keys and the values are is the caller's affair.
"""

from __future__ import annotations

import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from modelworks.runs._atomic import disk_letters

# In front of each entry: the lengths of key and value, and the checksum of both.
_HEADER = struct.Struct("<HII")

# So that what else lies in the folder is never taken for a ledger.
SUFFIX = ".ledger"
# Beyond this nothing is added: what is quick enough to be asked for so often is quickly done again.
MOST_BYTES = 512 * 2**20
# Entries go to the file together after so long: each by itself would cost more than a quick model does. It is the
# work that a kill can undo.
LATEST_SECONDS = 0.2
# Ledgers that are kept beside one that is begun, the latest used first.
KEPT = 8


class Ledger:
    """A file of entries; those that were there when it was opened can be recalled, new ones are added at its end.

    It may be used from several threads, and by several processes at once, each of which then adds its own. It may
    be deleted at any time, and costs then only the time to work it all out again.

    Raises
    ------
    ModelworksError
        R120 when the disk is full, R121 when the file may not be written to.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        if path.suffix != SUFFIX:
            raise ValueError(f"{path.name} should end in {SUFFIX}")
        self.path = path
        with disk_letters(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _make_room(path)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        content = path.read_bytes()
        self._entries: dict[bytes, bytes] = {}
        whole = 0
        for key, value, end in _entries(content):
            self._entries[key] = value
            whole = end
        if whole < len(content):
            # What a kill left of an entry; whatever is added behind it could not be read again.
            os.truncate(path, whole)
        self._bytes = whole
        self._waiting: list[bytes] = []
        self._clock, self._written = clock, clock()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many entries were there when it was opened."""
        return len(self._entries)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with self._lock:
                self._write()
        finally:
            os.close(self._file)

    def recall(self, key: bytes) -> bytes | None:
        """The value kept under a key before this ledger was opened, or None."""
        return self._entries.get(key)

    def keep(self, key: bytes, value: bytes) -> None:
        """Add an entry."""
        both = key + value
        entry = _HEADER.pack(len(key), len(value), zlib.crc32(both)) + both
        with self._lock:
            self._bytes += len(entry)
            if self._bytes > MOST_BYTES:
                return
            self._waiting.append(entry)
            if self._clock() - self._written >= LATEST_SECONDS:
                self._write()

    def _write(self) -> None:
        """Add what waits. One write to a file opened for appending is not interleaved with another process's."""
        entries, self._waiting = b"".join(self._waiting), []
        with disk_letters(self.path):
            os.write(self._file, entries)
        self._written = self._clock()


def _entries(content: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Key and value of each entry, and where it ends, up to the first that is not whole."""
    begin = 0
    while begin + _HEADER.size <= len(content):
        of_key, of_value, checksum = _HEADER.unpack_from(content, begin)
        middle = begin + _HEADER.size + of_key
        end = middle + of_value
        # A file that was prolonged but not filled before the power went is all zeros, whose checksum is zero too.
        if of_key == 0 or end > len(content) or zlib.crc32(content[begin + _HEADER.size : end]) != checksum:
            return
        yield content[begin + _HEADER.size : middle], content[middle:end], end
        begin = end


def _make_room(path: Path) -> None:
    """Remove the ledgers beside a new one that were not used for longest, and nothing that is no ledger."""
    others = [each for each in path.parent.glob(f"*{SUFFIX}") if each != path and each.is_file()]
    for each in sorted(others, key=lambda other: -other.stat().st_mtime)[KEPT - 1 :]:
        each.unlink(missing_ok=True)
