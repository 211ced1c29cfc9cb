"""Corrected files of data: proposed with a reason, shown with what differs, accepted, declined or withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from modelworks.errors import Letter, ModelworksError, fail
from modelworks.report import DataPage
from modelworks.study import (
    DataProposal,
    accept_proposal,
    check_table,
    decline_proposal,
    is_new_dataset,
    may_be_corrected,
    new_dataset_page,
    proposal_of,
    propose_file,
    proposed_page,
    same_proposed,
    withdraw_proposal,
)
from modelworks.website import _catalogue
from modelworks.website._corrections import corrections, settle
from modelworks.website._drawings import data_views
from modelworks.website._house import Workspace, no_such_place
from modelworks.website._render import at, page
from modelworks.website._studies import resting_on
from modelworks.website.access.visits import Reader, Reviewer, Runner, Visit, address_of

router = APIRouter()

LONGEST_REASON = 2000
# The trail has all of it.
LONGEST_WORD = 400
ONE = "/w/{workspace}/data/{dataset}/proposals/{proposal}"
Word = Annotated[str, Form(max_length=LONGEST_WORD)]
Commit = Annotated[str, Form()]


@router.get("/w/{workspace}/data/{dataset}/propose")
def ask(request: Request, visit: Runner, dataset: str) -> Response:
    """The form for a corrected file, or why there can be none."""
    shown = _catalogue.dataset(visit.workspace, dataset)
    try:
        may_be_corrected(visit.workspace.root, dataset)
    except ModelworksError as error:
        return _form(request, shown, letters=error.letters, possible=False)
    return _form(request, shown)


@router.post("/w/{workspace}/data/{dataset}/propose")
def propose(
    request: Request,
    visit: Runner,
    dataset: str,
    file: Annotated[UploadFile, File()],
    reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
) -> Response:
    """Keep a corrected file as a proposal; of the name it came with nothing is used."""
    shown, root, someone = _catalogue.dataset(visit.workspace, dataset), visit.workspace.root, visit.person
    found = file.file.read()
    try:
        if found:
            # Whatever was sent is read in a process of its own, which takes so much memory and so long.
            visit.workspace.of_data(check_table, root, dataset, found)
        with visit.deed(request, "proposed a file", f"dataset {dataset}") as told:
            made = propose_file(root, dataset, found, why=reason, by=someone.title, login=someone.name)
            told(f"dataset {dataset}, proposal {made}")
    except ModelworksError as error:
        same = same_proposed(root, dataset, found)
        return _form(request, shown, 422, letters=error.letters, reason=reason, same=same)
    return RedirectResponse(at(visit.workspace.name, "data", dataset, "proposals", made), 303)


def _form(
    request: Request,
    shown: DataPage,
    status: int = 200,
    *,
    letters: tuple[Letter, ...] = (),
    possible: bool = True,
    reason: str = "",
    same: DataProposal | None = None,
) -> Response:
    """The form with what was typed; `same` is the proposal of the very file that was sent."""
    told: dict[str, Any] = {"letters": letters, "possible": possible, "reason": reason, "same": same}
    return page(request, "propose.html.j2", status, dataset=shown, **told)


@router.get(ONE)
def proposal(request: Request, visit: Reader, dataset: str, proposal: str) -> Response:
    """A proposed file: who, when, why, what differs, and what the checks find in it; or what became of it."""
    return _shown(request, visit, dataset, proposal)


@router.post(f"{ONE}/accept")
def accept(
    request: Request, visit: Reviewer, dataset: str, proposal: str, commit: Commit = "", comment: Word = ""
) -> Response:
    """Merge what was proposed, as it was when the page was shown."""
    root, someone = visit.workspace.root, visit.person

    def call(found: DataProposal) -> None:
        if _is_own(visit, found):
            hint = "ask another reviewer; who works alone writes `own_run = true` under [approval] in modelworks.toml"
            fail("D149", f"{found.by} proposed this file, and so is not the one to accept it", hint=hint)
        if _drawn(visit.workspace, found)["page"].verdict == "stop":
            hint = "have it proposed anew; or write in the catalogue, below the check, why that is accepted"
            fail("W140", "studies could not use the table as it would be", hint=hint)
        accept_proposal(root, found, by=someone.title, login=someone.name, why=comment)

    return _done(request, visit, dataset, proposal, commit, call)


@router.post(f"{ONE}/decline")
def decline(
    request: Request, visit: Reviewer, dataset: str, proposal: str, commit: Commit = "", reason: Word = ""
) -> Response:
    """Remove a proposal, with a word to whoever made it."""
    root, someone = visit.workspace.root, visit.person

    def call(found: DataProposal) -> None:
        decline_proposal(root, found, by=someone.title, login=someone.name, why=reason)

    return _done(request, visit, dataset, proposal, commit, call)


@router.post(f"{ONE}/withdraw")
def withdraw(request: Request, visit: Runner, dataset: str, proposal: str) -> Response:
    """Remove one's own proposal."""
    found = proposal_of(visit.workspace.root, dataset, proposal) or no_such_place()
    if found.login != visit.person.name:
        fail("W108", f"only {found.by}, who made the proposal, withdraws it", hint="a reviewer may decline it")
    with visit.deed(request, "withdrew a proposed file", f"dataset {dataset}, proposal {proposal}"):
        if not withdraw_proposal(visit.workspace.root, found):
            no_such_place()
    is_known = _catalogue.known(visit.workspace, dataset) is not None
    return RedirectResponse(at(visit.workspace.name, "data", *([dataset] if is_known else [])), 303)


def _done(
    request: Request, visit: Visit, dataset: str, proposal: str, commit: str, call: Callable[[DataProposal], None]
) -> Response:
    """The page of what was decided; or of the proposal, with what stands against it."""
    found = proposal_of(visit.workspace.root, dataset, proposal)
    try:
        if found is not None:
            if found.commit != commit:
                fail("W140", "what is proposed has changed since the page was loaded", hint="look at it once more")
            call(found)
    except ModelworksError as error:
        return _shown(request, visit, dataset, proposal, error)
    settle(visit.house.people, visit.workspace, address_of(request))
    return RedirectResponse(at(visit.workspace.name, "data", dataset, "proposals", proposal), 303)


def _shown(
    request: Request, visit: Visit, dataset: str, proposal: str, error: ModelworksError | None = None
) -> Response:
    workspace, people = visit.workspace, visit.house.people
    left = settle(people, workspace)
    # Of a dataset that is proposed itself there is none.
    present = _catalogue.known(workspace, dataset)
    rests = resting_on(workspace, _raw_file(present)) if present is not None else []
    found = proposal_of(workspace.root, dataset, proposal)
    if found is None:
        told = next(iter(corrections(people, workspace, dataset, proposal)), None) or no_such_place()
        return page(
            request, "corrected.html.j2", dataset=present, name=dataset, correction=told, rests=rests, left=left
        )
    return page(
        request, "proposal.html.j2", 409 if error else 200, letters=error.letters if error else (),
        is_new=present is None, proposal=found, links=_catalogue.links(workspace), rests=rests, left=left,
        is_theirs=found.login == visit.person.name, is_own=_is_own(visit, found), **_drawn(workspace, found),
    )  # fmt: skip


def _drawn(workspace: Workspace, found: DataProposal) -> dict[str, Any]:
    """The dataset as it would be, and what differs."""

    def made() -> dict[str, Any]:
        # Whatever was sent is read in a process of its own, which takes so much memory and so long.
        if is_new_dataset(workspace.root, found):
            shown = workspace.of_data(new_dataset_page, workspace.root, found)
            return {"page": shown, "difference": None, **data_views(workspace, shown)}
        shown, difference = workspace.of_data(proposed_page, workspace.root, found)
        return {"page": shown, "difference": difference, **data_views(workspace, shown)}

    return workspace.remembered(("drawn", "proposal", found.commit, _catalogue.state(workspace)), made)


def _is_own(visit: Visit, found: DataProposal) -> bool:
    """Whether somebody else has to accept it."""
    here = visit.workspace
    if found.login != visit.person.name or here.repository.own_run:
        return False
    return sum(each.active for each, _ in visit.house.people.everybody(here.name)) > 1


def _raw_file(shown: DataPage) -> str:
    return next((step.name for step in shown.lineage if step.what == "raw file"), "")
