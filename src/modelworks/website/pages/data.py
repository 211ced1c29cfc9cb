"""The catalogue: what was used, whose it is, whether it holds, where it comes from; and corrected files, proposed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from modelworks.errors import ModelworksError, fail
from modelworks.report import DataPage, dataset_views
from modelworks.study import (
    DataProposal,
    data_pages,
    may_be_corrected,
    proposals,
    propose_file,
    proposed_page,
    withdraw_proposal,
)
from modelworks.website._house import Workspace, no_such_place
from modelworks.website._render import at, page
from modelworks.website.access.visits import Reader, Runner, Visit

router = APIRouter()

LONGEST_REASON = 2000


@router.get("/w/{workspace}/data")
def catalogue(request: Request, visit: Reader) -> Response:
    """Every dataset, with what its checks found."""
    return page(request, "data.html.j2", datasets=_datasets(visit.workspace))


@router.get("/w/{workspace}/data/{dataset}")
def dataset(request: Request, visit: Reader, dataset: str) -> Response:
    """One dataset: plots, checks, columns, lineage, and what is proposed for it."""
    shown = _dataset(visit, dataset)
    links = {each.name: at(visit.workspace.name, "data", each.name) for each in _datasets(visit.workspace)}
    key = ("drawn", dataset, _stamps(visit.workspace.root))
    drawn = visit.workspace.remembered(key, lambda: dataset_views(shown))
    found = proposals(visit.workspace.root, dataset)
    return page(request, "dataset.html.j2", page=shown, links=links, proposals=found, **drawn)


@router.get("/w/{workspace}/data/{dataset}/propose")
def ask(request: Request, visit: Runner, dataset: str) -> Response:
    """The form for a corrected file, or why there can be none."""
    shown = _dataset(visit, dataset)
    try:
        may_be_corrected(visit.workspace.root, dataset)
    except ModelworksError as error:
        return page(request, "propose.html.j2", dataset=shown, letters=error.letters, possible=False, reason="")
    return page(request, "propose.html.j2", dataset=shown, letters=(), possible=True, reason="")


@router.post("/w/{workspace}/data/{dataset}/propose")
def propose(
    request: Request,
    visit: Runner,
    dataset: str,
    file: Annotated[UploadFile, File()],
    reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
) -> Response:
    """Keep a corrected file as a proposal; of the name it came with nothing is used."""
    shown, root, someone = _dataset(visit, dataset), visit.workspace.root, visit.person
    try:
        made = propose_file(root, dataset, file.file.read(), why=reason, by=someone.title, login=someone.name)
    except ModelworksError as error:
        return page(request, "propose.html.j2", 422, dataset=shown, letters=error.letters, possible=True, reason=reason)
    visit.note(request, "proposed a file", f"dataset {dataset}, proposal {made}")
    return RedirectResponse(at(visit.workspace.name, "data", dataset, "proposals", made), 303)


@router.get("/w/{workspace}/data/{dataset}/proposals/{proposal}")
def proposal(request: Request, visit: Reader, dataset: str, proposal: str) -> Response:
    """A proposed file: who, when, why, what differs, and what the checks find in it."""
    workspace, found = visit.workspace, _proposal(visit, dataset, proposal)
    key = ("drawn", "proposal", found.commit, _stamps(workspace.root))

    def drawn() -> dict[str, Any]:
        # Whatever was sent is read in a process of its own, which takes so much memory and so long.
        shown, difference = workspace.of_data(proposed_page, workspace.root, found)
        return {"page": shown, "difference": difference, **dataset_views(shown)}

    links = {each.name: at(workspace.name, "data", each.name) for each in _datasets(workspace)}
    is_theirs = _may_withdraw(visit, found)
    made = workspace.remembered(key, drawn)
    return page(request, "proposal.html.j2", proposal=found, links=links, may_withdraw=is_theirs, **made)


@router.post("/w/{workspace}/data/{dataset}/proposals/{proposal}/withdraw")
def withdraw(request: Request, visit: Runner, dataset: str, proposal: str) -> Response:
    """Remove a proposal: one's own, or as a reviewer any."""
    found = _proposal(visit, dataset, proposal)
    if not _may_withdraw(visit, found):
        fail(
            "W108",
            f"this takes the role of a reviewer, and yours is {visit.role}",
            hint=f"ask {found.by}, who made the proposal, or a reviewer",
        )
    if not withdraw_proposal(visit.workspace.root, found):
        no_such_place()
    visit.note(request, "withdrew a proposed file", f"dataset {dataset}, proposal {proposal}")
    return RedirectResponse(at(visit.workspace.name, "data", dataset), 303)


def _may_withdraw(visit: Visit, proposal: DataProposal) -> bool:
    return visit.may("reviewer") or (visit.may("modeller") and visit.person.name == proposal.login)


def _proposal(visit: Visit, dataset: str, proposal: str) -> DataProposal:
    _dataset(visit, dataset)
    for each in proposals(visit.workspace.root, dataset):
        if each.id == proposal:
            return each
    no_such_place()


def _dataset(visit: Visit, name: str) -> DataPage:
    for each in _datasets(visit.workspace):
        if each.name == name:
            return each
    no_such_place()


def _datasets(workspace: Workspace) -> list[DataPage]:
    """The pages of all datasets, read again when a file of the data or of a study has changed."""
    if not (workspace.repository.data / "catalogue.yaml").is_file():
        return []
    return workspace.remembered(("data", _stamps(workspace.root)), lambda: data_pages(workspace.root))


def _stamps(root: Path) -> tuple[tuple[str, int, int], ...]:
    files = [*sorted((root / "data").rglob("*")), *sorted((root / "studies").rglob("*.yaml"))]
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())
