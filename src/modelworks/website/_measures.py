"""What Prometheus may know: jobs, workers and runs of each workspace, and how long this process takes to answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelworks.runs import Wanted
from modelworks.website._house import Workspace, house
from modelworks.website.access.people import Role
from modelworks.website.access.visits import memberships

router = APIRouter()

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Measures:
    """How long the answers of this process took, by route: there are few of those, and of addresses any number."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("process", "method", "route", "status")
        about = "Seconds from a request to the last byte of its answer"
        self._seconds = Histogram("modelworks_answer_seconds", about, labels, registry=self.registry, buckets=BUCKETS)
        self.registry.register(_OfProcess())

    def saw(self, method: str, route: str, status: int, seconds: float) -> None:
        # Of several processes behind one address one or the other answers: each counts under its own number.
        self._seconds.labels(str(os.getpid()), method, route, str(status)).observe(seconds)


class _OfProcess(Collector):
    """What a process takes of the machine, under its number: the processor time of two in one line would go up and down
    with which of them answers, and mean nothing."""

    def __init__(self) -> None:
        self._own = ProcessCollector(registry=None)

    def collect(self) -> Iterator[Metric]:
        for each in self._own.collect():
            labelled = [one._replace(labels={**one.labels, "process": str(os.getpid())}) for one in each.samples]
            each.samples = labelled
            yield each


class Measured:
    """Takes the time of every answer."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app, self._measures = app, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, heard)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            # A method is whatever a stranger writes.
            method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "DELETE") else "other"
            self._measures.saw(method, route, status, time.perf_counter() - began)


class _OfWorkspaces(Collector):
    """Counts that are asked of the databases when somebody wants to know."""

    def __init__(self, workspaces: Iterable[Workspace]) -> None:
        self._workspaces = tuple(workspaces)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("modelworks_jobs", "Jobs by state", labels=("workspace", "state"))
        workers = GaugeMetricFamily("modelworks_workers", "Workers that are alive", labels=("workspace",))
        runs = GaugeMetricFamily("modelworks_runs", "Recorded runs", labels=("workspace",))
        approved = GaugeMetricFamily("modelworks_approved_runs", "Runs stood behind now", labels=("workspace",))
        for each in self._workspaces:
            counts = each.queue.counts()
            for state in ("waiting", "running", "done", "failed", "cancelled"):
                jobs.add_metric((each.name, state), counts.get(state, 0))
            workers.add_metric((each.name,), len(each.queue.workers()))
            runs.add_metric((each.name,), each.index.select(Wanted(limit=1)).total)
            approved.add_metric((each.name,), len(each.index.select(Wanted(approved=True)).rows))
        yield from (jobs, workers, runs, approved)


@router.get("/metrics")
def metrics(request: Request, mine: Annotated[Mapping[str, Role], Depends(memberships)]) -> Response:
    """The workspaces somebody belongs to in Prometheus' own form; for an admin of one also how the server does."""
    registry = CollectorRegistry()
    registry.register(_OfWorkspaces(house(request).workspaces[name] for name in mine))
    text = generate_latest(registry)
    if "admin" in mine.values():
        text += generate_latest(request.app.state.measures.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
