"""When studies are run by themselves: at moments, when their data changed, or when a branch of git moved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from modelworks.errors import Letters, fail, near
from modelworks.inputs._settings import SETTINGS, TeamSettings
from modelworks.inputs._writing import replace_file

if TYPE_CHECKING:
    from modelworks.inputs.repository import Repository

# How often data are looked at, where nothing else is said: at every full hour.
HOURLY = "0 * * * *"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
WHEN = 'write one of `at = "0 2 * * *"`, `on_data = true` and `on_branch = "main"`'
FIELDS = 'write five fields, as in `at = "30 6 * * 1-5"`: minute, hour, day of the month, month, day of the week'


@dataclass(frozen=True, slots=True)
class Schedule:
    """Studies to be run up to a stage, all of them where none is named, and when.

    With `scenarios` those of the studies that have one of them, in these; `all` is every one.
    `at` is written as for cron, in `time_zone`; with `on_data` it says when the data are looked at. `on_branch` is a
    branch of the repository, or one of a remote: `origin/main`.
    """

    name: str
    studies: tuple[str, ...] = ()
    at: str = ""
    time_zone: str = "UTC"
    on_data: bool = False
    on_branch: str = ""
    stage: str = "report"
    scenarios: tuple[str, ...] = ()
    matrix: bool = False
    executor: str = "process"
    priority: int = 0

    @property
    def in_words(self) -> str:
        """When it is due, for a person."""
        if self.on_branch:
            return f"when {self.on_branch} moved"
        clock = f"at `{self.at}` {self.time_zone}"
        return f"when the data changed, looked at {clock}" if self.on_data else clock


KINDS: Mapping[str, type] = {
    "studies": list,
    "at": str,
    "time_zone": str,
    "on_data": bool,
    "on_branch": str,
    "stage": str,
    "scenarios": list,
    "matrix": bool,
    "executor": str,
    "priority": int,
}


def read_schedules(settings: TeamSettings) -> tuple[Schedule, ...]:
    """The schedules of a table of settings, in their order; mistakes are said to the settings."""
    found = []
    for name in settings.values:
        if not NAME.fullmatch(name):
            settings.say(f"`{name}` is no name of a schedule", "name it with letters, digits and hyphens")
            continue
        said = settings.table(name, KINDS)
        schedule = Schedule(name, **({"at": HOURLY} if said.get("on_data") else {}) | said)
        for problem, hint in _mistakes(schedule):
            settings.say(f"the schedule `{name}` {problem}", hint)
        found.append(schedule)
    return tuple(found)


def _mistakes(schedule: Schedule) -> Iterator[tuple[str, str]]:
    """What is wrong with when a schedule is due, and what to write instead."""
    if bool(schedule.at) == bool(schedule.on_branch):
        yield "does not say when it is due, or says it twice", WHEN
    if problem := _wrong_with_clock(schedule.at) if schedule.at else "":
        yield f"is due at `{schedule.at}`: {problem}", FIELDS
    try:
        ZoneInfo(schedule.time_zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        hint = 'write one as in `time_zone = "Asia/Kuala_Lumpur"`, or leave it out for UTC'
        yield f"is in the time zone `{schedule.time_zone}`, which is not known", hint


def _wrong_with_clock(at: str) -> str:
    from cronsim import CronSim, CronSimError

    if len(at.split()) != 5:
        return "these are not five fields"
    try:
        next(CronSim(at, datetime.now(UTC)))
    except CronSimError as error:
        return str(error)
    except StopIteration:
        return "there is no such day"
    return ""


def find_schedule(repository: Repository, name: str) -> Schedule:
    """A schedule by its name; Y148 where there is none."""
    found = {each.name: each for each in repository.schedules}
    if name not in found:
        fail("Y148", f"there is no schedule `{name}`", hint=near(name, found))
    return found[name]


def add_schedule(repository: Repository, name: str, said: Mapping[str, Any]) -> Schedule:
    """Write a schedule at the end of the team's settings; `said` is what is said of it, by the names of `KINDS`.

    Raises
    ------
    ModelworksError
        Y148 where there is one of that name already, Y132 with all that is wrong with it.
    """
    if name in {each.name for each in repository.schedules}:
        hint = f"take it away first: modelworks schedule remove {name}"
        fail("Y148", f"there is a schedule `{name}` already", hint=hint)
    letters = Letters()
    (schedule,) = read_schedules(TeamSettings({name: dict(said)}, letters, (name,))) or (None,)
    letters.raise_if_any()
    assert schedule is not None
    path = repository.root / SETTINGS
    lines = [f"[schedule.{name}]", *(f"{key} = {_toml(value)}" for key, value in said.items())]
    parts = [path.read_text(encoding="utf-8").rstrip("\n"), "\n".join(lines)]
    replace_file(path, ("\n\n".join(filter(None, parts)) + "\n").encode("utf-8"))
    return schedule


def remove_schedule(repository: Repository, name: str) -> None:
    """Take a schedule out of the team's settings.

    Raises
    ------
    ModelworksError
        Y148 where there is none, or where it is not written as a table of its own.
    """
    find_schedule(repository, name)
    path = repository.root / SETTINGS
    text = path.read_text(encoding="utf-8")
    left, found = re.subn(rf"(?ms)^\[schedule\.{re.escape(name)}\][^\n]*\n.*?(?=^\[|\Z)", "", text)
    if found != 1:
        hint = f"take it out of {SETTINGS} by hand"
        fail("Y148", f"the schedule `{name}` is not written as a table [schedule.{name}]", hint=hint)
    replace_file(path, (left.rstrip("\n") + "\n").encode("utf-8"))


def _toml(value: object) -> str:
    """A value as TOML writes it; a text of TOML is written as one of JSON is.

    >>> _toml(["a", "b"]), _toml(True), _toml('say "so"')
    ('["a", "b"]', 'true', '"say \\\\"so\\\\""')
    """
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
