"""Suites of tests for those who extend modelworks: a class to derive from, and one fixture to write.

class TestMine(ExecutorSuite):
    @pytest.fixture
    def executor(self):
        return MyExecutor()
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from modelworks.jobs import Attempt, Claim, Order, Resources
from modelworks.jobs.executors import Executor, Sight

PATIENCE_SECONDS = 120.0

# Carries an attempt out by a piece of Python, which may use `attempt`, `order` and `result`.
PROGRAM = """
import sys
from pathlib import Path
from modelworks.jobs import Attempt
attempt = Attempt(Path(sys.argv[1]))
order = attempt.order()
with attempt.at_work() as result:
    exec(order["task"]["code"])
"""


class ExecutorSuite:
    """What every executor promises, tried with real commands; a subclass gives the fixture `executor`."""

    @pytest.fixture
    def executor(self) -> Executor:
        raise NotImplementedError("a suite for an executor has a fixture `executor` that gives one")

    @pytest.fixture
    def begin(self, executor: Executor, tmp_path: Path) -> Callable[..., tuple[str, Attempt]]:
        """Begin a piece of Python; gives its handle and its attempt."""

        job = secrets.token_hex(4)

        def begin(code: str, number: int = 1, **resources: Any) -> tuple[str, Attempt]:
            order = ordered(code, id=f"{job}{number:02x}", resources=Resources(**resources))
            attempt = Attempt.prepare(tmp_path, Claim(order.id, "a worker", 1, 1, 3, order))
            return executor.submit(attempt, order), attempt

        return begin

    def test_what_was_found_is_in_the_attempt_s_folder(self, executor: Executor, begin: Any) -> None:
        handle, attempt = begin("result['answer'] = 6 * 7")
        until(lambda: attempt.outcome() is not None, attempt)
        outcome = attempt.outcome()
        assert outcome is not None
        assert outcome["result"] == {"answer": 42}
        until(lambda: look(executor, handle, attempt).standing != "running", attempt)

    def test_what_is_under_way_is_running(self, executor: Executor, begin: Any) -> None:
        handle, attempt = begin("import time; time.sleep(600)")
        until(lambda: attempt.process() is not None, attempt)
        assert look(executor, handle, attempt).standing == "running"
        executor.cancel({attempt: handle})
        until(lambda: look(executor, handle, attempt).standing in ("ended", "lost"), attempt)

    def test_what_was_cancelled_ends_and_leaves_no_process(self, executor: Executor, begin: Any) -> None:
        handle, attempt = begin("import time; time.sleep(600)")
        until(lambda: attempt.process() is not None, attempt)
        process = attempt.process()
        assert process is not None

        def has_ended() -> bool:
            executor.cancel({attempt: handle})
            return process.is_gone() is not False

        until(has_ended, attempt)
        assert attempt.outcome() is None

    def test_an_attempt_begun_twice_is_carried_out_once(self, executor: Executor, begin: Any, tmp_path: Path) -> None:
        """Its worker died before it could say that it had begun."""
        count = tmp_path / "count"
        code = f"open({str(count)!r}, 'a').write('x')"
        begin(code)
        _, attempt = begin(code)
        until(lambda: attempt.outcome() is not None, attempt)
        assert count.read_text(encoding="utf-8") == "x"

    def test_a_killed_process_is_seen_to_be_gone(self, executor: Executor, begin: Any) -> None:
        handle, attempt = begin("import time; time.sleep(600)")
        until(lambda: attempt.process() is not None, attempt)
        process = attempt.process()
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: look(executor, handle, attempt).standing in ("ended", "lost"), attempt)
        assert attempt.outcome() is None

    def test_a_new_executor_knows_the_handles_of_an_old_one(self, executor: Executor, begin: Any) -> None:
        """Everything about an attempt is in its handle and its folder."""
        handle, attempt = begin("import time; time.sleep(600)")
        until(lambda: attempt.process() is not None, attempt)
        another = type(executor)()
        assert look(another, handle, attempt).standing == "running"
        another.cancel({attempt: handle})
        until(lambda: look(executor, handle, attempt).standing in ("ended", "lost"), attempt)

    def test_time_that_is_up_ends_an_attempt(self, executor: Executor, begin: Any) -> None:
        handle, attempt = begin("import time; time.sleep(600)", walltime_seconds=1.0)
        until(lambda: look(executor, handle, attempt).reason == "walltime", attempt)

    def test_several_are_told_apart(self, executor: Executor, begin: Any) -> None:
        attempts = [begin(f"result['n'] = {k}", number=k)[1] for k in range(3)]
        until(lambda: all(attempt.outcome() for attempt in attempts), attempts[0])
        found = [(attempt.outcome() or {})["result"]["n"] for attempt in attempts]
        assert found == [0, 1, 2]


def ordered(code: str, **more: Any) -> Order:
    """A job that carries out a piece of Python."""
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    order: Mapping[str, Any] = {"task": {"code": code}, "environment": {"PYTHONPATH": paths}, **more}
    return Order("a test", (sys.executable, "-c", PROGRAM), **order)


def look(executor: Executor, handle: str, attempt: Attempt) -> Sight:
    """What an executor says of one attempt."""
    return executor.poll({attempt: handle})[attempt]


def until(condition: Callable[[], bool], attempt: Attempt) -> None:
    """Wait for something that has to come; where it does not, say what the attempt printed."""
    end, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not condition():
        if time.monotonic() > end:
            output = attempt.folder / "output.txt"
            said = output.read_text(encoding="utf-8", errors="replace") if output.is_file() else "(nothing)"
            pytest.fail(f"{attempt.folder} did not come to what was waited for; it printed:\n{said}")
        pause.wait(0.02)
