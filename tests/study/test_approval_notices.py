"""Who hears of runs that are put forward, approved, superseded and withdrawn: once each, whoever is killed."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from modelworks.errors import ModelworksError
from modelworks.jobs import Outbox, Pace
from modelworks.runs import Requirement, Run, Store, propose, sign, withdraw
from modelworks.study import queue_around, store_around, worker_around
from modelworks.study.jobs._approval_notices import tell_of_approvals
from modelworks.study.jobs._notices import tell_of_jobs

KEY = "staple-of-the-hook"


@dataclass
class Hook:
    """A server that takes webhooks: where it is, what came, and what it answers next."""

    url: str = ""
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204

    @property
    def told(self) -> list[Any]:
        return [json.loads(body) for _, body in self.came]


@pytest.fixture
def hook(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A webhook of the repository's settings."""
    made = Hook()

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if made.status < 300:
                made.came.append((dict(self.headers), body))
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MODELWORKS_WEBHOOK_SECRET", KEY)
    with (repository / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[notify.webhook]\nurl = "{made.url}"\n')
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def a_run(store: Store, answer: str) -> Run:
    return store.publish(("flu", "sir", "here"), stages={}, record={"answer": answer, "verdict": "fine"})


def put_forward(store: Store, run: Run) -> None:
    propose(store, run.key, needs=("reviewer",), found=[Requirement("verdict", True, "fine")], by="Ada")


def approve(store: Store, run: Run) -> None:
    put_forward(store, run)
    sign(store, run.key, by="Grace", role="reviewer")


def look(repository: Path) -> None:
    tell_of_approvals(repository)
    tell_of_jobs(repository)


def test_each_thing_that_becomes_of_a_run_is_told_once_and_signed(repository: Path, hook: Hook) -> None:
    store = store_around(repository)
    before, first, second = (a_run(store, text) for text in ("Two.", "Four.", "Five."))
    approve(store, before)
    look(repository)
    assert hook.came == [], "what was there before somebody listened is told"
    put_forward(store, first)
    look(repository)
    sign(store, first.key, by="Grace", role="reviewer")
    look(repository)
    approve(store, second)
    withdraw(store, second.key, by="Grace", reason="counted twice")
    for _ in range(2):
        look(repository)
    said = [(each["occasion"], each["about"]["run"]) for each in hook.told]
    assert said[:2] == [("proposed", first.id), ("superseded", before.id)] or said[0] == ("proposed", first.id)
    assert sorted(said) == sorted([
        ("proposed", first.id), ("approved", first.id), ("superseded", before.id),
        ("approved", second.id), ("withdrawn", second.id), ("superseded", first.id),
    ])  # fmt: skip
    approved = next(each for each in hook.told if each["occasion"] == "approved")
    assert approved["about"]["signers"] == ["Grace"]
    assert approved["about"]["supersedes"] == before.key
    assert approved["subject"].endswith(f"flu: run {first.id} approved")
    assert "Four." in approved["text"]
    assert "counted twice" in next(each for each in hook.told if each["occasion"] == "withdrawn")["text"]
    for headers, body in hook.came:
        mark = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
        assert headers["X-Modelworks-Signature-256"] == f"sha256={mark}"
    assert len({headers["X-Modelworks-Delivery"] for headers, _ in hook.came}) == len(said)


def test_what_nobody_took_is_kept_and_a_look_that_was_interrupted_loses_nothing(
    repository: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before it was written down: found again. Written down, and not taken: kept in the outbox."""
    store = store_around(repository)
    look(repository)
    run = a_run(store, "Four.")
    approve(store, run)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            look(repository)
    hook.status = 503
    with pytest.raises(ModelworksError) as raised:
        look(repository)
    assert [*raised.value.codes] == ["J152"]
    with queue_around(repository) as queue:
        [kept] = Outbox(queue).told()
    assert (kept.state, kept.tries) == ("waiting", 1)
    assert run.id in kept.subject


def test_a_worker_tells_it_and_only_what_is_wanted(repository: Path, hook: Hook) -> None:
    settings = repository / "modelworks.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[notify.webhook]", '[notify]\non = ["approved"]\n[notify.webhook]'), "utf-8")
    worker = worker_around(repository, cores=1, memory_gb=1.0, pace=Pace(lease=2.0, poll=0.02))
    worker.run(threading.Event(), until_idle=True)
    store = store_around(repository)
    run = a_run(store, "Four.")
    approve(store, run)
    withdraw(store, run.key, by="Grace", reason="a mistake")
    worker = worker_around(repository, cores=1, memory_gb=1.0, pace=Pace(lease=2.0, poll=0.02))
    worker.run(threading.Event(), until_idle=True)
    assert [each["occasion"] for each in hook.told] == ["approved"]
