"""Home: every study with its question, what came out last, what is under way, and what is stale and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from modelworks.study import new_study
from modelworks.website._corrections import waiting
from modelworks.website._house import nothing_can_be_made
from modelworks.website._render import at, page
from modelworks.website._sparkline import sparkline
from modelworks.website._studies import Standing, Study, standings
from modelworks.website.access.visits import Admin, Reader

router = APIRouter()

FIRST = "first-study"


# As many are seen at a glance, and need no search.
MANY = 8


class Ordered(NamedTuple):
    """How studies may be put in order: what one reads, and by what."""

    title: str
    by: Callable[[Standing], Any]
    descending: bool = False


ORDERS: Mapping[str, Ordered] = {
    "name": Ordered("By name", lambda each: each.study.name),
    "latest": Ordered(
        "The latest result first", lambda each: each.row.key.split("/")[3] if each.row else "", descending=True
    ),
    "care": Ordered(
        "What wants care first", lambda each: (bool(each.study.letters), bool(each.stale)), descending=True
    ),
}


@router.get("/w/{workspace}")
def home(request: Request, visit: Reader, search: str = "", order: str = "name") -> Response:
    """The studies of a workspace, or those in whose name, title or question some words are."""
    workspace = visit.workspace
    every = standings(workspace)
    chosen = ORDERS.get(order, ORDERS["name"])
    found = [each for each in every if search.lower() in _said(each.study).lower()]
    found.sort(key=chosen.by, reverse=chosen.descending)
    pictures = {each.row.key: sparkline(workspace, each.row.key) for each in found if each.row is not None}
    return page(
        request, "home.html.j2",
        standings=found, pictures=pictures, asks=len(every) > MANY, search=search, order=order, orders=ORDERS,
        waiting=waiting(workspace),
    )  # fmt: skip


def _said(study: Study) -> str:
    return f"{study.name} {study.title} {study.question}"


@router.post("/w/{workspace}/first-study")
def begin(request: Request, visit: Admin) -> Response:
    """Put a study that runs into a repository that has none."""
    workspace = visit.workspace
    if not workspace.repository.studies():
        with visit.deed(request, "made", f"study {FIRST}"):
            try:
                new_study(workspace.root, FIRST)
            except OSError as error:
                nothing_can_be_made(workspace.root, error)
    return RedirectResponse(at(workspace.name), 303)
