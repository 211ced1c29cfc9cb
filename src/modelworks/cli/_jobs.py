"""Commands about jobs: hand a study over, look on, take it back, and ask what happened."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelworks.cli._words import json_option, next_step, say, show, show_json, table, values_option
from modelworks.errors import counted

if TYPE_CHECKING:
    from modelworks.jobs import Job, Queue

ROWS_SHOWN = 50
LOOK_SECONDS = 0.5
STAGES = ("simulate", "calibrate", "diagnose", "project", "report")


@click.command("submit")
@click.argument("study", required=False)
@click.option("--stage", type=click.Choice(STAGES), default="report", show_default=True, help="Up to which stage.")
@click.option("--change", "changes", multiple=True, metavar="TEXT", help="As `modelworks rerun` takes it.")
@values_option
@click.option("--executor", default="process", show_default=True, help="Who carries it out.")
@click.option("--priority", type=int, default=0, show_default=True, help="The higher, the sooner.")
@click.option("--cores", type=click.IntRange(1), help="Processor cores (one a chain, when left out).")
@click.option("--memory", "memory_gb", type=click.FloatRange(0.1), help="Memory in GB.")
@click.option("--minutes", type=click.FloatRange(0.1), help="The longest that one attempt may take.")
@json_option
def submit(
    study: str | None,
    stage: str,
    changes: Sequence[str],
    values: Sequence[str],
    executor: str,
    priority: int,
    cores: int | None,
    memory_gb: float | None,
    minutes: float | None,
    as_json: bool,
) -> None:
    """Hand a study over as it is now; what is edited afterwards is not seen by the job."""
    import dataclasses

    from modelworks.study import find_study, order_study, queue_around

    order = order_study(
        find_study(study), until=stage, changes=[*changes, *values], executor=executor, priority=priority
    )
    asked: dict[str, Any] = {
        "cores": cores,
        "memory_gb": memory_gb,
        "walltime_seconds": None if minutes is None else minutes * 60,
    }
    wanted = {name: value for name, value in asked.items() if value is not None}
    order = dataclasses.replace(order, resources=dataclasses.replace(order.resources, **wanted))
    with queue_around(Path.cwd()) as queue:
        (job,) = queue.submit([order])
        at_work = bool(queue.workers())
    if as_json:
        show_json({"job": job, "title": order.title})
        return
    show(job)
    say(f"submitted {order.title}" + ("" if at_work else "; no worker is there yet: modelworks worker"))
    next_step(f"modelworks watch {job}")


@click.command("jobs")
@click.option("--state", type=click.Choice(["waiting", "running", "done", "failed", "cancelled"]), multiple=True)
@click.option("--limit", type=click.IntRange(1), default=ROWS_SHOWN, show_default=True, help="How many to show.")
@json_option
def list_jobs(state: Sequence[Any], limit: int, as_json: bool) -> None:
    """The jobs of the repository, the latest first."""
    from modelworks.study import queue_around

    with queue_around(Path.cwd()) as queue:
        found = queue.jobs(state, limit)
        counts = queue.counts()
        workers = len(queue.workers())
    if as_json:
        show_json([_as_dict(job) for job in found])
        return
    header = ("job", "what", "state", "submitted", "by", "")
    table(header, [(j.id, j.title, j.state, _moment(j.submitted), j.order.by, _note(j)) for j in found])
    told = ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "no jobs yet"
    say(f"{told}; {counted(workers, 'worker')}")
    waiting = counts.get("waiting", 0) and not workers
    next_step("modelworks worker" if waiting else "modelworks watch JOB" if found else "modelworks submit STUDY")


def _as_dict(job: Job) -> dict[str, Any]:
    kept = ("id", "title", "state", "attempt", "phase", "outcome", "submitted", "started", "finished")
    return {**{name: getattr(job, name) for name in kept}, "by": job.order.by, "labels": job.order.labels}


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")


def _note(job: Job) -> str:
    if job.is_over:
        return _result(job)
    if job.blocked:
        return f"waits for {counted(job.blocked, 'job')}"
    return job.phase


def _result(job: Job) -> str:
    found = job.outcome.get("result") or {}
    said = str(job.outcome.get("text", "")).splitlines()
    return f"run {found['run']}" if found.get("run") else (said[0] if said else "")


@click.command("watch")
@click.argument("job", required=False)
@json_option
def watch(job: str | None, as_json: bool) -> None:
    """Look on until a job (the latest, when left out) is over: how far it is, and what it says.

    Leaving it does not end the job.
    """
    from modelworks.study import queue_around

    with queue_around(Path.cwd()) as queue:
        found = queue.get(job or _latest(queue))
        for event in _log_of(queue, found):
            show(json.dumps(event) if as_json else _in_words(event))
        found = queue.get(found.id)
    if not as_json:
        _tell(found)
    if found.state != "done":
        raise click.exceptions.Exit(1)


def _latest(queue: Queue) -> str:
    """The id of the job that was submitted last, or a letter that there is none."""
    return next((job.id for job in queue.jobs(limit=1)), "")


def _log_of(queue: Queue, job: Job) -> Iterator[dict[str, Any]]:
    """What every attempt of a job writes into its log, as it comes, until the job is over."""
    from modelworks.inputs.repository import Repository
    from modelworks.study import jobs_of

    home = jobs_of(Repository.around(Path.cwd())) / job.id
    read: dict[Path, int] = {}
    pause = threading.Event()
    while True:
        # Asked before the log is read: what is written last is then read too.
        over = queue.get(job.id).is_over
        for log in sorted(home.glob("attempt-*/log.jsonl")):
            yield from _new_lines(log, read)
        if over:
            return
        pause.wait(LOOK_SECONDS)


def _new_lines(log: Path, read: dict[Path, int]) -> Iterator[dict[str, Any]]:
    """Whole lines that were not read before."""
    with log.open("rb") as file:
        file.seek(read.get(log, 0))
        for line in file:
            if not line.endswith(b"\n"):
                return
            read[log] = read.get(log, 0) + len(line)
            yield json.loads(line)


def _in_words(event: dict[str, Any]) -> str:
    """A line of a job's log, for a person.

    >>> _in_words({"time": "2026-01-31T09:05:00Z", "event": "begun", "pid": 7, "host": "node3"})
    '09:05:00  begun, as process 7 of node3'
    >>> _in_words({"time": "2026-01-31T09:06:00Z", "event": "ended", "state": "done", "counts": True})
    '09:06:00  ended: done'
    """
    from modelworks.runs import progress_line

    moment = str(event["time"])[11:19]
    if event["event"] == "progress":
        parts = (event["step"], event["done"], event["total"], event["seconds"], event["left"], event["note"])
        return f"{moment}  {progress_line(*parts)}"
    if event["event"] == "said":
        return f"{moment}  {event['text']}"
    if event["event"] == "step":
        return f"{moment}  {event['step']}"
    if event["event"] == "begun":
        return f"{moment}  begun, as process {event['pid']} of {event['host']}"
    if event["event"] == "ended":
        late = "" if event["counts"] else "; too late to count, as the attempt had been given up"
        return f"{moment}  ended: {event['state']}{late}"
    rest = " ".join(f"{name}={value}" for name, value in event.items() if name not in ("time", "event"))
    return f"{moment}  {event['event']} {rest}"


def _tell(job: Job) -> None:
    """What came of a job that is over."""
    found = job.outcome.get("result") or {}
    if job.state == "done":
        if found.get("verdict"):
            show(f"{found['verdict']}: {(found.get('sentences') or [''])[0]}")
        if found.get("answer"):
            show(str(found["answer"]))
        next_step(f"modelworks show {found['run']}" if found.get("run") else "modelworks jobs")
        return
    say(f"{job.state}: {job.outcome.get('text', '')}")
    next_step(f"modelworks why {job.id}")


@click.command("why")
@click.argument("job", required=False)
def why(job: str | None) -> None:
    """What happened to a job (the latest, when left out), what was tried, and what to do."""
    from modelworks.study import explain_job, queue_around

    if job is None:
        with queue_around(Path.cwd()) as queue:
            job = _latest(queue)
    told = explain_job(Path.cwd(), job)
    show(told.text)
    next_step(told.next)


@click.command("cancel")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB…")
def cancel(jobs: Sequence[str]) -> None:
    """Take jobs back; one that runs is ended by its worker."""
    from modelworks.runs import person
    from modelworks.study import queue_around

    with queue_around(Path.cwd()) as queue:
        for each in jobs:
            found = queue.get(each)
            state = queue.cancel(found.id, by=person(Path.cwd()))
            say(f"{found.id} " + ("will be ended" if state == "running" else f"is {state}"))
    next_step("modelworks jobs")


@click.command("retry")
@click.argument("job")
def retry(job: str) -> None:
    """Let a job that failed or was cancelled begin anew, with all that failed for want of it."""
    from modelworks.runs import person
    from modelworks.study import queue_around

    with queue_around(Path.cwd()) as queue:
        found = queue.get(job)
        queue.retry(found.id, by=person(Path.cwd()))
    say(f"{found.id} waits again")
    next_step(f"modelworks watch {found.id}")


@click.command("worker")
@click.option("--cores", type=click.IntRange(1), help="Of this machine's cores, so many (all, when left out).")
@click.option("--memory", "memory_gb", type=click.FloatRange(0.1), help="Of its memory, so many GB (all).")
@click.option("--until-idle", is_flag=True, help="End when nothing waits and nothing runs.")
def worker(cores: int | None, memory_gb: float | None, until_idle: bool) -> None:
    """Carry out jobs, until interrupted. Jobs under way go on without it, and the next worker takes them over."""
    import signal

    from modelworks.study import worker_around

    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    say(f"a worker is here (process {os.getpid()}); Ctrl-C ends it, not its jobs")
    worker_around(Path.cwd(), cores=cores, memory_gb=memory_gb, say=say).run(over, until_idle=until_idle)
    next_step("modelworks jobs")


@click.command("work", hidden=True)
@click.argument("attempt", type=click.Path(exists=True, file_okay=False, path_type=Path))
def work(attempt: Path) -> None:
    """Carry out one attempt of a job; for executors."""
    from modelworks.study import carry_out, other_python

    python = other_python(attempt)
    if python is not None:
        os.execv(python, [str(python), "-m", "modelworks", "work", str(attempt)])
    carry_out(attempt)


COMMANDS = (submit, list_jobs, watch, why, cancel, retry, worker, work)
