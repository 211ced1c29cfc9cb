"""People and settings of a workspace: who belongs to it, what was done, what is stored, who carries jobs out."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from modelworks.errors import Letter, ModelworksError, fail
from modelworks.runs import Policy
from modelworks.study import executor_names
from modelworks.website._house import no_such_place
from modelworks.website._render import at, page
from modelworks.website._settings import is_loopback
from modelworks.website.access.deeds import tell_of_unfinished
from modelworks.website.access.identities import forget
from modelworks.website.access.mail import mail_server, send
from modelworks.website.access.people import ROLES, Person, Role
from modelworks.website.access.visits import Admin, Reader, Visit

router = APIRouter()

DEEDS_SHOWN = 100
# The number of a line is one of 32 bits.
MOST_DEEDS = 2**31 - 1


@router.get("/w/{workspace}/people")
def people(request: Request, visit: Reader) -> Response:
    """Who belongs to the workspace; an admin may change it here."""
    return _shown(request, visit)


def _shown(
    request: Request, visit: Visit, status: int = 200, *, letters: tuple[Letter, ...] = (), link: str = "", of: str = ""
) -> Response:
    everybody = visit.house.people.everybody(visit.workspace.name)
    return page(
        request, "people.html.j2", status, everybody=everybody, roles=ROLES, letters=letters, link=link, link_of=of,
        is_only_here=is_loopback(urlsplit(visit.house.settings.address).hostname or ""),
    )  # fmt: skip


@router.post("/w/{workspace}/people")
def invite(
    request: Request,
    visit: Admin,
    name: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
    mail: Annotated[str, Form()] = "",
    role: Annotated[Role, Form()] = "viewer",
) -> Response:
    """Make somebody a member; who is new gets a link by which they choose a password."""
    known = visit.house.people
    with known.change():
        try:
            someone = known.find(name) or known.add(name, title, mail=mail)
            if known.role(someone.id, visit.workspace.name) is not None:
                hint = "give them another role in the table, or choose another name to sign in with"
                fail("W110", f"`{someone.name}` belongs here already", hint=hint)
        except ModelworksError as error:
            return _shown(request, visit, 422, letters=error.letters)
        known.set_role(someone.id, visit.workspace.name, role)
        visit.note(request, "invited", f"{someone.name} as {role}")
    if someone.has_password or not _belongs_to_me(visit, someone):
        return RedirectResponse(at(visit.workspace.name, "people"), 303)
    return _with_link(request, visit, someone, "invite")


@router.post("/w/{workspace}/people/{person_id}/role")
def change(request: Request, visit: Admin, person_id: str, role: Annotated[Literal["none"] | Role, Form()]) -> Response:
    """Give a member another role, or none any more."""
    someone = _member(visit, person_id)
    with visit.house.people.change():
        visit.house.people.set_role(someone.id, visit.workspace.name, None if role == "none" else role)
        visit.note(request, "gave a role", f"{someone.name}: {role}")
    return RedirectResponse(at(visit.workspace.name, "people"), 303)


@router.post("/w/{workspace}/people/{person_id}/mail")
def set_mail(request: Request, visit: Admin, person_id: str, mail: Annotated[str, Form()] = "") -> Response:
    """Where a member gets mail: a link for a password is sent there, and a provider of sign-ins knows them by it."""
    someone = _member(visit, person_id)
    _check_everywhere(visit, someone)
    with visit.house.people.change():
        try:
            visit.house.people.set_mail(someone.id, mail)
        except ModelworksError as error:
            return _shown(request, visit, 422, letters=error.letters)
        forget(visit.house.people, someone.id)
        visit.note(request, "set an address of mail", f"{someone.name}: {mail or 'none'}")
    return RedirectResponse(at(visit.workspace.name, "people"), 303)


@router.post("/w/{workspace}/people/{person_id}/link")
def link(request: Request, visit: Admin, person_id: str) -> Response:
    """A link by which a member chooses a new password, for an admin to hand over."""
    someone = _member(visit, person_id)
    return _with_link(request, visit, someone, "reset" if someone.has_password else "invite")


def _with_link(request: Request, visit: Visit, someone: Person, purpose: Literal["invite", "reset"]) -> Response:
    """The link, sent by mail where that is set up, and shown once to be handed over."""
    known = visit.house.people
    _check_everywhere(visit, someone)
    with known.change():
        made = f"{visit.house.settings.address}/password/{known.make_link(someone.id, purpose)}"
        visit.note(request, "made a link for a password", someone.name)
    letters: tuple[Letter, ...] = ()
    if someone.mail:
        try:
            _send(visit, someone, made)
        except ModelworksError as error:
            letters = error.letters
    return _shown(request, visit, letters=letters, link=made, of=someone.title)


def _check_everywhere(visit: Visit, someone: Person) -> None:
    """Whoever holds a link, or gets somebody's mail, is that person everywhere: W121 for an admin of less than that."""
    if not _belongs_to_me(visit, someone):
        fail(
            "W121",
            f"{someone.title} belongs to another workspace, too, of which you are no admin",
            hint="an admin of all their workspaces can do this",
        )


def _belongs_to_me(visit: Visit, someone: Person) -> bool:
    """Whether who looks is an admin of all workspaces somebody belongs to."""
    known = visit.house.people
    return all(known.role(visit.person.id, name) == "admin" for name in known.workspaces_of(someone.id))


def _send(visit: Visit, someone: Person, made: str) -> None:
    """By the server of [notify.mail]; where none is set up, the admin hands the link over."""
    server = mail_server(visit.workspace.repository)
    if server is not None:
        subject = f"[{visit.workspace.title}] choose a password"
        text = f"{visit.person.title} lets you in. Choose a password here, once:\n\n{made}"
        send(server, someone.mail, subject, text)


def _member(visit: Visit, person_id: str) -> Person:
    """Somebody of this workspace; who is of another is not there at all."""
    someone = visit.house.people.get(person_id)
    if someone is None or visit.house.people.role(someone.id, visit.workspace.name) is None:
        no_such_place()
    return someone


@router.get("/w/{workspace}/settings")
def settings(
    request: Request, visit: Admin, before: Annotated[int | None, Query(ge=1, le=MOST_DEEDS)] = None
) -> Response:
    """What was done by whom, what the runs take and which of them stay, and who carries jobs out."""
    workspace = visit.workspace
    tell_of_unfinished(visit.house.people)
    deeds = visit.house.people.trail(workspace.name, before=before, limit=DEEDS_SHOWN)
    return page(
        request, "settings.html.j2",
        deeds=deeds, more=deeds[-1].number if len(deeds) == DEEDS_SHOWN else None, stored=workspace.storage.look(),
        policy=Policy(**workspace.repository.retention), executors=executor_names(workspace.repository),
        workers=workspace.queue.workers(), counts=workspace.queue.counts(),
        queue=workspace.repository.queue or "a file of the repository's own",
    )  # fmt: skip
