"""How long a calibration of a run may take in all, however often it was begun.

A run may calibrate twice, where its solver's first steps prove too long; and a job that was killed carries on its run
in another process. What was spent before counts, so it is kept in the ledger with what was worked out by then. Somebody
who retries a job gives it the whole limit once more: its run then has another name here.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from modelworks.calibration import Memory

_SECONDS = struct.Struct("<d")
# So often it is written down how much was spent: what a kill can give back.
EVERY_SECONDS = 1.0


class TimeLimit:
    """Whether a run has calibrated for so many seconds; `run` is its name, where another process may carry it on.

    It is asked from several threads.
    """

    def __init__(self, seconds: float, run: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = seconds
        self._key = None if run is None else b"spent by " + run.encode()
        self._clock = clock
        self._began = self._written = clock()
        self._memory: Memory | None = None

    def goes_on_in(self, memory: Memory) -> None:
        """What was spent by the run so far, this process or an earlier one, counts; from here on it is kept there."""
        kept = None if self._key is None else memory.recall(self._key)
        if kept is not None:
            (spent,) = _SECONDS.unpack(kept)
            self._began = min(self._began, self._clock() - spent)
        self._memory = memory

    def is_over(self) -> bool:
        now = self._clock()
        if self._memory is not None and self._key is not None and now - self._written >= EVERY_SECONDS:
            self._written = now
            self._memory.keep(self._key, _SECONDS.pack(now - self._began))
        return now - self._began > self._limit
