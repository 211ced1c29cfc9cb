"""What is told to somebody arrives, signed and in secret, at real servers; and what does not is told later."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from ports import free_port

from modelworks.errors import ModelworksError
from modelworks.jobs import Capacity, Job, Order, Outbox, Queue, _outbox
from modelworks.jobs.channels import Notice
from modelworks.jobs.channels.command import Command
from modelworks.jobs.channels.mail import Mail
from modelworks.jobs.channels.webhook import Webhook

PASSWORD, KEY = "correct-horse-battery", "staple-of-the-hook"
NOTICE = Notice("a1", "failed", "[Ours] a study:\nreport failed", "It failed — for α was < 0.", {"jobs": []})


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMTP_PASSWORD", "SMTP_PASSWORD_FILE", "WEBHOOK_URL", "WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE"):
        monkeypatch.delenv(f"MODELWORKS_{name}", raising=False)


# -- mail --------------------------------------------------------------------------------------------


@dataclass
class Postbox:
    """A mail server: its port, and what came."""

    port: int = 0
    mails: list[Any] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the server looks for it by this name
        self.mails.append(envelope)
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[str], None]) -> Path:
    """One for `localhost`, signed by itself, with its key in the same file."""
    needs("openssl")
    folder = tmp_path_factory.mktemp("certificate")
    words = [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"), "-out", str(folder / "crt"),
    ]  # fmt: skip
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "key").read_text() + (folder / "crt").read_text(), encoding="utf-8")
    return both


@pytest.fixture
def postbox(certificate: Path) -> Iterator[Callable[..., Postbox]]:
    """Starts a mail server that wants TLS and a password."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, LoginPassword

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    running: list[Controller] = []

    def allowed(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and data == LoginPassword(b"modelworks", PASSWORD.encode())
        return AuthResult(success=good, handled=False)

    def start(*, at_once: bool = False) -> Postbox:
        box = Postbox()
        tls = {"ssl_context": context} if at_once else {"tls_context": context, "require_starttls": True}
        # With TLS from the first byte the server does not count it as such, and would take no password.
        known = {"authenticator": allowed, "auth_required": True, "auth_require_tls": not at_once}
        controller = Controller(box, hostname="localhost", port=0, ready_timeout=120.0, **known, **tls)
        controller.port = free_port()
        controller.start()
        running.append(controller)
        box.port = controller.port
        return box

    yield start
    for each in running:
        each.stop()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_mail_comes_by_tls_and_with_a_password(
    postbox: Callable[..., Postbox], certificate: Path, tls: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    box = postbox(at_once=tls == "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    (tmp_path / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    monkeypatch.setenv("MODELWORKS_SMTP_PASSWORD_FILE", str(tmp_path / "password"))
    mail = Mail(
        ["ada@example.org", "florence@example.org"], "localhost", "jobs@example.org", box.port, tls, "modelworks"
    )
    mail.send(NOTICE)
    (found,) = box.mails
    assert found.rcpt_tos == ["ada@example.org", "florence@example.org"]
    import email.policy

    told = email.message_from_bytes(found.content, policy=email.policy.default)
    assert told["Subject"] == "[Ours] a study: report failed"
    assert told["Message-ID"] == "<a1@modelworks>"
    assert told.get_content().strip() == NOTICE.text


def test_a_server_that_nobody_vouches_for_gets_no_password(
    postbox: Callable[..., Postbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = postbox()
    monkeypatch.setenv("MODELWORKS_SMTP_PASSWORD", PASSWORD)
    with pytest.raises(ModelworksError, match="certificate") as raised:
        Mail(["ada@example.org"], "localhost", "jobs@example.org", box.port, "starttls", "modelworks").send(NOTICE)
    assert PASSWORD not in str(raised.value)
    assert box.mails == []


def test_a_wrong_password_is_a_letter_without_it(
    postbox: Callable[..., Postbox], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = postbox()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("MODELWORKS_SMTP_PASSWORD", "an-old-password")
    with pytest.raises(ModelworksError, match="MODELWORKS_SMTP_PASSWORD") as raised:
        Mail(["ada@example.org"], "localhost", "jobs@example.org", box.port, "starttls", "modelworks").send(NOTICE)
    assert raised.value.codes == ("J151",)
    assert "an-old-password" not in str(raised.value)


def test_a_server_that_is_not_there_is_a_letter() -> None:
    with pytest.raises(ModelworksError) as raised:
        Mail(["ada@example.org"], "localhost", port=free_port()).send(NOTICE)
    assert raised.value.codes == ("J151",)


# -- webhook -----------------------------------------------------------------------------------------


@dataclass
class Hook:
    """A web server that takes what is posted, or answers with the statuses it is given first."""

    url: str
    came: list[tuple[dict[str, str], bytes]]
    statuses: list[int]


@pytest.fixture
def hook() -> Iterator[Hook]:
    came: list[tuple[dict[str, str], bytes]] = []
    statuses: list[int] = []

    class Takes(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = statuses.pop(0) if statuses else 200
            if status == 200:
                came.append((dict(self.headers), body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Takes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Hook(f"http://127.0.0.1:{server.server_port}/a-secret-path", came, statuses)
        server.shutdown()


def test_a_webhook_is_told_and_can_see_from_whom(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWORKS_WEBHOOK_SECRET", KEY)
    Webhook(hook.url).send(NOTICE)
    ((headers, body),) = hook.came
    expected = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Modelworks-Signature-256"] == f"sha256={expected}"
    assert headers["X-Modelworks-Delivery"] == "a1"
    assert json.loads(body) == NOTICE.as_dict()


def test_what_a_webhook_answers_without_an_end_is_not_read() -> None:
    """A worker that read it would take all memory."""

    class Endless(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"a" * 2**16)
            ended.set()

        def log_message(self, *_: Any) -> None:
            pass

    ended = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Webhook(f"http://127.0.0.1:{server.server_port}/").send(NOTICE)
        assert ended.wait(60)
        server.shutdown()


def test_a_webhook_that_refuses_is_a_letter_without_the_rest_of_its_address(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELWORKS_WEBHOOK_URL", hook.url)
    hook.statuses[:] = [403]
    with pytest.raises(ModelworksError, match="403") as raised:
        Webhook().send(NOTICE)
    assert "a-secret-path" not in str(raised.value)
    monkeypatch.setenv("MODELWORKS_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/a-secret-path")
    with pytest.raises(ModelworksError, match="does not answer") as raised:
        Webhook().send(NOTICE)
    assert "a-secret-path" not in str(raised.value)
    monkeypatch.delenv("MODELWORKS_WEBHOOK_URL")
    with pytest.raises(ModelworksError, match="nobody says where"):
        Webhook().send(NOTICE)


# -- command -----------------------------------------------------------------------------------------


def test_a_command_is_given_the_subject_and_all_of_it(tmp_path: Path) -> None:
    code = f"import sys; open({str(tmp_path / 'told')!r}, 'w').write(sys.argv[1] + sys.stdin.read())"
    Command([sys.executable, "-c", code]).send(NOTICE)
    told = (tmp_path / "told").read_text(encoding="utf-8")
    assert told.startswith(NOTICE.subject)
    assert json.loads(told.removeprefix(NOTICE.subject)) == NOTICE.as_dict()


@pytest.mark.parametrize("words", [("/nowhere/at/all",), (sys.executable, "-c", "raise SystemExit('no screen')")])
def test_a_command_that_fails_is_a_letter(words: Sequence[str]) -> None:
    with pytest.raises(ModelworksError) as raised:
        Command(words).send(NOTICE)
    assert raised.value.codes == ("J153",)


# -- the outbox --------------------------------------------------------------------------------------


ROOM = Capacity(("process",), cores=1000, memory_gb=1000.0)


def words(jobs: Sequence[Job]) -> Notice:
    return Notice("-".join(each.title for each in jobs), "done", f"{len(jobs)} over", "", {})


def finished(queue: Queue, *titles: str, **labels: str) -> None:
    queue.submit([Order(title, ("true",), labels=labels) for title in titles])
    for claim in queue.claim(queue.enter("here"), ROOM):
        queue.finish(claim, "done", {})


@dataclass
class Listener:
    """A channel that remembers, and refuses as often as it is told to."""

    refusals: int = 0
    heard: list[str] = field(default_factory=list)

    def send(self, notice: Notice) -> None:
        if self.refusals:
            self.refusals -= 1
            from modelworks.errors import fail

            fail("J152", "no")
        self.heard.append(notice.id)


def test_each_end_is_told_once_to_each_however_many_look(queue: Queue, queue_url: str) -> None:
    outbox, here, there = Outbox(queue), Listener(), Listener()
    finished(queue, "before")
    outbox.collect(("here", "there"), words)
    finished(queue, "one", "two")

    def look() -> None:
        with Queue(queue_url) as own:
            Outbox(own).collect(("here", "there"), words)
            Outbox(own).deliver({"here": here, "there": there})

    threads = [threading.Thread(target=look) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(here.heard) == sorted(there.heard) == ["one", "two"]
    assert {each.state for each in outbox.told()} == {"sent"}


def test_a_batch_is_told_once_when_the_last_of_it_is_over(queue: Queue) -> None:
    outbox, listener = Outbox(queue), Listener()
    outbox.collect(("a",), words)
    queue.submit([Order("later", ("true",), labels={"batch": "b"}, priority=-1)])
    queue.submit([Order("sooner", ("true",), labels={"batch": "b"})])
    worker = queue.enter("here")
    for expected in ([], ["later-sooner", "sooner-later"]):
        (claim,) = queue.claim(worker, Capacity(("process",), 1000, 1000.0, jobs=1))
        queue.finish(claim, "done", {})
        outbox.collect(("a",), words)
        outbox.deliver({"a": listener})
        assert len(listener.heard) == bool(expected)
        assert not listener.heard or listener.heard[0] in expected


def test_what_is_refused_is_told_later_and_given_up_in_the_end(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outbox, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(_outbox, "TRIES", 4)
    outbox, listener = Outbox(queue), Listener(refusals=2)
    outbox.collect(("a",), words)
    finished(queue, "one")
    outbox.collect(("a",), words)
    for _ in range(2):
        with pytest.raises(ModelworksError):
            outbox.deliver({"a": listener})
    outbox.deliver({"a": listener})
    assert listener.heard == ["one"]
    finished(queue, "two")
    outbox.collect(("a",), words)
    listener.refusals = 99
    for _ in range(4):
        with pytest.raises(ModelworksError):
            outbox.deliver({"a": listener})
    outbox.deliver({"a": listener})
    assert [(each.state, each.tries) for each in outbox.told()] == [("given up", 4), ("sent", 3)]


def test_who_is_killed_while_telling_leaves_it_to_the_next(
    queue: Queue, queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has taken it and is gone before it could say that it was told."""
    outbox, listener = Outbox(queue), Listener()
    outbox.collect(("a",), words)
    finished(queue, "one")
    outbox.collect(("a",), words)
    program = """
import sys
from modelworks.jobs import Outbox, Queue
class Slow:
    def send(self, notice):
        print("telling", flush=True)
        sys.stdin.readline()
Outbox(Queue(sys.argv[1])).deliver({"a": Slow()})
"""
    command = [sys.executable, "-c", program, queue_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "telling\n"
        outbox.deliver({"a": listener})
        assert listener.heard == []
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    outbox.deliver({"a": listener})
    assert listener.heard == []
    now = time.time()
    monkeypatch.setattr(_outbox.time, "time", lambda: now + _outbox.TELLING_SECONDS + 1)
    outbox.deliver({"a": listener})
    assert listener.heard == ["one"]


def test_a_queue_that_was_there_before_gets_what_it_lacks(queue: Queue, queue_url: str) -> None:
    engine = sql.create_engine(queue_url)
    with engine.begin() as connection:
        for name in ("modelworks_notices", "modelworks_agenda"):
            connection.exec_driver_sql(f"DROP TABLE {name}")
    engine.dispose()
    finished(queue, "before")
    with Queue(queue_url) as again:
        Outbox(again).collect(("a",), words)
        assert len(again.jobs()) == 1
