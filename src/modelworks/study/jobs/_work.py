"""Jobs carried out: one attempt by this process, or one after another by a worker that is here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from modelworks.inputs.repository import Repository
from modelworks.jobs import Agenda, Attempt, Capacity, Chores, JobWorker
from modelworks.runs import ProgressLog, machine
from modelworks.study._line import run_study
from modelworks.study.jobs._approval_notices import tell_of_approvals
from modelworks.study.jobs._batch import summarise
from modelworks.study.jobs._clean import clean_daily
from modelworks.study.jobs._correction_notices import tell_of_corrections
from modelworks.study.jobs._jobs import MAKER, executors_of, jobs_of, queue_around
from modelworks.study.jobs._notices import tell_of_jobs
from modelworks.study.jobs._pinned import environment_of
from modelworks.study.jobs._schedules import hand_over_due, look_at_schedules


def carry_out(folder: Path) -> None:
    """Carry out the attempt of a job that a study was made into: the other end of `order_study`."""
    attempt = Attempt(folder)
    order = attempt.order()
    task = order["task"]
    with attempt.at_work() as result:
        if "summary" in task:
            with queue_around(Path(task["of"])) as queue:
                result.update(summarise(queue, task["summary"], Path(task["of"]), folder))
            return
        if "schedule" in task:
            with queue_around(Path(task["of"])) as queue:
                result.update(hand_over_due(order["job"], task, Agenda(queue)))
            return
        name = (datetime.fromisoformat(task["moment"]), task["run"]) if "run" in task else None
        cores = attempt.resources().cores
        progress = ProgressLog(attempt.log)
        # An attempt that an older version prepared does not say how often it was retried.
        retried = order.get("retried", 0)
        done = run_study(
            Path(task["study"]),
            until=task["until"],
            cores=cores,
            progress=progress,
            name=name,
            retried=retried,
            maker=task.get(MAKER),
        )
        result.update(done.as_dict())


def other_python(folder: Path) -> Path | None:
    """The Python that has the packages of an attempt's study, where it is not this one."""
    task = Attempt(folder).order()["task"]
    return environment_of(Path(task["kept"]), task["packages"])


def worker_around(
    folder: Path,
    *,
    cores: int | None = None,
    memory_gb: float | None = None,
    say: Callable[[str], None] = lambda _: None,
    **more: Any,
) -> JobWorker:
    """A worker for the jobs of the repository around a folder, with all of this machine, or so much of it.

    Beside its jobs it looks whether a schedule is due, and tells who wants to hear of those that ended, of runs
    that were approved and of corrected files. `say` hears of what can not be done now.
    """
    repository = Repository.around(folder)
    here = machine()
    executors = executors_of(repository)
    capacity = Capacity(
        tuple(executors),
        cores or here["cores_allowed"] or 1,
        memory_gb or here["memory_gb"] or 4.0,
    )
    # What is written down of approvals and corrected files is told with what is told of jobs.
    looks = (look_at_schedules, tell_of_approvals, tell_of_corrections, tell_of_jobs, clean_daily)
    chores = Chores([functools.partial(look, repository.root) for look in looks], say=say)
    return JobWorker(queue_around(folder), jobs_of(repository), executors, capacity, say=say, chores=chores, **more)
