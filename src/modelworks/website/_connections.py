"""The connections of readers: how many there are at once, and how long each may let us wait.

A connection costs some kilobytes for as long as it is open, so none is open for ever: a question has to come within a
time that grows with what was sent of it, as Apache's `mod_reqtimeout` measures it, and an answer has to be taken.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import h11
from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

_LOG = logging.getLogger(__name__)
# A question, head and body, comes within so many seconds, and one more for each so many bytes of it.
QUESTION_SECONDS, BYTES_A_SECOND = 30.0, 500
# For so long a reader may take nothing of an answer of which there is more.
ANSWER_SECONDS = 60.0
# Open connections of one process. More are told to come again: what is answered is answered soon.
MOST_AT_ONCE = 12_000
# Beside its connections a process opens files and databases.
OTHER_FILES = 500
COME_AGAIN_SECONDS = 5
# What an answer that goes on until its reader leaves says of itself in the state of its request.
ENDLESS = "endless"
# For each reader that it has, a process leaves whoever comes to the others for so long, and no longer than that.
YIELDED_SECONDS, MOST_YIELDED_SECONDS = 0.0002, 0.010
# One more at once for so many that it has.
AT_ONCE = 16
_HALF_ASKED = (h11.IDLE, h11.SEND_BODY)
_NOT_ANSWERED = (h11.IDLE, h11.SEND_RESPONSE)


def make_room() -> None:
    """Let this process, and those it starts, open as many files as its user may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_AT_ONCE + OTHER_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def most_at_once() -> int:
    """How many connections this process keeps open at once."""
    now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_AT_ONCE if now == resource.RLIM_INFINITY else min(MOST_AT_ONCE, max(now - OTHER_FILES, now // 2))


_too_many = PlainTextResponse(
    "There are too many readers at once. Come again in a moment.\n",
    503,
    headers={"Retry-After": str(COME_AGAIN_SECONDS), "Connection": "close"},
)


class Connection(H11Protocol):
    """A connection that is cut off when its reader lets us wait for too long."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._most = most_at_once()
        self._asked, self._since = 0, self.loop.time()
        self._until_asked: asyncio.TimerHandle | None = None
        self._until_taken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most + OTHER_FILES // 2:
            # So many that not even their questions can be waited for.
            transport.abort()
            return
        self._wait(QUESTION_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._until_asked is None:
            self._asked, self._since = 0, self.loop.time()
        self._asked += len(data)
        self.app = _too_many if len(self.connections) > self._most else self.config.loaded_app
        super().data_received(data)
        self._look_whether_all_is_asked()

    def _look_whether_all_is_asked(self) -> None:
        """Of a question that is there the time is over; that of one that has begun goes on."""
        if self.conn.their_state not in _HALF_ASKED or self.transport.is_closing():
            self._wait(None)
        elif self._until_asked is None:
            self._wait(QUESTION_SECONDS)

    def _wait(self, seconds: float | None) -> None:
        if self._until_asked is not None:
            self._until_asked.cancel()
        self._until_asked = None if seconds is None else self.loop.call_later(seconds, self._not_asked)

    def _not_asked(self) -> None:
        """Cut off whoever has not asked by now, with a word where nothing was answered yet."""
        left = self._since + QUESTION_SECONDS + self._asked / BYTES_A_SECOND - self.loop.time()
        if left > 0 or self.flow.read_paused:
            # What is not read because we are slow is not their fault.
            self._wait(max(left, 1.0))
            return
        self._until_asked = None
        if self.conn.our_state in _NOT_ANSWERED:
            self.transport.write(self.conn.send(_LATE) or b"")
        self._leave()

    def shutdown(self) -> None:
        """The site ends: whoever is being answered has the rest of it; a stream that has no end ends here."""
        if self.cycle is not None and self.cycle.scope["state"].get(ENDLESS):
            self._leave()
        else:
            super().shutdown()

    def _leave(self) -> None:
        """Close, and let the answer that is under way know of it."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._until_taken = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._until_taken is not None:
            self._until_taken.cancel()
            self._until_taken = None


_LATE = h11.Response(
    status_code=408, headers=[("Connection", "close"), ("Content-Length", "0")], reason=b"Request Timeout"
)


class FairLoop(asyncio.SelectorEventLoop):
    """A loop that leaves whoever comes to the process that has the fewest.

    Several processes wait at one door, and who is let in stays for as many pages as they look at. A loop as it is made
    lets in all who stand there: the process that is woken first has most of the readers, and the others idle.
    """

    async def create_server(self, *arguments: Any, **named: Any) -> asyncio.Server:
        made = await super().create_server(*arguments, **named)
        factory, door = arguments[0], named.get("sock")
        if door is not None:
            _Doorkeeper(self, factory, door)
        return made


class _Doorkeeper:
    """Lets in those who come to a socket, later the more there are already, so that a process with fewer is first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, factory: Callable[[], Connection], door: socket.socket) -> None:
        self._loop, self._factory, self._door = loop, factory, door
        self._inside: set[asyncio.Task[Any]] = set()
        self._connections: Collection[Any] = ()
        loop.add_reader(door, self._somebody_comes)

    def _somebody_comes(self) -> None:
        self._loop.remove_reader(self._door)
        self._loop.call_later(min(len(self._connections) * YIELDED_SECONDS, MOST_YIELDED_SECONDS), self._let_in)

    def _let_in(self) -> None:
        if self._door.fileno() < 0:
            # The site has ended meanwhile.
            return
        try:
            # Another process may have been first, or they have left.
            with suppress(BlockingIOError, InterruptedError, ConnectionAbortedError):
                # Where thousands stand there, not one by one.
                for _ in range(1 + len(self._connections) // AT_ONCE):
                    self._lead_in(*self._door.accept())
        except OSError as error:
            # No more files may be open: who is inside will leave.
            _LOG.error("nobody more is let in for now: %s", error)
            self._loop.call_later(1.0, self._let_in)
            return
        self._loop.add_reader(self._door, self._somebody_comes)

    def _lead_in(self, guest: socket.socket, _: Any) -> None:
        guest.setblocking(False)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._made, guest))
        # A loop itself would let go of its tasks.
        self._inside.add(task)
        task.add_done_callback(self._inside.discard)

    def _made(self) -> Connection:
        made = self._factory()
        self._connections = made.connections
        return made
