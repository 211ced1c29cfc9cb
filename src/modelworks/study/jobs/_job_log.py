"""What a job says while it is carried out, as it comes: for a terminal, or a browser that was away for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelworks.inputs.repository import Repository
from modelworks.logs import as_shown, event_of
from modelworks.runs import progress_line
from modelworks.study.jobs._jobs import jobs_of

# Never more than this at once: a log of days is read in pieces.
LARGEST_PIECE = 1_000_000


@dataclass(frozen=True, slots=True)
class JobLog:
    """The logs of all attempts of a job, one after the other. A place in them is a text, as `place` gives it.

    A place holds how many bytes were read of the log of each attempt, for the last of an attempt may still write when
    the next has begun.
    """

    folder: Path

    @classmethod
    def of(cls, repository: Repository, job: str) -> JobLog:
        return cls(jobs_of(repository) / job)

    def read(self, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every whole line after a place, with the place after it; a place that is none is the beginning."""
        read = _offsets(place)
        logs = sorted(self.folder.glob("attempt-*/log.jsonl"), key=_number)
        read += [0] * (len(logs) - len(read))
        for k, log in enumerate(logs):
            for line in _lines(log, read[k]):
                read[k] += len(line)
                event = event_of(line)
                if event is not None:
                    yield ".".join(map(str, read)), event

    def size(self) -> int:
        """How many bytes there are; as long as it is the same, there is nothing new to read."""
        return sum(log.stat().st_size for log in self.folder.glob("attempt-*/log.jsonl"))


def log_in_words(event: Mapping[str, Any]) -> str:
    """A line of a job's log, for a person.

    >>> log_in_words({"time": "2026-01-31T09:05:00Z", "event": "begun", "pid": 7, "host": "node3"})
    '09:05:00  begun, as process 7 of node3'
    >>> log_in_words({"time": "2026-01-31T09:05:30Z", "event": "mixing", "draws": 100, "r_hat": 1.0312,
    ...               "effective_draws": 212.4, "by_chain": [101.2, 98.6]})
    '09:05:30  after 100 draws a chain: R-hat 1.031, 212 effective draws (by chain 101, 99)'
    >>> log_in_words({"time": "2026-01-31T09:06:00Z", "event": "ended", "state": "done", "counts": True})
    '09:06:00  ended: done'
    """
    return f"{str(event['time'])[11:19]}  {event_in_words(event)}"


def event_in_words(event: Mapping[str, Any]) -> str:
    """What a line of a job's log says, for a person who knows when.

    >>> event_in_words({"time": "2026-01-31T09:06:00Z", "event": "stage", "stage": "project", "of": [], "kept": False})
    'project begins'
    >>> event_in_words({"time": "2026-01-31T09:06:00Z", "level": "info", "event": "moved", "to": "node3"})
    'moved to=node3'
    """
    match event["event"]:
        case "progress":
            return progress_line(*(event[each] for each in ("step", "done", "total", "seconds", "left", "note")))
        case "said":
            return as_shown(str(event["text"]))
        case "step":
            return str(event["step"])
        case "stage":
            return f"{event['stage']} {'is kept: no input has changed' if event['kept'] else 'begins'}"
        case "mixing":
            chains = ", ".join(f"{each:,.0f}" for each in event["by_chain"])
            told = f"R-hat {event['r_hat']:.3f}, {event['effective_draws']:,.0f} effective draws (by chain {chains})"
            return f"after {event['draws']:,} draws a chain: {told}"
        case "begun":
            return f"begun, as process {event['pid']} of {event['host']}"
        case "ended":
            why = str(event.get("text") or "").partition("\n")[0]
            late = "" if event["counts"] else "; too late to count, as the attempt had been given up"
            return f"ended: {event['state']}{', ' if why else ''}{why}{late}"
    rest = " ".join(f"{name}={value}" for name, value in event.items() if name not in ("time", "level", "event"))
    return f"{event['event']} {rest}"


def _offsets(place: str) -> list[int]:
    parts = place.split(".") if place else []
    return [int(part) for part in parts] if all(part.isdecimal() and len(part) < 16 for part in parts) else []


def _number(log: Path) -> int:
    return int(log.parent.name.rpartition("-")[2])


def _lines(log: Path, offset: int) -> Iterator[bytes]:
    """Whole lines; what is still being written is read the next time."""
    with log.open("rb") as file:
        file.seek(offset)
        piece = file.read(LARGEST_PIECE)
    for line in piece.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            return
        yield line
