"""Workflow: what a study's result goes through, how long each step takes, who waits, and when mistakes are caught."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
from modelworks.website._workflow import Caught, Passage, Step, bottleneck, caught, flow, spoken, until_approved
from modelworks.website.access.visits import Reader

router = APIRouter()

# So many of the latest are looked at, however many there are.
RUNS, PUT_FORWARD, JOBS = 12, 20, 300
DONE, FAILED = frozenset[State]({"done"}), frozenset[State]({"failed"})
# Mistakes are counted over so long.
SPAN = timedelta(days=365)


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


@router.get("/w/{workspace}/workflow")
def workflow(request: Request, visit: Reader) -> Response:
    """Every study's way from an edit to an approved result."""
    workspace = visit.workspace
    since = f"{utc_now() - SPAN:%Y-%m-%d}"
    with workspace.index.as_now():
        found = promotions(workspace.index)
        shown = maps(workspace, found)
        errors = _caught(workspace, found, since)
    return page(
        request, "workflow.html.j2",
        maps=shown, spoken=spoken, middle=median, since=since, caught=errors,
        took=until_approved(way for each in shown for way in each.ways),
    )  # fmt: skip


def maps(workspace: Workspace, found: Sequence[Promotion]) -> list[Map]:
    """The map of every study of a workspace; `found` are its promotions, the latest put forward first."""
    jobs = _by_run(workspace.queue.jobs(DONE, limit=JOBS))
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


def _by_run(jobs: Iterable[Job]) -> dict[str, Job]:
    """The job that made each run, by the run's id; one that found nothing to do made none."""
    made = ((job.outcome.get("result") or {}, job) for job in jobs)
    return {said["run"]: job for said, job in made if said.get("published")}


def _edited(workspace: Workspace, key: str, said: Mapping[str, Any]) -> datetime | None:
    """When the files that a run was made from were last changed by a commit; None where no commit holds them."""
    known = said.get("provenance") or {}
    if not known.get("commit") or known.get("dirty"):
        return None
    last = ("--literal-pathspecs", "log", "-1", "--format=%cI", known["commit"], "--", *made_from(workspace, key))
    return _time(workspace.remembered(("edited", key), lambda: ask_git(workspace.root, *last)))


def _caught(workspace: Workspace, found: Sequence[Promotion], since: str) -> Caught:
    """Errors since a day, before an approval and after it."""
    failed = (job for job in workspace.queue.jobs(FAILED, limit=JOBS) if job.finished >= since)
    stopped = workspace.index.select(Wanted(verdict="stop", since=since, limit=1)).total
    told = [each for each in found if each.proposal.when >= since]

    def same_data(one: str, other: str) -> bool:
        try:
            return record(workspace, one).get("data") == record(workspace, other).get("data")
        except ModelworksError:
            return False

    return caught(failed, stopped, told, same_data)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _moment(key: str) -> datetime:
    """When a run was handed over, as its key says."""
    return datetime.fromisoformat(key.split("/")[3])
