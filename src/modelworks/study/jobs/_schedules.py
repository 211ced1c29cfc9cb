"""Studies that are run by themselves: what is due is found here, and what is due is handed over here.

A worker looks. What it finds due becomes a small job, which pins the studies and hands them over; so a study that can
not be read any more is a job that failed, with a letter, and not a worker that fell silent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from modelworks.errors import counted
from modelworks.inputs import Schedule, find_schedule, look_for_news
from modelworks.inputs.repository import Repository
from modelworks.jobs import Agenda, Order, Resources
from modelworks.logs import stamp, utc_now
from modelworks.runs import BY_SCHEDULE, branch_tip, fingerprint
from modelworks.study.jobs._batch import choose_studies
from modelworks.study.jobs._branches import study_root
from modelworks.study.jobs._jobs import queue_around
from modelworks.study.jobs._together import order_studies
from modelworks.study.own_stages._stage_study import open_study

# A moment that lies further ahead was written by a clock that was wrong, and is not waited for.
WRONG_CLOCK = timedelta(days=1)
MISSED_SHOWN = 5
# Before all that waits: what is pinned is what is there when it is due.
FIRST = 1_000_000


def look_at_schedules(root: Path, clock: Callable[[], datetime] = utc_now) -> None:
    """Submit a job for every schedule of a repository that is due; each time once, however many look.

    Times that passed while no worker was there are made up for by one job, which tells of them.

    Raises
    ------
    ModelworksError
        Y132 where the settings have a mistake, J101 where the queue does not answer.
    """
    repository = Repository.around(root)
    if not repository.schedules:
        return
    with queue_around(root) as queue:
        for schedule in repository.schedules:
            look = _by_branch if schedule.on_branch else _by_clock
            look(repository, schedule, Agenda(queue), clock())


def _by_clock(repository: Repository, schedule: Schedule, agenda: Agenda, now: datetime) -> None:
    name = mark_name(schedule)
    latest, mark = last_time(schedule, now), agenda.mark(name)
    if mark is None or datetime.fromisoformat(mark) > now + WRONG_CLOCK:
        agenda.advance(name, mark, stamp(now))
        return
    if latest is None or latest <= datetime.fromisoformat(mark):
        return
    missed = times_between(schedule, datetime.fromisoformat(mark), latest)
    because = f"due {stamp(latest)}"
    agenda.advance(name, mark, stamp(latest), [_due(repository, schedule, because, because, missed=missed)])


def _by_branch(repository: Repository, schedule: Schedule, agenda: Agenda, now: datetime) -> None:
    name, commit = mark_name(schedule), branch_tip(repository.root, schedule.on_branch)
    mark = agenda.mark(name)
    # A branch that is not there now, or a remote that does not answer, has not moved.
    if commit is None or commit == mark:
        return
    because = f"{schedule.on_branch} moved to {commit[:7]}"
    orders = [] if mark is None else [_due(repository, schedule, because, f"{mark} {commit}", commit=commit)]
    agenda.advance(name, mark, commit, orders)


def mark_name(schedule: Schedule) -> str:
    """What a schedule's mark is kept under; one that says something else begins anew."""
    return f"schedule {schedule.name}: {schedule.on_branch or f'{schedule.at} {schedule.time_zone}'}"


def last_time(schedule: Schedule, now: datetime) -> datetime | None:
    """The latest moment at which a schedule was due; None where there was none."""
    from cronsim import CronSim

    # It gives moments before the one it is told, and counts in whole seconds.
    then = (now + timedelta(seconds=1)).astimezone(ZoneInfo(schedule.time_zone))
    found = next(CronSim(schedule.at, then, reverse=True), None)
    return None if found is None else found.astimezone(UTC)


def next_time(schedule: Schedule, now: datetime) -> datetime | None:
    """The next moment at which a schedule is due; None for one that follows no clock."""
    from cronsim import CronSim

    if not schedule.at:
        return None
    found = next(CronSim(schedule.at, now.astimezone(ZoneInfo(schedule.time_zone))), None)
    return None if found is None else found.astimezone(UTC)


def times_between(schedule: Schedule, begin: datetime, end: datetime) -> tuple[datetime, ...]:
    """Moments at which a schedule was due after one and before another, at most one more than are shown."""
    found: list[datetime] = []
    then = next_time(schedule, begin)
    while then is not None and then < end and len(found) <= MISSED_SHOWN:
        found.append(then)
        then = next_time(schedule, then)
    return tuple(found)


def _due(
    repository: Repository,
    schedule: Schedule,
    because: str,
    moment: str,
    *,
    missed: Sequence[datetime] = (),
    commit: str = "",
) -> Order:
    """The job that hands over what a schedule asks for; the same for the same moment, whoever finds it due."""
    return Order(
        title=f"schedule {schedule.name}: {because}",
        command=(sys.executable, "-m", "modelworks", "work"),
        task={
            "schedule": schedule.name,
            "missed": _in_words(missed),
            "commit": commit,
            "of": str(repository.root),
            "kept": str(repository.kept),
            "packages": "",
        },
        resources=Resources(1, 0.5),
        priority=FIRST,
        labels={"schedule": schedule.name},
        by=f"{BY_SCHEDULE}{schedule.name}",
        id=fingerprint(mark_name(schedule), moment)[:10],
    )


def _in_words(missed: Sequence[datetime]) -> str:
    if not missed:
        return ""
    shown = ", ".join(stamp(each) for each in missed[:MISSED_SHOWN])
    more = " and later ones" if len(missed) > MISSED_SHOWN else ""
    return f"no worker was there at {shown}{more}; this makes up for all of them"


# -- what is due -------------------------------------------------------------------------------------


def hand_over_due(job: str, task: Mapping[str, Any], agenda: Agenda) -> dict[str, Any]:
    """Hand over the studies of a schedule that is due, once, and tell of it.

    Raises
    ------
    ModelworksError
        Y148 where the schedule was taken away meanwhile; J141 where a branch's files can not be had; every mistake of
        the studies' files.
    """
    repository = Repository.around(Path(task["of"]))
    schedule = find_schedule(repository, task["schedule"])
    root = study_root(repository, task["commit"]) if task["commit"] else repository.root
    folders = choose_studies(
        schedule.studies, everything=not schedule.studies, scenarios=schedule.scenarios, start=root
    )
    told: dict[str, Any] = {"missed": task["missed"]} if task["missed"] else {}
    marks: dict[str, str] = {}
    if schedule.on_data:
        seen = _data_of(folders)
        before = json.loads(agenda.mark(name := f"data of {schedule.name}") or "{}")
        marks[name] = json.dumps(seen)
        # What was published long ago and told of is no news.
        told["news"] = sorted(name for name, mark in seen["news"].items() if before.get("news", {}).get(name) != mark)
        if before.get("data", seen["data"]) == seen["data"]:
            agenda.hand_over(job, [], marks)
            return {**told, "handed_over": [], "answer": _of_news(told["news"])}
    orders = order_studies(
        folders,
        until=schedule.stage,
        scenarios=schedule.scenarios,
        matrix=schedule.matrix,
        executor=schedule.executor,
        priority=schedule.priority,
        labels={"schedule": schedule.name},
        by=f"{BY_SCHEDULE}{schedule.name}",
    )
    ids = agenda.hand_over(job, orders, marks)
    return {**told, "handed_over": ids, "answer": f"handed over {counted(len(ids), 'job')}: {', '.join(ids)}"}


def _data_of(folders: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Marks of the data that studies use, and of what their publishers have that is other than these."""
    found: dict[str, dict[str, str]] = {"data": {}, "news": {}}
    for folder in folders:
        inputs = open_study(folder).inputs
        used = [inputs.catalogue[name] for name in inputs.datasets]
        found["data"] |= {each.name: each.sha256 for each in used}
        files = {path for each in used for path in each.files()}
        for each in inputs.catalogue.values():
            if each.url and each.file and each.path in files and not each.is_sensitive:
                news = look_for_news(each).news
                found["news"] |= {each.name: fingerprint(news)} if news is not None else {}
    return found


def _of_news(names: Sequence[str]) -> str:
    if not names:
        return "the data are as they were"
    return f"there is news of {', '.join(names)}: look at it, then modelworks data accept {names[0]}"
