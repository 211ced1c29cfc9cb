"""What is the same for everybody: stylesheets, scripts, and whether the site is alive."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from modelworks.website._house import house, no_such_place
from modelworks.website._render import digest, static_files

router = APIRouter()


@router.get("/static/{version}/{name}")
def static(version: str, name: str) -> Response:
    """A file of ours; its address changes with it, so that it may be kept for ever."""
    if name not in static_files():
        no_such_place()
    content, kind = static_files()[name]
    lasting = "public, max-age=31536000, immutable" if version == digest(name) else "no-cache"
    return Response(content, media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": lasting})


@router.get("/healthz")
def alive() -> Response:
    """This process answers."""
    return JSONResponse({"alive": True})


@router.get("/readyz")
def ready(request: Request) -> Response:
    """So do the databases and stores behind it; 503 with the letter where one does not."""
    here = house(request)
    here.people.find("")
    for workspace in here.workspaces.values():
        workspace.queue.counts()
        workspace.index.refresh()
    return JSONResponse({"ready": True})
