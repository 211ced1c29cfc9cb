"""Jobs: the queue, and one of them live; its log survives a reconnect, a restart of the server and a sleeping laptop.

Each line of a log is sent with the place after it, which a browser that comes back names (`Last-Event-ID`): it goes on
from there, whoever answers. What is sent is only what stands in files, so the page without scripts says the same.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from modelworks.errors import fail
from modelworks.jobs import OVER, Job, State
from modelworks.logs import stamp
from modelworks.runs import duration
from modelworks.study import JobLog, explain_job, log_in_words, took_in_words
from modelworks.website._connections import ENDLESS
from modelworks.website._house import Workspace
from modelworks.website._job_log import SaidSoFar
from modelworks.website._job_times import History, spent, usual_wait, waits
from modelworks.website._listening import listening
from modelworks.website._render import at, page
from modelworks.website.access.visits import Reader, Runner

router = APIRouter()

SHOWN = 100
LINES_SHOWN = 400
# Over how long it is said what jobs waited, and of how many of the latest at most.
SPANS = {"the last 24 hours": timedelta(days=1), "the last 7 days": timedelta(days=7)}
MOST_TURNS = 2000
# After so long a browser asks anew, and is asked again who it is.
LONGEST_SECONDS = 600.0
# A browser's own patience with a silent line, and a proxy's, is longer.
SIGN_OF_LIFE_SECONDS = 15.0
# More readers than this look again by themselves instead of being told.
MOST_STREAMS = 1000
_streams = 0


@router.get("/w/{workspace}/jobs")
def jobs(
    request: Request, visit: Reader, state: Literal["", "waiting", "running", "done", "failed", "cancelled"] = ""
) -> Response:
    """What is under way, what waits, and what is over."""
    queue = visit.workspace.queue
    states: tuple[State, ...] = (state,) if state else ("running", "waiting", *OVER)
    found = [job for each in states for job in queue.jobs((each,) if each not in OVER or state else OVER, SHOWN)]
    found = list({job.id: job for job in found}.values())[:SHOWN]
    now, counts = datetime.now(UTC), queue.counts()
    return page(
        request, "jobs.html.j2", jobs=found, state=state, counts=counts, workers=queue.workers(), note=note,
        spent=spent(found, now), usual_wait=usual_wait(found), history=_history(visit.workspace, counts, now),
    )  # fmt: skip


def _history(workspace: Workspace, counts: Mapping[str, int], now: datetime) -> History:
    """What jobs waited of late; looked for again when the number of some state is another, or a minute later."""

    def made() -> History:
        turns = workspace.queue.turns(stamp(now - max(SPANS.values())), MOST_TURNS)
        spans = {name: waits(turns, now - span, now) for name, span in SPANS.items()} if turns else {}
        return History(spans, len(turns) == MOST_TURNS)

    return workspace.remembered(("waits", tuple(sorted(counts.items())), now.replace(second=0, microsecond=0)), made)


@router.get("/w/{workspace}/jobs/{job_id}")
def job(request: Request, visit: Reader, job_id: str, search: str = "", line: int = 0) -> Response:
    """One job: how far it is, what it says, what happened to it and what can be done."""
    workspace = visit.workspace
    found = workspace.queue.get(job_id)
    log = SaidSoFar(JobLog.of(workspace.repository, found.id).read(), is_over=found.is_over)
    parts, hidden = log.shown(search, line, LINES_SHOWN)
    progress = told(log.progress) if log.progress is not None and found.state == "running" else None
    explained = explain_job(workspace.root, found.id)
    return page(
        request, "job.html.j2",
        job=found, log=log, parts=parts, hidden=hidden, search=search, line=line, progress=progress,
        said=explained.said.splitlines(), explained=explained,
        took=took_in_words(found), result=found.outcome.get("result") or {},
    )  # fmt: skip


def heard(event: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the log as a browser hears it: how far a step is, or words; of chains with how well they mix."""
    if event["event"] == "progress":
        return told(event)
    kind = event["event"]
    said = {"line": log_in_words(event), "mixing": kind == "mixing", "begun": kind == "begun"}
    return said | {name: event[name] for name in ("stage", "of", "kept", "time") if kind == "stage"}


def told(event: Mapping[str, Any]) -> dict[str, Any]:
    """How far a step is, as the page shows it."""
    total = event["total"]
    share = min(1.0, event["done"] / total) if total else None
    return {"step": event["step"], "share": share, "words": " · ".join(_how_far(event, share))}


def _how_far(event: Mapping[str, Any], share: float | None) -> list[str]:
    left, spent = event["left"], event["seconds"]
    time = f"about {duration(left)} left" if left is not None else f"{duration(spent)} so far"
    done = "" if share is None else f"{100 * share:.0f}%"
    return [word for word in (event["step"], done, time, event["note"]) if word]


def note(found: Job) -> str:
    """The last word on a job, in a list."""
    if found.is_over:
        run = (found.outcome.get("result") or {}).get("run")
        return f"run {run}" if run else str(found.outcome.get("text", "")).partition("\n")[0]
    if found.blocked:
        return f"waits for {found.blocked} others"
    return found.phase


@router.get("/w/{workspace}/jobs/{job_id}/log")
def log(visit: Reader, job_id: str) -> Response:
    """The whole log as a text, to be saved; it says what its times are, and of which day."""
    found = visit.workspace.queue.get(job_id)
    events = JobLog.of(visit.workspace.repository, found.id).read()
    lines = [f"{str(event['time'])[:10]} {log_in_words(event)}" for _, event in events]
    text = "".join(f"{line}\n" for line in (f"{found.title}, job {found.id}; times are in UTC", *lines))
    name = f'attachment; filename="{found.id}.log"'
    return Response(text, media_type="text/plain; charset=utf-8", headers={"Content-Disposition": name})


async def room() -> None:
    """Refuse whoever can not be told anything, before we ask who it is: of very many that alone would take long."""
    if _streams >= MOST_STREAMS:
        fail("W120", "too many people look on at once", hint="the page is renewed by itself")


@router.get("/w/{workspace}/jobs/{job_id}/events", dependencies=[Depends(room)])
async def events(request: Request, visit: Reader, job_id: str, place: str = "") -> Response:
    """What the job says from a place on, as it says it; ends with the job."""
    found = await run_in_threadpool(visit.workspace.queue.get, job_id)
    place = request.headers.get("last-event-id", place)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return _Live(_events(visit.workspace, found.id, place), media_type="text/event-stream", headers=headers)


class _Live(StreamingResponse):
    """An answer that counts for as long as it is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        global _streams
        # Of those who came at once, and were all let in above, many may have begun meanwhile.
        await room()
        _streams += 1
        scope.setdefault("state", {})[ENDLESS] = True
        try:
            await super().__call__(scope, receive, send)
        finally:
            _streams -= 1


async def _events(workspace: Workspace, job_id: str, place: str) -> AsyncIterator[str]:
    log, look, state = JobLog.of(workspace.repository, job_id), None, ""
    # Asked before the log is read: what is written last is then read too.
    ask = functools.partial(_seen, workspace, job_id, log)
    loop = asyncio.get_running_loop()
    began = loop.time()
    yield "retry: 2000\n\n"
    async with listening((workspace, job_id), ask, functools.partial(_said, log)) as job:
        while loop.time() - began < LONGEST_SECONDS:
            new = await job.next(look, SIGN_OF_LIFE_SECONDS)
            if new is None:
                yield ": still here\n\n"
                continue
            look, (is_now, is_over, _) = new, new.seen
            # A long log is read in pieces.
            while said := await look.after(place):
                for place, text in said:  # noqa: B007
                    yield text
            if is_now != state:
                state = is_now
                yield _event("state", {"state": state, "over": is_over}, place)
            if is_over:
                return


def _seen(workspace: Workspace, job_id: str, log: JobLog) -> tuple[str, bool, int]:
    """What there is something new to say of: a job's state, whether it is over, and the size of its log."""
    found = workspace.queue.get(job_id)
    return found.state, found.is_over, log.size()


def _said(log: JobLog, place: str) -> list[tuple[str, str]]:
    """What a log says after a place, as a browser hears it, each with the place after it."""
    return [(after, _event("said", heard(event), after)) for after, event in log.read(place)]


def _event(kind: str, data: Mapping[str, Any], place: str) -> str:
    return f"event: {kind}\nid: {place}\ndata: {json.dumps(data)}\n\n"


@router.post("/w/{workspace}/jobs/{job_id}/cancel")
def cancel(request: Request, visit: Runner, job_id: str) -> Response:
    """Take a job back."""
    found = visit.workspace.queue.get(job_id)
    with visit.deed(request, "cancelled", f"job {found.id}: {found.title}"):
        visit.workspace.queue.cancel(found.id, by=visit.person.title)
    return RedirectResponse(at(visit.workspace.name, "jobs", found.id), 303)


@router.post("/w/{workspace}/jobs/{job_id}/retry")
def retry(request: Request, visit: Runner, job_id: str) -> Response:
    """Let a job that failed or was cancelled begin anew."""
    found = visit.workspace.queue.get(job_id)
    with visit.deed(request, "retried", f"job {found.id}: {found.title}"):
        visit.workspace.queue.retry(found.id, by=visit.person.title)
    return RedirectResponse(at(visit.workspace.name, "jobs", found.id), 303)
