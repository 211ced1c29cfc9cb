"""Home: every study with its question, what came out last, what is under way, and what is stale and why."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from modelworks.study import new_study
from modelworks.website._house import nothing_can_be_made
from modelworks.website._render import at, page
from modelworks.website._studies import standings
from modelworks.website.access.visits import Admin, Reader

router = APIRouter()

FIRST = "first-study"


@router.get("/w/{workspace}")
def home(request: Request, visit: Reader) -> Response:
    """The studies of a workspace."""
    return page(request, "home.html.j2", standings=standings(visit.workspace))


@router.post("/w/{workspace}/first-study")
def begin(request: Request, visit: Admin) -> Response:
    """Put a study that runs into a repository that has none."""
    workspace = visit.workspace
    if not workspace.repository.studies():
        try:
            new_study(workspace.root, FIRST)
        except OSError as error:
            nothing_can_be_made(workspace.root, error)
        visit.note(request, "made", f"study {FIRST}")
    return RedirectResponse(at(workspace.name), 303)
