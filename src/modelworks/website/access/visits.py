"""What a route asks of who comes: `person` for somebody who is signed in, `needs("modeller")` for a role.

    @router.get("/w/{workspace}/runs")
    def runs(request: Request, visit: Annotated[Visit, needs("viewer")]) -> Response: ...

A browser comes with a session's cookie, and with a form of ours also its token; a program comes with a token of a
person, as `Authorization: Bearer mw_…` or as the password of Basic, which is all that some can do.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

from fastapi import Depends
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from modelworks.errors import fail
from modelworks.runs import alike
from modelworks.website._house import House, Workspace, house, no_such_place
from modelworks.website._settings import Settings
from modelworks.website.access.deeds import deed
from modelworks.website.access.oidc import Pending
from modelworks.website.access.people import DAY, ROLES, Person, Role, Token

SESSION, STRANGER, PENDING = "modelworks_session", "modelworks_stranger", "modelworks_pending"
# How long one may take at a provider of sign-ins.
PENDING_SECONDS = 600
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TOKEN, FORM_HEADER = "form_token", "x-form-token"


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody in a workspace, with what they may do there."""

    person: Person
    role: Role
    workspace: Workspace
    house: House

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def signs_as(self) -> list[str]:
        """The roles in which they sign a run: those of their account, and those the settings name them for."""
        named = self.workspace.repository.signers
        names = {alike(self.person.name), alike(self.person.title)}
        own = [role for role, people in named.items() if names & {alike(each) for each in people}]
        return [*(role for role in ROLES if self.may(role) and role not in named), *own]

    @property
    def author(self) -> dict[str, str]:
        """Whose name is on what they hand over, put forward and sign, and what they sign in with."""
        return {"by": self.person.title, "login": self.person.name}

    def note(self, request: HTTPConnection, what: str, about: str = "") -> None:
        """Write down what they did."""
        self.house.people.note(self.person.name, self.workspace.name, what, about, address_of(request))

    def deed(self, request: HTTPConnection, what: str, about: str) -> AbstractContextManager[Callable[[str], None]]:
        """Write down what they do elsewhere than in the database of people; see `deed`."""
        return deed(self.house.people, self.person.name, self.workspace.name, what, about, address_of(request))


@dataclass(frozen=True, slots=True)
class _Known:
    """Who sent a request, and the token they came with, if they are a program."""

    person: Person
    token: Token | None


async def person(request: Request) -> Person:
    """Whoever is signed in; W107 where nobody is."""
    return (await _known(request)).person


async def memberships(request: Request, someone: Annotated[Person, Depends(person)]) -> dict[str, Role]:
    """The workspaces that whoever came belongs to, and as what; a token opens no more than was said of it."""
    here, token = house(request), request.state.token
    found = await run_in_threadpool(here.people.workspaces_of, someone.id)
    return {
        name: role if token is None else min(role, token.scope, key=ROLES.index)
        for name, role in found.items()
        if name in here.workspaces and (token is None or token.workspace in ("", name))
    }


async def in_person(request: Request) -> Person:
    """Whoever is signed in with a browser: a token can not make another that may do more; W108 for one."""
    known = await _known(request)
    if known.token is not None:
        fail("W108", "a token can not change the account it is of", hint="sign in with a browser")
    return known.person


class Needs:
    """The dependency behind `needs`: who has not the role does not pass."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Visit:
        if request.method in SAFE:
            # Nothing is sent that would have to be read first, so one thread does it all.
            return await run_in_threadpool(lambda: self._visit(request, who_comes(request)))
        known = await _known(request)
        return await run_in_threadpool(self._visit, request, known)

    def _visit(self, request: Request, known: _Known) -> Visit:
        here = house(request)
        workspace = here.workspace(request.path_params["workspace"])
        role = here.people.role(known.person.id, workspace.name)
        if known.token is not None and role is not None:
            if known.token.workspace not in ("", workspace.name):
                no_such_place()
            role = min(role, known.token.scope, key=ROLES.index)
        if role is None:
            no_such_place()
        visit = Visit(known.person, role, workspace, here)
        if not visit.may(self.role):
            hint = "ask an admin of the workspace for it; People says who they are"
            fail("W108", f"this takes the role of a {self.role}, and yours is {role}", hint=hint)
        request.state.visit = visit
        return visit


def needs(role: Role) -> Any:
    """What a route below `/w/{workspace}` asks for; it is given a `Visit`.

    Raises
    ------
    ModelworksError
        W107 for nobody, W104 for somebody of another workspace, W108 for somebody with a lesser role, W109 for a form
        that is not ours.
    """
    return Depends(Needs(role))


Reader = Annotated[Visit, needs("viewer")]
Runner = Annotated[Visit, needs("modeller")]
Reviewer = Annotated[Visit, needs("reviewer")]
Admin = Annotated[Visit, needs("admin")]


async def _known(request: Request) -> _Known:
    """Who sent the request; a form that came by itself is refused."""
    known = await run_in_threadpool(who_comes, request)
    if known.token is None:
        await check_form(request)
    elif request.method not in SAFE and _is_foreign(request):
        # A browser remembers a token that was typed into its own window, and sends it whoever asks.
        _refuse_form()
    return known


def who_comes(request: Request) -> _Known:
    """Who sent a request, of which nothing is read for it; W107 where nobody is known."""
    given = _bearer(request)
    if given is not None:
        found = house(request).people.token(given)
        if found is None:
            fail("W107", "this token opens nothing: it is wrong, was taken back, or has run out", hint="make another")
        known = _Known(*found)
    else:
        someone = _session_person(request)
        if someone is None:
            fail("W107", "nobody is signed in", hint="sign in, and come back to this page")
        known = _Known(someone, None)
    request.state.person, request.state.token = known.person, known.token
    return known


def _bearer(request: HTTPConnection) -> str | None:
    kind, _, rest = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return None


# -- sessions -------------------------------------------------------------------------------------------


def sign_in(request: Request, response: Response, someone: Person, by: str = "") -> None:
    """Let a browser in: it gets a cookie that only this site reads and no script does."""
    here = house(request)
    with here.people.change():
        secret = here.people.begin_session(someone.id, request.headers.get("user-agent", ""), address_of(request))
        here.people.note(someone.name, "", "signed in", by, address_of(request))
    signed = _signer(here.settings, SESSION).dumps(secret)
    _set_cookie(response, here.settings, SESSION, signed, here.settings.session_days * DAY)


def sign_out(request: Request, response: Response) -> None:
    """End this browser's session, and take from it what it has kept of runs for whoever sits down there next."""
    response.delete_cookie(SESSION)
    response.headers["Clear-Site-Data"] = '"cache"'


def keep_pending(request: Request, response: Response, pending: Pending) -> None:
    """Let a browser remember the sign-in that it begins at a provider."""
    settings = house(request).settings
    _set_cookie(response, settings, PENDING, _signer(settings, PENDING).dumps(pending.as_dict()), PENDING_SECONDS)


def pending_of(request: Request) -> Pending | None:
    """The sign-in that this browser has begun at a provider, and not too long ago."""
    given = request.cookies.get(PENDING, "")
    try:
        return Pending(**_signer(house(request).settings, PENDING).loads(given, max_age=PENDING_SECONDS))
    except BadSignature:
        return None


def session_secret(request: HTTPConnection) -> str | None:
    """The secret of the browser's session, where its cookie was signed by us."""
    here = house(request)
    try:
        found: str = _signer(here.settings, SESSION).loads(
            request.cookies.get(SESSION, ""), max_age=int(here.settings.session_days * DAY)
        )
    except BadSignature:
        return None
    return found


def _session_person(request: HTTPConnection) -> Person | None:
    secret = session_secret(request)
    return None if secret is None else house(request).people.session(secret)


def who(request: HTTPConnection) -> Person | None:
    """Whoever is signed in, if anybody; for pages that are everybody's."""
    known = getattr(request.state, "person", None)
    return known if isinstance(known, Person) else _session_person(request)


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from; behind a proxy that the settings name, where it says so."""
    return request.client.host if request.client else ""


def _signer(settings: Settings, purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.key, salt=purpose)


def _set_cookie(response: Response, settings: Settings, name: str, value: str, seconds: float) -> None:
    response.set_cookie(
        name, value, max_age=int(seconds), path="/", httponly=True, samesite="lax", secure=settings.is_secure
    )


# -- forms ----------------------------------------------------------------------------------------------


def form_token(request: HTTPConnection) -> str:
    """What a form of ours carries, so that no other site can send one in somebody's name."""
    return _token_of(house(request).settings, _bound_to(request))


async def check_form(request: Request) -> None:
    """Refuse what another site made a browser send; W109."""
    if request.method in SAFE:
        return
    given = request.headers.get(FORM_HEADER)
    if given is None and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        given = str((await request.form()).get(FORM_TOKEN, ""))
    if _is_foreign(request) or not given or not hmac.compare_digest(given, form_token(request)):
        _refuse_form()


def _is_foreign(request: Request) -> bool:
    """Whether a browser says that a page of another site made it send this."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _refuse_form() -> NoReturn:
    fail("W109", "this form is too old, or did not come from here", hint="load its page again and send it anew")


def welcome_stranger(request: Request, response: Response) -> None:
    """Give a browser that nobody is signed in with something that its forms can be bound to."""
    made = getattr(request.state, "stranger", "")
    if made:
        _set_cookie(response, house(request).settings, STRANGER, made, DAY)


def _bound_to(request: HTTPConnection) -> str:
    """The session, or what a stranger's browser was given."""
    secret = session_secret(request)
    if secret is not None:
        return secret
    if not request.cookies.get(STRANGER) and not getattr(request.state, "stranger", ""):
        request.state.stranger = secrets.token_urlsafe(16)
    return request.cookies.get(STRANGER) or str(request.state.stranger)


def _token_of(settings: Settings, bound: str) -> str:
    return hmac.new(settings.key, f"form {bound}".encode(), "sha256").hexdigest()
