"""A bucket keeps runs as a folder does, and through what networks and people do to it."""

from __future__ import annotations

import http.server
import secrets
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import BucketStore, Index, Policy, Run, StageCache, Store, Wanted

from modelworks.runs import empty_trash, plan, prune, pruned, restore, usage  # isort: skip

Publish = Callable[..., Run]
pytestmark = pytest.mark.needs("weed")
LATER = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture
def kind() -> str:
    return "bucket"


def colleague(store: Store, folder: Path) -> BucketStore:
    """The same bucket from another machine."""
    return BucketStore(store.address, folder / "colleague")


def test_a_run_is_seen_and_read_from_another_machine(store: Store, publish: Publish, tmp_path: Path) -> None:
    run = publish(verdict="fine")
    other = colleague(store, tmp_path)
    assert [each.key for each in other.runs()] == [run.key]
    copy = other.find(run.id[:4])
    assert copy.path != run.path
    assert copy.verify() == []
    assert other.verify(run.key) == []
    assert (copy.path / "simulate" / "table.csv").read_bytes() == (run.path / "simulate" / "table.csv").read_bytes()


def test_an_index_follows_a_bucket(store: Store, publish: Publish, tmp_path: Path) -> None:
    """And reads no more than the records of what is new."""
    other = colleague(store, tmp_path)
    with Index(other, f"sqlite:///{tmp_path / 'index.sqlite'}") as index:
        assert index.select().rows == ()
        first = publish(verdict="fine", parameters={"rate": {"value": 1.5}})
        second = publish("tb", verdict="look")
        assert [row.id for row in index.select().rows] == [second.id, first.id]
        assert not list((tmp_path / "colleague").rglob("table.csv"))
        store.remark(first.key, "tag", "paper", by="Ada")
        assert [row.id for row in index.select(Wanted(tag="paper")).rows] == [first.id]
        store.discard(second.key, "Ada", LATER)
        assert [row.id for row in index.select().rows] == [first.id]
        store.bring_back(second.key)
        assert len(index.select().rows) == 2
        with Index(other, "sqlite://") as fresh:
            assert fresh.select() == index.select()


def test_runs_go_and_come_back(store: Store, publish: Publish, tmp_path: Path) -> None:
    old, new = publish(verdict="fine"), publish()
    cache = StageCache(tmp_path / "stages")
    planned = plan(store, Policy(keep_days=1, keep_latest=1), LATER)
    assert [each.run.id for each in planned.leaving] == [old.id]
    prune(store, planned.leaving, cache, by="Ada", now=LATER)
    other = colleague(store, tmp_path)
    assert [run.id for run in other.runs()] == [new.id]
    assert [(why["key"], why["by"]) for why in pruned(other)] == [(old.key, "Ada")]
    assert [each.study for each in usage(other, {})] == ["flu", "(trash)"]
    assert restore(other, old.id).verify() == []
    assert pruned(store) == []
    prune(store, planned.leaving, cache, by="Ada", now=LATER)
    assert empty_trash(store, older_than_days=30, now=LATER + timedelta(days=29)) == 0
    assert empty_trash(store, older_than_days=30, now=LATER + timedelta(days=31)) > 0
    with pytest.raises(ModelworksError, match="R141"):
        restore(other, old.id)
    left = {name.rpartition("/")[2] for name in objects(store) if name.startswith(f"runs/{old.key}/")}
    assert left == {"run.json", "checksums.json", "environment.lock"}


def test_of_two_who_restore_and_erase_at_once_one_does(
    store: Store, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever erases has looked before the other restored: what is back keeps its files."""
    run, other = publish(), colleague(store, tmp_path)
    store.discard(run.key, "Ada", LATER)
    looks = iter([other._log.last(), other._log.last()])
    assert store.bring_back(run.key)
    now = other._log.last
    monkeypatch.setattr(other._log, "last", lambda: next(looks, None) or now())
    assert other.erase(run.key) == 0
    assert next(looks, None) is None
    assert store.verify(run.key) == []
    assert list(other.published()) == [run.key]


def test_who_was_killed_in_their_turn_is_helped_to_say_what_they_meant(
    store: Store, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or nobody would ever get the next turn."""
    run, other = publish(), colleague(store, tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store._log, "_write", killed)  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            store.discard(run.key, "Ada", LATER)
    assert list(other.published()) == [run.key]
    other.discard(run.key, "Bob", LATER)
    assert [(why["by"], is_there) for why, is_there in other.discarded()] == [("Ada", True)]
    assert restore(other, run.id).verify() == []


def bucket(store: Store) -> obstore.store.S3Store:
    assert isinstance(store, BucketStore)
    return store._bucket


def objects(store: Store) -> list[str]:
    return [str(each["path"]) for batch in obstore.list(bucket(store)) for each in batch]


def test_what_was_changed_in_the_bucket_is_not_handed_out(store: Store, publish: Publish, tmp_path: Path) -> None:
    run = publish()
    (name,) = [name for name in objects(store) if name.endswith("simulate/table.csv")]
    obstore.put(bucket(store), name, b"a,b\n1,3\n")
    assert store.verify(run.key) == ["simulate/table.csv: differs"]
    with pytest.raises(ModelworksError, match="R103"):
        colleague(store, tmp_path).open(run.key)


def test_a_run_whose_upload_was_cut_is_sent_by_the_next_command(
    store: Store, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with the files that are missing, and is seen only then."""
    sent: list[str] = []
    whole = BucketStore._put_file

    def cut(self: BucketStore, name: str, path: Path) -> None:
        if len(sent) == 3:
            raise KeyboardInterrupt
        sent.append(name)
        whole(self, name, path)

    with monkeypatch.context() as patched:
        patched.setattr("modelworks.runs._bucket.STREAMS", 1)
        patched.setattr(BucketStore, "_put_file", cut)
        with pytest.raises(KeyboardInterrupt):
            publish(verdict="fine")
    assert list(store.published()) == []
    again = BucketStore(store.address, store.root)
    rest: list[str] = []
    monkeypatch.setattr(BucketStore, "_put_file", lambda self, name, path: (rest.append(name), whole(self, name, path)))
    again.deliver()
    (run,) = colleague(store, tmp_path).runs()
    assert run.verify() == []
    assert rest
    assert not set(rest) & set(sent)
    rest.clear()
    again.deliver()
    assert rest == []


def test_a_bucket_that_does_not_answer_is_a_letter_and_loses_nothing(
    store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish()
    monkeypatch.setattr("modelworks.runs._bucket.RETRIES", {"max_retries": 0})
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        away = BucketStore(store.address, tmp_path / "away")
        stage = tmp_path / "stage"
        for work in (
            lambda: list(away.published()),
            lambda: away.remark("x", "pin", by="Ada"),
            lambda: away.publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={}),
        ):
            with pytest.raises(ModelworksError, match="R152") as raised:
                work()
            assert "ssss" not in str(raised.value)


class Unreliable(http.server.BaseHTTPRequestHandler):
    """Passes requests on; every third it answers with an error of the server, or hangs up after it was carried out."""

    target = ""
    count = 0
    failed = 0

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).count += 1
        number, fails = type(self).count, type(self).count % 3 == 0
        type(self).failed += fails
        if fails and number % 2:
            self._answer(503, {}, b"")
            return
        headers = dict(self.headers.items())
        request = urllib.request.Request(self.target + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                if fails:
                    # The other side has no way to know whether this was done.
                    self.close_connection = True
                    return
                self._answer(answer.status, dict(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, dict(error.headers.items()), error.read())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def unreliable(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Unreliable]]:
    handler = type("Handler", (Unreliable,), {"target": s3_endpoint, "count": 0, "failed": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_a_bucket_that_fails_every_third_time_is_survived(
    unreliable: type[Unreliable], stage: Path, tmp_path: Path
) -> None:
    store = BucketStore(f"s3://team/{secrets.token_hex(6)}", tmp_path / "mirror")
    run = store.publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={"verdict": "fine"})
    store.remark(run.key, "tag", "paper", by="Ada")
    other = BucketStore(store.address, tmp_path / "other")
    assert other.open(run.key).verify() == []
    assert [mark.text for _, mark in other.marks()] == ["paper"]
    assert [each.key for each in other.runs()] == [run.key]
    assert unreliable.failed >= 5


@pytest.mark.slow
@pytest.mark.parametrize("machines", ["two", "one"])
def test_two_attempts_at_one_run_make_one_run(store: Store, tmp_path: Path, machines: str) -> None:
    """A job that was thought dead and its second attempt finish in the same moment: nobody gets files of both."""
    mirrors = [tmp_path / ("mirror" if machines == "one" else who) for who in ("ada", "bob")]
    rivals = [start_rival(store, mirror, who) for mirror, who in zip(mirrors, ("ada", "bob"), strict=True)]
    try:
        for number in range(6):
            for rival in rivals:
                said_to(rival, f"2026-11-21T05:15:{number:02d}+00:00 00000{number}")
            answers = {heard_from(rival) for rival in rivals}
            (answer,) = answers
            key, who = answer.split()
            run = colleague(store, tmp_path).open(key)
            assert run.verify() == []
            assert run.record["who"] == who
            assert len({name.split("/")[6] for name in objects(store) if name.startswith(f"runs/{key}/")}) == 1
            assert store.verify(key) == []
        assert len(list(store.published())) == 6
    finally:
        for rival in rivals:
            rival.kill()
            rival.communicate()


def start_rival(store: Store, mirror: Path, who: str) -> subprocess.Popen[str]:
    program = [sys.executable, str(Path(__file__).with_name("rival.py")), store.address, str(mirror), who]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert heard_from(process) == "ready"
    return process


def said_to(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def heard_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_run_whose_first_attempt_was_killed_before_it_said_so_is_there(
    store: Store, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt finds the first one's files complete, and says so in its stead."""
    name = (datetime(2026, 11, 21, tzinfo=UTC), "abcdef")
    stages = {"simulate": tmp_path / "stage"}

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("modelworks.runs._bucket_log.BucketLog.publish", killed)
        with pytest.raises(KeyboardInterrupt):
            store.publish(("flu", "sir", "uk"), stages=stages, record={"who": "ada"}, name=name)
    assert list(store.published()) == []
    second = colleague(store, tmp_path).publish(("flu", "sir", "uk"), stages=stages, record={"who": "bob"}, name=name)
    assert second.record["who"] == "ada"
    assert second.verify() == []
    store.deliver()
    assert [run.record["who"] for run in store.runs()] == ["ada"]
