"""Who is let in by which process, and that nobody waits for what is there."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

from modelworks.website._connections import FairLoop
from modelworks.website._serve import listening

PATIENCE_SECONDS = 60.0
COMING = 60


class Guest(asyncio.Protocol):
    """A connection that knows the others of its process, as those of the website do."""

    def __init__(self, connections: set[Any], came: Callable[[Any], None]) -> None:
        self.connections = connections
        self._came = came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.connections.add(transport)
        self._came(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def connection_lost(self, _: Exception | None) -> None:
        self.connections.discard(self._transport)


def test_processes_that_share_a_door_share_who_comes_and_hold_no_answer_back() -> None:
    """A loop as Python makes it lets in all who stand there, and sends the end of an answer 40 ms after its head."""
    door, over = listening("127.0.0.1", 0), threading.Event()
    ready, all_in = threading.Barrier(2), threading.Semaphore(0)
    # All stand there before anybody is let in.
    guests = [socket.create_connection(door.getsockname()) for _ in range(COMING)]
    inside: list[set[Any]] = [set(), set()]
    at_once: list[int] = []
    counted: list[int] = []

    def came(option: int) -> None:
        at_once.append(option)
        all_in.release()

    def process(number: int) -> None:
        async def serve(loop: asyncio.AbstractEventLoop) -> None:
            ready.wait(PATIENCE_SECONDS)
            made = await loop.create_server(lambda: Guest(inside[number], came), sock=door.dup())
            await loop.run_in_executor(None, over.wait, PATIENCE_SECONDS)
            made.close()
            counted.append(len(inside[number]))
            for each in [*inside[number]]:
                each.abort()
            while inside[number]:
                await asyncio.sleep(0)

        loop = FairLoop()
        loop.run_until_complete(serve(loop))
        loop.close()

    threads = [threading.Thread(target=process, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert all(all_in.acquire(timeout=PATIENCE_SECONDS) for _ in range(COMING))
    finally:
        over.set()
        for thread in threads:
            thread.join()
        for each in (*guests, door):
            each.close()
    assert sum(counted) == COMING
    assert min(counted) >= COMING // 4, counted
    assert all(at_once)
