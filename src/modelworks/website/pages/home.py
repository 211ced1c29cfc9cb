"""Home: every study with its question, what came out last, what is under way, and what is stale and why."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from modelworks.website._render import page
from modelworks.website._studies import standings
from modelworks.website.access.visits import Reader

router = APIRouter()


@router.get("/w/{workspace}")
def home(request: Request, visit: Reader) -> Response:
    """The studies of a workspace."""
    return page(request, "home.html.j2", standings=standings(visit.workspace))
