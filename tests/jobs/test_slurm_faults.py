"""A real cluster that fails: each failure is recognised, told apart from the others, and handled."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from modelworks.jobs import Attempt, Capacity, Job, JobWorker, Pace, Queue, Resources
from modelworks.jobs.executors.slurm import Site, SlurmExecutor
from modelworks.testing import ordered

pytestmark = [pytest.mark.slow, pytest.mark.needs("slurm")]

PATIENCE_SECONDS = 180.0
FOREVER = "import time; time.sleep(600)"
# Waits in its first attempt, and ends at once in the second.
FIRST_WAITS = "import time; time.sleep(600 if order['attempt'] == 1 else 0); result['attempt'] = order['attempt']"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with Queue(f"sqlite:///{tmp_path}/queue.sqlite") as opened:
        yield opened


@pytest.fixture
def worker(queue: Queue, tmp_path: Path, slurm: Any) -> Iterator[JobWorker]:
    capacity = Capacity(("slurm",), cores=1, memory_gb=1.0)
    pace = Pace(lease=15.0, backoff=0.1, poll=0.05)
    yield JobWorker(queue, tmp_path / "jobs", {"slurm": SlurmExecutor()}, capacity, pace=pace)
    slurm.ask("scancel", "--me")


@pytest.fixture
def breakable(slurm: Any) -> Iterator[Any]:
    """The cluster, for a test that kills parts of it: whatever comes of that, the next test finds a new one."""
    yield slurm
    slurm.renew()


def until(queue: Queue, job: str, worker: JobWorker, condition: Callable[[Job], bool]) -> Job:
    end, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not condition(found := queue.get(job)):
        worker.tick()
        assert time.monotonic() < end, (found, queue.events(job))
        pause.wait(0.05)
    return found


def is_over(job: Job) -> bool:
    return job.is_over


@pytest.fixture
def begun(queue: Queue, worker: JobWorker, tmp_path: Path) -> Callable[..., tuple[str, str, Attempt]]:
    """A job whose first attempt is under way on a node: its id, its number in Slurm, its attempt."""

    def begin(code: str, **more: Any) -> tuple[str, str, Attempt]:
        (job,) = queue.submit([ordered(code, executor="slurm", **more)])
        attempt = Attempt(tmp_path / "jobs" / job / "attempt-1")
        until(queue, job, worker, lambda _: attempt.process() is not None)
        return job, queue.events(job)[-1].text.rpartition(" ")[2], attempt

    return begin


def test_somebody_s_scancel_is_told_and_not_tried_again(
    queue: Queue, worker: JobWorker, slurm: Any, begun: Callable[..., Any]
) -> None:
    job, number, _ = begun(FOREVER)
    slurm.ask("scancel", number)
    failed = until(queue, job, worker, is_over)
    assert (failed.state, failed.outcome["reason"], failed.attempt) == ("failed", "scancel", 1)


def test_what_is_cancelled_just_after_the_controller_was_started_anew_is_tried_again(
    queue: Queue, worker: JobWorker, breakable: Any, begun: Callable[..., Any]
) -> None:
    """Slurm does so itself, where a node asks the new controller about a job that the old one had just begun."""
    job, number, _ = begun(FIRST_WAITS)
    submitted = datetime.fromisoformat(breakable.ask("squeue", "-h", "-j", number, "-o", "%V").stdout.strip())
    breakable.kill("slurmctld")
    # Slurm tells local times, in whole seconds.
    end, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while datetime.now().replace(microsecond=0) <= submitted:
        assert time.monotonic() < end
        pause.wait(0.05)
    breakable.start("slurmctld")
    breakable.wait_for_nodes(2)
    assert breakable.ask("scancel", number).returncode == 0
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 2}), queue.events(job)


def test_our_own_cancel_is_a_cancellation(queue: Queue, worker: JobWorker, begun: Callable[..., Any]) -> None:
    job, _, _ = begun(FOREVER)
    queue.cancel(job)
    assert until(queue, job, worker, is_over).state == "cancelled"


def test_an_urgent_job_of_others_takes_the_place_and_ours_is_tried_again(
    queue: Queue, worker: JobWorker, slurm: Any, begun: Callable[..., Any]
) -> None:
    """Both nodes are wanted whole by a partition that goes before ours."""
    job, _, _ = begun(FIRST_WAITS)
    urgent = slurm.ask(
        "sbatch", "--parsable", "-p", "urgent", "-N2", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 3"
    )
    assert urgent.returncode == 0, urgent.stderr
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 2})
    assert "preempted" in [event.what for event in queue.events(job)]


def test_a_controller_that_is_killed_loses_nothing(
    queue: Queue, worker: JobWorker, breakable: Any, begun: Callable[..., Any], tmp_path: Path
) -> None:
    """What can not be asked is not taken for a failure; the job goes on, and its outcome is seen without Slurm."""
    gate = tmp_path / "gate"
    waits = f"import time\nwhile not Path({str(gate)!r}).exists(): time.sleep(0.05)\nresult['n'] = order['attempt']"
    job, number, attempt = begun(waits)
    breakable.kill("slurmctld")
    sight = SlurmExecutor().poll({attempt: number})[attempt]
    assert sight.standing == "unknown"
    gate.touch()
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"n": 1})


def test_a_controller_that_is_down_is_waited_for_and_no_attempt_is_counted(
    queue: Queue, worker: JobWorker, breakable: Any
) -> None:
    (job,) = queue.submit([ordered("result['n'] = order['attempt']", executor="slurm", attempts=1)])
    breakable.kill("slurmctld")

    def refusals() -> list[str]:
        return [event.text for event in queue.events(job) if event.what == "away"]

    until(queue, job, worker, lambda _: len(refusals()) == 3)
    assert all("J134" in text for text in refusals())
    breakable.start("slurmctld")
    breakable.wait_for_nodes(2)
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"n": done.attempt}), queue.events(job)


class Cut(SlurmExecutor):
    """Its commands do not reach the controller as long as `is_cut`."""

    is_cut = False

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        said = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
        return subprocess.CompletedProcess(words, 1, "", said) if self.is_cut else super().ask(*words)


def test_what_has_not_begun_waits_for_a_controller_longer_than_a_silence_is_borne(
    queue: Queue, slurm: Any, tmp_path: Path
) -> None:
    """A job that waits on the cluster beats for nobody."""
    executor, lease = Cut(), 1.0
    pace = Pace(lease=lease, backoff=0.1, poll=0.05)
    worker = JobWorker(queue, tmp_path / "jobs", {"slurm": executor}, Capacity(("slurm",), 1, 1.0), pace=pace)
    nodes = ("scontrol", "update", "NodeName=n1,n2")
    slurm.ask(*nodes, "State=DRAIN", "Reason=test")
    try:
        (job,) = queue.submit([ordered("result['n'] = order['attempt']", executor="slurm")])
        until(queue, job, worker, lambda found: "there now" in found.phase)
        end = time.monotonic() + 3 * lease
        executor.is_cut = True
        until(queue, job, worker, lambda found: "does not answer" in found.phase and time.monotonic() > end)
        executor.is_cut = False
    finally:
        slurm.ask(*nodes, "State=RESUME")
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"n": 1}), queue.events(job)


def test_a_cluster_that_has_forgotten_everything_and_keeps_no_accounts_changes_no_outcome(
    queue: Queue, worker: JobWorker, breakable: Any, begun: Callable[..., Any]
) -> None:
    """What had ended is told by its own files, and what had not is known to be lost as it beats no longer."""
    ended, number, attempt = begun("result['n'] = order['attempt']")
    end, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while attempt.outcome() is None:
        assert time.monotonic() < end, breakable.last_words()
        pause.wait(0.05)
    lost, _, other = begun(FIRST_WAITS)
    process = other.process()
    assert process is not None
    breakable.renew()
    # What its node had begun may have outlived it, and would be waited for as long as it beats.
    if not process.is_gone():
        os.kill(process.pid, signal.SIGKILL)
    assert breakable.ask("sacct", "-n", "-j", number).returncode != 0
    assert SlurmExecutor().poll({attempt: number})[attempt].standing == "lost"
    told = until(queue, ended, worker, is_over)
    assert (told.state, told.attempt, told.outcome["result"]) == ("done", 1, {"n": 1})
    again = until(queue, lost, worker, is_over)
    assert (again.state, again.outcome["result"]) == ("done", {"attempt": 2})


def test_a_number_that_was_given_a_second_time_is_not_taken_for_ours(
    worker: JobWorker, slurm: Any, begun: Callable[..., Any], tmp_path: Path
) -> None:
    """A controller that was killed gives its last numbers again: what happens to that job is not our business."""
    _, number, ours = begun(FOREVER)
    another = Attempt(tmp_path / "jobs" / "another" / "attempt-1")
    executor = SlurmExecutor()
    seen = executor.poll({another: number, ours: number})
    assert (seen[another].standing, seen[ours].standing) == ("lost", "running")
    executor.cancel({another: number})
    assert slurm.ask("squeue", "-h", "-j", number, "-o", "%T").stdout.strip() == "RUNNING"


def test_a_node_that_dies_with_its_job_is_made_up_for_on_another(
    queue: Queue, worker: JobWorker, breakable: Any, begun: Callable[..., Any]
) -> None:
    job, number, attempt = begun(FIRST_WAITS)
    node = breakable.ask("squeue", "-h", "-j", number, "-o", "%N").stdout.strip()
    process = attempt.process()
    assert process is not None
    breakable.kill(node)
    os.kill(process.pid, signal.SIGKILL)
    breakable.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 2})


def test_a_job_that_fits_no_node_is_refused_in_words(queue: Queue, worker: JobWorker) -> None:
    order = ordered("pass", executor="slurm", resources=Resources(memory_gb=900.0), attempts=1)
    (job,) = queue.submit([order])
    failed = until(queue, job, worker, is_over)
    assert (failed.state, failed.outcome["reason"]) == ("failed", "refused")
    assert "J130" in failed.outcome["text"]
    assert "--memory" in failed.outcome["text"]


@pytest.mark.parametrize(
    ("asked", "said"), [(Resources(cores=64), "--cores"), (Resources(walltime_seconds=7200.0), "--minutes")]
)
def test_a_job_that_would_wait_for_ever_says_for_what(
    queue: Queue, worker: JobWorker, asked: Resources, said: str
) -> None:
    """Slurm takes it, and never begins it."""
    (job,) = queue.submit([ordered("pass", executor="slurm", resources=asked)])
    until(queue, job, worker, lambda found: said in found.phase)
    queue.cancel(job)
    assert until(queue, job, worker, is_over).state == "cancelled"


def test_a_partition_that_is_not_there_is_refused_in_words(queue: Queue, tmp_path: Path, slurm: Any) -> None:
    capacity = Capacity(("slurm",), cores=1, memory_gb=1.0)
    executors = {"slurm": SlurmExecutor(Site(partition="nowhere"))}
    worker = JobWorker(queue, tmp_path / "jobs", executors, capacity, pace=Pace(backoff=0.01, poll=0.01))
    (job,) = queue.submit([ordered("pass", executor="slurm", attempts=1)])
    failed = until(queue, job, worker, is_over)
    assert "sinfo" in failed.outcome["text"]


def test_a_machine_without_slurm_says_so(queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    worker = JobWorker(
        queue, tmp_path / "jobs", {"slurm": SlurmExecutor()}, Capacity(("slurm",), 1, 1.0), pace=Pace(backoff=0.01)
    )
    (job,) = queue.submit([ordered("pass", executor="slurm", attempts=1)])
    failed = until(queue, job, worker, is_over)
    assert "no program" in failed.outcome["text"]


def test_what_somebody_kills_on_the_node_is_tried_again(
    queue: Queue, worker: JobWorker, begun: Callable[..., Any]
) -> None:
    job, _, attempt = begun(FIRST_WAITS)
    process = attempt.process()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 2})
    assert "killed" in [event.what for event in queue.events(job)]


def test_time_that_is_up_is_told_and_the_next_attempt_goes_on(
    queue: Queue, worker: JobWorker, begun: Callable[..., Any]
) -> None:
    """The shortest time that Slurm knows, which is a minute."""
    job, _, _ = begun(FIRST_WAITS, resources=Resources(walltime_seconds=60.0))
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 2})
    assert "walltime" in [event.what for event in queue.events(job)]


def test_a_disk_that_is_full_on_the_node_is_told_and_waited_for(
    queue: Queue, worker: JobWorker, begun: Callable[..., Any], tmp_path: Path
) -> None:
    code = "import errno; n = order['attempt']; result['n'] = n\nif n == 1: raise OSError(errno.EDQUOT, 'quota')"
    job = queue.submit([ordered(code, executor="slurm")])[0]
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"n": 2})
    assert "disk" in [event.what for event in queue.events(job)]


@pytest.mark.parametrize(
    ("line", "standing", "reason"),
    [
        ("7|COMPLETED|0:0|n1|NAME", "lost", ""),
        ("7|FAILED|3:0|n1|NAME", "ended", "exit"),
        ("7|FAILED|74:0|n1|NAME", "ended", "disk"),
        ("7|FAILED|75:0|n1|NAME", "lost", ""),
        ("7|FAILED|0:9|n1|NAME", "ended", "killed"),
        ("7|OUT_OF_MEMORY|0:125|n1|NAME", "ended", "memory"),
        ("7|TIMEOUT|0:0|n1|NAME", "ended", "walltime"),
        ("7|CANCELLED by 0|0:0|None assigned|NAME", "ended", "scancel"),
        ("7|CANCELLED by 0|0:0|n1|NAME", "ended", "node"),
        ("7|CANCELLED|0:0|n1|NAME", "lost", ""),
        ("7|NODE_FAIL|0:0|n1|NAME", "ended", "node"),
        ("7|PREEMPTED|0:0|n1|NAME", "ended", "preempted"),
        ("7|PENDING|0:0|None assigned|NAME", "lost", ""),
        ("7|RUNNING|0:0|n1|NAME", "lost", ""),
    ],
)
def test_what_accounting_remembers_is_understood(
    line: str, standing: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sacct of Slurm 22.05 prints it; not all of these can be had for real."""
    attempt = Attempt(tmp_path / "7f3a" / "attempt-1")
    for name, said in (
        ("squeue", ""),
        ("sacct", line.replace("NAME", "2026-11-22T00:31:10|2026-11-22T00:31:46|modelworks-7f3a-1")),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{said}'\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    sight = SlurmExecutor().poll({attempt: "7"})[attempt]
    assert (sight.standing, sight.reason) == (standing, reason)
