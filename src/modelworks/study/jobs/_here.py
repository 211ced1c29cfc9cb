"""A study that somebody runs and waits for, as a job all the same: others see it, follow it and can take it back.

It is in nobody's way: where the queue does not answer, the study is run without it. Nothing is pinned, for nothing
waits; a job whose process was killed is taken on by the next worker, with the files as they are then.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelworks.errors import ModelworksError
from modelworks.inputs.repository import Repository
from modelworks.jobs import Attempt, Claim, Order, Queue, Resources
from modelworks.jobs.executors.process import handle_of
from modelworks.processes import Process, interrupted_by
from modelworks.runs import Progress, ProgressLog, SharedProgress, machine, person
from modelworks.study._line import Result, run_opened
from modelworks.study._stale import check_until
from modelworks.study.jobs._estimate import MEMORY_GB
from modelworks.study.jobs._jobs import jobs_of, queue_around
from modelworks.study.own_stages._stage_study import Study, open_study

LOOK_SECONDS = 2.0
# Not Ctrl-C's own: what a script runs in the background does not hear that one.
CANCELLED = signal.SIGUSR1


def run_here(folder: Path, *, until: str, cores: int | None = None, quiet: bool = False) -> Result:
    """Run a study as `run_study` does, in this process, and let others look on.

    Raises
    ------
    ModelworksError
        What `run_study` raises.
    KeyboardInterrupt
        Where somebody cancels the job from elsewhere, as by Ctrl-C.
    """
    began = time.perf_counter()
    study = open_study(folder)
    check_until(study, until)
    progress = Progress(quiet=quiet)
    with contextlib.ExitStack() as stack:
        try:
            queue = stack.enter_context(queue_around(study.inputs.repository.root))
            claim = _begun(queue, study, until, cores)
        except ModelworksError as error:
            progress.mention(f"{error.letters[0]}; others can not look on")
            return run_opened(study, until, cores, progress, began)
        attempt = stack.enter_context(_recorded(queue, claim, study.inputs.repository))
        with attempt.here() as result, _listening(queue, claim):
            shared = SharedProgress(progress, ProgressLog(attempt.log))
            done = run_opened(study, until, cores, shared, began)
            result.update(done.as_dict())
        return done


def _begun(queue: Queue, study: Study, until: str, cores: int | None) -> Claim:
    repository = study.inputs.repository
    order = Order(
        title=f"{study.name}: {until}",
        command=(sys.executable, "-m", "modelworks", "work"),
        task={"study": str(study.inputs.folder), "kept": str(repository.kept), "packages": "", "until": until},
        executor="inline",
        resources=Resources(cores or machine()["cores_allowed"] or 1, memory_gb=MEMORY_GB),
        labels={"study": study.name, "region": study.inputs.study.region or "", "until": until},
        by=person(repository.root),
    )
    return queue.begin(order, queue.enter(socket.gethostname()), handle_of(Process.current()))


@contextlib.contextmanager
def _recorded(queue: Queue, claim: Claim, repository: Repository) -> Iterator[Attempt]:
    """The attempt's folder; whatever its outcome is in the end, the queue hears of it."""
    attempt = Attempt.prepare(jobs_of(repository), claim)
    try:
        yield attempt
    finally:
        outcome: Any = attempt.outcome() or {"state": "failed", "reason": "exit", "text": "it ended without a word"}
        # What the queue can not be told now, the next worker reads in the folder.
        with contextlib.suppress(ModelworksError):
            queue.finish(claim, outcome["state"], outcome)
            queue.leave(claim.owner)


@contextlib.contextmanager
def _listening(queue: Queue, claim: Claim) -> Iterator[None]:
    """Alive in the eyes of other workers, and interrupted where somebody cancels the job."""
    over = threading.Event()

    def listen() -> None:
        while not over.wait(LOOK_SECONDS):
            # A queue that does not answer is asked again; the work goes on.
            with contextlib.suppress(ModelworksError):
                if claim.job in queue.wishes(claim.owner):
                    _thread.interrupt_main(CANCELLED)
                    return
                queue.beat(claim.owner)

    thread = threading.Thread(target=listen, daemon=True, name="listens")
    with interrupted_by(CANCELLED):
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
