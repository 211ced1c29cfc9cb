"""Every executor keeps the same promises; and what Slurm says is understood."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelworks.jobs import Attempt, Claim
from modelworks.jobs.executors import Executor
from modelworks.jobs.executors.inline import InlineExecutor
from modelworks.jobs.executors.process import ProcessExecutor, handle_of
from modelworks.jobs.executors.slurm import SlurmExecutor
from modelworks.processes import Process
from modelworks.testing import PROGRAM, ExecutorSuite, look, ordered, until


class TestProcess(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> Executor:
        return ProcessExecutor(grace_seconds=0.5)

    def test_one_that_was_begun_twice_and_killed_is_not_said_to_have_ended_by_itself(self, tmp_path: Path) -> None:
        """A worker died before it could say what it had begun; what the next began as well stands aside."""
        forever = ordered("import time; time.sleep(600)")
        attempt = Attempt.prepare(tmp_path, Claim(forever.id, "a worker", 1, 1, 3, forever))
        executor, gate = ProcessExecutor(), tmp_path / "gate"
        late = f"import time\nfrom pathlib import Path\nwhile not Path({str(gate)!r}).exists(): time.sleep(0.02)\n"
        handle = executor.submit(attempt, replace(forever, command=(sys.executable, "-c", late + PROGRAM)))
        ProcessExecutor().submit(attempt, forever)
        until(lambda: attempt.process() is not None, attempt)
        first = attempt.process()
        assert first is not None
        gate.touch()
        place, pid, started = handle.split(":")
        until(lambda: bool(Process(place, int(pid), int(started)).is_gone()), attempt)
        assert look(executor, handle, attempt).standing == "running"
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: look(executor, handle, attempt).standing == "ended", attempt)
        # Which is tried again, as an exit would not be.
        assert look(executor, handle, attempt).reason == "killed"

    def test_one_that_says_so_while_we_look_is_not_taken_for_the_one_that_stood_aside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody had said that it carries the attempt out, and then the one begun was gone because somebody had."""
        order = ordered("pass")
        attempt = Attempt.prepare(tmp_path, Claim(order.id, "a worker", 1, 1, 3, order))
        with subprocess.Popen([sys.executable, "-c", "pass"]) as begun:
            handle = handle_of(Process.of(begun.pid))
        said = iter([None])
        monkeypatch.setattr(Attempt, "process", lambda _: next(said, Process.current()))
        assert look(ProcessExecutor(), handle, attempt).standing == "running"


class TestInline(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> Executor:
        return InlineExecutor(grace_seconds=0.5)


@pytest.mark.slow
@pytest.mark.needs("slurm")
class TestSlurm(ExecutorSuite):
    @pytest.fixture
    def executor(self, slurm: Any) -> Iterator[Executor]:
        yield SlurmExecutor()
        slurm.ask("scancel", "--me")

    def test_time_that_is_up_ends_an_attempt(self, executor: Executor, begin: Any, slurm: Any) -> None:
        """Slurm counts in minutes; the time of a running job is cut short instead of waiting for one."""
        handle, attempt = begin("import time; time.sleep(600)", walltime_seconds=60.0)
        until(lambda: attempt.process() is not None, attempt)
        slurm.ask("scancel", "--signal=TERM", handle)
        until(lambda: look(executor, handle, attempt).standing == "ended", attempt)

    def test_many_at_once_cost_one_question_a_round(
        self, begin: Any, slurm: Any, executor: Executor, asked: Callable[[], Counter[str]]
    ) -> None:
        """A cluster's administrators look at who asks their controller all the time."""
        begun = [begin(f"result['n'] = {k}", number=k) for k in range(24)]
        handles = {attempt: handle for handle, attempt in begun}
        rounds = 0

        def all_are_over() -> bool:
            nonlocal rounds
            rounds += 1
            executor.poll(handles)
            return all(attempt.outcome() for attempt in handles)

        until(all_are_over, next(iter(handles)))
        assert sorted((attempt.outcome() or {})["result"]["n"] for attempt in handles) == list(range(24))
        assert asked() == {"sbatch": 24, "squeue": rounds}


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Counter[str]]:
    """How often each command of Slurm was given in this test."""
    seen = tmp_path / "asked"
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in ("sbatch", "squeue"):
        script = bin_folder / name
        script.write_text(f'#!/bin/sh\necho {name} >> {seen}\nexec {shutil.which(name)} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=":")
    return lambda: Counter(seen.read_text(encoding="utf-8").split())
