"""More who look on, and who send more, than a process can serve: each is told so, and pages stay quick."""

from __future__ import annotations

import resource
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
from modelworks.website._connections import make_room
from modelworks.website._serve import Server, configured
from modelworks.website.access.people import People

# Servers are started.
pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120.0
STREAMS, ASKED = 200, 1000
SLOW = 60
# Quick enough for a test, and for a page on a busy machine far more than it takes to ask.
SHORT_SECONDS = 2.0


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
    server: Server
    thread: threading.Thread

    @property
    def at(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def look_on(self) -> socket.socket:
        """A reader of the job's events, who has asked and not yet heard."""
        reader = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        said = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        reader.sendall(f"GET /w/ours/jobs/{self.job}/events HTTP/1.1\r\nHost: x\r\n{said}\r\n".encode())
        return reader

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    def status_of_a_page(self) -> int:
        return httpx.get(f"{self.at}/w/ours/jobs", headers=self.headers, timeout=PATIENCE_SECONDS).status_code


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A website at a port, with room for some who look on, and a job that waits for ever."""
    monkeypatch.setattr("modelworks.website.pages.jobs.MOST_STREAMS", STREAMS)
    make_room()
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
        yield Served(listening.getsockname()[1], {"Authorization": f"Bearer {token}"}, job, server, thread)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def test_more_than_can_be_told_are_told_to_come_again_and_pages_stay_there(served: Served) -> None:
    """All at once, so that nobody is let in while others are on their way."""
    # Readers and server share the files of one process here.
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    asked = min(ASKED, most // 2 - 200)
    readers = [served.look_on() for _ in range(asked)]
    heads = [each.recv(2000) for each in readers]
    let_in = [head for head in heads if head.startswith(b"HTTP/1.1 200")]
    refused = [head.lower() for head in heads if head.startswith(b"HTTP/1.1 503")]
    assert (len(let_in), len(refused)) == (STREAMS, asked - STREAMS)
    assert all(b"retry-after: 5" in head for head in refused)
    assert served.status_of_a_page() == 200
    for each in readers:
        each.close()
    until(lambda: served.connections == 0)

    def there_is_room() -> bool:
        with served.look_on() as late:
            return late.recv(2000).startswith(b"HTTP/1.1 200")

    until(there_is_room)


def test_a_site_that_ends_lets_those_who_look_on_go_without_a_word(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream has no end of its own: waiting for it, and then breaking it off, fills the terminal of who pressed
    Ctrl-C."""
    readers = [served.look_on() for _ in range(3)]
    for each in readers:
        assert each.recv(2000).startswith(b"HTTP/1.1 200")
    served.server.stop()
    for each in readers:
        while each.recv(2000):
            pass
        each.close()
    until(lambda: not served.connections and not served.server.server_state.tasks)
    served.thread.join(PATIENCE_SECONDS)
    assert not served.thread.is_alive()
    assert not caplog.records


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
        for _ in range(SLOW):
            stack.enter_context(served.connect()).sendall(UNENDED + b"name=")
        assert served.status_of_a_page() == 200


FORM = b"Content-Type: application/x-www-form-urlencoded"
UNENDED = b"POST /sign-in HTTP/1.1\r\nHost: x\r\n" + FORM + b"\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    ("begun", "drop"),
    [
        pytest.param(b"", b"", id="nothing at all"),
        pytest.param(b"GET / HTTP/1.1\r\nX-Slow: ", b"", id="a head that stops"),
        pytest.param(b"GET / HTTP/1.1\r\nX-Slow: ", b"x", id="a head letter by letter"),
        pytest.param(UNENDED, b"", id="a body that stops"),
        pytest.param(UNENDED, b"x", id="a body letter by letter"),
    ],
)
def test_who_does_not_end_their_question_is_cut_off(
    served: Served, monkeypatch: pytest.MonkeyPatch, begun: bytes, drop: bytes
) -> None:
    """However the time is filled: many at once, and pages are there meanwhile."""
    monkeypatch.setattr("modelworks.website._connections.QUESTION_SECONDS", SHORT_SECONDS)
    with ExitStack() as stack:
        slow = [stack.enter_context(served.connect()) for _ in range(SLOW)]
        for each in slow:
            each.sendall(begun)
        assert served.status_of_a_page() == 200
        heard = [dripped(each, drop) for each in slow]
        # Who hears nothing had sent something while they were cut off.
        assert all(each.startswith(b"HTTP/1.1 408") for each in heard if each or not drop)
        until(lambda: served.connections == 0)


def dripped(slow: socket.socket, drop: bytes) -> bytes:
    """What is said at last to somebody who sends drop by drop."""
    end = time.monotonic() + PATIENCE_SECONDS
    slow.settimeout(0.01)
    while time.monotonic() < end:
        try:
            slow.sendall(drop)
            return slow.recv(2000)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
    raise AssertionError("nobody was cut off")


def test_a_body_that_trickles_in_after_its_answer_is_not_waited_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to a page needs no body, so it comes before."""
    monkeypatch.setattr("modelworks.website._connections.QUESTION_SECONDS", SHORT_SECONDS)
    with served.connect() as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
        heard = b""
        # Head and body may come one after the other.
        while not heard.endswith(b"}"):
            heard += slow.recv(2000)
        assert heard.startswith(b"HTTP/1.1 200")
        assert dripped(slow, b"x") == b""
    until(lambda: served.connections == 0)


def test_a_question_that_comes_slowly_but_steadily_is_answered(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every so many bytes earn a second: a large file by a bad line arrives."""
    monkeypatch.setattr("modelworks.website._connections.QUESTION_SECONDS", 4.0)
    monkeypatch.setattr("modelworks.website._connections.BYTES_A_SECOND", 0.01)
    began = time.monotonic()
    with served.connect() as slow:
        for each in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
            slow.sendall(bytes([each]))
            until(lambda: time.monotonic() > began + 4.5)
        assert slow.recv(2000).startswith(b"HTTP/1.1 200")


def test_who_does_not_take_their_answer_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits to be sent is held in memory for them."""
    monkeypatch.setattr("modelworks.website._connections.ANSWER_SECONDS", 0.5)
    page = httpx.get(f"{served.at}/sign-in", timeout=PATIENCE_SECONDS).text
    style = page.partition('href="/static/')[2].partition('"')[0]
    script = f"/static/{style.partition('/')[0]}/vega.js"
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", served.port))
        until(lambda: served.connections == 1)
        with suppress(ConnectionError):
            greedy.sendall(f"GET {script} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 30)
        until(lambda: served.connections == 0)
    assert served.status_of_a_page() == 200


def test_more_connections_than_a_process_keeps_are_told_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has one goes on, and whoever comes later finds room again."""
    monkeypatch.setattr("modelworks.website._connections.MOST_AT_ONCE", SLOW)
    with ExitStack() as stack:
        for _ in range(SLOW):
            stack.enter_context(served.connect())
        until(lambda: served.connections == SLOW)
        answer = httpx.get(f"{served.at}/healthz", timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    until(lambda: served.connections == 0)
    assert served.status_of_a_page() == 200
