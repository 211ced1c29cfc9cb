"""Every executor keeps the same promises; and what Slurm says is understood."""

from __future__ import annotations

from collections.abc import Iterator
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
