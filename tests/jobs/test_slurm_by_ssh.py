"""A cluster whose commands are given on a login node, by ssh: a real server, with a key made for the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

from modelworks.cluster import examine_cluster
from modelworks.jobs.executors import Executor
from modelworks.jobs.executors.slurm import Site, SlurmExecutor
from modelworks.testing import ExecutorSuite, look, until

pytestmark = [pytest.mark.slow, pytest.mark.needs("slurm", "sshd")]

PATIENCE_SECONDS = 120.0


class LoginNode:
    """A server of ssh on this machine, and a way to it by the name `login`."""

    def __init__(self, folder: Path, settings: Path) -> None:
        self._folder = folder
        for name in ("host", "user"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(words, check=True)
        shutil.copy(folder / "user.pub", folder / "authorized")
        self._port = free_port()
        self._serve(settings)
        self.path = self._client()

    def _serve(self, settings: Path) -> None:
        (self._folder / "sshd").write_text(
            f"Port {self._port}\nListenAddress 127.0.0.1\nHostKey {self._folder}/host\n"
            f"AuthorizedKeysFile {self._folder}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f"PidFile none\nSetEnv SLURM_CONF={settings}\n",
            encoding="utf-8",
        )
        # Where the server gives up its rights for a while; the package makes it when it is started by the system.
        Path("/run/sshd").mkdir(exist_ok=True)
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None
        self._server = subprocess.Popen([program, "-D", "-e", "-f", str(self._folder / "sshd")])
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port)).close()
            except ConnectionRefusedError:
                assert time.monotonic() < end
                threading.Event().wait(0.02)
            else:
                return

    def _client(self) -> Path:
        """A folder with an `ssh` that reads settings of ours: the real one knows only those of the user's home."""
        (self._folder / "config").write_text(
            f"Host login\n HostName 127.0.0.1\n Port {self._port}\n User root\n IdentityFile {self._folder}/user\n"
            f" UserKnownHostsFile {self._folder}/known\n StrictHostKeyChecking accept-new\n",
            encoding="utf-8",
        )
        place = self._folder / "bin"
        place.mkdir()
        (place / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self._folder}/config "$@"\n')
        (place / "ssh").chmod(0o755)
        return place

    def end(self) -> None:
        self._server.kill()
        self._server.wait()


@pytest.fixture
def login(slurm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoginNode]:
    """A login node; without it, this machine knows of no cluster."""
    folder = tmp_path / "ssh"
    folder.mkdir()
    node = LoginNode(folder, slurm.settings)
    monkeypatch.setenv("PATH", str(node.path), prepend=":")
    monkeypatch.delenv("SLURM_CONF")
    yield node
    node.end()
    slurm.ask("scancel", "--me")


class BySsh(SlurmExecutor):
    def __init__(self) -> None:
        super().__init__(Site(login="login"))


class TestSlurmBySsh(ExecutorSuite):
    @pytest.fixture
    def executor(self, login: LoginNode) -> Executor:
        return BySsh()

    def test_time_that_is_up_ends_an_attempt(self, executor: Executor, begin: Any) -> None:
        """Slurm counts in minutes; the time of a running job is cut short instead of waiting for one."""
        handle, attempt = begin("import time; time.sleep(600)", walltime_seconds=60.0)
        until(lambda: attempt.process() is not None, attempt)
        BySsh().ask("scancel", "--signal=TERM", handle)
        until(lambda: look(executor, handle, attempt).reason == "walltime", attempt)

    def test_a_login_node_that_is_down_says_nothing_about_a_job(
        self, executor: Executor, begin: Any, login: LoginNode
    ) -> None:
        handle, attempt = begin("import time; time.sleep(600)")
        until(lambda: attempt.process() is not None, attempt)
        login.end()
        sight = look(executor, handle, attempt)
        assert sight.standing == "unknown"
        assert "refused" in sight.text


@pytest.mark.usefixtures("login")
def test_the_doctor_looks_through_ssh(tmp_path: Path) -> None:
    found = examine_cluster(Site(login="login"), tmp_path / "jobs", patience_seconds=60.0)
    assert "stop" not in [finding.verdict for finding in found.findings], found
    assert "from login" in found.findings[0].words


@pytest.mark.usefixtures("login")
def test_a_login_node_that_does_not_let_us_in_is_found(tmp_path: Path) -> None:
    found = examine_cluster(Site(login="nobody@login"), tmp_path / "jobs")
    assert [finding.verdict for finding in found.findings] == ["stop"]
    assert "BatchMode" in found.findings[0].words
