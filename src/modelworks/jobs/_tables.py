"""The tables of the queue, the same in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sql

from modelworks.jobs._job import Claim, Job, Order, Resources

EDITION = 1

schema = sql.MetaData()
_TEXT, _NUMBER = sql.Text(), sql.Float(53)

JOBS = sql.Table(
    "modelworks_jobs",
    schema,
    sql.Column("number", sql.Integer(), primary_key=True, autoincrement=True),
    sql.Column("id", _TEXT, nullable=False, unique=True),
    sql.Column("title", _TEXT, nullable=False),
    sql.Column("state", _TEXT, nullable=False),
    sql.Column("executor", _TEXT, nullable=False),
    sql.Column("priority", sql.Integer(), nullable=False),
    sql.Column("cores", sql.Integer(), nullable=False),
    sql.Column("memory_gb", _NUMBER, nullable=False),
    sql.Column("order", _TEXT, nullable=False),
    sql.Column("blocked", sql.Integer(), nullable=False),
    sql.Column("attempt", sql.Integer(), nullable=False),
    sql.Column("allowed", sql.Integer(), nullable=False),
    sql.Column("not_before", _NUMBER, nullable=False),
    sql.Column("owner", _TEXT),
    sql.Column("token", sql.Integer(), nullable=False),
    sql.Column("handle", _TEXT),
    sql.Column("phase", _TEXT, nullable=False),
    sql.Column("wish", _TEXT, nullable=False),
    sql.Column("outcome", _TEXT, nullable=False),
    sql.Column("submitted", _TEXT, nullable=False),
    sql.Column("started", _TEXT, nullable=False),
    sql.Column("finished", _TEXT, nullable=False),
)
NEEDS = sql.Table(
    "modelworks_needs",
    schema,
    sql.Column("job", _TEXT, primary_key=True),
    sql.Column("needs", _TEXT, primary_key=True),
    # 1 where it has to be done, 0 where it has only to be over.
    sql.Column("done", sql.Integer(), nullable=False),
    sql.Column("met", sql.Integer(), nullable=False),
)
WORKERS = sql.Table(
    "modelworks_workers",
    schema,
    sql.Column("id", _TEXT, primary_key=True),
    sql.Column("name", _TEXT, nullable=False),
    sql.Column("place", _TEXT, nullable=False),
    sql.Column("pid", sql.BigInteger(), nullable=False),
    sql.Column("started", sql.BigInteger(), nullable=False),
    sql.Column("beat", sql.BigInteger(), nullable=False),
    sql.Column("since", _TEXT, nullable=False),
)
EVENTS = sql.Table(
    "modelworks_job_events",
    schema,
    sql.Column("number", sql.Integer(), primary_key=True, autoincrement=True),
    sql.Column("job", _TEXT, nullable=False),
    sql.Column("time", _TEXT, nullable=False),
    sql.Column("what", _TEXT, nullable=False),
    sql.Column("text", _TEXT, nullable=False),
)
AGENDA = sql.Table(
    "modelworks_agenda",
    schema,
    sql.Column("name", _TEXT, primary_key=True),
    sql.Column("mark", _TEXT, nullable=False),
)
NOTICES = sql.Table(
    "modelworks_notices",
    schema,
    sql.Column("number", sql.Integer(), primary_key=True, autoincrement=True),
    sql.Column("id", _TEXT, nullable=False),
    sql.Column("channel", _TEXT, nullable=False),
    sql.Column("notice", _TEXT, nullable=False),
    sql.Column("state", _TEXT, nullable=False),
    sql.Column("tries", sql.Integer(), nullable=False),
    sql.Column("not_before", _NUMBER, nullable=False),
    sql.Column("text", _TEXT, nullable=False),
)
ABOUT = sql.Table(
    "modelworks_queue",
    schema,
    sql.Column("name", _TEXT, primary_key=True),
    sql.Column("value", _TEXT, nullable=False),
)

# Whoever looks for the next job reads the head of this, however many wait.
sql.Index("modelworks_jobs_next", JOBS.c.state, JOBS.c.blocked, JOBS.c.priority.desc(), JOBS.c.number)
sql.Index("modelworks_jobs_owned", JOBS.c.owner)
sql.Index("modelworks_needs_of", NEEDS.c.needs)
sql.Index("modelworks_job_events_of", EVENTS.c.job)
sql.Index("modelworks_notices_next", NOTICES.c.state, NOTICES.c.channel)


def row_of(order: Order, now: str) -> dict[str, Any]:
    """A new job, as its row."""
    return {
        "id": order.id,
        "title": order.title,
        "state": "waiting",
        "executor": order.executor,
        "priority": order.priority,
        "cores": order.resources.cores,
        "memory_gb": order.resources.memory_gb,
        "order": json.dumps(asdict(order), ensure_ascii=False),
        "blocked": len({*order.needs, *order.after}),
        "attempt": 0,
        "allowed": order.attempts,
        "not_before": 0.0,
        "token": 0,
        "phase": "",
        "wish": "",
        "outcome": "{}",
        "submitted": now,
        "started": "",
        "finished": "",
    }


def order_of(text: str) -> Order:
    said: dict[str, Any] = json.loads(text)
    return Order(**{**said, "resources": Resources(**said["resources"])})


def job_of(row: Mapping[str, Any]) -> Job:
    kept = {name: row[name] for name in Job.__dataclass_fields__ if name not in ("order", "outcome")}
    return Job(**kept, order=order_of(row["order"]), outcome=json.loads(row["outcome"]))


def claim_of(row: Mapping[str, Any]) -> Claim:
    kept = {name: row[name] for name in ("owner", "token", "attempt", "allowed", "handle")}
    return Claim(row["id"], **kept, order=order_of(row["order"]), cancelled=row["wish"] == "cancel")
