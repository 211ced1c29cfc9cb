"""What happened to a job, told to somebody who has never seen a queue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from modelworks.calibration import NO_ANSWER_IN_TIME
from modelworks.errors import counted
from modelworks.inputs.repository import Repository
from modelworks.jobs import Event, Job, Queue
from modelworks.logs import as_shown, without_secrets
from modelworks.report import words
from modelworks.study.jobs._estimate import took_in_words
from modelworks.study.jobs._jobs import jobs_of, queue_around

LINES_SHOWN = 8
# A process by machine, number and the moment it began: only the number is for people.
_PROCESS = re.compile(r"\b[0-9a-f]{12}:(\d+):\d+\b")

# How a state is said, where that is not "is waiting".
_STANDS = {"failed": "failed", "cancelled": "was cancelled"}

# What one can do, by the reason for which a job failed.
REMEDIES = {
    "letters": "Mend what the letter says, then submit the study again: a job keeps the files it was submitted with.",
    NO_ANSWER_IN_TIME: "Retry it: it goes on where it stopped, and has its whole time limit once more. If that is "
    "too short, submit the study again with a longer one.",
    "killed": "Something on the machine ended it; most often its memory was used up. Ask for less at once with --cores "
    "or let fewer jobs run together, then retry it.",
    "lost": "Its machine was not heard of any more. When the machine is back, retry it: it goes on where it stopped.",
    "walltime": "It needs more time: submit it again with more --minutes. What it has worked out so far is kept.",
    "memory": "It needs more memory: submit it again with more --memory.",
    "disk": "Make room on the disk, then retry it.",
    "refused": "Its executor did not take it; the words above say why. Retry it when that is mended.",
    "needed": "Retry the job it needs; this one comes back by itself.",
    "exit": "This is a defect: its last lines are below. Please report them.",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A paragraph on a job, its steps in the order of time, the last it printed, and the command to give next."""

    said: str
    steps: tuple[Event, ...]
    printed: tuple[str, ...]
    next: str

    @property
    def text(self) -> str:
        """All of it but the command, for a terminal."""
        lines = [
            self.said,
            *(f"  {each.time[:19].replace('T', ' ')} UTC  {each.what}  {each.text}" for each in self.steps),
        ]
        if self.printed:
            lines += ["", "The last it printed:", *(f"  {line}" for line in self.printed)]
        return "\n".join(map(str.rstrip, lines))


def explain_job(folder: Path, text: str) -> Explained:
    """What happened to a job, what was tried, and what to do.

    Raises
    ------
    ModelworksError
        J102 where there is no such job.
    """
    with queue_around(folder) as queue:
        job = queue.get(text)
        said = " ".join(filter(None, _sentences(queue, job)))
        steps = tuple(replace(each, text=_PROCESS.sub(r"process \1", each.text)) for each in queue.events(job.id))
    output = jobs_of(Repository.around(folder)) / job.id / f"attempt-{job.attempt}" / "output.txt"
    printed = _last_lines(output) if job.state == "failed" else []
    return Explained(said, steps, tuple(printed), _next(job))


def _sentences(queue: Queue, job: Job) -> Iterator[str]:
    stands = _STANDS.get(job.state, f"is {job.state}")
    yield f"`{job.title}` was submitted by {job.order.by or 'somebody'} and {stands}."
    if job.state == "waiting":
        yield from _waiting(queue, job)
    elif job.state == "running":
        began = words.moment(job.started)
        yield f"Attempt {job.attempt} is under way; the first began {began}." + (f" {job.phase}." if job.phase else "")
    elif job.state == "failed":
        yield f"{str(job.outcome.get('text', '')).strip()}."
        yield REMEDIES.get(_reason(job), "")
    elif job.state == "done":
        yield from _came(job)
    yield took_in_words(job)


def _came(job: Job) -> Iterator[str]:
    run = (job.outcome.get("result") or {}).get("run")
    if not run:
        return
    # Where nothing had changed, the run is one that was there before, and the id that was set aside is not used.
    if run == job.order.task.get("run", run):
        yield f"It made the run {run}, at the {_nth(job.attempt)} attempt."
    else:
        yield f"It made no new run: nothing had changed since the run {run}, which stands as it was."


def _waiting(queue: Queue, job: Job) -> Iterator[str]:
    asked = job.order.resources
    if job.blocked:
        yield f"It waits for {counted(job.blocked, 'job')}: {', '.join([*job.order.needs, *job.order.after])}."
    elif not queue.workers():
        yield "No worker is there to carry it out: `modelworks worker` starts one."
    else:
        yield (
            f"It asks for {counted(asked.cores, 'core')} and {asked.memory_gb:g} GB, and begins when a worker has room "
            f"for that; {counted(queue.counts().get('running', 0), 'job')} run now."
        )


def _next(job: Job) -> str:
    if job.state == "failed":
        return f"modelworks retry {job.id}" if _reason(job) != "letters" else "modelworks check"
    if job.state == "waiting":
        return "modelworks worker"
    return f"modelworks watch {job.id}" if job.state == "running" else "modelworks list"


def _reason(job: Job) -> str:
    """Why a job failed; what a letter alone can not mend has its code for a reason."""
    codes = {letter.get("code") for letter in job.outcome.get("letters", ())}
    return NO_ANSWER_IN_TIME if codes == {NO_ANSWER_IN_TIME} else str(job.outcome.get("reason", ""))


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _last_lines(path: Path) -> list[str]:
    try:
        found = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LINES_SHOWN:]
        return [as_shown(line) for line in without_secrets("\n".join(found)).splitlines()]
    except FileNotFoundError:
        return []
