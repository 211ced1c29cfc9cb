"""The end of somebody's own website on their own machine, by a button: for its owner alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from modelworks.website._house import house, no_such_place
from modelworks.website._render import may_stop, page, unsigned
from modelworks.website.access.people import Person
from modelworks.website.access.visits import address_of, in_person

router = APIRouter()


def _stopping(request: Request, someone: Annotated[Person, Depends(in_person)]) -> Callable[[], None]:
    """What ends this website; W104 for everybody but the owner of one that may be stopped so."""
    if not may_stop(request, someone):
        no_such_place()
    stop: Callable[[], None] = request.app.state.stop
    return stop


Stopping = Annotated[Callable[[], None], Depends(_stopping)]


@router.get("/stop")
def ask(request: Request, stop: Stopping) -> Response:
    """What becomes of the jobs, and the button."""
    counts = [each.queue.counts() for each in house(request).workspaces.values()]
    running, waiting = (sum(each.get(state, 0) for each in counts) for state in ("running", "waiting"))
    return page(request, "stop.html.j2", running=running, waiting=waiting)


@router.post("/stop")
def end(request: Request, stop: Stopping) -> Response:
    """Say goodbye, and end once that was said."""
    someone: Person = request.state.person
    house(request).people.note(someone.name, "", "stopped the website", "", address_of(request))
    answer = unsigned("stopped.html.j2")
    answer.background = BackgroundTask(stop)
    return answer
