"""Views of the list of runs: saved under a name, shared with the workspace, and removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from modelworks.errors import ModelworksError, fail
from modelworks.website._house import no_such_place
from modelworks.website._render import at
from modelworks.website._views import LONGEST_QUERY, View, one_view, remove_view, save_view, share_view
from modelworks.website.access.visits import Reader, Visit
from modelworks.website.pages.runs import Asked, shown

router = APIRouter()

# What the trail says of a view that nobody else sees: its name is nobody else's either.
PRIVATE = "one's own"


@router.post("/w/{workspace}/views")
def save(
    request: Request,
    visit: Reader,
    title: Annotated[str, Form()] = "",
    query: Annotated[str, Form(max_length=2 * LONGEST_QUERY)] = "",
    shared: Annotated[str, Form()] = "",
) -> Response:
    """Give what the list is asked for a name."""
    people, asked = visit.house.people, Asked.of(query)
    if shared:
        _check_share(visit)
    try:
        with people.change():
            made = save_view(people, visit.workspace.name, visit.person.id, title, asked.but(), shared=bool(shared))
            visit.note(request, "saved a view of the runs", _told(made))
    except ModelworksError as error:
        return shown(request, visit, asked, 422, letters=error.letters, named=title)
    return _back(visit, made)


@router.post("/w/{workspace}/views/{view}/share")
def share(request: Request, visit: Reader, view: str, shared: Annotated[str, Form()] = "") -> Response:
    """Let the workspace see a view of one's own, or take that back."""
    people, found = visit.house.people, _own(visit, view)
    if shared:
        _check_share(visit)
    with people.change():
        share_view(people, found, shared=bool(shared))
        visit.note(request, "shared a view of the runs" if shared else "shares a view no more", found.title)
    return _back(visit, found)


@router.post("/w/{workspace}/views/{view}/remove")
def remove(request: Request, visit: Reader, view: str) -> Response:
    """Take a name back; an admin also takes back what others share."""
    people = visit.house.people
    found = one_view(people, visit.workspace.name, visit.person.id, view) if visit.may("admin") else _own(visit, view)
    with people.change():
        remove_view(people, found)
        visit.note(request, "removed a view of the runs", _told(found))
    return _back(visit, found)


def _own(visit: Visit, view: str) -> View:
    found = one_view(visit.house.people, visit.workspace.name, visit.person.id, view)
    return found if found.person == visit.person.id else no_such_place()


def _check_share(visit: Visit) -> None:
    if not visit.may("modeller"):
        hint = "save it for yourself, and send its address to whoever should see it"
        fail("W108", "what everybody sees is for a modeller to name", hint=hint)


def _told(view: View) -> str:
    return view.title if view.shared else PRIVATE


def _back(visit: Visit, view: View) -> Response:
    """The list as the view asks for it."""
    return RedirectResponse(f"{at(visit.workspace.name, 'runs')}?{view.query}", 303)
