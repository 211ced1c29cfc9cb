"""`modelworks run` is a job like any other, for those who look on; and costs next to nothing more."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.jobs import Pace
from modelworks.logs import read_events
from modelworks.study import queue_around, run_here, run_study, worker_around

PATIENCE_SECONDS = 120.0
# A stage of the study's own that goes on until it is ended.
WAITS = """
stages:
  wait:
    command: [python, -c, "import time; time.sleep(600)"]
    outputs: {tables: n.csv}
"""


def run_of(study: Path) -> subprocess.Popen[bytes]:
    """`modelworks run`, in the middle of something long."""
    with (study / "study.yaml").open("a", encoding="utf-8") as file:
        file.write(WAITS)
    words = [sys.executable, "-m", "modelworks", "run", study.name, "--until", "wait"]
    # As in the background of a script, which is where what takes long is run.
    background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *words]
    process = subprocess.Popen(background, cwd=study, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pause, end = threading.Event(), time.monotonic() + PATIENCE_SECONDS
    with queue_around(study) as queue:
        while not queue.jobs(("running",)):
            assert process.poll() is None
            assert time.monotonic() < end
            pause.wait(0.05)
    return process


@pytest.mark.slow
def test_a_run_is_a_job_whose_progress_others_can_read(quick: Path, repository: Path) -> None:
    result = run_here(quick, until="simulate", quiet=True)
    with queue_around(repository) as queue:
        (job,) = queue.jobs()
        assert queue.workers() == []
    assert (job.state, job.outcome["result"]["run"]) == ("done", result.run.id if result.run else None)
    events = read_events(repository / ".modelworks" / "jobs" / job.id / "attempt-1" / "log.jsonl")
    assert [events[0]["event"], events[-1]["event"]] == ["begun", "ended"]
    assert "step" in [event["event"] for event in events]


def test_a_mistake_that_shows_while_it_runs_is_told_and_recorded(quick: Path, repository: Path) -> None:
    text = (quick / "study.yaml").read_text(encoding="utf-8")
    stage = "stages:\n  fails:\n    command: [python, -c, import sys; sys.exit(3)]\n    outputs: {tables: n.csv}\n"
    (quick / "study.yaml").write_text(text + stage, encoding="utf-8")
    with pytest.raises(ModelworksError):
        run_here(quick, until="fails", quiet=True)
    with queue_around(repository) as queue:
        (job,) = queue.jobs()
    assert (job.state, job.outcome["reason"]) == ("failed", "letters")


@pytest.mark.slow
def test_without_a_queue_a_study_is_run_all_the_same(quick: Path, repository: Path) -> None:
    kept = repository / ".modelworks"
    kept.mkdir(exist_ok=True)
    (kept / "queue.sqlite").write_text("this is no database, but a text that is long enough to be read as one" * 9)
    assert run_here(quick, until="simulate", quiet=True).run is not None


@pytest.mark.slow
def test_a_run_can_be_cancelled_from_elsewhere(quick: Path, repository: Path) -> None:
    process = run_of(quick)
    with queue_around(repository) as queue:
        (job,) = queue.jobs()
        queue.cancel(job.id)
        assert process.wait(PATIENCE_SECONDS) == 130
        assert queue.get(job.id).state == "cancelled"


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_taken_on_by_a_worker(quick: Path, repository: Path) -> None:
    process = run_of(quick)
    process.kill()
    process.wait()
    worker = worker_around(repository, cores=64, memory_gb=64.0, pace=Pace(lease=2.0, backoff=0.01, poll=0.02))
    with queue_around(repository) as queue:
        (job,) = queue.jobs()
        pause, end = threading.Event(), time.monotonic() + PATIENCE_SECONDS
        while (found := queue.get(job.id)).attempt < 2:
            worker.tick()
            assert time.monotonic() < end, queue.events(job.id)
            pause.wait(0.02)
        assert "killed" in [event.what for event in queue.events(job.id)]
        queue.cancel(job.id)
        while not (found := queue.get(job.id)).is_over:
            worker.tick()
            assert time.monotonic() < end, queue.events(job.id)
            pause.wait(0.02)
    assert found.state == "cancelled"


@pytest.mark.slow
def test_being_a_job_costs_less_than_a_tenth_of_a_second(quick: Path) -> None:
    run_study(quick, until="simulate", quiet=True)

    def seconds(run: object) -> float:
        began = time.process_time()
        run(quick, until="simulate", quiet=True)  # type: ignore[operator]
        return time.process_time() - began

    alone = min(seconds(run_study) for _ in range(7))
    assert min(seconds(run_here) for _ in range(7)) - alone < 0.1
