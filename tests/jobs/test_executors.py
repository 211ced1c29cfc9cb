"""Every executor keeps the same promises; and what Slurm says is understood."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelworks.jobs.executors import Executor
from modelworks.jobs.executors.inline import InlineExecutor
from modelworks.jobs.executors.process import ProcessExecutor
from modelworks.jobs.executors.slurm import SlurmExecutor
from modelworks.testing import ExecutorSuite, look, until


class TestProcess(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> Executor:
        return ProcessExecutor(grace_seconds=0.5)


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
        attempts = dict(begin(f"result['n'] = {k}", number=k) for k in range(24))
        rounds = 0

        def all_are_over() -> bool:
            nonlocal rounds
            rounds += 1
            executor.poll(attempts)
            return all(attempt.outcome() for attempt in attempts.values())

        until(all_are_over, next(iter(attempts.values())))
        assert sorted((attempt.outcome() or {})["result"]["n"] for attempt in attempts.values()) == list(range(24))
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
