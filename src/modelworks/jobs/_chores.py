"""What a worker does beside its jobs, again and again: look whether something is due, and tell who wants to hear."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from modelworks.errors import ModelworksError

CHORE_SECONDS = 15.0


class Chores:
    """Pieces of work that may be done by several workers at once, and be interrupted at any moment.

    `say` hears of what can not be done now; it is tried again at the next round.
    """

    def __init__(
        self,
        works: Sequence[Callable[[], object]] = (),
        *,
        say: Callable[[str], None] = lambda _: None,
        every_seconds: float = CHORE_SECONDS,
    ) -> None:
        self._works, self._say, self._every = works, say, every_seconds

    def once(self) -> None:
        """One round, in which one piece's failure is not another's."""
        for work in self._works:
            try:
                work()
            except (ModelworksError, OSError) as error:
                self._say(f"{error}; trying again")

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """Rounds in a thread of their own as long as the block lasts: a slow one keeps no job waiting."""
        over = threading.Event()

        def rounds() -> None:
            while not over.is_set():
                self.once()
                over.wait(self._every)

        thread = threading.Thread(target=rounds, daemon=True, name="chores")
        if self._works:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if self._works:
                thread.join()
