"""What a job is: a command to be carried out once, and all that is known of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["waiting", "running", "done", "failed", "cancelled"]
OVER: tuple[State, ...] = ("done", "failed", "cancelled")

# Why an attempt ended without a result, where another may end otherwise. A wrong model fails again, so what a
# command says of itself is never one of these.
PASSING: Mapping[str, str] = {
    "lost": "nothing was heard of it any more",
    "killed": "its process was killed",
    "walltime": "its time was up",
    "preempted": "the cluster took its place for other work",
    "node": "its machine failed",
    "refused": "the executor did not take it",
    "away": "the executor could not be reached, or had no room",
    "disk": "the disk was full, or could not be written to",
}


@dataclass(frozen=True, slots=True)
class Resources:
    """What a job needs of a machine. Memory in GB (10⁹ bytes); time in seconds, None where it has no limit."""

    cores: int = 1
    memory_gb: float = 1.0
    walltime_seconds: float | None = None
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: a command, which is given the folder of its attempt as its last word.

    `task` is for the command alone, which finds it in its folder. `needs` are jobs that have to be done before;
    `after` are jobs that have to be over, whatever came of them.
    """

    title: str
    command: Sequence[str]
    task: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    executor: str = "process"
    resources: Resources = field(default_factory=Resources)
    priority: int = 0
    attempts: int = 3
    needs: Sequence[str] = ()
    after: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(5))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job, in words; `time` is UTC."""

    time: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the queue knows it now. `phase` is what its executor said last; moments are UTC."""

    id: str
    number: int
    title: str
    state: State
    order: Order
    attempt: int
    allowed: int
    blocked: int
    phase: str
    wish: str
    outcome: Mapping[str, Any]
    submitted: str
    started: str
    finished: str

    @property
    def is_over(self) -> bool:
        return self.state in OVER


@dataclass(frozen=True, slots=True)
class Turn:
    """When a job came, first began and was over, in UTC; empty is what has not happened. `needs` says that it waits for
    other jobs, too."""

    executor: str
    state: State
    submitted: str
    started: str
    finished: str
    needs: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to carry out one attempt of a job; `token` tells it from every other such right, ever."""

    job: str
    owner: str
    token: int
    attempt: int
    allowed: int
    order: Order
    handle: str | None = None
    cancelled: bool = False
