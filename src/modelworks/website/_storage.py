"""What the runs of a workspace take: measured aside, for that is a look at every file of every run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from modelworks.logs import utc_now
from modelworks.runs import Usage

# Of a few hundred runs whoever looks sees what they take at this moment; of more, what they took when last measured.
PATIENCE_SECONDS = 0.05
# Who is the first to look waits so long.
FIRST_SECONDS = 10.0
# Somebody who looks again and again has it measured for no more than this part of the time.
SHARE = 1 / 100


@dataclass(frozen=True, slots=True)
class Stored:
    """What the runs of each study took, and when that was measured, in UTC."""

    usage: Sequence[Usage]
    when: datetime


class Storage:
    """What runs take, as of some moment; may be asked by many threads at once, and one measures for all."""

    def __init__(self, measure: Callable[[], Sequence[Usage]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._measure, self._clock = measure, clock
        self._lock = threading.Lock()
        self._known: Stored | None = None
        self._under_way: Future[Stored] | None = None
        self._not_before = 0.0

    def look(self) -> Stored | None:
        """What is known, which may be some minutes old; None where the first measure is still under way.

        Raises
        ------
        ModelworksError
            What the measure raises.
        """
        with self._lock:
            known, under_way = self._known, self._under_way
            if under_way is None and (known is None or self._clock() >= self._not_before):
                under_way = self._under_way = Future()
                threading.Thread(target=self._measured, args=(under_way, self._clock()), daemon=True).start()
        if under_way is not None:
            try:
                return under_way.result(FIRST_SECONDS if known is None else PATIENCE_SECONDS)
            except TimeoutError:
                pass
        return known

    def _measured(self, asked: Future[Stored], began: float) -> None:
        try:
            found = Stored(self._measure(), utc_now())
        except Exception as error:  # noqa: BLE001 - whoever waits for it raises it
            with self._lock:
                self._under_way = None
            asked.set_exception(error)
            return
        with self._lock:
            self._known, self._under_way = found, None
            now = self._clock()
            self._not_before = now + (now - began) / SHARE
        asked.set_result(found)
