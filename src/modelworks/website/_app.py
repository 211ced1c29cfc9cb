"""The website as one ASGI application: its rooms, its error pages, and what holds for every answer."""

from __future__ import annotations

import errno
import gc
import logging
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response

from modelworks.errors import Letter, ModelworksError, disk_letter
from modelworks.study import worker_around
from modelworks.website import _measures as measures
from modelworks.website._connections import COME_AGAIN_SECONDS
from modelworks.website._corrections import settle
from modelworks.website._guard import Guard, headers
from modelworks.website._house import house, opened
from modelworks.website._kept import LATE, Kept, kept
from modelworks.website._refused import Refused
from modelworks.website._render import page
from modelworks.website._settings import Settings
from modelworks.website._team_code import NoAnswerError
from modelworks.website.access.answers import Answers
from modelworks.website.access.visits import SAFE, who
from modelworks.website.api import routes as api
from modelworks.website.feeds import routes as feeds
from modelworks.website.pages import (
    account,
    approve,
    compare,
    data,
    explore,
    glossary,
    home,
    jobs,
    new_data,
    new_run,
    people,
    proposals,
    run,
    runs,
    sign_in,
    static,
    stop,
    views,
    workflow,
)

# Every room of the site; a page, a feed or an endpoint of its own is added here.
ROUTERS: tuple[APIRouter, ...] = (
    static.router,
    sign_in.router,
    home.router,
    runs.router,
    views.router,
    compare.router,
    run.router,
    approve.router,
    explore.router,
    feeds.router,
    measures.router,
    jobs.router,
    workflow.router,
    new_run.router,
    api.router,
    people.router,
    data.router,
    new_data.router,
    proposals.router,
    account.router,
    stop.router,
    glossary.router,
)

# What a letter means to a browser or a program; any other is a mistake in what was asked for.
STATUS = {
    "W104": 404, "R101": 404, "R110": 404, "J102": 404, "Y134": 404,
    "W106": 503, "W120": 503, "R120": 503, "R150": 503, "J101": 503,
    "W107": 401, "W113": 401, "W108": 403, "W109": 403, "W121": 403, "W111": 409, "W114": 429, "W115": 410, "W116": 413,
    "W117": 500, "W217": 404, "W221": 500, "W301": 404, "D101": 404,
    "D148": 409, "W140": 409, "D149": 403,
    "J103": 409, "R170": 409, "R171": 409, "R173": 409, "R174": 409, "R175": 409, "R176": 409, "R177": 409, "R179": 403,
    "Y551": 404, "Y164": 403,
}  # fmt: skip
# How hard answers are compressed: at 4, of a feed of 140 kB, it takes twice as long, to save 6%; at 9 far longer.
COMPRESSED = 1
_LOG = logging.getLogger("modelworks.website")


def create_app(settings: Settings) -> FastAPI:
    """The website of these settings; store, index, queue and people are opened when it starts."""
    app = FastAPI(
        title="modelworks", lifespan=_lifespan(settings), docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(ModelworksError, _letters)
    app.add_exception_handler(NoAnswerError, _in_trouble)
    app.add_exception_handler(OSError, _disk)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(Refused, whom=_whom, shelf=_shelf, is_secure=settings.is_secure)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=COMPRESSED)
    app.add_middleware(Guard, settings=settings)
    # What ends this process, where its owner may do that by a button.
    app.state.stop = None
    app.state.measures = measures.Measures()
    app.add_middleware(measures.Measured, measures=app.state.measures)
    return app


def _whom(request: Request) -> str:
    someone = who(request)
    return "" if someone is None else someone.id


def _shelf(request: Request) -> Answers | None:
    """Where answers are kept; none for strangers, who could fill it."""
    return Answers(house(request).people) if _whom(request) else None


def _lifespan(settings: Settings) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        over = threading.Event()
        with opened(settings) as house:
            app.state.house = house
            for workspace in house.workspaces.values():
                # Whoever decided something may have been killed before all was done that follows.
                settle(house.people, workspace)
            workers = [
                threading.Thread(target=worker_around(folder, say=_LOG.info).run, args=(over,), daemon=True)
                for folder in (settings.folders if settings.work else ())
            ]
            for worker in workers:
                worker.start()
            # What is there now stays: looking through all of it for what nobody needs would hold up whoever asks.
            gc.collect()
            gc.freeze()
            try:
                yield
            finally:
                gc.unfreeze()
                over.set()
                for worker in workers:
                    worker.join()

    return lifespan


async def _letters(request: Request, error: Exception) -> Response:
    letters = error.letters if isinstance(error, ModelworksError) else ()
    late = await kept(request) if any(letter.code in LATE for letter in letters) else None
    return _told(request, letters, max((STATUS.get(letter.code, 422) for letter in letters), default=422), late)


async def _in_trouble(request: Request, error: Exception) -> Response:
    """A model that did not answer."""
    return _told(request, (error.letter,) if isinstance(error, NoAnswerError) else (), 503)


async def _disk(request: Request, error: Exception) -> Response:
    """A disk that is full, in whichever room that was found out; what else it refuses is a mistake of ours."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    _LOG.error("%s %s: %s", request.method, request.url.path, error)
    return _told(request, (disk_letter(error),), 503)


async def _refused(request: Request, error: Exception) -> Response:
    """What the router says, in our words: there is no such page, or it does not take this."""
    if isinstance(error.__cause__, ModelworksError):
        # What was refused while a form was read.
        return await _letters(request, error.__cause__)
    status = error.status_code if isinstance(error, HTTPException) else 500
    path = request.url.path
    if status == 404 and request.method in SAFE and path != "/" and path.endswith("/"):
        # By its place alone: as its host a request may name any.
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/{path.strip('/')}{query}", 307)
    letter = Letter("W104", "there is no such page, or it is not for you to see", "go back to the start")
    if status == 400:
        letter = Letter("W118", "what was sent can not be read: it is no JSON, or no form", "send it again, in UTF-8")
    if status == 405:
        letter = Letter("W104", f"what is at this address takes no {request.method}", "read it: GET")
    if status == 413 and isinstance(error, HTTPException):
        letter = Letter("W116", error.detail, "send a smaller file")
    answer = _told(request, (letter,), status)
    # With 405 it says what is taken.
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _misread(request: Request, error: Exception) -> Response:
    """A value of the address or a form that is not of its kind."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    letters = [Letter("W118", f"`{each['loc'][-1]}`: {each['msg']}", "go back and mend it") for each in found]
    return _told(request, letters, 422)


async def _broken(request: Request, error: Exception) -> Response:
    """Something that is our mistake: told with a number that stands in the log beside the traceback."""
    number = secrets.token_hex(4)
    _LOG.error("%s: %s %s", number, request.method, request.url.path, exc_info=error)
    message = f"something went wrong here that is not your mistake (number {number})"
    hint = "nothing that was finished is lost; whoever runs this site finds the number in its log"
    answer = _told(request, (Letter("W117", message, hint),), 500)
    # This answer is given outside of all that is added to others.
    answer.headers.update(headers(request.app.state.house.settings))
    return answer


def _told(request: Request, letters: Any, status: int, late: Kept | None = None) -> Response:
    """Letters as a page for a person and as JSON for a program; a stranger is shown the way in, and what was typed."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if status == 401 and wants_page and request.method in SAFE and request.url.path != "/sign-in":
        return RedirectResponse(f"/sign-in?next={_quoted(request)}", 303)
    if wants_page and late is not None:
        # The page itself says what to do next.
        told = [replace(letter, hint="") for letter in letters]
        answer = page(request, "late.html.j2", status, letters=told, late=late)
    elif wants_page:
        answer = page(request, "letters.html.j2", status, letters=letters, number=status)
    elif feeds.is_odata(request):
        answer = feeds.refused(letters, status)
    else:
        answer = JSONResponse({"verdict": "stop", "mistakes": [each.as_dict() for each in letters]}, status)
    if status == 401 and not wants_page and "sec-fetch-mode" not in request.headers:
        # Of a script of ours a browser would ask for a password in a window of its own, and do nothing else meanwhile.
        answer.headers["WWW-Authenticate"] = 'Basic realm="modelworks", charset="UTF-8"'
    if status in (408, 413) or (status == 401 and request.method not in SAFE):
        # What is still on its way is not waited for.
        answer.headers["Connection"] = "close"
    if status == 503:
        answer.headers["Retry-After"] = str(COME_AGAIN_SECONDS)
    return answer


def _quoted(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.url.path + query, safe="")
