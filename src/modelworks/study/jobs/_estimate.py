"""How long a study will take and how much memory: from what it took before, or from one look at its model.

What is finished and kept takes nothing. A stage that was done before takes what it took then; a calibration that never
was is reckoned from the time of the model, run at one point with its gradient.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np

from modelworks.calibration import Settings, warmup_of
from modelworks.calibration.samplers import choose
from modelworks.errors import ModelworksError, counted
from modelworks.inputs.repository import Repository
from modelworks.jobs import Job, Queue
from modelworks.runs import Run, StageCache, Wanted, duration
from modelworks.study import stages
from modelworks.study._repository import index_around
from modelworks.study._stale import fingerprints, needed
from modelworks.study._store import open_store
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.own_stages._stage_study import Study

# What the libraries take alone, with a calibration of an example; 10⁹ bytes.
MEMORY_GB = 2.0
# Runs of the model for one draw: a trajectory of NUTS in ten dimensions or so turns back after about so many steps.
STEPS_OF_NUTS = 10
# Those of samplers that compare simulated data, however many draws are asked of them.
SIMULATIONS = {"abc": 20_000, "sbi": 10_000}
TRIES = 5
# So many of the latest runs say how long a study takes, and so many of the latest jobs how it is at an executor.
LOOKED_AT = 50
# And so many of other studies how long takes what was never done in this one.
LOOKED_AT_OF_OTHERS = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds that a study is expected to take, None where nobody knows, and GB; `grounds` says from what."""

    seconds: float | None
    memory_gb: float
    grounds: str
    stages: Mapping[str, float | None]

    def in_words(self) -> str:
        """`about 2 min and 0.5 GB (calibrate as the last time)`."""
        if not self.stages:
            return "nothing to do: no input has changed"
        about = "more than" if _is_partial(self.stages) else "about"
        long = "for a time not known yet" if self.seconds is None else f"{about} {duration(self.seconds)}"
        return f"{long} and {self.memory_gb:.1f} GB ({self.grounds})"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "stages": dict(self.stages)}


@dataclass(frozen=True, slots=True)
class Place:
    """What a study is expected to take where an executor carries it out, with so many cores.

    `wait_seconds` is how long jobs there waited until they began, in the median of the latest; None where none did.
    """

    executor: str
    cores: int
    expected: Estimate
    wait_seconds: float | None


def estimate(study: Study, until: str, queue: Queue, cores: int = 1) -> Estimate:
    """What running a study up to a stage will take, with so many cores."""
    taken = _of_runs(_latest_runs(study.inputs.repository, Wanted(study=study.name, limit=LOOKED_AT)))
    return _estimate(study, until, taken, _memory(queue.jobs(limit=10, said={"study": study.name})), cores, set())


def estimates(study: Study, until: str, queue: Queue, executors: Iterable[str]) -> list[Place]:
    """What running a study up to a stage will take at each executor, from what it took there, or else elsewhere."""
    runs, cores = _latest_runs(study.inputs.repository, Wanted(study=study.name, limit=LOOKED_AT)), usual_cores(study)
    jobs = queue.jobs(limit=LOOKED_AT, said={"study": study.name})
    latest = queue.jobs(["done"], LOOKED_AT)
    elsewhere, found = _of_runs(runs), []
    for name in executors:
        of_study = [job for job in jobs if job.order.executor == name]
        made = {(job.outcome.get("result") or {}).get("run") for job in of_study}
        here = _of_runs(run for run in runs if run.id in made)
        memory = _memory([job for job in of_study if took_of(job)] or jobs)
        expected = _estimate(study, until, {**elsewhere, **here}, memory, cores, set(elsewhere) - set(here))
        found.append(Place(name, cores, expected, _waited(job for job in latest if job.order.executor == name)))
    return found


def usual_cores(study: Study) -> int:
    """The cores that a job of a study asks for where nobody says: one for each chain, if there are so many here."""
    return min(study.inputs.study.calibration.chains, os.cpu_count() or 1) if isinstance(study, BoundStudy) else 1


def _estimate(
    study: Study, until: str, before: Mapping[str, float], memory_gb: float, cores: int, elsewhere: Collection[str]
) -> Estimate:
    """From what stages took before (some of them elsewhere), and where that is not known, from the model."""
    repository = study.inputs.repository
    cache, marks = StageCache(repository.kept / "stages"), fingerprints(study)
    to_do = [name for name in needed(study, until) if cache.get(marks[name]) is None]
    expected: dict[str, float | None] = {name: before.get(name) for name in to_do}
    grounds = []
    if new := [name for name in to_do if name not in before and name != stages.CALIBRATE]:
        others = _of_runs(_latest_runs(repository, Wanted(limit=LOOKED_AT_OF_OTHERS)))
        expected |= {name: others[name] for name in new if name in others}
        if alike := [name for name in new if name in others]:
            grounds.append(f"{', '.join(alike)} as in other studies")
    for there, words in ((False, "as the last time"), (True, "as the last time, elsewhere")):
        if known := [name for name in to_do if name in before and (name in elsewhere) == there]:
            grounds.append(f"{', '.join(known)} {words}")
    if stages.CALIBRATE in to_do and expected[stages.CALIBRATE] is None and isinstance(study, BoundStudy):
        expected[stages.CALIBRATE], said = _of_the_model(study, cores)
        grounds.append(said)
    if unknown := [name for name, each in expected.items() if each is None]:
        grounds.append(f"{', '.join(unknown)} never done before")
    if len(to_do) < len(needed(study, until)):
        grounds.append(f"{counted(len(needed(study, until)) - len(to_do), 'stage')} kept from before")
    told = [each for each in expected.values() if each is not None]
    return Estimate(sum(told) if told or not to_do else None, memory_gb, "; ".join(grounds), expected)


def _is_partial(expected: Mapping[str, float | None]) -> bool:
    """Whether nobody knows how long some of the stages take."""
    return None in expected.values()


def _latest_runs(repository: Repository, wanted: Wanted) -> list[Run]:
    """Runs of a repository, the latest first; of thousands the others are not read."""
    store, found = open_store(repository), []
    with index_around(repository.root) as index:
        rows = index.select(wanted).rows
    for row in rows:
        # Somebody may have pruned one since.
        with contextlib.suppress(ModelworksError):
            found.append(store.open(row.key))
    return found


def _of_runs(runs: Iterable[Run]) -> dict[str, float]:
    """What each stage took when it was last done, by the runs of a study, the latest first."""
    found: dict[str, float] = {}
    for run in runs:
        for stage in run.record.get("stages", []):
            if not stage.get("reused"):
                found.setdefault(stage["name"], float(stage["seconds"]))
    return found


def _waited(jobs: Iterable[Job]) -> float | None:
    """How long jobs waited until they began, in the median; those that need others wait for these, and do not count."""
    moments = ((job.submitted, job.started) for job in jobs if job.started and not job.order.needs)
    waits = [
        (datetime.fromisoformat(began) - datetime.fromisoformat(ready)).total_seconds() for ready, began in moments
    ]
    return max(0.0, median(waits)) if waits else None


def _of_the_model(study: BoundStudy, cores: int) -> tuple[float, str]:
    """A calibration's seconds from those of one run, and how that was reckoned."""
    density, asked = stages.log_density(study), study.inputs.study.calibration
    position = np.zeros(density.dimension)
    by_gradient = asked.sampler in ("auto", "nuts") and density.has_gradient
    work: Callable[[Any], object] = density.value_and_gradient if by_gradient else density.value
    work(position)
    each = min(_seconds(work, position) for _ in range(TRIES))
    settings = stages.settings_of(asked, 0, cores)
    draws = asked.draws or Settings().draws
    if settings.enough is not None and by_gradient:
        draws = settings.enough.at_first(asked.chains, settings.draws)
    warmup = asked.warmup or warmup_of("nuts" if by_gradient else asked.sampler)
    runs = asked.chains * (draws + warmup) * (STEPS_OF_NUTS if by_gradient else 1)
    runs = SIMULATIONS.get(choose(asked.sampler, density)[0], runs)
    at_once = max(1, min(cores, asked.chains))
    return each * runs / at_once, f"calibrate from a run of the model, {1000 * each:.2g} ms, times {runs:,}"


def _seconds(work: Callable[[Any], object], position: Any) -> float:
    began = time.perf_counter()
    work(position)
    return time.perf_counter() - began


def _memory(jobs: Iterable[Job]) -> float:
    """The most that a job of the study took, of those that said so."""
    used = [took["memory_gb"] for job in jobs if (took := took_of(job))]
    return max(used, default=MEMORY_GB)


def took_of(job: Job) -> Mapping[str, float]:
    """What a job took in the end, of which it tells itself: `seconds`, `cpu_seconds` and `memory_gb`."""
    return dict(job.outcome.get("took") or {})


def took_in_words(job: Job) -> str:
    """What a job took, against what was expected; empty where it does not tell."""
    took, expected = took_of(job), dict(job.order.task.get("expected") or {})
    if not took:
        return ""
    told = f"It took {duration(took['seconds'])} and {took['memory_gb']:.1f} GB"
    if expected.get("seconds") is not None:
        least = "more than " if _is_partial(expected.get("stages") or {}) else ""
        told += f", where {least}{duration(expected['seconds'])} and {expected['memory_gb']:.1f} GB were expected"
    return f"{told}."
