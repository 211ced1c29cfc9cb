"""Commands about what is run by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from modelworks.cli._words import json_option, next_step, say, show_json, table


@click.group("schedule")
def schedule() -> None:
    """Studies that are run by themselves: at moments, when their data changed, when a branch moved."""


@schedule.command("list")
@json_option
def list_schedules(as_json: bool) -> None:
    """Every schedule, when it is due next, and what came of it the last time."""
    from modelworks.inputs import Repository
    from modelworks.logs import utc_now
    from modelworks.study import next_time, queue_around

    repository = Repository.around(Path.cwd())
    rows = []
    with queue_around(Path.cwd()) as queue:
        for each in repository.schedules:
            due = next_time(each, utc_now())
            last = next(iter(queue.jobs(limit=1, said={"by": f"the schedule {each.name}"})), None)
            told = {"next": None if due is None else due.isoformat(), "last": None if last is None else last.id}
            rows.append((each, told, last))
        workers = len(queue.workers())
    if as_json:
        show_json([{**dataclasses.asdict(each), **told} for each, told, _ in rows])
        return
    if not rows:
        say("nothing is run by itself yet")
        next_step('modelworks schedule add NAME --at "30 6 * * 1-5" --study STUDY')
        return
    header = ("schedule", "studies", "when", "next (UTC)", "the last job")
    table(header, [_row(each, told, last) for each, told, last in rows])
    if not workers:
        say("no worker is there, and only a worker looks what is due")
    next_step("modelworks jobs" if workers else "modelworks worker")


def _row(each: Any, told: dict[str, Any], last: Any) -> tuple[str, ...]:
    studies = (", ".join(each.studies) or "all") + (f", in {', '.join(each.scenarios)}" if each.scenarios else "")
    due = (told["next"] or "")[:16].replace("T", " ")
    return (each.name, studies, each.in_words, due, "" if last is None else f"{last.id} {last.state}: {last.title}")


@schedule.command("add")
@click.argument("name")
@click.option("--study", "studies", multiple=True, help="A study; may be given again (all, when left out).")
@click.option("--at", help='When, as for cron: "30 6 * * 1-5" is 6:30 from Monday to Friday.')
@click.option("--time-zone", help="Of --at, as in Asia/Kuala_Lumpur (UTC, when left out).")
@click.option("--on-data", is_flag=True, help="When their data changed; --at says when one looks (every full hour).")
@click.option("--on-branch", help="When this branch moved: one of the repository, or as in origin/main.")
@click.option("--stage", help="Up to which stage (report, when left out).")
@click.option("--scenario", "scenarios", multiple=True, help="Only this scenario, or `all`; may be given again.")
@click.option("--matrix", is_flag=True, help="A job for each scenario, and a table of all their numbers afterwards.")
@click.option("--executor", help="Who carries it out (process, when left out).")
@click.option("--priority", type=int, help="The higher, the sooner.")
def add(name: str, studies: Sequence[str], scenarios: Sequence[str], **said: Any) -> None:
    """Run studies by themselves from now on. It is written into modelworks.toml, for the whole team."""
    from modelworks.inputs import Repository, add_schedule
    from modelworks.logs import utc_now
    from modelworks.study import choose_studies, find_study, next_time, scenarios_of

    repository = Repository.around(Path.cwd())
    for each in studies:
        find_study(each)
    # A branch may have scenarios that are not here.
    if scenarios and not said["on_branch"]:
        for folder in choose_studies(studies, everything=not studies, scenarios=scenarios):
            scenarios_of(folder, scenarios, said["stage"] or "report")
    lists = {key: list(value) for key, value in (("studies", studies), ("scenarios", scenarios)) if value}
    wanted = {key: value for key, value in said.items() if value not in (None, False)}
    added = add_schedule(repository, name, {**lists, **wanted})
    due = next_time(added, utc_now())
    soon = "" if due is None else f"; next at {due:%Y-%m-%d %H:%M} UTC"
    say(f"{name}: {', '.join(studies) or 'all studies'} {added.in_words}{soon}")
    next_step("modelworks schedule list; a worker has to be there: modelworks worker")


@schedule.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Take a schedule away; what it handed over goes on."""
    from modelworks.inputs import Repository, remove_schedule

    remove_schedule(Repository.around(Path.cwd()), name)
    say(f"`{name}` is no longer run by itself")
    next_step("modelworks schedule list")
