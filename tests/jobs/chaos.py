"""A queue at work while everything around it is killed, frozen, filled and set back; and what must still hold.

One seed decides which faults come, at whom and when. The machine decides the rest: what a process was doing at that
moment is never twice the same, so a trial is repeated in kind and not to the letter.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

from modelworks.jobs import OVER, Attempt, Job, Queue, State
from modelworks.testing import ordered

PATIENCE_SECONDS = 240.0
WORKERS = 2
RUNNING: tuple[State, ...] = ("running",)
LONGEST_FREEZE_SECONDS = 2.5
FAULTS = (
    "kill a worker",
    "freeze a worker",
    "kill a job",
    "freeze a job",
    "kill who submits",
    "cancel a job",
    "set the clock",
    "fill the disk",
    "kill the database",
    "kill the controller",
    "kill a node",
)

# A worker with little patience, whose clock on the wall is what a file says it is.
WORKER = """
import sys, threading, time
from pathlib import Path
folder, url = Path(sys.argv[1]), sys.argv[2]
real = time.time
def wall():
    try:
        return real() + float((folder / "clock").read_text() or 0)
    except FileNotFoundError:
        return real()
time.time = wall
from modelworks.errors import ModelworksError
from modelworks.jobs import Capacity, JobWorker, Pace, Queue
from modelworks.jobs.executors.process import ProcessExecutor
from modelworks.jobs.executors.slurm import SlurmExecutor
executors = {"process": ProcessExecutor()} if sys.argv[3] == "process" else {"slurm": SlurmExecutor()}
pace = Pace(lease=float(sys.argv[4]), backoff=0.02, poll=0.02)
capacity = Capacity(tuple(executors), cores=4, memory_gb=64.0)
while True:
    try:
        JobWorker(Queue(url), folder / "jobs", executors, capacity, pace=pace).run(threading.Event())
    except ModelworksError as error:
        print(error, flush=True)
"""

# Takes a moment, then publishes as a run does: under a name of its own, which can be there once.
JOB = """
import os, time
time.sleep(order["task"]["seconds"])
folder = Path(order["task"]["folder"])
draft = folder / f".{order['job']}-{order['attempt']}-{os.getpid()}"
draft.write_text(str(order["attempt"]))
try:
    os.link(draft, folder / order["job"])
except FileExistsError:
    pass
finally:
    draft.unlink()
result["published"] = (folder / order["job"]).read_text()
"""

SUBMITTER = """
import sys
from modelworks.jobs import Order, Queue
from modelworks.testing import ordered
batch = sys.argv[2]
more = {"executor": sys.argv[3], "attempts": 99, "labels": {"batch": batch}}
orders = [ordered("pass", id=f"{batch}{k:x}", **more) for k in range(4)]
Queue(sys.argv[1]).submit(orders)
"""


class Server(Protocol):
    """The server of a database, which can be killed and started again."""

    def kill(self) -> None: ...

    def start(self) -> None: ...


class Cluster(Protocol):
    """A cluster whose parts can be killed and started again."""

    def kill(self, part: str) -> None: ...

    def start(self, part: str) -> None: ...

    def wait_for_nodes(self, number: int) -> None: ...


class Chaos:
    """One queue, its workers, and a hand that strikes them; `faults` counts what was done.

    With a `cluster`, jobs are carried out there.
    """

    def __init__(
        self, folder: Path, url: str, seed: int, server: Server | None = None, cluster: Cluster | None = None
    ) -> None:
        self.folder, self.url, self._server, self._cluster = folder, url, server, cluster
        self._executor = "process" if cluster is None else "slurm"
        # A cluster that can not be asked is believed as long as the job's pulse, which beats every other second.
        self._lease = 1.0 if cluster is None else 8.0
        self.random = random.Random(seed)
        self.queue = Queue(url)
        self.faults: Counter[str] = Counter()
        self.cancelled: set[str] = set()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._frozen: list[threading.Timer] = []
        self._submitters: list[subprocess.Popen[bytes]] = []
        self._pause = threading.Event()
        for name in ("jobs", "published"):
            (folder / name).mkdir(parents=True)
        self._disk = folder / "jobs"
        self._has_small_disk = self._mounted()

    def __enter__(self) -> Chaos:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_workers()
        try:
            for job in self.queue.jobs(RUNNING):
                self._signal(job, signal.SIGKILL)
        finally:
            self.queue.close()
            if self._has_small_disk:
                subprocess.run(["umount", "--lazy", str(self._disk)], check=True)

    def strike(self, number: int, each: int = 0) -> None:
        """So many faults, and so many of each kind at least, with work going on all the while."""
        done = self.faults.total()
        while self.faults.total() < done + number or min(self.faults[fault] for fault in self._possible()) < each:
            while len(self._workers) < WORKERS:
                self._workers.append(self._worker())
            counts = self.queue.counts()
            # A cluster takes all that there is at once, and has room for four at a time.
            if counts.get("waiting", 0) < 8 and counts.get("running", 0) < 12:
                self._submit(4)
            self._pause.wait(self.random.uniform(0.0, 0.25))
            # What seldom succeeds, such as killing a job that may have ended, is tried the more often.
            can = self._possible()
            fault = self.random.choices(can, [(1 + self.faults[each]) ** -2.0 for each in can])[0]
            if getattr(self, "_" + fault.replace(" ", "_"))():
                self.faults[fault] += 1

    def settle(self) -> None:
        """Let one worker without faults finish everything."""
        self._stop_workers()
        for timer in self._frozen:
            timer.join()
        self._free_the_disk()
        self._set_clock(0.0)
        for each in self._submitters:
            each.wait()
        worker = self._worker()
        self._workers.append(worker)
        end = time.monotonic() + PATIENCE_SECONDS
        while counts := {state for state in self.queue.counts() if state not in OVER}:
            assert time.monotonic() < end, (
                counts,
                [self._story(job) for job in self.queue.jobs(("running", "waiting"))],
            )
            if self._cluster is not None:
                self._cluster.wait_for_nodes(2)
            self._pause.wait(0.05)

    def check(self) -> None:
        """No job is lost, none is recorded twice, none runs for ever, and every final state is true."""
        jobs = self.queue.jobs()
        for job in jobs:
            ends = [event.what for event in self.queue.events(job.id) if event.what in OVER]
            assert ends == [job.state], self._story(job)
            if job.state == "done":
                self._check_done(job)
            else:
                assert job.state == "cancelled", self._story(job)
                assert job.id in self.cancelled, self._story(job)
        batches = Counter(job.order.labels["batch"] for job in jobs if "batch" in job.order.labels)
        assert set(batches.values()) <= {4}, "a batch was submitted in part"

    def told(self) -> str:
        """What was done, and how many jobs came to which end."""
        faults = ", ".join(f"{number} × {fault}" for fault, number in sorted(self.faults.items()))
        ends = ", ".join(f"{number} {state}" for state, number in sorted(self.queue.counts().items()))
        return f"{faults}; {ends}"

    def _possible(self) -> list[str]:
        """The faults that can be done here."""
        can_not = {
            "fill the disk": not self._has_small_disk,
            "kill the database": self._server is None,
            "kill the controller": self._cluster is None,
            "kill a node": self._cluster is None,
        }
        return [fault for fault in FAULTS if not can_not.get(fault)]

    def _check_done(self, job: Job) -> None:
        outcome = Attempt(self.folder / "jobs" / job.id / f"attempt-{job.attempt}").outcome()
        assert outcome is not None, self._story(job)
        assert outcome["state"] == "done", self._story(job)
        if "published" in outcome["result"]:
            assert (self.folder / "published" / job.id).read_text() == outcome["result"]["published"], self._story(job)

    # -- faults --------------------------------------------------------------------------------------

    def _kill_a_worker(self) -> bool:
        worker = self._workers.pop(self.random.randrange(len(self._workers)))
        worker.kill()
        worker.wait()
        return True

    def _freeze_a_worker(self) -> bool:
        return self._freeze(self.random.choice(self._workers).pid)

    def _kill_a_job(self) -> bool:
        return any(self._signal(job, signal.SIGKILL) for job in self._some_running())

    def _freeze_a_job(self) -> bool:
        for job in self._some_running():
            process = self._attempt(job).process()
            if process is not None and process.is_gone() is False:
                return self._freeze(process.pid)
        return False

    def _kill_who_submits(self) -> bool:
        """In the middle of handing in four jobs at once: all of them are there, or none."""
        who = self._started(SUBMITTER, self.url, f"{self.random.getrandbits(36):09x}", self._executor)
        self._submitters.append(who)
        self._pause.wait(self.random.uniform(0.1, 0.6))
        who.kill()
        return True

    def _cancel_a_job(self) -> bool:
        for job in self.random.sample(jobs := self.queue.jobs(("waiting", "running")), min(1, len(jobs))):
            self.cancelled.add(job.id)
            self.queue.cancel(job.id)
            return True
        return False

    def _set_the_clock(self) -> bool:
        self._set_clock(self.random.choice([-1e8, -3600.0, -1.0, 1.0, 3600.0, 1e8]))
        return True

    def _fill_the_disk(self) -> bool:
        """Or free it again, when it is full."""
        if not self._has_small_disk:
            return False
        ballast = self._disk / ".ballast"
        if ballast.exists():
            self._free_the_disk()
            return True
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 65536):
                    pass
            except OSError:
                return True
        return False

    def _kill_the_database(self) -> bool:
        """And start it again after a while, in which nobody can say or hear anything."""
        if self._server is None:
            return False
        self._server.kill()
        self._pause.wait(self.random.uniform(0.0, 0.5))
        self._server.start()
        self.queue.close()
        return True

    def _kill_the_controller(self) -> bool:
        """Its last seconds are forgotten, and the numbers of jobs that began in them are given again."""
        return self._kill_of_the_cluster("slurmctld")

    def _kill_a_node(self) -> bool:
        """Its daemon: what runs on it goes on, while the controller believes it lost and may begin it elsewhere."""
        return self._kill_of_the_cluster(self.random.choice(("n1", "n2")))

    def _kill_of_the_cluster(self, part: str) -> bool:
        if self._cluster is None:
            return False
        self._cluster.kill(part)
        self._pause.wait(self.random.uniform(0.0, 3.0))
        self._cluster.start(part)
        # As an administrator does: a node that refused a number it remembers is given back to the others.
        self._cluster.wait_for_nodes(2)
        return True

    # -- how -----------------------------------------------------------------------------------------

    def _submit(self, number: int) -> None:
        for _ in range(number):
            order = ordered(JOB, attempts=99, executor=self._executor)
            task = {**order.task, "seconds": self.random.uniform(0.0, 1.0), "folder": str(self.folder / "published")}
            fields = {name: getattr(order, name) for name in order.__dataclass_fields__}
            self.queue.submit([type(order)(**{**fields, "task": task})])

    def _some_running(self) -> list[Job]:
        jobs = self.queue.jobs(RUNNING)
        return self.random.sample(jobs, len(jobs))

    def _attempt(self, job: Job) -> Attempt:
        return Attempt(self.folder / "jobs" / job.id / f"attempt-{job.attempt}")

    def _signal(self, job: Job, number: signal.Signals) -> bool:
        process = self._attempt(job).process()
        if process is None or process.is_gone() is not False:
            return False
        os.kill(process.pid, number)
        return True

    def _freeze(self, pid: int) -> bool:
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False
        # By a thread: who was frozen may hold what this one waits for.
        timer = threading.Timer(self.random.uniform(0.0, LONGEST_FREEZE_SECONDS), self._thaw, [pid])
        timer.start()
        self._frozen.append(timer)
        return True

    def _thaw(self, pid: int) -> None:
        # It may have been killed meanwhile.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def _set_clock(self, seconds: float) -> None:
        draft = self.folder / ".clock"
        draft.write_text(str(seconds))
        draft.replace(self.folder / "clock")

    def _free_the_disk(self) -> None:
        (self._disk / ".ballast").unlink(missing_ok=True)

    def _mounted(self) -> bool:
        """A disk of a few MB for the attempts, where this machine lets us have one."""
        words = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(self._disk)]
        return (
            shutil.which("mount") is not None
            and subprocess.run(words, capture_output=True, check=False).returncode == 0
        )

    def _stop_workers(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self._workers.clear()

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._started(WORKER, str(self.folder), self.url, self._executor, str(self._lease))

    def _started(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        log = (self.folder / "workers.log").open("ab")
        with log:
            return subprocess.Popen([sys.executable, "-c", program, *words], stdout=log, stderr=log)

    def _story(self, job: Job) -> str:
        events = [f"{event.time} {event.what} {event.text}" for event in self.queue.events(job.id)]
        told: dict[str, Any] = {"job": job.id, "state": job.state, "outcome": dict(job.outcome), "events": events}
        return json.dumps(told, indent=1)
