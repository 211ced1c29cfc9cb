"""One's own account: the password, the browsers one is signed in with, and tokens for programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from modelworks.errors import Letter, ModelworksError
from modelworks.website._house import house, no_such_place
from modelworks.website._render import page
from modelworks.website.access.people import Person, Role
from modelworks.website.access.tables import hashed
from modelworks.website.access.visits import address_of, in_person, session_secret, sign_in

router = APIRouter()
Oneself = Annotated[Person, Depends(in_person)]

# What a token may do, in the words of its owner.
SCOPES: dict[Role, str] = {
    "viewer": "read",
    "modeller": "read, and start runs",
    "reviewer": "read, start runs, and sign",
    "admin": "everything you may",
}
LONGEST_DAYS = 366
# What a browser says of itself holds the names of others too, so the order matters.
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


def browser_in_words(agent: str) -> str:
    """What a browser says of itself, as its owner would; as it is, where it is none of the usual.

    >>> browser_in_words("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36")
    'Chrome on Linux'
    """
    browser = next((name for mark, name in _BROWSERS.items() if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    return f"{browser} on {system}" if browser and system else agent or "a browser"


@router.get("/account")
def account(request: Request, someone: Oneself) -> Response:
    """Everything about oneself."""
    return _shown(request, someone)


def _shown(
    request: Request, someone: Person, status: int = 200, *, letters: tuple[Letter, ...] = (), token: str = ""
) -> Response:
    people = house(request).people
    mine = people.workspaces_of(someone.id)
    return page(
        request, "account.html.j2", status, mine=mine, scopes=SCOPES, letters=letters, token=token,
        tokens=people.tokens(someone.id), sessions=people.sessions(someone.id),
        browser_in_words=browser_in_words, here=hashed(session_secret(request) or ""),
    )  # fmt: skip


@router.post("/account/password")
def password(
    request: Request, someone: Oneself, before: Annotated[str, Form()] = "", after: Annotated[str, Form()] = ""
) -> Response:
    """Another password; every other browser is signed out."""
    people = house(request).people
    try:
        if someone.has_password:
            people.check_password(someone.name, before, address_of(request))
        kept = people.password_hash(after)
    except ModelworksError as error:
        return _shown(request, someone, 422, letters=error.letters)
    response = RedirectResponse("/account", 303)
    with people.change():
        people.keep_password(someone.id, kept)
        people.note(someone.name, "", "changed the password", address=address_of(request))
        sign_in(request, response, someone)
    return response


@router.post("/account/tokens")
def make_token(
    request: Request,
    someone: Oneself,
    title: Annotated[str, Form()] = "",
    scope: Annotated[Role, Form()] = "viewer",
    workspace: Annotated[str, Form()] = "",
    days: Annotated[int, Form(ge=1, le=LONGEST_DAYS)] = 90,
) -> Response:
    """A new token, which is shown this once."""
    people = house(request).people
    if workspace and workspace not in people.workspaces_of(someone.id):
        no_such_place()
    with people.change():
        token = people.make_token(someone.id, title or "without a name", workspace, scope, days)
        people.note(someone.name, workspace, "made a token", f"{title} ({scope}, {days} days)", address_of(request))
    return _shown(request, someone, token=token)


@router.post("/account/tokens/{token_id}/end")
def end_token(request: Request, someone: Oneself, token_id: str) -> Response:
    """Take a token back."""
    people = house(request).people
    with people.change():
        if people.end_token(someone.id, token_id):
            people.note(someone.name, "", "took a token back", token_id, address_of(request))
    return RedirectResponse("/account", 303)


@router.post("/account/sessions/{session}/end")
def end_session(request: Request, someone: Oneself, session: str) -> Response:
    """Sign another browser out."""
    people = house(request).people
    with people.change():
        if people.end_session(someone.id, session):
            people.note(someone.name, "", "signed another browser out", address=address_of(request))
    return RedirectResponse("/account", 303)
