"""What was done last of all that is done again and again, so that each time is done once, by whichever worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sql

from modelworks.jobs._job import Order
from modelworks.jobs._queue import Queue
from modelworks.jobs._tables import AGENDA, EVENTS, JOBS

HANDED_OVER = "handed over"


class Agenda:
    """Marks by name in the database of a queue: how far each schedule has come.

    A mark moves and the jobs that follow from it are submitted in one transaction, so that a worker may be killed at
    any moment, and several may look at the same time.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def mark(self, name: str) -> str | None:
        """How far it has come; None where nobody has begun."""
        with self._queue.look() as connection:
            found: str | None = connection.execute(sql.select(AGENDA.c.mark).where(AGENDA.c.name == name)).scalar()
            return found

    def advance(self, name: str, before: str | None, after: str, orders: Sequence[Order] = ()) -> bool:
        """Move a mark and submit what follows; False, and nothing is done, where somebody else has moved it.

        A mark may move back, where a clock was wrong; a job that is there already by its id is not submitted again.
        """
        with self._queue.together() as connection:
            if connection.execute(sql.select(AGENDA.c.mark).where(AGENDA.c.name == name)).scalar() != before:
                return False
            _write(connection, name, after)
            known = sql.select(JOBS.c.id).where(JOBS.c.id.in_([each.id for each in orders]))
            there = set(connection.execute(known).scalars())
            self._queue.submit([each for each in orders if each.id not in there])
            return True

    def hand_over(self, job: str, orders: Sequence[Order], marks: Mapping[str, str] | None = None) -> list[str]:
        """Submit what a job makes and set marks, once, however often it is tried; gives the ids of what it made."""
        with self._queue.together() as connection:
            said = sql.select(EVENTS.c.text).where(EVENTS.c.job == job, EVENTS.c.what == HANDED_OVER)
            found = connection.execute(said).scalar()
            if found is not None:
                return str(found).split()
            for name, mark in (marks or {}).items():
                _write(connection, name, mark)
            ids = self._queue.submit(orders)
            self._queue.say(job, HANDED_OVER, " ".join(ids))
            return ids


def _write(connection: sql.Connection, name: str, mark: str) -> None:
    if connection.execute(sql.update(AGENDA).where(AGENDA.c.name == name).values(mark=mark)).rowcount == 0:
        connection.execute(sql.insert(AGENDA).values(name=name, mark=mark))
