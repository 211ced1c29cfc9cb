"""What a worker does beside its jobs, again and again: look whether something is due, and tell who wants to hear."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from modelworks.errors import ModelworksError

CHORE_SECONDS = 15.0


class Chores:
    """Pieces of work that several workers may do at once, and that may be interrupted at any moment.

    A round is done by a double of this process, so that a slow one (a mail server that does not answer) keeps no job
    waiting and a defect ends no worker. It is not a thread, for jobs too are begun by doubling the process. The double
    may not use what the worker has open: each piece opens what it needs. `say` hears there of what can not be done now;
    it is tried again in the next round.
    """

    def __init__(
        self,
        works: Sequence[Callable[[], object]] = (),
        *,
        say: Callable[[str], None] = lambda _: None,
        every_seconds: float = CHORE_SECONDS,
    ) -> None:
        self._works, self._say, self._every = works, say, every_seconds
        self._pid = 0
        self._next = float("-inf")

    def step(self) -> None:
        """Begin a round where it is time for one and the last is over."""
        if self._pid and os.waitpid(self._pid, os.WNOHANG)[0]:
            self._pid = 0
        if self._works and not self._pid and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every
            self._pid = os.fork()
            if self._pid == 0:
                self._become()

    def finish(self) -> None:
        """One more round, to its end."""
        self._wait()
        self._next = float("-inf")
        self.step()
        self._wait()

    def _wait(self) -> None:
        if self._pid:
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _become(self) -> NoReturn:
        status = 1
        try:
            for work in self._works:
                try:
                    work()
                except (ModelworksError, OSError) as error:
                    self._say(f"{error}; trying again")
            status = 0
        except BaseException:  # noqa: BLE001 - nothing of the double may come back into the worker's code
            traceback.print_exc()
        finally:
            # Nothing that the worker has open is told to close, for it is not ours.
            os._exit(status)
