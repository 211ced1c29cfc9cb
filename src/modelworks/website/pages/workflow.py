"""Workflow: what a study's result goes through, how long each step takes, who waits, and when mistakes are caught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from modelworks.errors import ModelworksError
from modelworks.jobs import Job, State
from modelworks.logs import utc_now
from modelworks.runs import Promotion, Wanted, ask_git, folder_name, promotions
from modelworks.website._house import Workspace
from modelworks.website._render import page, part
from modelworks.website._studies import Study, made_from, record, studies
from modelworks.website._trends import Known, trends
from modelworks.website._workflow import Month, Passage, Step, bottleneck, flow, month_of, spoken
from modelworks.website.access.visits import Reader

router = APIRouter()

# So many of the latest are looked at, however many there are.
RUNS, PUT_FORWARD, JOBS = 12, 20, 300
DONE, FAILED = frozenset[State]({"done"}), frozenset[State]({"failed"})


@dataclass(frozen=True, slots=True)
class Map:
    """A study with its steps, the runs they are taken from, the latest first, and all that `drawn` on a page."""

    study: Study
    flow: list[list[Step]]
    ways: list[Passage]
    slowest: Step | None
    sentence: str
    drawn: str = ""

    @property
    def longest(self) -> float:
        """What the bars are drawn against; never nothing."""
        return max((step.middle or 0.0 for column in self.flow for step in column), default=0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The two figures that all is judged by: altogether since a month, and month by month as they are `drawn`."""

    since: str
    total: Month
    drawn: str


@router.get("/w/{workspace}/workflow")
def workflow(request: Request, visit: Reader) -> Response:
    """Every study's way from an edit to an approved result."""
    workspace = visit.workspace
    with workspace.index.as_now():
        found, made = promotions(workspace.index), jobs_of_runs(workspace)
        shown = maps(workspace, found, made)
        counted = figures(workspace, found, made, utc_now())
    return page(
        request, "workflow.html.j2",
        maps=shown, spoken=spoken, middle=median, total=counted.total, since=counted.since, trends=counted.drawn,
    )  # fmt: skip


def figures(workspace: Workspace, found: Sequence[Promotion], made: Mapping[str, Job], now: datetime) -> Figures:
    """The two figures of late; counted again when a run, what is said of one, or a job that failed is another.

    `made` has the job that made each run, by the run's id.
    """
    failed = tuple(workspace.queue.jobs(FAILED, limit=JOBS))
    titles = {folder_name(each.name): each.title for each in studies(workspace)}
    state = workspace.index.state(), tuple(found), tuple(each.id for each in failed), frozenset(made)
    key = ("trends", month_of(now), tuple(titles.items()), state)
    return workspace.remembered(key, lambda: _counted(workspace, found, failed, made, titles, now))


def _counted(
    workspace: Workspace,
    found: Sequence[Promotion],
    failed: Sequence[Job],
    made: Mapping[str, Job],
    titles: Mapping[str, str],
    now: datetime,
) -> Figures:
    approved = [each for each in found if each.approved]
    passed = (_passage(workspace, each.run, made.get(each.run[-6:]), each) for each in approved)
    known = Known(
        found, [way for way in passed if way is not None], failed, len(failed) == JOBS,
        workspace.index.by_month("stop"), workspace.index.copies(),
    )  # fmt: skip

    def same_data(one: str, other: str) -> bool:
        try:
            return record(workspace, one).get("data") == record(workspace, other).get("data")
        except ModelworksError:
            return False

    counted = trends(known, titles, now, same_data)
    drawn = part(workspace.name, "trends.html.j2", trends=counted, spoken=spoken)
    return Figures(counted[0].months[0].name, counted[0].total, drawn)


def maps(workspace: Workspace, found: Sequence[Promotion], jobs: Mapping[str, Job]) -> list[Map]:
    """The map of every study of a workspace; `found` are its promotions, the latest put forward first, and `jobs` those
    that made its runs, by the run's id."""
    state = workspace.index.state()

    def drawn(study: Study) -> Map:
        own = tuple(each for each in found if each.question[0] == folder_name(study.name))[:PUT_FORWARD]
        said = (study.title, study.letters, tuple(study.stages.items()))
        return workspace.remembered(
            ("map", study.name, said, own, state, frozenset(jobs)), lambda: _map(workspace, study, own, jobs)
        )

    return [drawn(each) for each in studies(workspace)]


def _map(workspace: Workspace, study: Study, found: Sequence[Promotion], jobs: Mapping[str, Job]) -> Map:
    """The steps of a study, from its latest runs and those of it that were put forward last."""
    # Of each run the last round counts.
    forward = {each.run: each for each in reversed(found)}
    rows = workspace.index.select(Wanted(study=study.name, limit=RUNS)).rows
    keys = sorted({*(row.key for row in rows), *forward}, key=_moment, reverse=True)
    ways = [way for key in keys if (way := _passage(workspace, key, jobs.get(key[-6:]), forward.get(key))) is not None]
    steps = flow(study.stages, ways)
    slowest, sentence = bottleneck(step for column in steps for step in column) or (None, "")
    made = Map(study, steps, ways, slowest, sentence)
    return replace(made, drawn=part(workspace.name, "way.html.j2", each=made, most=RUNS, spoken=spoken))


def _passage(workspace: Workspace, key: str, job: Job | None, promotion: Promotion | None) -> Passage | None:
    """One run's way; None where its record is gone or was damaged, of which other pages tell."""
    try:
        said = record(workspace, key)
    except ModelworksError:
        return None
    stages = {each["name"]: None if each.get("reused") else float(each["seconds"]) for each in said.get("stages", ())}
    return Passage(
        key,
        stages,
        edited=_edited(workspace, key, said) if promotion is not None else None,
        submitted=_time(job.submitted) if job is not None else _moment(key),
        begun=_time(job.started) if job is not None else None,
        finished=_time(said.get("finished")),
        proposed=_time(promotion.proposal.when) if promotion is not None else None,
        approved=_time(promotion.approved) if promotion is not None else None,
    )


def jobs_of_runs(workspace: Workspace) -> dict[str, Job]:
    """The job that made each run, by the run's id, of the latest; one that found nothing to do made none."""
    made = ((job.outcome.get("result") or {}, job) for job in workspace.queue.jobs(DONE, limit=JOBS))
    return {said["run"]: job for said, job in made if said.get("published")}


def _edited(workspace: Workspace, key: str, said: Mapping[str, Any]) -> datetime | None:
    """When the files that a run was made from were last changed by a commit; None where no commit holds them."""
    known = said.get("provenance") or {}
    if not known.get("commit") or known.get("dirty"):
        return None
    last = ("--literal-pathspecs", "log", "-1", "--format=%cI", known["commit"], "--", *made_from(workspace, key))
    return _time(workspace.remembered(("edited", key), lambda: ask_git(workspace.root, *last)))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _moment(key: str) -> datetime:
    """When a run was handed over, as its key says."""
    return datetime.fromisoformat(key.split("/")[3])
