"""The door: signing in and out, here or by a provider, the link a laptop opens, links for a new password."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.background import BackgroundTask
from starlette.responses import RedirectResponse, Response

from modelworks.errors import Letter, ModelworksError
from modelworks.jobs.channels.mail import Mail
from modelworks.website._house import House, Workspace, house
from modelworks.website._render import at, page
from modelworks.website.access.identities import counting, person_of
from modelworks.website.access.mail import mail_server, send
from modelworks.website.access.oidc import BACK, Pending
from modelworks.website.access.people import Person
from modelworks.website.access.tables import hashed
from modelworks.website.access.visits import (
    PENDING,
    address_of,
    check_form,
    keep_pending,
    pending_of,
    person,
    session_secret,
    sign_in,
    sign_out,
    who,
)

router = APIRouter()

FORGOTTEN = """\
Somebody, you most likely, asked for a new password for {}. Choose it here, once, within two hours:

{}

If it was not you, nothing has changed, and nothing is to be done."""
_LOG = logging.getLogger("modelworks.website")


@router.get("/")
def start(request: Request) -> Response:
    """The workspace, or the choice among several; a stranger is shown the way in."""
    someone = who(request)
    if someone is None:
        return RedirectResponse("/sign-in", 303)
    here = house(request)
    mine = [here.workspaces[name] for name in here.people.workspaces_of(someone.id) if name in here.workspaces]
    if len(mine) == 1:
        return RedirectResponse(at(mine[0].name), 303)
    return page(request, "workspaces.html.j2", workspaces=mine)


@router.get("/sign-in")
def ask(request: Request, next: str = "/") -> Response:
    """The form for name and password."""
    return page(request, "sign_in.html.j2", next=_inside(next), name="", letters=())


@router.post("/sign-in", dependencies=[Depends(check_form)])
def enter(
    request: Request,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Let in whoever knows their password."""
    try:
        someone = house(request).people.check_password(name, password, address_of(request))
    except ModelworksError as error:
        status = {"W113": 401, "W114": 429}.get(error.letters[0].code)
        if status is None:
            raise
        return page(request, "sign_in.html.j2", status, next=_inside(next), name=name, letters=error.letters)
    response = RedirectResponse(_inside(next), 303)
    sign_in(request, response, someone)
    return response


@router.get("/sign-in/oidc")
def ask_provider(request: Request, next: str = "/") -> Response:
    """Send a browser to the provider of sign-ins that the settings name."""
    provider = house(request).provider
    if provider is None:
        return RedirectResponse("/sign-in", 303)
    pending = Pending.begun(_inside(next))
    try:
        response = RedirectResponse(provider.way_in(pending), 303)
    except ModelworksError as error:
        return _not_by_provider(request, error, pending.next)
    keep_pending(request, response, pending)
    return response


@router.get(BACK)
def back_from_provider(request: Request) -> Response:
    """Let in whoever comes back from the provider and is known here."""
    here, address = house(request), address_of(request)
    if here.provider is None:
        return RedirectResponse("/sign-in", 303)
    pending = pending_of(request)
    next = pending.next if pending else "/"
    try:
        with counting(here.people, address):
            came = here.provider.identity(pending, request.query_params)
            someone = person_of(here.people, came, address)
    except ModelworksError as error:
        response = _not_by_provider(request, error, next)
    else:
        response = RedirectResponse(next, 303)
        sign_in(request, response, someone, f"by {came.issuer}")
    # What was begun is over, however it ended.
    response.delete_cookie(PENDING)
    return response


def _not_by_provider(request: Request, error: ModelworksError, next: str) -> Response:
    _LOG.warning("no sign-in by the provider: %s", error)
    status = {"W114": 429, "W134": 401, "W135": 401, "W136": 401}.get(error.letters[0].code, 503)
    return page(request, "sign_in.html.j2", status, next=next, name="", letters=error.letters)


@router.post("/sign-out")
def leave(request: Request, someone: Annotated[Person, Depends(person)]) -> Response:
    """End this browser's session, here and in the database."""
    response = RedirectResponse("/sign-in", 303)
    secret, people = session_secret(request), house(request).people
    with people.change():
        if secret is not None and people.end_session(someone.id, hashed(secret)):
            people.note(someone.name, "", "signed out", address=address_of(request))
    sign_out(request, response)
    return response


@router.get("/enter/{secret}")
def enter_by_link(request: Request, secret: str) -> Response:
    """The link that a laptop opens for its owner: once, and within minutes."""
    people, response = house(request).people, RedirectResponse("/", 303)
    with people.change():
        sign_in(request, response, people.follow_link(secret, ("enter",), use=True))
    return response


@router.get("/forgotten")
def forgotten(request: Request) -> Response:
    """The form that asks for a link by mail."""
    return _asked(request)


@router.post("/forgotten", dependencies=[Depends(check_form)])
def send_link(request: Request, name: Annotated[str, Form()] = "") -> Response:
    """Send a link for a new password, if anybody is called so; the answer is the same, and as soon, if nobody is."""
    here = house(request)
    try:
        here.people.count_asking(name, address_of(request))
    except ModelworksError as error:
        return _asked(request, 429, letters=error.letters)
    response = _asked(request, sent=True)
    # Looked for and sent once the answer is on its way: how long that takes would tell who there is.
    response.background = BackgroundTask(_send_links, here, name, address_of(request))
    return response


def _asked(request: Request, status: int = 200, *, sent: bool = False, letters: tuple[Letter, ...] = ()) -> Response:
    by_mail = _first_server(house(request).workspaces.values()) is not None
    return page(request, "forgotten.html.j2", status, by_mail=by_mail, sent=sent, letters=letters)


def _send_links(here: House, text: str, address: str) -> None:
    """A link for each person with that name or address, by the mail server of one of their workspaces."""
    for someone in here.people.reached_by(text):
        mine = [here.workspaces[name] for name in here.people.workspaces_of(someone.id) if name in here.workspaces]
        server = _first_server(mine)
        if server is None:
            continue
        with here.people.change():
            link = f"{here.settings.address}/password/{here.people.make_link(someone.id, 'reset')}"
            here.people.note(someone.name, "", "asked for a link for a password", address=address)
        try:
            send(
                server, someone.mail, f"A new password at {here.settings.address}", FORGOTTEN.format(someone.name, link)
            )
        except ModelworksError as error:
            _LOG.warning("no link for a password was sent: %s", error)
            here.people.note(someone.name, "", "could not be sent a link", str(error.letters[0]), address)
        else:
            here.people.note(someone.name, "", "was sent a link for a password", address=address)


def _first_server(workspaces: Iterable[Workspace]) -> Mail | None:
    """The first server that takes mail for one of these workspaces."""
    for each in workspaces:
        try:
            server = mail_server(each.repository)
        except ModelworksError as error:
            # Whoever asks is nobody yet, and is not to read of a mistake in a team's settings.
            _LOG.warning("no mail for %s: %s", each.name, error)
        else:
            if server is not None:
                return server
    return None


@router.get("/password/{secret}")
def choose(request: Request, secret: str) -> Response:
    """The form for a new password. Looking at it uses nothing up: programs that read mail follow links, too."""
    someone = house(request).people.follow_link(secret, ("invite", "reset"), use=False)
    return page(request, "password.html.j2", new=someone, letters=())


@router.post("/password/{secret}", dependencies=[Depends(check_form)])
def chosen(request: Request, secret: str, password: Annotated[str, Form()] = "") -> Response:
    """Take the new password, and let its owner in."""
    people = house(request).people
    someone = people.follow_link(secret, ("invite", "reset"), use=False)
    try:
        kept = people.password_hash(password)
    except ModelworksError as error:
        return page(request, "password.html.j2", 422, new=someone, letters=error.letters)
    response = RedirectResponse("/", 303)
    with people.change():
        # Of two who follow it at once the first has used it up.
        people.follow_link(secret, ("invite", "reset"), use=True)
        people.keep_password(someone.id, kept)
        people.note(someone.name, "", "chose a password", address=address_of(request))
        sign_in(request, response, someone)
    return response


def _inside(address: str) -> str:
    """A place on this site and nowhere else.

    >>> _inside("/w/ours/runs"), _inside("//evil.example"), _inside("https://evil.example"), _inside("/\\\\evil")
    ('/w/ours/runs', '/', '/', '/')
    """
    return address if address.startswith("/") and not address.startswith("//") and "\\" not in address else "/"
