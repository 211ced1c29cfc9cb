"""All that was said of a job and by it, in the order of time: by the queue, by each attempt, and what was printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelworks.errors import fail
from modelworks.inputs.repository import Repository
from modelworks.jobs import PASSING, Event, Job
from modelworks.logs import read_events, without_secrets
from modelworks.study.jobs._job_log import event_in_words
from modelworks.study.jobs._jobs import jobs_of, queue_around

# From what is good to know to what is wrong; `output` is what a command printed, which says no level itself.
LEVELS = ("debug", "info", "output", "warning", "error")


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said: when (UTC; of what was printed, when its attempt ended), by which attempt, how grave.

    `fields` is what a program reads of it. Attempt 0 is the queue.
    """

    time: str
    level: str
    attempt: int
    event: str
    text: str
    fields: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def log_of_job(folder: Path, job: str, *, search: str = "", level: str = "debug") -> list[Said]:
    """What was said of a job and by it; only what matches a regular expression, and what is as grave as a level.

    Raises
    ------
    ModelworksError
        J102 where there is no such job; J160 where `search` is no regular expression.
    """
    try:
        wanted = re.compile(search, re.IGNORECASE)
    except re.error as error:
        fail("J160", f"`{search}` is no regular expression: {error}", hint="write a backslash before ( [ * + ? and .")
    with queue_around(folder) as queue:
        found = queue.get(job)
        said = [_of_queue(event) for event in queue.events(found.id)]
    said += _of_attempts(jobs_of(Repository.around(folder)), found)
    # Of the same moment stays in its order what one of them said.
    said.sort(key=lambda each: each.time)
    gravest = LEVELS.index(level)
    return [each for each in said if LEVELS.index(each.level) >= gravest and wanted.search(f"{each.event} {each.text}")]


def _of_queue(event: Event) -> Said:
    level = "error" if event.what == "failed" else "warning" if event.what in PASSING else "info"
    return Said(event.time, level, 0, event.what, event.text, {})


def _of_attempts(home: Path, job: Job) -> Iterator[Said]:
    for number in range(1, job.attempt + 1):
        folder = home / job.id / f"attempt-{number}"
        last = job.started
        log = folder / "log.jsonl"
        for event in read_events(log) if log.is_file() else ():
            last = str(event["time"])
            known = {name: value for name, value in event.items() if name not in ("time", "level", "event")}
            yield Said(last, str(event.get("level", "info")), number, str(event["event"]), event_in_words(event), known)
        output = folder / "output.txt"
        if output.is_file():
            for line in without_secrets(output.read_text(encoding="utf-8", errors="replace")).splitlines():
                yield Said(last, "output", number, "printed", line, {})
