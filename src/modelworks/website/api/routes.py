"""The addresses below `/api/v1`; `/api/v1/openapi.json` describes them all, with every answer they give."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi import Query as Asked
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from modelworks.errors import fail, near
from modelworks.inputs import Catalogue
from modelworks.runs import Wanted, compare, condition, promotion_of, promotions
from modelworks.study import handed_over_by, order_studies, promote, sign_run, withdraw_run
from modelworks.website._house import Workspace, house
from modelworks.website._scenarios import saved
from modelworks.website._studies import Study as KnownStudy
from modelworks.website._studies import changed_since, latest, studies, study_of
from modelworks.website.access.people import Person, Role
from modelworks.website.access.visits import Reader, Reviewer, Visit, memberships, needs, person
from modelworks.website.api import _models as models
from modelworks.website.api import _said as said

router = APIRouter(prefix="/api/v1")

MOST_RUNS = 500
MOST_COMPARED = 6
TITLE = "modelworks"
_WHY = {
    400: "what was sent can not be read at all",
    401: "nobody is signed in, or the token opens nothing any more",
    403: "this takes another role",
    404: "there is no such thing, or it is not for you to see",
    409: "things are not so that this could be done",
    413: "too much came at once",
    422: "a mistake in what was asked for",
    503: "a database, a store or a model behind the website does not answer, or too many ask at once",
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"model": models.Mistakes, "description": why} for status, why in _WHY.items()
}
Modeller = Annotated[Visit, needs("modeller")]
# Text of an address: no control character, and no longer than anything of ours is.
Text = Annotated[str | None, Asked(max_length=200)]


@router.get("/openapi.json", include_in_schema=False)
def description(_: Annotated[Person, Depends(person)]) -> Response:
    """This API as OpenAPI describes it."""
    return JSONResponse(openapi())


def openapi() -> dict[str, Any]:
    """The description, with the two ways in which a token is given."""
    told = get_openapi(title=TITLE, version=version("modelworks"), summary="The runs of a team", routes=router.routes)
    told.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "a token: Authorization: Bearer mw_…"},
        "basic": {"type": "http", "scheme": "basic", "description": "a token as the password, with any name"},
    }
    told["security"] = [{"bearer": []}, {"basic": []}]
    return told


@router.get("/workspaces", responses={401: ANSWERS[401], 503: ANSWERS[503]})
def workspaces(request: Request, mine: Annotated[Mapping[str, Role], Depends(memberships)]) -> list[models.Workspace]:
    """The workspaces that this token opens."""
    known = house(request).workspaces
    return [models.Workspace(name=name, title=known[name].title, role=role) for name, role in mine.items()]


# -- studies and runs ----------------------------------------------------------------------------------------


@router.get("/workspaces/{workspace}/studies", responses=ANSWERS)
def list_studies(visit: Reader) -> list[models.Study]:
    """Every study of the repository, with its latest run and what has changed since."""
    return [_study(visit.workspace, each) for each in studies(visit.workspace)]


@router.get("/workspaces/{workspace}/studies/{study}", responses=ANSWERS)
def get_study(visit: Reader, study: str) -> models.Study:
    """A study by its name."""
    return _study(visit.workspace, _known_study(visit.workspace, study))


@router.get("/workspaces/{workspace}/runs", responses=ANSWERS)
def list_runs(
    visit: Reader,
    study: Text = None,
    model: Text = None,
    region: Text = None,
    verdict: Text = None,
    person: Text = None,
    tag: Text = None,
    since: Text = None,
    until: Text = None,
    approved: bool = False,
    where: Annotated[list[str], Asked(description="conditions on numbers, as in `contact_rate > 1.5`")] = [],  # noqa: B006
    limit: Annotated[int, Asked(ge=1, le=MOST_RUNS)] = 50,
    after: Annotated[str | None, Asked(max_length=1000, description="`next` of the page before")] = None,
) -> models.RunPage:
    """The runs asked for, the latest first, a page at a time. `since` and `until` are days, themselves included."""
    wanted = Wanted(
        study=study, model=model, region=region, verdict=verdict, person=person, tag=tag, since=since, until=until,
        approved=approved, conditions=tuple(map(condition, where)), limit=limit + 1, after=after,
    )  # fmt: skip
    found = visit.workspace.index.select(wanted)
    shown = found.rows[:limit]
    return models.RunPage(
        runs=[said.run_row(each) for each in shown],
        total=found.total,
        next=shown[-1].key if len(found.rows) > limit else None,
        damaged=[models.Mistake.model_validate(each) for each in found.damaged],
    )


@router.get("/workspaces/{workspace}/runs/{run_id}", responses=ANSWERS)
def get_run(visit: Reader, run_id: str) -> models.Run:
    """A run by its id, or the first digits of it. Its tables are in the feeds, `/w/{workspace}/feeds/runs/{run_id}`."""
    with visit.workspace.index.as_now():
        run = visit.workspace.run(run_id)
        promoted = promotion_of(visit.workspace.index, run.key)
    files = sorted(each.relative_to(run.path).as_posix() for each in run.path.rglob("*") if each.is_file())
    return models.Run(
        id=run.id, key=run.key, record=dict(run.record), files=files,
        promotion=said.promotion(promoted) if promoted is not None else None,
    )  # fmt: skip


@router.get("/workspaces/{workspace}/compare", responses=ANSWERS)
def compare_runs(
    visit: Reader, run: Annotated[list[str], Asked(min_length=2, max_length=MOST_COMPARED)]
) -> models.Comparison:
    """Two runs to six side by side: what was assumed, seen and written differently, and which numbers moved."""
    return said.comparison(compare([visit.workspace.run(each) for each in run]))


@router.get("/workspaces/{workspace}/scenarios", responses=ANSWERS)
def list_scenarios(visit: Reader) -> list[models.SavedScenario]:
    """Scenarios that somebody found by exploring a run and saved under a name, the latest first."""
    return [said.scenario(each) for each in saved(visit.house.people, visit.workspace.name)]


# -- jobs ----------------------------------------------------------------------------------------------------


@router.get("/workspaces/{workspace}/jobs", responses=ANSWERS)
def list_jobs(
    visit: Reader,
    state: Annotated[list[models.State], Asked()] = [],  # noqa: B006
    limit: Annotated[int, Asked(ge=1, le=MOST_RUNS)] = 50,
) -> list[models.Job]:
    """Jobs, the latest first."""
    return [said.job(each) for each in visit.workspace.queue.jobs(state, limit)]


@router.post("/workspaces/{workspace}/jobs", status_code=201, responses=ANSWERS)
def submit(request: Request, visit: Modeller, order: models.JobOrder) -> models.Job:
    """Hand a study over as it is now; what is edited afterwards is not seen by the job."""
    workspace = visit.workspace
    known = _known_study(workspace, order.study)
    (made,) = workspace.of_study(
        known.name, order_studies, [known.folder],
        until=order.until, changes=order.changes, scenarios=order.scenarios,
        executor=order.executor, priority=order.priority,
    )  # fmt: skip
    with visit.deed(request, "submitted a job", made.title) as told:
        [job] = workspace.queue.submit([handed_over_by(made, **visit.author)])
        told(job)
    return said.job(workspace.queue.get(job))


@router.get("/workspaces/{workspace}/jobs/{job_id}", responses=ANSWERS)
def get_job(visit: Reader, job_id: str) -> models.Job:
    """A job by its id, or the first digits of it."""
    return said.job(visit.workspace.queue.get(job_id))


@router.get("/workspaces/{workspace}/jobs/{job_id}/events", responses=ANSWERS)
def events(visit: Reader, job_id: str) -> list[models.Event]:
    """What happened to a job, in the order of time."""
    queue = visit.workspace.queue
    return [models.Event.model_validate(each) for each in queue.events(queue.get(job_id).id)]


@router.get("/workspaces/{workspace}/jobs/{job_id}/progress", responses=ANSWERS)
def progress(visit: Reader, job_id: str, after: Annotated[str, Asked(max_length=1000)] = "") -> models.Log:
    """What a job has written, line by line: how far its chains are, and what it said. Ask again with `next`."""
    return said.log(visit.workspace, visit.workspace.queue.get(job_id), after)


@router.post("/workspaces/{workspace}/jobs/{job_id}/cancel", responses=ANSWERS)
def cancel(request: Request, visit: Modeller, job_id: str) -> models.Job:
    """Take a job back: one that waits is cancelled at once, one that runs as soon as its worker hears of it."""
    queue = visit.workspace.queue
    found = queue.get(job_id)
    with visit.deed(request, "cancelled a job", found.id):
        queue.cancel(found.id, visit.person.title)
    return said.job(queue.get(found.id))


@router.post("/workspaces/{workspace}/jobs/{job_id}/retry", responses=ANSWERS)
def retry(request: Request, visit: Modeller, job_id: str) -> models.Job:
    """Let a job that failed or was cancelled begin anew."""
    queue = visit.workspace.queue
    found = queue.get(job_id)
    with visit.deed(request, "retried a job", found.id):
        queue.retry(found.id, visit.person.title)
    return said.job(queue.get(found.id))


# -- data ----------------------------------------------------------------------------------------------------


@router.get("/workspaces/{workspace}/data", responses=ANSWERS)
def data(visit: Reader) -> list[models.Dataset]:
    """The catalogue: where every dataset is from."""
    return [said.dataset(each) for each in Catalogue.read(visit.workspace.root).values()]


@router.get("/workspaces/{workspace}/data/{dataset}", responses=ANSWERS)
def get_dataset(visit: Reader, dataset: str) -> models.Dataset:
    """A dataset of the catalogue."""
    return said.dataset(Catalogue.read(visit.workspace.root).dataset(dataset))


# -- what is stood behind ------------------------------------------------------------------------------------


@router.get("/workspaces/{workspace}/promotions", responses=ANSWERS)
def list_promotions(visit: Reader) -> list[models.Promotion]:
    """Every run that was put forward, the latest first, and what became of it."""
    return [said.promotion(each) for each in promotions(visit.workspace.index)]


@router.post("/workspaces/{workspace}/promotions", status_code=201, responses=ANSWERS)
def put_forward(request: Request, visit: Modeller, proposal: models.Proposal) -> models.Promotion:
    """Put a run forward as the one to be stood behind, once all that its study requires of it holds."""
    run = visit.workspace.run(proposal.run)
    root, by = visit.workspace.root, visit.author
    with visit.deed(request, "put a run forward", run.id):
        made = visit.workspace.of_study(study_of(run), promote, root, run.id, comment=proposal.comment, **by)
    return said.promotion(made)


@router.post("/workspaces/{workspace}/promotions/{run_id}/sign", responses=ANSWERS)
def sign(request: Request, visit: Reviewer, run_id: str, signature: models.Signature) -> models.Promotion:
    """Sign a run that was put forward: on every byte of it, as one of those whose signature it takes."""
    run = visit.workspace.run(run_id)
    with visit.deed(request, "signed a run", run.id):
        made = sign_run(
            visit.workspace.root, run.id,
            role=signature.role, comment=signature.comment, seal=signature.seal,
            roles=visit.signs_as, **visit.author,
        )  # fmt: skip
    return said.promotion(made)


@router.post("/workspaces/{workspace}/promotions/{run_id}/withdraw", responses=ANSWERS)
def take_back(request: Request, visit: Reviewer, run_id: str, withdrawal: models.Withdrawal) -> models.Promotion:
    """Take a run back, with the reason; no earlier run comes back in its place."""
    run = visit.workspace.run(run_id)
    with visit.deed(request, "withdrew a run", run.id):
        made = withdraw_run(visit.workspace.root, run.id, reason=withdrawal.reason, by=visit.person.title)
    return said.promotion(made)


def _study(workspace: Workspace, study: KnownStudy) -> models.Study:
    row = latest(workspace, study.name)
    return models.Study(
        name=study.name, title=study.title, question=study.question,
        mistakes=[models.Mistake.model_validate(each) for each in study.letters],
        latest=said.run_row(row) if row is not None else None,
        stale=list(changed_since(workspace, row.key)) if row is not None else [],
    )  # fmt: skip


def _known_study(workspace: Workspace, name: str) -> KnownStudy:
    """A study by its name, and never by a path."""
    known = {each.name: each for each in studies(workspace)}
    if name not in known:
        fail("W301", f"there is no study `{name[:100]}` here", hint=near(name[:100], known))
    return known[name]
