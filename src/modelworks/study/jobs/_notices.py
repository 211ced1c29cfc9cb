"""Who hears what of jobs that ended: the words for it, and the ways that the team's settings name."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelworks.inputs.repository import Repository
from modelworks.jobs import Job, Outbox
from modelworks.jobs.channels import Channel, Notice
from modelworks.jobs.channels.command import Command
from modelworks.jobs.channels.mail import Mail
from modelworks.jobs.channels.webhook import Webhook
from modelworks.logs import without_secrets
from modelworks.study.jobs._jobs import queue_around
from modelworks.study.jobs._why import explain_job


def tell_of_jobs(root: Path) -> None:
    """Tell of what ended since the last look, and of what could not be told before.

    Raises
    ------
    ModelworksError
        Y132 where the settings have a mistake, J101 where the queue does not answer, J151 to J154 where a channel does
        not take something; it is tried again at the next call.
    """
    repository = Repository.around(root)
    channels = channels_of(repository)
    with queue_around(root) as queue:
        outbox = Outbox(queue)
        outbox.collect(channels, lambda jobs: notice_of(repository, jobs))
        outbox.deliver(channels)


def channels_of(repository: Repository) -> dict[str, Channel]:
    """The ways of telling that the settings name."""
    ways = repository.notify.ways
    found: dict[str, Channel] = {}
    if "mail" in ways:
        said = dict(ways["mail"])
        found["mail"] = Mail(sender=said.pop("from", ""), **said)
    if "webhook" in ways:
        found["webhook"] = Webhook(**ways["webhook"])
    if "command" in ways:
        found["command"] = Command(**ways["command"])
    return found


def notice_to_try(repository: Repository) -> Notice:
    """One that tells of nothing, to see whether it comes."""
    text = "This is a trial: what you see here is how you will hear of jobs that end."
    return Notice(secrets.token_hex(8), "done", f"[{repository.title}] a trial", text, {"jobs": []})


def notice_of(repository: Repository, jobs: Sequence[Job]) -> Notice | None:
    """What there is to tell of a job, or of all jobs of a batch; None where it is not wanted.

    Whoever waits for a job in their own terminal has seen how it ended, and who cancelled one knows.
    """
    occasion = _occasion(jobs)
    if occasion not in repository.notify.on or jobs[0].order.executor == "inline":
        return None
    alone = jobs[0] if len(jobs) == 1 else None
    if alone is not None:
        told = explain_job(repository.root, alone.id)
        subject, text = f"{alone.title}: {alone.state}", f"{told.text}\n\nnext: {told.next}"
        text = f"{alone.outcome['result']['answer']}\n\n{text}" if occasion == "news" else text
    else:
        batch = jobs[0].order.labels["batch"]
        states = Counter(each.state for each in jobs)
        subject = f"{batch}: " + ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
        text = "\n".join([*map(_line, reversed(jobs)), "", f"next: modelworks watch {batch}"])
    # What leaves the machine is looked at once more.
    subject, text = without_secrets(subject), without_secrets(text)
    about = json.loads(without_secrets(json.dumps({"jobs": [_as_dict(each) for each in jobs]})))
    return Notice(secrets.token_hex(8), occasion, f"[{repository.title}] {subject}", text, about)


def _occasion(jobs: Sequence[Job]) -> str:
    states = {each.state for each in jobs}
    if "failed" in states:
        return "failed"
    if "done" not in states:
        return "cancelled"
    # A look at data that found nothing is no occasion.
    if any("schedule" in each.order.task for each in jobs):
        return "news" if _result(jobs[0]).get("news") else "looked"
    return "done"


def _result(job: Job) -> Mapping[str, Any]:
    return job.outcome.get("result") or {}


def _line(job: Job) -> str:
    run = _result(job).get("run")
    note = f"run {run}" if run else str(job.outcome.get("text", "")).partition("\n")[0]
    return f"{job.id}  {job.state}  {job.title}" + (f"  {note}" if note else "")


def _as_dict(job: Job) -> dict[str, Any]:
    result = _result(job)
    return {
        **{name: getattr(job, name) for name in ("id", "title", "state", "submitted", "started", "finished")},
        "by": job.order.by,
        "labels": dict(job.order.labels),
        "text": str(job.outcome.get("text", "")),
        **{name: result.get(name) for name in ("run", "verdict", "answer")},
    }
