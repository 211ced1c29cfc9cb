"""What jobs leave behind, and which of it nobody needs any more: attempts, pinned studies, code, environments."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modelworks.inputs.repository import Repository
from modelworks.jobs import Agenda, Job
from modelworks.logs import stamp
from modelworks.study.jobs._jobs import jobs_of, queue_around

KEEP_DAYS = 30.0
# What is younger may belong to a job that is just being submitted.
YOUNGEST_SECONDS = 86_400.0
CLEANED = "modelworks cleaned"


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that jobs left behind: what it is, whose, where, and its size; `why` it stays, or empty."""

    kind: str
    name: str
    path: Path
    bytes: int
    why: str = ""


def leftovers(folder: Path, *, keep_days: float | None = None, now: datetime | None = None) -> list[Leftover]:
    """All that jobs left behind in the repository around a folder, with why it stays.

    The attempts of a job stay until it has been over for `keep_days`; what a job was pinned with stays as long as any
    job that has it may be carried out or retried.
    """
    repository = Repository.around(folder)
    days = _days(repository, keep_days)
    with queue_around(folder) as queue:
        jobs = queue.jobs()
    moment = now or datetime.now(UTC)
    kept = {job.id: why for job in jobs if (why := _why(job, moment - timedelta(days=days), days))}
    needed: dict[Path, str] = {}
    for job in jobs:
        if job.id in kept:
            needed |= dict.fromkeys(_pinned(repository.kept, job.order.task, job.order.environment), f"of job {job.id}")
    return [*_attempts(jobs_of(repository), kept), *_copies(repository.kept, needed, time.time())]


def clean(folder: Path, *, keep_days: float | None = None, now: datetime | None = None) -> list[Leftover]:
    """Remove what nobody needs any more, and give it. A job whose attempts are gone can not be retried."""
    with queue_around(folder) as queue:
        for each in leftovers(folder, keep_days=keep_days, now=now):
            if each.kind == "attempts" and not each.why:
                queue.clear(each.name)
    # Looked at again: one that was retried meanwhile is needed, and from now on none of those that go can be.
    gone = [each for each in leftovers(folder, keep_days=keep_days, now=now) if not each.why]
    for each in gone:
        # Renamed first: nobody takes half of it for the whole.
        grave = each.path.with_name(f".gone-{secrets.token_hex(4)}")
        with contextlib.suppress(FileNotFoundError):
            each.path.rename(grave)
            shutil.rmtree(grave) if grave.is_dir() else grave.unlink()
    return gone


def clean_daily(root: Path) -> None:
    """Remove what nobody needs any more, once a day, where the settings say how long it is kept."""
    repository = Repository.around(root)
    if repository.keep_job_days is None:
        return
    with queue_around(root) as queue:
        agenda, today = Agenda(queue), stamp(datetime.now(UTC))[:10]
        before = agenda.mark(CLEANED)
        if before == today or not agenda.advance(CLEANED, before, today):
            return
    clean(root)


def _days(repository: Repository, said: float | None) -> float:
    if said is not None:
        return said
    return KEEP_DAYS if repository.keep_job_days is None else repository.keep_job_days


def _why(job: Job, before: datetime, days: float) -> str:
    """Why the attempts of a job stay; empty where they may go."""
    if not job.is_over:
        return job.state
    return "" if job.finished and datetime.fromisoformat(job.finished) < before else f"over for less than {days:g} days"


def _pinned(kept: Path, task: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[Path]:
    """The copies that a job is carried out with."""
    study = Path(task.get("study", ""))
    if study.is_relative_to(kept / "pins"):
        yield kept / "pins" / study.relative_to(kept / "pins").parts[0]
    if task.get("commit"):
        yield kept / "branches" / str(task["commit"])
    if environment.get("PYTHONPATH"):
        yield Path(environment["PYTHONPATH"])
    if task.get("packages"):
        yield kept / "environments" / str(task["packages"])[:16]


def _attempts(home: Path, kept: Mapping[str, str]) -> Iterator[Leftover]:
    for path in _below(home):
        yield Leftover("attempts", path.name, path, _size(path), kept.get(path.name, ""))


def _copies(kept: Path, needed: Mapping[Path, str], now: float) -> Iterator[Leftover]:
    for kind in ("pins", "code", "branches", "environments", "handed"):
        for path in _below(kept / kind):
            # The list of an environment's packages is what it is made from again.
            whose = path.with_suffix("") if kind == "environments" else path
            why = needed.get(whose, "")
            if not why and now - path.stat().st_mtime < YOUNGEST_SECONDS:
                why = "younger than a day"
            yield Leftover(kind, path.name, path, _size(path), why)


def _below(folder: Path) -> Sequence[Path]:
    return sorted(each for each in folder.iterdir() if not each.name.startswith(".")) if folder.is_dir() else ()


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())
