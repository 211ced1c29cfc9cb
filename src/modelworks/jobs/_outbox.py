"""What is to be told of jobs that ended, kept until somebody has taken it.

The ends of jobs are in the queue's list of events. Who reads them moves a mark and writes what is to be told in one
transaction, so that nothing is told twice or forgotten, whoever is killed. What is being told is out of others' hands
for a while; a worker that is killed meanwhile leaves it to the next, who may then tell it again, under the same id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sql

from modelworks.errors import ModelworksError
from modelworks.jobs._agenda import Agenda
from modelworks.jobs._job import OVER, Job
from modelworks.jobs._queue import Queue
from modelworks.jobs._tables import EVENTS, NOTICES
from modelworks.jobs.channels import Channel, Notice

MARK = "notices"
# Who tells has so long for it before it is anybody's again.
TELLING_SECONDS = 300.0
# Twice as long after each time that it was not taken, and given up after a day or so.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, TRIES = 15.0, 3600.0, 30


@dataclass(frozen=True, slots=True)
class Told:
    """How it stands with something to be told: `waiting`, `sent` or `given up`; `text` is what went wrong last."""

    id: str
    channel: str
    subject: str
    state: str
    tries: int
    text: str


class Outbox:
    """The notices in the database of a queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue, self._agenda = queue, Agenda(queue)

    def collect(self, channels: Collection[str], words: Callable[[Sequence[Job]], Notice | None]) -> None:
        """Write down, for each channel, what there is to tell of jobs that ended since the last look.

        `words` is given one job, or all of a batch once all are over; None where nobody wants to hear of it. What
        ended before the first look is not told.
        """
        mark, latest = self._agenda.mark(MARK), self._latest()
        if mark is None:
            self._agenda.advance(MARK, None, str(latest))
            return
        if latest == int(mark):
            return
        with self._queue.together() as connection:
            notices = [each for jobs in self._ended(connection, int(mark), latest) if (each := words(jobs))]
            self._write(connection, MARK, (mark, str(latest)), channels, notices)

    def write(
        self, mark: str, before: str | None, after: str, channels: Collection[str], notices: Sequence[Notice]
    ) -> None:
        """Write down, for each channel, what followed since a mark of its own, which moves; nothing where it has moved.

        So whoever looks at what is no job writes it down once, as `collect` does of jobs.
        """
        with self._queue.together() as connection:
            self._write(connection, mark, (before, after), channels, notices)

    def _write(
        self,
        connection: sql.Connection,
        mark: str,
        moved: tuple[str | None, str],
        channels: Collection[str],
        notices: Sequence[Notice],
    ) -> None:
        if not self._agenda.advance(mark, *moved):
            return
        for notice in notices:
            kept = {"id": notice.id, "notice": json.dumps(notice.as_dict(), ensure_ascii=False), "text": ""}
            for channel in channels:
                row = {**kept, "channel": channel, "state": "waiting", "tries": 0, "not_before": 0.0}
                connection.execute(sql.insert(NOTICES).values(row))

    def deliver(self, channels: Mapping[str, Channel]) -> None:
        """Tell all that is to be told now.

        Raises
        ------
        ModelworksError
            What the last channel that took nothing said; it is tried again later.
        """
        failed: ModelworksError | None = None
        for row in self._due(channels):
            if not self._take(row.number, row.tries):
                continue
            try:
                channels[row.channel].send(Notice(**json.loads(row.notice)))
            except ModelworksError as error:
                failed = error
                self._not_taken(row.number, row.tries + 1, error)
            else:
                self._set(row.number, state="sent", text="")
        if failed is not None:
            raise failed

    def told(self, limit: int = 50) -> list[Told]:
        """How it stands with what was to be told, the latest first."""
        with self._queue.look() as connection:
            rows = connection.execute(sql.select(NOTICES).order_by(NOTICES.c.number.desc()).limit(limit)).all()
        return [
            Told(row.id, row.channel, json.loads(row.notice)["subject"], row.state, row.tries, row.text) for row in rows
        ]

    def _latest(self) -> int:
        with self._queue.look() as connection:
            return connection.execute(sql.select(sql.func.max(EVENTS.c.number))).scalar() or 0

    def _ended(self, connection: sql.Connection, after: int, until: int) -> Iterator[Sequence[Job]]:
        """The jobs that ended, in their order; those of a batch together, once the last of them has ended."""
        asked = sql.select(EVENTS.c.job).where(
            EVENTS.c.number > after, EVENTS.c.number <= until, EVENTS.c.what.in_(OVER)
        )
        last = dict.fromkeys(connection.execute(asked.order_by(EVENTS.c.number)).scalars())
        batches: set[str] = set()
        for each in last:
            job = self._queue.get(each)
            batch = job.order.labels.get("batch")
            if not job.is_over or batch in batches:
                continue  # it was retried since, or is told of already
            if batch is None:
                yield [job]
                continue
            batches.add(batch)
            jobs = self._queue.jobs(said={"batch": batch})
            if all(one.is_over for one in jobs):
                yield jobs

    def _due(self, channels: Collection[str]) -> Sequence[sql.Row[tuple[object, ...]]]:
        # A moment further away than any pause is no pause: somebody has set the clock.
        now = time.time()
        due = sql.or_(NOTICES.c.not_before <= now, NOTICES.c.not_before > now + LONGEST_PAUSE_SECONDS)
        wanted = (NOTICES.c.state == "waiting", NOTICES.c.channel.in_(channels), due)
        with self._queue.look() as connection:
            return connection.execute(sql.select(NOTICES).where(*wanted).order_by(NOTICES.c.number)).all()

    def _take(self, number: int, tries: int) -> bool:
        """Whether it is ours to tell."""
        with self._queue.together() as connection:
            same = (NOTICES.c.number == number, NOTICES.c.tries == tries, NOTICES.c.state == "waiting")
            later = {"tries": tries + 1, "not_before": time.time() + TELLING_SECONDS}
            return connection.execute(sql.update(NOTICES).where(*same).values(later)).rowcount == 1

    def _not_taken(self, number: int, tries: int, error: ModelworksError) -> None:
        pause = min(FIRST_PAUSE_SECONDS * 2.0**tries, LONGEST_PAUSE_SECONDS)
        state = "waiting" if tries < TRIES else "given up"
        self._set(number, state=state, not_before=time.time() + pause, text=str(error.letters[0]))

    def _set(self, number: int, **values: object) -> None:
        with self._queue.together() as connection:
            connection.execute(sql.update(NOTICES).where(NOTICES.c.number == number).values(values))
