"""What many look on at is asked by one for all of them in this process: a thousand readers cost what one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.concurrency import run_in_threadpool

S = TypeVar("S")
T = TypeVar("T")

LOOK_SECONDS = 0.5


@dataclass(eq=False)
class Look(Generic[S, T]):
    """What was `seen` at one moment, and what was read then, shared by all who had come to the same place."""

    seen: S
    _read: Callable[[str], T]
    _found: dict[str, asyncio.Task[T]] = field(default_factory=dict)

    async def after(self, place: str) -> T:
        """What there is to read after a place."""
        if place not in self._found:
            self._found[place] = asyncio.ensure_future(run_in_threadpool(self._read, place))
        # Somebody who goes away does not take it from the others.
        return await asyncio.shield(self._found[place])


class Listening(Generic[S, T]):
    """Looks again and again, and wakes those who wait for something new when there is."""

    def __init__(self, look: Callable[[], S], read: Callable[[str], T]) -> None:
        self._look, self._read = look, read
        self._last: Look[S, T] | None = None
        self._changed = asyncio.Event()
        self._asking = asyncio.create_task(self._ask())
        self.readers = 0

    async def next(self, known: Look[S, T] | None, patience_seconds: float) -> Look[S, T] | None:
        """The latest look, as soon as it is another than the one known; None where patience ends first.

        What looking raises is raised here.
        """
        if self._last is known:
            waking = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait({waking, self._asking}, timeout=patience_seconds, return_when=asyncio.FIRST_COMPLETED)
            waking.cancel()
        if self._asking.done():
            self._asking.result()
        return None if self._last is known else self._last

    def end(self) -> None:
        self._asking.cancel()

    async def _ask(self) -> None:
        while True:
            seen = await run_in_threadpool(self._look)
            if self._last is None or seen != self._last.seen:
                self._last = Look(seen, self._read)
                self._changed.set()
                self._changed = asyncio.Event()
            await asyncio.sleep(LOOK_SECONDS)


# Each by what it looks at and the loop that serves its readers.
_listening: dict[Hashable, Listening[Any, Any]] = {}


@asynccontextmanager
async def listening(what: Hashable, look: Callable[[], S], read: Callable[[str], T]) -> AsyncIterator[Listening[S, T]]:
    """One who looks at something for all who ask for it while the block lasts."""
    key = (asyncio.get_running_loop(), what)
    one = _listening.get(key)
    if one is None:
        one = _listening[key] = Listening(look, read)
    one.readers += 1
    try:
        yield one
    finally:
        one.readers -= 1
        if not one.readers:
            del _listening[key]
            one.end()
