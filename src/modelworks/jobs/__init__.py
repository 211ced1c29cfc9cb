"""Jobs that can not be lost: a durable queue, workers that may die, and executors that carry jobs out.

A job is a command and a folder for each attempt at it. This room knows nothing of models and imports nothing of the
other rooms.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.jobs._agenda import Agenda
    from modelworks.jobs._attempt import Attempt, NotOursError
    from modelworks.jobs._chores import Chores
    from modelworks.jobs._job import OVER, PASSING, Claim, Event, Job, Order, Resources, State, Turn
    from modelworks.jobs._outbox import Outbox, Told
    from modelworks.jobs._queue import Capacity, Queue
    from modelworks.jobs._worker import JobWorker, Pace

_HOME = {
    "Agenda": "_agenda",
    "Attempt": "_attempt",
    "Chores": "_chores",
    "Claim": "_job",
    "Event": "_job",
    "Job": "_job",
    "JobWorker": "_worker",
    "NotOursError": "_attempt",
    "OVER": "_job",
    "Order": "_job",
    "Outbox": "_outbox",
    "PASSING": "_job",
    "Pace": "_worker",
    "Queue": "_queue",
    "Resources": "_job",
    "Capacity": "_queue",
    "State": "_job",
    "Told": "_outbox",
    "Turn": "_job",
}

__all__ = [
    "OVER",
    "PASSING",
    "Agenda",
    "Attempt",
    "Capacity",
    "Chores",
    "Claim",
    "Event",
    "Job",
    "JobWorker",
    "NotOursError",
    "Order",
    "Outbox",
    "Pace",
    "Queue",
    "Resources",
    "State",
    "Told",
    "Turn",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
