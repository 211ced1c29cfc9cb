"""More who look on, and who send more, than a process can serve: each is told so, and pages stay quick."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from modelworks.jobs import Order
from modelworks.study import new_repository, queue_around
from modelworks.website import create_app, read_settings
from modelworks.website._serve import Server, configured
from modelworks.website.access.people import People

# Servers are started.
pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120.0
STREAMS, ASKED = 20, 60


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@dataclass(frozen=True)
class Served:
    port: int
    headers: dict[str, str]
    job: str

    @property
    def at(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def look_on(self) -> socket.socket:
        """A reader of the job's events, who has asked and not yet heard."""
        reader = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        said = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        reader.sendall(f"GET /w/ours/jobs/{self.job}/events HTTP/1.1\r\nHost: x\r\n{said}\r\n".encode())
        return reader

    def status_of_a_page(self) -> int:
        return httpx.get(f"{self.at}/w/ours/jobs", headers=self.headers, timeout=PATIENCE_SECONDS).status_code


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A website at a port, with room for some who look on, and a job that waits for ever."""
    monkeypatch.setattr("modelworks.website.pages.jobs.MOST_STREAMS", STREAMS)
    root = new_repository(tmp_path / "ours")
    settings = replace(read_settings(root), upload_mb=1.0)
    people = People(settings.database, settings.session_days)
    someone = people.add("reader", "A reader")
    people.set_role(someone.id, "ours", "viewer")
    token = people.make_token(someone.id, "tests", "ours", "viewer", 1)
    people.close()
    with queue_around(root) as queue:
        [job] = queue.submit([Order("one that waits", ("true",))])
    listening = socket.create_server(("127.0.0.1", 0))
    begun = threading.Event()
    server = Server(configured(create_app(settings), settings), begun.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    assert begun.wait(PATIENCE_SECONDS)
    try:
        yield Served(listening.getsockname()[1], {"Authorization": f"Bearer {token}"}, job)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def test_more_than_can_be_told_are_told_to_come_again_and_pages_stay_there(served: Served) -> None:
    """All at once, so that nobody is let in while others are on their way."""
    readers = [served.look_on() for _ in range(ASKED)]
    heads = [each.recv(2000) for each in readers]
    let_in = [head for head in heads if head.startswith(b"HTTP/1.1 200")]
    refused = [head.lower() for head in heads if head.startswith(b"HTTP/1.1 503")]
    assert (len(let_in), len(refused)) == (STREAMS, ASKED - STREAMS)
    assert all(b"retry-after: 5" in head for head in refused)
    assert served.status_of_a_page() == 200
    for each in readers:
        each.close()

    def there_is_room() -> bool:
        with served.look_on() as late:
            return late.recv(2000).startswith(b"HTTP/1.1 200")

    until(there_is_room)


@pytest.mark.parametrize("said", ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"])
def test_who_sends_more_than_is_read_is_cut_off(served: Served, said: str) -> None:
    """Whether the size is announced, or never ends."""
    megabyte = b"x" * 2**20
    piece = b"100000\r\n" + megabyte + b"\r\n" if "chunked" in said else megabyte
    kind, heard, sent = "Content-Type: application/x-www-form-urlencoded", b"", 0
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_SECONDS) as sender:
        # The end of the connection may overtake what was said of it.
        with suppress(ConnectionError):
            sender.sendall(f"POST /sign-in HTTP/1.1\r\nHost: x\r\n{kind}\r\n{said}\r\n\r\n".encode())
            while sent < 100:
                sender.sendall(piece)
                sent += 1
        with suppress(ConnectionError):
            heard = sender.recv(2000)
    assert sent < 100
    assert not heard or heard.startswith(b"HTTP/1.1 413")
    assert served.status_of_a_page() == 200


def test_who_never_ends_their_question_is_in_nobodys_way(served: Served) -> None:
    """Each takes a connection, and no thread."""
    with ExitStack() as stack:
        for _ in range(ASKED):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE_SECONDS))
            slow.sendall(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nname=")
        assert served.status_of_a_page() == 200
