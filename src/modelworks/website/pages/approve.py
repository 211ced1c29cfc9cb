"""Approve: what is required of a run, who must sign, signing with a comment, withdrawing; and what stands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from modelworks.errors import ModelworksError, fail
from modelworks.runs import Promotion, Requirement, Run, promotion_of, promotions
from modelworks.study import asked_of, promote, requirements, sign_run, withdraw_run
from modelworks.website._files import stamps
from modelworks.website._house import Workspace
from modelworks.website._render import at, page
from modelworks.website._signatures import may_sign, roles_to_sign, why_not
from modelworks.website._studies import record, study_of
from modelworks.website._team_code import NoAnswerError
from modelworks.website._unchanged import while_unchanged
from modelworks.website.access.visits import Reader, Runner, Visit

router = APIRouter()

LONGEST_COMMENT = 2000
Comment = Annotated[str, Form(max_length=LONGEST_COMMENT)]


@router.get("/w/{workspace}/approvals")
def approvals(request: Request, visit: Reader) -> Response:
    """What the team stands behind, what waits for a signature, and what once stood."""
    found = promotions(visit.workspace.index)
    there = [each.run for each in found if each.state != "changed"]
    answers = {key: str(record(visit.workspace, key).get("answer") or "") for key in there}
    return page(request, "approvals.html.j2", promotions=found, answers=answers)


@router.get("/w/{workspace}/runs/{run_id}/approve")
def ask(request: Request, visit: Reader, run_id: str) -> Response:
    """Where a run stands, with the forms for what may be done next."""
    with visit.workspace.index.as_now():
        run = visit.workspace.run(run_id)
        promotion = promotion_of(visit.workspace.index, run.key)
    return _shown(request, visit, run, promotion)


@router.post("/w/{workspace}/runs/{run_id}/approve")
def put_forward(request: Request, visit: Runner, run_id: str, comment: Comment = "") -> Response:
    """Put a run forward, once all that is required holds."""
    run = visit.workspace.run(run_id)
    root, by, study = visit.workspace.root, visit.author, study_of(run)

    def put() -> Promotion:
        return visit.workspace.of_study(study, promote, root, run.key, comment=comment, **by)

    return _done(request, visit, run, "put forward", put)


@router.post("/w/{workspace}/runs/{run_id}/sign")
def sign(
    request: Request,
    visit: Runner,
    run_id: str,
    seal: Annotated[str, Form()],
    role: Annotated[str, Form()] = "",
    comment: Comment = "",
) -> Response:
    """Sign every byte of a run, as it was when the page was shown."""
    root, run, by = visit.workspace.root, visit.workspace.run(run_id), visit.author

    def signed() -> Promotion:
        return sign_run(root, run.key, role=role, comment=comment, roles=visit.signs_as, seal=seal, **by)

    return _done(request, visit, run, "signed", signed)


@router.post("/w/{workspace}/runs/{run_id}/withdraw")
def take_back(request: Request, visit: Runner, run_id: str, reason: Comment = "") -> Response:
    """Take a run back, for a reason."""
    root, run, by = visit.workspace.root, visit.workspace.run(run_id), visit.person.title
    promotion = promotion_of(visit.workspace.index, run.key)
    if promotion is not None and promotion.approved and not visit.may("reviewer"):
        fail(
            "W108", f"this takes the role of a reviewer, and yours is {visit.role}", hint="ask one of those who signed"
        )
    return _done(request, visit, run, "withdrew", lambda: withdraw_run(root, run.key, reason=reason, by=by))


def _done(request: Request, visit: Visit, run: Run, what: str, call: Callable[[], Promotion]) -> Response:
    """The page again, with what was done; or with what stands against it."""
    try:
        with visit.deed(request, what, f"run {run.id}"):
            call()
    except ModelworksError as error:
        return _shown(request, visit, run, promotion_of(visit.workspace.index, run.key), error)
    return RedirectResponse(at(visit.workspace.name, "runs", run.id, "approve"), 303)


def _shown(
    request: Request, visit: Visit, run: Run, promotion: Promotion | None, error: ModelworksError | None = None
) -> Response:
    workspace = visit.workspace
    waits = promotion if promotion is not None and promotion.state == "open" else None
    required, needs = _required(workspace, run) if promotion is None or not promotion.approved else ((), ())
    return page(
        request, "approve.html.j2", 409 if error else 200,
        run=run, promotion=promotion, required=waits.proposal.found if waits else required,
        needs=needs, holds=all(each.holds for each in required), letters=error.letters if error else (),
        mine=roles_to_sign(visit, waits) if waits else (), why_not=why_not(visit, waits) if waits else "",
        others=may_sign(visit, waits) if waits else {}, seal=workspace.index.seal(run.key),
    )  # fmt: skip


def _required(workspace: Workspace, run: Run) -> tuple[Collection[Requirement], Collection[str]]:
    """What is required of a run and whose signature that takes, as its study's files are now, and its own."""
    root, study = workspace.root, study_of(run)
    try:
        asked = while_unchanged(workspace, study, None, asked_of, root, study)
        if run.record.get("rerun") or asked.assumed:
            # Whether a variant may have begun with other draws is asked of two models.
            return workspace.of_study(study, requirements, root, run, asked), asked.needs
        # Every file of a run is read for it, and some are large.
        seen = hashlib.sha256(repr((asked, stamps(sorted(run.path.rglob("*"))))).encode()).hexdigest()
        found = workspace.remembered(("required", run.key, seen), lambda: requirements(root, run, asked))
        return found, asked.needs
    except ModelworksError as error:
        return (Requirement("study", False, error.letters[0].message),), ()
    except NoAnswerError as error:
        return (Requirement("study", False, error.letter.message),), ()
