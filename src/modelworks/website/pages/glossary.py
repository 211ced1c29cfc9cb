"""The words of the field and of this site, each with what it means."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from modelworks.website._glossary import glossary
from modelworks.website._render import page
from modelworks.website.access.visits import Reader

router = APIRouter()


@router.get("/w/{workspace}/glossary")
def show(request: Request, visit: Reader) -> Response:
    """Every word."""
    return page(request, "glossary.html.j2", sections=glossary())
