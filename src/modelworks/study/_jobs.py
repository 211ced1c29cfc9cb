"""Studies as jobs: one is pinned and put into the queue here, and carried out here, perhaps elsewhere and later."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from modelworks.errors import fail, near
from modelworks.inputs.repository import Repository
from modelworks.jobs import Attempt, Capacity, JobWorker, Order, Queue, Resources
from modelworks.jobs.executors import Executor
from modelworks.jobs.executors.inline import InlineExecutor
from modelworks.jobs.executors.process import ProcessExecutor
from modelworks.jobs.executors.slurm import Site, SlurmExecutor
from modelworks.logs import stamp, utc_now
from modelworks.runs import ProgressLog, machine, person
from modelworks.study import stages
from modelworks.study._batch import summarise
from modelworks.study._binding import BoundStudy, bind
from modelworks.study._estimate import MEMORY_GB, estimate
from modelworks.study._line import run_study
from modelworks.study._pinned import environment_of, pin
from modelworks.study._record import input_files
from modelworks.study._rerun import changed_copy
from modelworks.study._stage_study import open_study
from modelworks.study._stale import check_until
from modelworks.study._store import open_store


def queue_around(folder: Path) -> Queue:
    """The queue of the repository around a folder: the team's, or a file of its own."""
    repository = Repository.around(folder)
    return Queue(repository.queue or f"sqlite:///{repository.kept / 'queue.sqlite'}")


def order_study(
    folder: Path,
    *,
    until: str = stages.REPORT,
    changes: Sequence[str] = (),
    executor: str = "process",
    resources: Resources | None = None,
    labels: Mapping[str, str] | None = None,
    **more: Any,
) -> Order:
    """A job that runs a study as it is now, up to a stage, with some things assumed otherwise.

    Parameters
    ----------
    changes : sequence of str
        As `rerun` takes them: `value recovery_rate = 0.4`.
    more
        What else an `Order` takes, such as `priority` or `needs`.

    Raises
    ------
    ModelworksError
        With every mistake of the study's files; J131 where there is no such executor.
    """
    known = executors_of(Repository.around(folder))
    if executor not in known:
        hint = "write [slurm] into modelworks.toml, with what your cluster wants" if executor == "slurm" else ""
        fail("J131", f"there is no executor `{executor}` here", hint=hint or near(executor, known))
    study = bind(changed_copy(bind(folder).inputs, changes)) if changes else open_study(folder)
    check_until(study, until)
    pinned = pin(study, input_files(study))
    repository = study.inputs.repository
    chains = study.inputs.study.calibration.chains if isinstance(study, BoundStudy) else 1
    cores = min(chains, os.cpu_count() or 1)
    with queue_around(folder) as queue:
        expected = estimate(study, until, queue, cores if resources is None else resources.cores)
    return Order(
        title=f"{study.name}: {until}" + (f", with {'; '.join(changes)}" if changes else ""),
        command=(sys.executable, "-m", "modelworks", "work"),
        environment={"PYTHONPATH": str(pinned.code)},
        task={
            "study": str(pinned.study),
            "kept": str(repository.kept),
            "packages": pinned.packages,
            "until": until,
            "moment": stamp(utc_now()),
            "run": open_store(repository).new_id(),
            "expected": expected.as_dict(),
        },
        executor=executor,
        resources=resources or Resources(cores, memory_gb=max(expected.memory_gb, MEMORY_GB)),
        labels={
            "study": study.name,
            "region": study.inputs.study.region or "",
            "model": study.model.name if isinstance(study, BoundStudy) else "",
            "until": until,
            **(labels or {}),
        },
        by=person(repository.root),
        **more,
    )


def carry_out(folder: Path) -> None:
    """Carry out the attempt of a job that a study was made into: the other end of `order_study`.

    Raises
    ------
    NotOursError
        Where another process carries it out, or it was given up.
    """
    attempt = Attempt(folder)
    task = attempt.order()["task"]
    with attempt.at_work() as result:
        if "summary" in task:
            with queue_around(Path(task["of"])) as queue:
                result.update(summarise(queue, task["summary"], Path(task["of"]), folder))
            return
        name = (datetime.fromisoformat(task["moment"]), task["run"]) if "run" in task else None
        cores = attempt.resources().cores
        progress = ProgressLog(attempt.log)
        done = run_study(Path(task["study"]), until=task["until"], cores=cores, progress=progress, name=name)
        result.update(done.as_dict())


def other_python(folder: Path) -> Path | None:
    """The Python that has the packages of an attempt's study, where it is not this one."""
    task = Attempt(folder).order()["task"]
    return environment_of(Path(task["kept"]), task["packages"])


def worker_around(folder: Path, *, cores: int | None = None, memory_gb: float | None = None, **more: Any) -> JobWorker:
    """A worker for the jobs of the repository around a folder, with all of this machine, or so much of it."""
    repository = Repository.around(folder)
    here = machine()
    executors = executors_of(repository)
    capacity = Capacity(
        tuple(executors),
        cores or here["cores_allowed"] or 1,
        memory_gb or here["memory_gb"] or 4.0,
    )
    return JobWorker(queue_around(folder), jobs_of(repository), executors, capacity, **more)


def executors_of(repository: Repository) -> Mapping[str, Executor]:
    """Who can carry out a repository's jobs, by name: this machine, the team's cluster, and what is installed besides.

    A package adds one by an entry point of the group `modelworks.executors`: a function that gives an `Executor`.
    """
    found: dict[str, Executor] = {"process": ProcessExecutor(), "inline": InlineExecutor()}
    if repository.slurm is not None:
        found["slurm"] = SlurmExecutor(Site(**repository.slurm))
    for point in entry_points(group="modelworks.executors"):
        found[point.name] = point.load()()
    return found


def jobs_of(repository: Repository) -> Path:
    """Where the attempts of a repository's jobs lie."""
    return repository.kept / "jobs"
