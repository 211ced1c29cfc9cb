"""Commands about jobs: hand a study over, look on, take it back, and ask what happened."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelworks.cli._retention import in_bytes
from modelworks.cli._words import json_option, next_step, say, show, show_json, table, values_option
from modelworks.errors import counted

if TYPE_CHECKING:
    from modelworks.jobs import Job, Order, Queue

ROWS_SHOWN = 50
LOOK_SECONDS = 0.5


@click.command("submit")
@click.argument("studies", nargs=-1, metavar="[STUDY]…")
@click.option("--all", "everything", is_flag=True, help="Every study of the repository.")
@click.option("--region", "regions", multiple=True, help="Only studies of this region; may be given again.")
@click.option("--model", "models", multiple=True, help="Only studies of this model; may be given again.")
@click.option("--scenario", "scenarios", multiple=True, help="Only this scenario, or `all`; may be given again.")
@click.option("--matrix", is_flag=True, help="All that is chosen, and a table of all their numbers afterwards.")
@click.option("--estimate", "only_estimate", is_flag=True, help="Only say how long it will take, and how much memory.")
@click.option("--stage", default="report", show_default=True, help="Up to which stage; a study's own, too.")
@click.option("--change", "changes", multiple=True, metavar="TEXT", help="As `modelworks rerun` takes it.")
@values_option
@click.option("--executor", default="process", show_default=True, help="Who carries it out.")
@click.option("--priority", type=int, default=0, show_default=True, help="The higher, the sooner.")
@click.option("--cores", type=click.IntRange(1), help="Processor cores (one a chain, when left out).")
@click.option("--memory", "memory_gb", type=click.FloatRange(0.1), help="Memory in GB.")
@click.option("--minutes", type=click.FloatRange(0.1), help="The longest that one attempt may take.")
@json_option
def submit(studies: Sequence[str], as_json: bool, **asked: Any) -> None:
    """Hand studies over as they are now; what is edited afterwards is not seen by the jobs."""
    from modelworks.study import choose_studies, order_studies, queue_around

    folders = choose_studies(
        studies,
        everything=asked["everything"] or (asked["matrix"] and not studies),
        regions=asked["regions"],
        models=asked["models"],
        scenarios=asked["scenarios"],
    )
    orders = order_studies(
        folders,
        until=asked["stage"],
        changes=[*asked["changes"], *asked["values"]],
        scenarios=asked["scenarios"],
        matrix=asked["matrix"],
        executor=asked["executor"],
        priority=asked["priority"],
        resources=_resources(asked),
    )
    if asked["only_estimate"]:
        _show_estimates(orders, as_json)
        return
    with queue_around(Path.cwd()) as queue:
        queue.submit(orders)
        at_work = bool(queue.workers())
    batch = orders[0].labels.get("batch")
    if as_json:
        told = [{"job": each.id, "title": each.title} for each in orders]
        show_json({"batch": batch, "jobs": told} if batch else told[0])
        return
    for each in orders:
        show(each.id)
    what = orders[0].title if batch is None else f"{counted(len(orders), 'job')} as {batch}"
    for each in orders:
        if "expected" in each.task:
            say(f"{each.title}: {_expected(each.task['expected'])}")
    say(f"submitted {what}" + ("" if at_work else "; no worker is there yet: modelworks worker"))
    next_step(f"modelworks watch {batch or orders[0].id}")


def _show_estimates(orders: Sequence[Order], as_json: bool) -> None:
    expected = {each.title: each.task["expected"] for each in orders if "expected" in each.task}
    if as_json:
        show_json(expected)
        return
    for title, each in expected.items():
        show(f"{title}: {_expected(each)}")
    next_step("the same command without --estimate hands it over")


def _expected(said: Mapping[str, Any]) -> str:
    from modelworks.study import Estimate

    return Estimate(**said).in_words()


def _resources(asked: Mapping[str, Any]) -> dict[str, Any]:
    minutes = asked["minutes"]
    said = {
        "cores": asked["cores"],
        "memory_gb": asked["memory_gb"],
        "walltime_seconds": None if minutes is None else minutes * 60,
    }
    return {name: value for name, value in said.items() if value is not None}


@click.group("jobs", invoke_without_command=True)
@click.option("--state", type=click.Choice(["waiting", "running", "done", "failed", "cancelled"]), multiple=True)
@click.option("--study", help="Only jobs of this study.")
@click.option("--batch", help="Only jobs that were handed over together.")
@click.option("--by", help="Only jobs of this person.")
@click.option("--limit", type=click.IntRange(1), default=ROWS_SHOWN, show_default=True, help="How many to show.")
@json_option
@click.pass_context
def list_jobs(context: click.Context, /, state: Sequence[Any], limit: int, as_json: bool, **wanted: str | None) -> None:
    """The jobs of the repository, the latest first."""
    if context.invoked_subcommand is None:
        _list(state, limit, as_json, wanted)


def _list(state: Sequence[Any], limit: int, as_json: bool, wanted: Mapping[str, str | None]) -> None:
    from modelworks.study import queue_around

    said = {name: value for name, value in wanted.items() if value is not None}
    with queue_around(Path.cwd()) as queue:
        found = queue.jobs(state, limit, said)
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


@list_jobs.command("clean")
@click.option("--dry-run", is_flag=True, help="Show what would go and what that frees; touch nothing.")
@click.option(
    "--days", type=click.FloatRange(0), help="What jobs left that are over for so long ([jobs] keep_days, 30)."
)
@json_option
def clean_jobs(dry_run: bool, days: float | None, as_json: bool) -> None:
    """Remove what jobs left behind: attempts, and copies of studies, code and environments that no job needs."""
    from modelworks.study import clean, leftovers

    found = leftovers(Path.cwd(), keep_days=days)
    gone = [each for each in found if not each.why] if dry_run else clean(Path.cwd(), keep_days=days)
    frees = sum(each.bytes for each in gone)
    if as_json:
        show_json({"gone": [{"kind": e.kind, "name": e.name, "bytes": e.bytes} for e in gone], "frees": frees})
        return
    for kind in dict.fromkeys(each.kind for each in found):
        going, all_of_it = ([e for e in some if e.kind == kind] for some in (gone, found))
        sizes = [in_bytes(sum(e.bytes for e in some)) for some in (going, all_of_it)]
        show(f"{kind:12}  {len(going)} of {len(all_of_it)} go, {sizes[0]} of {sizes[1]}")
    say(f"{in_bytes(frees)} {'would be freed' if dry_run else 'freed'}")
    next_step("modelworks jobs clean" if dry_run and gone else "modelworks storage")


def _as_dict(job: Job) -> dict[str, Any]:
    kept = ("id", "title", "state", "attempt", "phase", "outcome", "submitted", "started", "finished")
    told = {"by": job.order.by, "labels": job.order.labels, "expected": job.order.task.get("expected")}
    return {**{name: getattr(job, name) for name in kept}, **told, "took": job.outcome.get("took")}


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
    """Look on until a job (the latest, when left out) or a batch is over: how far it is, and what it says.

    Leaving it does not end the job.
    """
    from modelworks.study import log_in_words, queue_around

    with queue_around(Path.cwd()) as queue:
        wanted = job or _latest(queue)
        batch = queue.jobs(said={"batch": wanted})
        if batch:
            found = _watch_batch(queue, wanted, as_json)
        else:
            found = [queue.get(wanted)]
            if not as_json:
                say("times are in UTC")
            for event in _log_of(queue, found[0]):
                show(json.dumps(event) if as_json else log_in_words(event))
            found = [queue.get(found[0].id)]
    if not as_json:
        _tell_batch(found) if batch else _tell(found[0])
    if any(each.state != "done" for each in found):
        raise click.exceptions.Exit(1)


def _watch_batch(queue: Queue, batch: str, as_json: bool) -> list[Job]:
    """Say what becomes of each job of a batch, until all are over."""
    known: dict[str, str] = {}
    pause = threading.Event()
    while True:
        jobs = queue.jobs(said={"batch": batch})
        for each in reversed(jobs):
            if known.get(each.id) != each.state:
                known[each.id] = each.state
                note = _note(each)
                line = f"{each.id}  {each.state}  {each.title}" + (f"  {note}" if note else "")
                show(json.dumps(_as_dict(each)) if as_json else line)
        if all(each.is_over for each in jobs):
            return jobs
        pause.wait(LOOK_SECONDS)


def _tell_batch(jobs: Sequence[Job]) -> None:
    """What came of a batch: its table where it has one, and what to do next."""
    summary = next((each for each in jobs if "rows" in (each.outcome.get("result") or {})), None)
    if summary is not None:
        rows = summary.outcome["result"]["rows"]
        header = ("study", "region", "scenario", "run", "verdict", "number", "median", "95 % interval", "unit")
        table(header, [_row_in_words(row) for row in rows])
        say(f"the table: {summary.outcome['result']['table']}")
    over = Counter(each.state for each in jobs)
    say(", ".join(f"{number} {state}" for state, number in sorted(over.items())))
    failed = next((each for each in jobs if each.state != "done"), None)
    next_step(f"modelworks why {failed.id}" if failed is not None else "modelworks list")


def _row_in_words(row: Mapping[str, Any]) -> tuple[str, ...]:
    told = [str(row[name] or "") for name in ("study", "region", "scenario", "run", "verdict", "number")]
    low, median, high = (_figure(row[name]) for name in ("low", "median", "high"))
    return (*told, median, f"{low} to {high}" if low and high else "", str(row["unit"] or ""))


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else ""


def _latest(queue: Queue) -> str:
    """The id of the job that was submitted last, or a letter that there is none."""
    return next((job.id for job in queue.jobs(limit=1)), "")


def _log_of(queue: Queue, job: Job) -> Iterator[Mapping[str, Any]]:
    """What every attempt of a job writes into its log, as it comes, until the job is over."""
    from modelworks.inputs.repository import Repository
    from modelworks.study import JobLog

    log, place = JobLog.of(Repository.around(Path.cwd()), job.id), ""
    pause = threading.Event()
    while True:
        # Asked before the log is read: what is written last is then read too.
        over = queue.get(job.id).is_over
        for after, event in log.read(place):
            place = after
            yield event
        if over:
            return
        pause.wait(LOOK_SECONDS)


def _tell(job: Job) -> None:
    """What came of a job that is over."""
    from modelworks.study import took_in_words

    if took := took_in_words(job):
        say(took)
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


@click.command("logs")
@click.argument("job", required=False)
@click.option("--search", default="", metavar="TEXT", help="Only what matches this text or regular expression.")
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "output", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is at least so grave; what a command printed is `output`.",
)
@json_option
def logs(job: str | None, search: str, level: str, as_json: bool) -> None:
    """All that was said of a job (the latest, when left out) and by it, attempt by attempt."""
    from modelworks.study import log_of_job, queue_around

    if job is None:
        with queue_around(Path.cwd()) as queue:
            job = _latest(queue)
    found = log_of_job(Path.cwd(), job, search=search, level=level)
    for each in found:
        moment = f"{each.time[:10]} {each.time[11:19]}"
        who = f"attempt {each.attempt}" if each.attempt else "queue"
        told = each.text if each.attempt else f"{each.event}  {each.text}"
        line = f"{moment}  {each.level:7}  {who:9}  {told}".rstrip()
        show(json.dumps(each.as_dict(), ensure_ascii=False) if as_json else line)
    if not as_json:
        say("times are in UTC" if found else "nothing of that was said")
        next_step(f"modelworks why {job}")


@click.command("cancel")
@click.argument("jobs", nargs=-1, required=True, metavar="JOB…")
def cancel(jobs: Sequence[str]) -> None:
    """Take jobs or a batch back; one that runs is ended by its worker."""
    from modelworks.runs import person
    from modelworks.study import queue_around

    with queue_around(Path.cwd()) as queue:
        for found in [job for text in jobs for job in queue.jobs(said={"batch": text}) or [queue.get(text)]]:
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
    import atexit
    import sys

    from modelworks.logs import Discreet
    from modelworks.study import carry_out, other_python

    python = other_python(attempt)
    if python is not None:
        os.execv(python, [str(python), "-m", "modelworks", "work", str(attempt)])
    # What is printed is kept beside the log, and read by whoever asks why.
    sys.stdout, sys.stderr = Discreet(sys.stdout), Discreet(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        atexit.register(stream.close)
    carry_out(attempt)


COMMANDS = (submit, list_jobs, watch, why, logs, cancel, retry, worker, work)
