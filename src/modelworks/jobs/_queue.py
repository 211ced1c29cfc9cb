"""The durable list of jobs. Every change is one transaction, and a worker's change counts only under its own claim.

A worker is alive as long as its row is there and its beat goes on. Who sees the beat of another stand still, by a
clock of its own that nobody can set, removes that row (`bury`): the jobs are then without an owner and are taken over.
A worker that was only frozen finds its row gone and its claims void.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sql

from modelworks.databases import answering, changing, open_database
from modelworks.errors import fail, near
from modelworks.jobs._job import OVER, Claim, Event, Job, Order, State, Turn
from modelworks.jobs._tables import (
    ABOUT,
    EDITION,
    EVENTS,
    JOBS,
    NEEDS,
    NOTICES,
    WORKERS,
    claim_of,
    job_of,
    row_of,
    schema,
)
from modelworks.logs import stamp, utc_now, without_secrets
from modelworks.processes import Process

# A lock of PostgreSQL that all who change the queue agree upon.
LOCK = 0x6D77_716A
LONGEST_BACKOFF_SECONDS = 600.0
CLEARED = "cleared away"
RETRIED = "retried"
# So many of those that could be next are looked at for some that fit; the others get their turn later.
LOOKED_AT = 100
# So many rows are read at once on the way back to a moment.
PORTION = 500


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as the others see it; `beat` grows as long as it is alive."""

    id: str
    name: str
    process: Process
    beat: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a worker can take on: names of executors, and cores and memory of its machine in all."""

    executors: Collection[str]
    cores: int
    memory_gb: float
    # Executors whose jobs run on the worker's own machine.
    local: Collection[str] = ("process", "inline")
    jobs: int = LOOKED_AT


class Queue:
    """The jobs in a database of SQLite or PostgreSQL; `url` is one of SQLAlchemy's.

    Raises
    ------
    ModelworksError
        J101 from every method, when the database does not answer.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._url = url
        self._clock = clock
        self._shared: sql.Connection | None = None
        self._said: list[dict[str, str]] = []
        with self._letters():
            self._engine = open_database(url, self, durable=True)
            self._make()

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # -- for those who ask for jobs ------------------------------------------------------------------

    def submit(self, orders: Sequence[Order]) -> list[str]:
        """Put all of these into the queue, or none; gives their ids."""
        now = self._now()
        with self._change() as connection:
            if orders:
                connection.execute(sql.insert(JOBS), [row_of(order, now) for order in orders])
                said = [
                    {"job": each.id, "time": now, "what": "submitted", "text": f"by {each.by}" if each.by else ""}
                    for each in orders
                ]
                connection.execute(sql.insert(EVENTS), said)
            for order in orders:
                self._bind(connection, order)
        return [order.id for order in orders]

    def begin(self, order: Order, worker: str, handle: str) -> Claim:
        """Put a job into the queue that this worker has taken on already, with the handle by which others find it."""
        with self._change() as connection:
            connection.execute(sql.insert(JOBS).values(row_of(order, self._now())))
            (claim,) = self._take(connection, [order.id], worker)
            self._set(connection, self._mine(claim), handle=handle)
            self._say(connection, order.id, "started", f"by {order.by}, who waits for it" if order.by else "")
            return claim

    def get(self, text: str) -> Job:
        """The job whose id begins with the text.

        Raises
        ------
        ModelworksError
            J102 where there is none or several.
        """
        wanted = text.strip().lower()
        with self.look() as connection:
            asked = sql.select(JOBS).where(JOBS.c.id.startswith(wanted, autoescape=True)).limit(2)
            found = connection.execute(asked).mappings().all() if wanted else []
            if len(found) == 1:
                return job_of(dict(found[0]))
            latest = sql.select(JOBS.c.id).order_by(JOBS.c.number.desc()).limit(50)
            ids = list(connection.execute(latest).scalars())
        if found:
            fail("J102", f"`{text}` fits several jobs", hint="give one more digit of the id: modelworks jobs")
        problem = f"no job is called `{text}`" if wanted else "there is no job"
        fail("J102", problem, hint=near(wanted, ids) if ids else "modelworks submit STUDY makes one")

    def jobs(
        self, states: Collection[State] = (), limit: int | None = None, said: Mapping[str, str] | None = None
    ) -> list[Job]:
        """Jobs, the latest first; of some states, or of all; whose orders say so, as in `{"by": "Ada"}`."""
        asked = sql.select(JOBS).order_by(JOBS.c.number.desc()).limit(limit)
        for name, value in (said or {}).items():
            # A text within the order's own would have its quotation marks escaped.
            written = json.dumps({name: value}, ensure_ascii=False)[1:-1]
            asked = asked.where(JOBS.c.order.contains(written, autoescape=True))
        with self.look() as connection:
            return [job_of(dict(row)) for row in connection.execute(_of(asked, states)).mappings()]

    def turns(self, since: str, limit: int) -> list[Turn]:
        """When those jobs came and began that were handed over since a moment (UTC), the latest first; no more than so
        many, however many there are."""
        needs = sql.exists().where(NEEDS.c.job == JOBS.c.id).label("needs")
        own = (JOBS.c.executor, JOBS.c.state, JOBS.c.submitted, JOBS.c.started, JOBS.c.finished)
        asked = sql.select(JOBS.c.number, *own, needs).order_by(JOBS.c.number.desc())
        found: list[Turn] = []
        with self.look() as connection:
            # What came when is no order of the table's, but they came in that of their numbers.
            while len(found) < limit:
                rows = connection.execute(asked.limit(min(PORTION, limit - len(found)))).all()
                found += [
                    Turn(row.executor, row.state, row.submitted, row.started, row.finished, bool(row.needs))
                    for row in rows
                    if row.submitted >= since
                ]
                if len(rows) < PORTION or rows[-1].submitted < since:
                    break
                asked = asked.where(JOBS.c.number < rows[-1].number)
        return found

    def counts(self) -> dict[str, int]:
        """How many jobs there are of each state."""
        asked = sql.select(JOBS.c.state, sql.func.count()).group_by(JOBS.c.state)
        with self.look() as connection:
            return {row[0]: row[1] for row in connection.execute(asked)}

    def events(self, job: str) -> list[Event]:
        """What happened to a job, in the order of time."""
        asked = sql.select(EVENTS.c.time, EVENTS.c.what, EVENTS.c.text).where(EVENTS.c.job == job)
        with self.look() as connection:
            return [Event(*row) for row in connection.execute(asked.order_by(EVENTS.c.number))]

    def retried(self, job: str) -> int:
        """How often somebody let a job begin anew."""
        asked = sql.select(sql.func.count()).where(EVENTS.c.job == job, EVENTS.c.what == RETRIED)
        with self.look() as connection:
            return int(connection.execute(asked).scalar_one())

    def cancel(self, job: str, by: str = "") -> State:
        """Wish a job away: one that waits is cancelled at once, one that runs as soon as its worker hears of it."""
        with self._change() as connection:
            state = self._state(connection, job)
            if state == "waiting":
                self._over(
                    connection, job, "cancelled", {"reason": "cancelled", "text": f"cancelled by {by or 'hand'}"}
                )
            elif state == "running":
                self._set(connection, [JOBS.c.id == job], wish="cancel")
                self._say(connection, job, "wish", f"to be cancelled, by {by or 'hand'}")
            return self._state(connection, job)

    def retry(self, job: str, by: str = "") -> None:
        """Let a job that failed or was cancelled begin anew, and with it those that failed for want of it.

        Raises
        ------
        ModelworksError
            J103 where it is neither.
        """
        with self._change() as connection:
            state = self._state(connection, job)
            if state not in ("failed", "cancelled"):
                fail("J103", f"the job {job} is {state}", hint="only a job that failed or was cancelled can be retried")
            gone = sql.select(EVENTS.c.number).where(EVENTS.c.job == job, EVENTS.c.what == CLEARED).limit(1)
            if connection.execute(gone).first() is not None:
                hint = "submit its study again"
                fail("J103", f"what the job {job} was carried out with has been cleared away", hint=hint)
            self._revive(connection, job, f"retried by {by or 'hand'}")

    def clear(self, job: str) -> None:
        """What a job that is over has left behind is about to be removed: it can not be retried any more."""
        with self._change() as connection:
            found = connection.execute(sql.select(JOBS.c.state).where(JOBS.c.id == job)).scalar()
            if found in OVER:
                self._say(connection, job, CLEARED, "its attempts, and what it was pinned with")

    # -- for workers ---------------------------------------------------------------------------------

    def enter(self, name: str) -> str:
        """A new worker, which is this process; gives its id."""
        worker, me = secrets.token_hex(8), Process.current()
        row = {"id": worker, "name": name, "beat": 0, "since": self._now()}
        with self._change() as connection:
            connection.execute(sql.insert(WORKERS).values(**row, place=me.place, pid=me.pid, started=me.started))
        return worker

    def leave(self, worker: str) -> None:
        """The worker is no more; what it still owns goes to others."""
        with self._change() as connection:
            connection.execute(sql.delete(WORKERS).where(WORKERS.c.id == worker))

    def beat(self, worker: str) -> bool:
        """I am alive; False where the others have given me up meanwhile."""
        with self._change() as connection:
            asked = sql.update(WORKERS).where(WORKERS.c.id == worker).values(beat=WORKERS.c.beat + 1)
            return connection.execute(asked).rowcount == 1

    def workers(self) -> list[Worker]:
        """All workers that were not given up."""
        with self.look() as connection:
            return [
                Worker(row.id, row.name, Process(row.place, row.pid, row.started), row.beat)
                for row in connection.execute(sql.select(WORKERS).order_by(WORKERS.c.since, WORKERS.c.id))
            ]

    def bury(self, worker: Worker) -> bool:
        """Give up a worker, unless its beat went on since it was seen."""
        with self._change() as connection:
            same = (WORKERS.c.id == worker.id, WORKERS.c.beat == worker.beat)
            return connection.execute(sql.delete(WORKERS).where(*same)).rowcount == 1

    def adopt(self, worker: str, capacity: Capacity) -> list[Claim]:
        """Take over the running jobs whose worker is no more."""
        orphaned = (
            JOBS.c.state == "running",
            JOBS.c.executor.in_(capacity.executors),
            JOBS.c.owner.not_in(sql.select(WORKERS.c.id)),
        )
        with self.look() as connection:
            if connection.execute(sql.select(JOBS.c.id).where(*orphaned).limit(1)).first() is None:
                return []
        with self._change() as connection:
            found = connection.execute(sql.select(JOBS).where(*orphaned)).mappings().all()
            claims = []
            for row in found:
                taken = {"owner": worker, "token": row["token"] + 1}
                self._set(connection, [JOBS.c.id == row["id"]], **taken)
                self._say(connection, row["id"], "taken over", "its worker is no more")
                claims.append(claim_of({**row, **taken}))
            return claims

    def claim(self, worker: str, capacity: Capacity) -> list[Claim]:
        """Take on waiting jobs, the most urgent first and then in their order, as far as the machine has room."""
        if self._shared is None:
            # Whoever finds nothing does not keep others from the queue.
            with self.look() as connection:
                if not self._fitting(connection, worker, capacity):
                    return []
        with self._change() as connection:
            return self._take(connection, self._fitting(connection, worker, capacity), worker)

    def note(self, claim: Claim, *, handle: str | None = None, phase: str | None = None) -> bool:
        """Remember what the executor said; False, and nothing changes, where the claim is void."""
        said = {
            name: value
            for name, value in (("handle", handle), ("phase", phase and without_secrets(phase)))
            if value is not None
        }
        with self._change() as connection:
            changed = self._set(connection, self._mine(claim), **said)
            if changed and handle is not None:
                self._say(connection, claim.job, "started", f"attempt {claim.attempt}: {handle}")
            return changed

    @contextlib.contextmanager
    def together(self) -> Iterator[sql.Connection]:
        """What is said in the block counts whole or not at all: one transaction."""
        with self._change() as connection:
            around, self._shared = self._shared, connection
            try:
                yield connection
                if around is None:
                    self._write_events(connection)
            finally:
                self._shared = around
                if around is None:
                    self._said.clear()

    def wishes(self, worker: str) -> set[str]:
        """Those of a worker's jobs that are to be cancelled."""
        with self.look() as connection:
            asked = sql.select(JOBS.c.id).where(JOBS.c.owner == worker, JOBS.c.wish == "cancel")
            return set(connection.execute(asked).scalars())

    def finish(self, claim: Claim, state: State, outcome: Mapping[str, Any]) -> bool:
        """The job is over; False, and nothing changes, where the claim is void."""
        with self._change() as connection:
            return self._over(connection, claim.job, state, outcome, self._mine(claim))

    def again(self, claim: Claim, reason: str, text: str, delay_seconds: float, *, counts: bool = True) -> bool:
        """The attempt came to nothing, but another may not; False, and nothing changes, where the claim is void."""
        later = time.time() + min(delay_seconds, LONGEST_BACKOFF_SECONDS)
        extra = {} if counts else {"allowed": JOBS.c.allowed + 1}
        with self._change() as connection:
            free = {"state": "waiting", "owner": None, "handle": None, "phase": "", "not_before": later}
            if not self._set(connection, self._mine(claim), **free, **extra):
                return False
            self._say(connection, claim.job, reason, f"{text}; tried again in {delay_seconds:.0f} s")
            return True

    # -- how -----------------------------------------------------------------------------------------

    def _next(self, capacity: Capacity) -> Any:
        """Jobs that could begin now, in the order in which they should.

        A moment further away than any backoff is no backoff: somebody has set the clock.
        """
        now = time.time()
        due = sql.or_(JOBS.c.not_before <= now, JOBS.c.not_before > now + LONGEST_BACKOFF_SECONDS)
        ready = (JOBS.c.state == "waiting", JOBS.c.blocked == 0, due, JOBS.c.executor.in_(capacity.executors))
        wanted = (JOBS.c.id, JOBS.c.executor, JOBS.c.cores, JOBS.c.memory_gb)
        return sql.select(*wanted).where(*ready).order_by(JOBS.c.priority.desc(), JOBS.c.number)

    def _fitting(self, connection: sql.Connection, worker: str, capacity: Capacity) -> list[str]:
        """Those of the jobs that could begin now for which the worker has room; none where it was given up."""
        room = self._room(connection, worker, capacity) if capacity.jobs > 0 else None
        if room is None:
            return []
        cores, memory = room
        # A job of this machine takes a core.
        if cores < 1 and set(capacity.executors) <= set(capacity.local):
            return []
        chosen: list[str] = []
        for row in connection.execute(self._next(capacity).limit(LOOKED_AT)).all():
            if row.executor in capacity.local:
                if row.cores > cores or row.memory_gb > memory:
                    continue
                cores, memory = cores - row.cores, memory - row.memory_gb
            chosen.append(row.id)
            if len(chosen) == capacity.jobs:
                break
        return chosen

    def _room(self, connection: sql.Connection, worker: str, capacity: Capacity) -> tuple[int, float] | None:
        """Cores and memory of the worker's machine that no job of any worker there has; None for who was given up."""
        place = sql.select(WORKERS.c.place).where(WORKERS.c.id == worker).scalar_subquery()
        there = sql.select(WORKERS.c.id).where(WORKERS.c.place == place)
        used = sql.select(place, sql.func.sum(JOBS.c.cores), sql.func.sum(JOBS.c.memory_gb)).where(
            JOBS.c.state == "running", JOBS.c.owner.in_(there), JOBS.c.executor.in_(capacity.local)
        )
        known, cores, memory = connection.execute(used).one()
        return None if known is None else (capacity.cores - (cores or 0), capacity.memory_gb - (memory or 0.0))

    def _take(self, connection: sql.Connection, jobs: Sequence[str], worker: str) -> list[Claim]:
        """The right to carry these out, in their order."""
        if not jobs:
            return []
        these = JOBS.c.id.in_(jobs)
        began = sql.case((JOBS.c.started == "", self._now()), else_=JOBS.c.started)
        more = {"token": JOBS.c.token + 1, "attempt": JOBS.c.attempt + 1, "started": began}
        taking = sql.update(JOBS).where(these).values(owner=worker, state="running", handle=None, **more)
        # All in one: each question to a server takes a moment in which no other worker says anything.
        if connection.dialect.name == "sqlite":
            connection.execute(taking)
            taken = connection.execute(sql.select(JOBS).where(these))
        else:
            taken = connection.execute(taking.returning(JOBS))
        rows = {row["id"]: row for row in taken.mappings()}
        return [claim_of(dict(rows[job])) for job in jobs]

    def _mine(self, claim: Claim) -> list[Any]:
        return [
            JOBS.c.id == claim.job, JOBS.c.owner == claim.owner, JOBS.c.token == claim.token,
            JOBS.c.state == "running",
        ]  # fmt: skip

    def _state(self, connection: sql.Connection, job: str) -> State:
        state: State = connection.execute(sql.select(JOBS.c.state).where(JOBS.c.id == job)).scalar_one()
        return state

    def _set(self, connection: sql.Connection, conditions: list[Any], **values: Any) -> bool:
        return connection.execute(sql.update(JOBS).where(*conditions).values(**values)).rowcount == 1

    def _over(
        self,
        connection: sql.Connection,
        job: str,
        state: State,
        outcome: Mapping[str, Any],
        conditions: Sequence[Any] = (),
    ) -> bool:
        """The end of a job, and what it means for those that wait for it; False where the conditions do not hold."""
        told = without_secrets(json.dumps(outcome, ensure_ascii=False))
        said = {"outcome": told, "owner": None, "wish": "", "phase": ""}
        where = [JOBS.c.id == job, *conditions]
        if not self._set(connection, where, state=state, finished=self._now(), **said):
            return False
        self._say(connection, job, state, str(outcome.get("text", "")))
        waiting = sql.select(NEEDS).where(NEEDS.c.needs == job, NEEDS.c.met == 0)
        for need in connection.execute(waiting).all():
            if need.done and state != "done":
                if self._state(connection, need.job) == "waiting":
                    why = {"reason": "needed", "needs": job, "text": f"it needs the job {job}, which {_came_to(state)}"}
                    self._over(connection, need.job, "failed", why)
                continue
            self._meet(connection, need.job, job)
        return True

    def _meet(self, connection: sql.Connection, job: str, needs: str) -> None:
        same = (NEEDS.c.job == job, NEEDS.c.needs == needs)
        connection.execute(sql.update(NEEDS).where(*same).values(met=1))
        self._set(connection, [JOBS.c.id == job], blocked=JOBS.c.blocked - 1)

    def _bind(self, connection: sql.Connection, order: Order) -> None:
        """Remember what a new job waits for; what is over already is met, or never will be."""
        for needs in dict.fromkeys([*order.needs, *order.after]):
            done = needs in order.needs
            known = connection.execute(sql.select(JOBS.c.state).where(JOBS.c.id == needs)).scalar()
            if known is None:
                fail("J102", f"no job is called `{needs}`, which `{order.title}` waits for", hint="modelworks jobs")
            row = {"job": order.id, "needs": needs, "done": int(done), "met": 0}
            connection.execute(sql.insert(NEEDS).values(row))
            if known == "done" or (not done and known in OVER):
                self._meet(connection, order.id, needs)
            elif known in OVER:
                fail(
                    "J103",
                    f"the job {needs}, which `{order.title}` needs, {_came_to(known)}",
                    hint=f"modelworks retry {needs}",
                )

    def _revive(self, connection: sql.Connection, job: str, text: str) -> None:
        """Back into the queue with as many attempts as at first, and so on with those that failed for want of it."""
        row = connection.execute(sql.select(JOBS).where(JOBS.c.id == job)).mappings().one()
        allowed = row["attempt"] + job_of(dict(row)).order.attempts
        fresh = {"state": "waiting", "allowed": allowed, "not_before": 0.0, "outcome": "{}", "finished": ""}
        self._set(connection, [JOBS.c.id == job], **fresh)
        self._say(connection, job, RETRIED, text)
        failed = sql.select(JOBS.c.id, JOBS.c.outcome).where(
            JOBS.c.id.in_(sql.select(NEEDS.c.job).where(NEEDS.c.needs == job)), JOBS.c.state == "failed"
        )
        for each in connection.execute(failed).all():
            if json.loads(each.outcome).get("needs") == job:
                self._revive(connection, each.id, f"the job {job} was retried")

    def say(self, job: str, what: str, text: str) -> None:
        """Something happened to a job."""
        with self._change() as connection:
            self._say(connection, job, what, text)

    def _say(self, connection: sql.Connection, job: str, what: str, text: str) -> None:
        self._said.append({"job": job, "time": self._now(), "what": what, "text": without_secrets(text)})
        if self._shared is None:
            self._write_events(connection)

    def _write_events(self, connection: sql.Connection) -> None:
        """What was said in this transaction, at once: a server is asked once for all of it."""
        said, self._said = self._said, []
        if said:
            connection.execute(sql.insert(EVENTS), said)

    def _now(self) -> str:
        return stamp(self._clock())

    def _make(self) -> None:
        """The tables, of this edition."""
        with self._engine.connect() as connection:
            inspector = sql.inspect(connection)
            # Tables that came later are made where the others are there already.
            if inspector.has_table(ABOUT.name) and inspector.has_table(NOTICES.name):
                edition = connection.execute(sql.select(ABOUT.c.value).where(ABOUT.c.name == "edition")).scalar()
                if edition == str(EDITION):
                    return
        with changing(self._engine, LOCK) as connection:
            schema.create_all(connection)
            found = connection.execute(sql.select(ABOUT.c.value).where(ABOUT.c.name == "edition")).scalar()
            if found is None:
                connection.execute(sql.insert(ABOUT).values(name="edition", value=str(EDITION)))
            elif found != str(EDITION):
                fail(
                    "J104",
                    f"the queue is of edition {found}, and this modelworks reads edition {EDITION}",
                    hint="let the modelworks that made it finish its jobs, or give the queue a new place",
                )

    @contextlib.contextmanager
    def look(self) -> Iterator[sql.Connection]:
        """A connection that changes nothing; for what this room keeps in tables of its own."""
        if self._shared is not None:
            yield self._shared
            return
        with self._letters(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def _change(self) -> Iterator[sql.Connection]:
        if self._shared is not None:
            yield self._shared
            return
        with self._letters(), changing(self._engine, LOCK) as connection:
            yield connection

    def _letters(self) -> contextlib.AbstractContextManager[None]:
        hint = "see whether its server runs, who may use it, and whether its disk is full; nothing in it is lost"
        return answering(self._url, "J101", "the queue of jobs", hint)


def _of(asked: Any, states: Collection[State]) -> Any:
    return asked.where(JOBS.c.state.in_(states)) if states else asked


def _came_to(state: str) -> str:
    return {"failed": "failed", "cancelled": "was cancelled"}.get(state, f"is {state}")
