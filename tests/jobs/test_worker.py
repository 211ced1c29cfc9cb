"""Jobs carried out by real processes; workers and processes are killed and frozen in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelworks.jobs import Attempt, Capacity, Job, JobWorker, Pace, Queue, Resources
from modelworks.jobs._attempt import OTHERS_STATUS
from modelworks.jobs.executors import process
from modelworks.testing import ordered

PATIENCE_SECONDS = 120.0
MakeWorker = Callable[..., JobWorker]


def until(queue: Queue, job: str, worker: JobWorker, condition: Callable[[Job], bool]) -> Job:
    """Work until a job is as wanted."""
    end = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while not condition(found := queue.get(job)):
        worker.tick()
        assert time.monotonic() < end, (found, queue.events(job))
        pause.wait(0.01)
    return found


def is_over(job: Job) -> bool:
    return job.is_over


def has_begun(folder: Path) -> Callable[[Job], bool]:
    return lambda job: Attempt(folder / "jobs" / job.id / f"attempt-{job.attempt}").process() is not None


def process_of(tmp_path: Path, job: Job) -> int:
    found = Attempt(tmp_path / "jobs" / job.id / f"attempt-{job.attempt}").process()
    assert found is not None
    return found.pid


def freeze(pid: int) -> None:
    """Stop a process, and wait until each of its threads stands still."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + PATIENCE_SECONDS
    while any(b") T " not in (task / "stat").read_bytes() for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < end


def test_what_a_command_found_is_the_job_s_result(queue: Queue, make_worker: MakeWorker) -> None:
    (job,) = queue.submit([ordered("result['answer'] = 42")])
    done = until(queue, job, make_worker(), is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"answer": 42})


def test_a_wrong_model_fails_at_once_with_its_letters(queue: Queue, make_worker: MakeWorker) -> None:
    (job,) = queue.submit([ordered("from modelworks.errors import fail; fail('P101', 'a rate below 0', hint='look')")])
    failed = until(queue, job, make_worker(), is_over)
    assert (failed.state, failed.attempt) == ("failed", 1)
    assert failed.outcome["letters"][0]["code"] == "P101"


def test_a_command_that_ends_without_a_word_fails_and_is_not_tried_again(queue: Queue, make_worker: MakeWorker) -> None:
    (job,) = queue.submit([ordered("import os; print('what went wrong', flush=True); os._exit(3)")])
    failed = until(queue, job, make_worker(), is_over)
    assert (failed.state, failed.attempt) == ("failed", 1)
    assert "status 3" in failed.outcome["text"]


@pytest.mark.slow
def test_a_process_whose_threads_end_after_it_is_not_taken_for_a_killed_one(
    queue: Queue, make_worker: MakeWorker
) -> None:
    """For a moment it looks gone and has no status yet; in one of seven, on the machine where that was seen."""
    threads = "import os, threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(60,)).start()"
    jobs = queue.submit([ordered(f"{threads}\nos._exit(3)") for _ in range(24)])
    worker = make_worker()
    ends = [until(queue, job, worker, is_over) for job in jobs]
    assert {(job.state, job.attempt) for job in ends} == {("failed", 1)}


def test_a_killed_process_is_tried_again_and_the_second_attempt_counts(
    queue: Queue, make_worker: MakeWorker, tmp_path: Path
) -> None:
    code = f"""
mark = Path({str(tmp_path)!r}, "once")
if not mark.exists():
    mark.touch()
    import os, signal; os.kill(os.getpid(), signal.SIGKILL)
result["attempt"] = order["attempt"]
"""
    (job,) = queue.submit([ordered(code)])
    done = until(queue, job, make_worker(), is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 2})
    assert "killed" in [event.what for event in queue.events(job)]


def test_a_process_that_is_always_killed_fails_in_the_end(queue: Queue, make_worker: MakeWorker) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    (job,) = queue.submit([ordered(code, attempts=2)])
    failed = until(queue, job, make_worker(), is_over)
    assert (failed.state, failed.attempt, failed.outcome["reason"]) == ("failed", 2, "killed")


def test_a_job_goes_on_when_its_worker_is_killed(
    queue: Queue, queue_url: str, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """The worker of another process is killed; the job's process is the same before and after."""
    gate = tmp_path / "gate"
    waits = (
        f"import time\nwhile not Path({str(gate)!r}).exists(): time.sleep(0.01)\nresult['attempt'] = order['attempt']"
    )
    (job,) = queue.submit([ordered(waits)])
    program = f"""
import threading
from pathlib import Path
from modelworks.jobs import Capacity, JobWorker, Queue
from modelworks.jobs.executors.process import ProcessExecutor
capacity, home = Capacity(("process",), 4, 8.0), Path({str(tmp_path / "jobs")!r})
worker = JobWorker(Queue({queue_url!r}), home, {{"process": ProcessExecutor()}}, capacity)
worker.run(threading.Event())
"""
    other = subprocess.Popen([sys.executable, "-c", program])
    end = time.monotonic() + PATIENCE_SECONDS
    while not has_begun(tmp_path)(queue.get(job)):
        assert time.monotonic() < end
        assert other.poll() is None
    other.kill()
    other.wait()
    before = process_of(tmp_path, queue.get(job))
    heir = make_worker()
    until(queue, job, heir, lambda _: any(event.what == "taken over" for event in queue.events(job)))
    gate.touch()
    done = until(queue, job, heir, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 1})
    assert process_of(tmp_path, done) == before


def test_a_frozen_worker_that_comes_back_finds_its_claims_void(
    queue: Queue, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """Both worked on one job in the end, and it was done once."""
    count = tmp_path / "count"
    (job,) = queue.submit([ordered(f"open({str(count)!r}, 'a').write('x'); result['n'] = 1")])
    frozen, heir = make_worker(), make_worker()
    frozen.tick()
    (seen,) = queue.workers()
    assert queue.bury(seen)
    done = until(queue, job, heir, is_over)
    frozen.tick()
    assert (done.state, queue.get(job).attempt, count.read_text()) == ("done", 1, "x")
    assert [event.what for event in queue.events(job)].count("done") == 1


def test_a_cancelled_job_ends_and_stays_cancelled(queue: Queue, make_worker: MakeWorker, tmp_path: Path) -> None:
    (job,) = queue.submit([ordered("import time; time.sleep(600)")])
    worker = make_worker()
    running = until(queue, job, worker, has_begun(tmp_path))
    queue.cancel(job, by="Ada")
    assert until(queue, job, worker, is_over).state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(process_of(tmp_path, running), 0)


def test_a_cancelled_job_whose_worker_died_before_it_made_a_folder_ends_and_holds_up_nobody(
    queue: Queue, make_worker: MakeWorker
) -> None:
    unwanted, wanted = queue.submit([ordered("pass"), ordered("result['n'] = 1")])
    dead = queue.enter("dead")
    assert [claim.job for claim in queue.claim(dead, Capacity(("process",), 1, 1.0, jobs=1))] == [unwanted]
    queue.cancel(unwanted)
    queue.leave(dead)
    worker = make_worker()
    assert until(queue, wanted, worker, is_over).state == "done"
    assert until(queue, unwanted, worker, is_over).state == "cancelled"


def test_a_job_that_will_not_end_is_ended(queue: Queue, make_worker: MakeWorker, tmp_path: Path) -> None:
    """It ignores the polite signal."""
    armed = tmp_path / "armed"
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code = f"{deaf}; Path({str(armed)!r}).touch(); time.sleep(600)"
    (job,) = queue.submit([ordered(code)])
    worker = make_worker()
    until(queue, job, worker, lambda _: armed.exists())
    queue.cancel(job)
    assert until(queue, job, worker, is_over).state == "cancelled"


def test_a_job_over_its_time_is_ended_and_tried_again(
    queue: Queue, make_worker: MakeWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock of its own, for an attempt that should end in time would not on a machine that is busy enough."""
    code = "import time; time.sleep(600 if order['attempt'] == 1 else 0); result['attempt'] = order['attempt']"
    (job,) = queue.submit([ordered(code, resources=Resources(walltime_seconds=60.0))])
    worker = make_worker()
    first = process_of(tmp_path, until(queue, job, worker, has_begun(tmp_path)))
    monkeypatch.setattr(process, "_seconds_since", lambda each: 61.0 if each.pid == first else 0.0)
    done = until(queue, job, worker, is_over)
    assert done.outcome["result"] == {"attempt": 2}
    assert "walltime" in [event.what for event in queue.events(job)]


def test_a_second_process_of_an_attempt_does_nothing(queue: Queue, make_worker: MakeWorker, tmp_path: Path) -> None:
    """A worker died between beginning a process and saying so: the next one begins another, which finds the first."""
    count, gate = tmp_path / "count", tmp_path / "gate"
    code = f"""
open({str(count)!r}, "a").write("x")
import time
while not Path({str(gate)!r}).exists(): time.sleep(0.01)
"""
    (job,) = queue.submit([ordered(code)])
    first = make_worker()
    claim = queue.claim(first._me, first._capacity)[0]
    attempt = Attempt.prepare(tmp_path / "jobs", claim)
    processes = [
        subprocess.Popen(
            [*claim.order.command, str(attempt.folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    (seen,) = queue.workers()
    queue.bury(seen)
    heir = make_worker()
    until(queue, job, heir, has_begun(tmp_path))
    gate.touch()
    assert until(queue, job, heir, is_over).state == "done"
    # The heir's own may have been the first.
    assert sorted(process.wait() for process in processes) in ([0, OTHERS_STATUS], 2 * [OTHERS_STATUS])
    assert count.read_text() == "x"


def test_a_lost_attempt_that_comes_back_is_not_heard(queue: Queue, make_worker: MakeWorker, tmp_path: Path) -> None:
    """It was given up while frozen; what it says when it wakes changes nothing."""
    gate = tmp_path / "gate"
    waits = f"import time\nwhile not Path({str(gate)!r}).exists(): time.sleep(0.01)\nresult['n'] = order['attempt']"
    (job,) = queue.submit([ordered(waits)])
    worker = make_worker()
    running = until(queue, job, worker, has_begun(tmp_path))
    pid = process_of(tmp_path, running)
    freeze(pid)
    attempt = Attempt(tmp_path / "jobs" / job / "attempt-1")
    assert attempt.close("died", "lost", "not heard of")["reason"] == "lost"
    gate.touch()
    os.kill(pid, signal.SIGCONT)
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"n": 2})


def test_a_process_that_is_stuck_is_ended_and_its_job_tried_again(
    queue: Queue, make_worker: MakeWorker, tmp_path: Path
) -> None:
    """It is there, and nothing is heard of it: nothing stays running for ever."""
    code = "import time; time.sleep(600 if order['attempt'] == 1 else 0); result['attempt'] = order['attempt']"
    (job,) = queue.submit([ordered(code)])
    ahead = 0.0
    worker = make_worker(pace=Pace(stuck=1000.0, backoff=0.01, poll=0.01), clock=lambda: time.monotonic() + ahead)
    running = until(queue, job, worker, has_begun(tmp_path))
    freeze(process_of(tmp_path, running))
    worker.tick()
    ahead = 1001.0
    done = until(queue, job, worker, is_over)
    assert (done.state, done.outcome["result"]) == ("done", {"attempt": 2})


def test_workers_go_on_after_the_queue_did_not_answer(queue: Queue, make_worker: MakeWorker) -> None:
    said: list[str] = []
    (job,) = queue.submit([ordered("result['n'] = 1")])
    worker = make_worker(say=said.append)
    real, over = queue.beat, threading.Event()
    calls = iter(range(1000))

    def beat(worker: str) -> bool:
        if next(calls) < 2:
            raise OSError(28, "No space left on device")
        return real(worker)

    queue.beat = beat  # type: ignore[method-assign]
    worker.run(over, until_idle=True)
    assert queue.get(job).state == "done"
    assert "No space left" in said[0]


def test_the_memory_that_a_job_used_is_recorded(queue: Queue, make_worker: MakeWorker) -> None:
    (job,) = queue.submit([ordered("result['n'] = len(bytearray(300_000_000).replace(b'1', b'2'))")])
    done = until(queue, job, make_worker(), is_over)
    # The array and its copy, both written to.
    assert 0.3 < done.outcome["took"]["memory_gb"] < 1.5
