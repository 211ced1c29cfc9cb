"""Studies as jobs: one is pinned and made into an order here."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from modelworks.errors import fail, near
from modelworks.inputs.repository import Repository
from modelworks.jobs import Order, Queue, Resources
from modelworks.jobs.executors import Executor
from modelworks.jobs.executors.inline import InlineExecutor
from modelworks.jobs.executors.process import ProcessExecutor
from modelworks.jobs.executors.slurm import Site, SlurmExecutor
from modelworks.logs import stamp, utc_now
from modelworks.runs import person
from modelworks.study import stages
from modelworks.study._record import input_files
from modelworks.study._stale import check_until
from modelworks.study._store import open_store
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.inquiries._rerun import changed_copy, scenarios_copy
from modelworks.study.jobs._estimate import MEMORY_GB, estimate, usual_cores
from modelworks.study.jobs._pinned import pin
from modelworks.study.own_stages._stage_study import Study, open_study

# Who a run is made by, in the task of its job.
MAKER = "maker"


def queue_around(folder: Path) -> Queue:
    """The queue of the repository around a folder: the team's, or a file of its own."""
    repository = Repository.around(folder)
    return Queue(repository.queue or f"sqlite:///{repository.kept / 'queue.sqlite'}")


def order_study(
    folder: Path,
    *,
    until: str = stages.REPORT,
    changes: Sequence[str] = (),
    scenarios: Sequence[str] = (),
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
    scenarios : sequence of str
        Those that are run, beside the baseline; all, when left out.
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
    study = _assumed(folder, changes, scenarios)
    # Not that of the copy: the job is one of the study, with what its title says.
    name = folder.resolve().name
    check_until(study, until)
    pinned = pin(study, input_files(study))
    repository = study.inputs.repository
    cores = usual_cores(study)
    with queue_around(folder) as queue:
        expected = estimate(study, until, queue, cores if resources is None else resources.cores)
    return Order(
        title=_title(name, until, changes, scenarios),
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
            "study": name,
            "scenario": ", ".join(scenarios),
            "region": study.inputs.study.region or "",
            "model": study.model.name if isinstance(study, BoundStudy) else "",
            "until": until,
            **(labels or {}),
        },
        by=person(repository.root),
        **more,
    )


def handed_over_by(order: Order, by: str, login: str = "") -> Order:
    """An order as that of somebody, whom its run then names as its maker; `login` is what they sign in with."""
    maker = {"person": by} | ({"login": login} if login else {})
    return replace(order, by=by, task={**order.task, MAKER: maker})


def _assumed(folder: Path, changes: Sequence[str], scenarios: Sequence[str]) -> Study:
    """The study, or the copy of it in which something is assumed otherwise or only some scenarios are run."""
    if not changes and not scenarios:
        return open_study(folder)
    if changes:
        folder = changed_copy(bind(folder).inputs, changes)
    return bind(scenarios_copy(bind(folder).inputs, scenarios) if scenarios else folder)


def _title(name: str, until: str, changes: Sequence[str], scenarios: Sequence[str]) -> str:
    return (
        f"{name}: {until}"
        + (f", in {', '.join(scenarios)}" if scenarios else "")
        + (f", with {'; '.join(changes)}" if changes else "")
    )


def executors_of(repository: Repository) -> Mapping[str, Executor]:
    """Who can carry out a repository's jobs, by name: this machine, the team's cluster, and what is installed besides.

    A package adds one by an entry point of the group `modelworks.executors`: a function that gives an `Executor`.
    """
    found: dict[str, Executor] = {"process": ProcessExecutor(), "inline": InlineExecutor()}
    if repository.slurm is not None:
        found["slurm"] = SlurmExecutor(Site(**repository.slurm))
    for point in _installed():
        found[point.name] = point.load()()
    return found


@functools.cache
def _installed() -> tuple[EntryPoint, ...]:
    """What packages add; looked up once, for every installed package is read for it."""
    return tuple(entry_points(group="modelworks.executors"))


def executor_names(repository: Repository) -> list[str]:
    """Where a job of the repository may be carried out by somebody who does not wait for it."""
    return [name for name in executors_of(repository) if name != "inline"]


def jobs_of(repository: Repository) -> Path:
    """Where the attempts of a repository's jobs lie."""
    return repository.kept / "jobs"
