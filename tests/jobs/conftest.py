"""Queues in real databases, and small commands to be carried out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from modelworks.jobs import Capacity, JobWorker, Pace, Queue
from modelworks.jobs.executors.process import ProcessExecutor

SOON = Pace(lease=1.0, backoff=0.01, poll=0.01)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.slow, pytest.mark.needs("postgres")])])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/queue.sqlite"
    return _new_database(str(request.getfixturevalue("postgres_url")))


def _new_database(server: str) -> str:
    """A database of its own on a server that others use too."""
    name = f"jobs_{secrets.token_hex(6)}"
    engine = sql.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return sql.make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def queue(queue_url: str) -> Iterator[Queue]:
    with Queue(queue_url) as opened:
        yield opened


@pytest.fixture
def make_worker(queue: Queue, tmp_path: Path) -> Callable[..., JobWorker]:
    def make(cores: int = 4, memory_gb: float = 8.0, **more: Any) -> JobWorker:
        capacity = Capacity(("process",), cores, memory_gb)
        executors = {"process": ProcessExecutor(grace_seconds=0.5)}
        return JobWorker(queue, tmp_path / "jobs", executors, capacity, **{"pace": SOON, **more})

    return make
