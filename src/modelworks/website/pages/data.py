"""The catalogue: what was used, whose it is, whether it holds, where it comes from, and what is proposed for it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from modelworks.website import _catalogue
from modelworks.website._corrections import corrections, settle, waiting
from modelworks.website._drawings import data_views
from modelworks.website._render import page
from modelworks.website.access.visits import Reader

router = APIRouter()

# What an empty page gives to copy.
EXAMPLE = """\
cases:
  title: Cases reported each week
  publisher: Ministry of Health
  licence: CC BY 4.0
  source: https://example.org/bulletin
  retrieved: 2026-11-21
  file: raw/cases.csv
  sha256: CHECKSUM
  columns:
    week: {unit: date, meaning: the Monday of the week}
    cases: {unit: people, meaning: cases reported in the week}
  checks:
    every week once: {every: {column: week, days: 7}}"""


@router.get("/w/{workspace}/data")
def catalogue(request: Request, visit: Reader) -> Response:
    """Every dataset, with what its checks found; above them the corrected files that wait for a decision."""
    workspace = visit.workspace
    left = settle(visit.house.people, workspace)
    found = _catalogue.datasets(workspace)
    titles = {each.name: each.title for each in found}
    waits = waiting(workspace)
    # What is not in the catalogue is proposed itself.
    titles = {each.dataset: f"{each.dataset}, a new dataset" for each in waits} | titles
    return page(request, "data.html.j2", datasets=found, proposals=waits, titles=titles, left=left, example=EXAMPLE)


@router.get("/w/{workspace}/data/{dataset}")
def dataset(request: Request, visit: Reader, dataset: str) -> Response:
    """One dataset: plots, checks, columns, lineage, and what is and was proposed for it."""
    workspace, people = visit.workspace, visit.house.people
    left = settle(people, workspace)
    shown = _catalogue.dataset(workspace, dataset)
    drawn = workspace.remembered(("drawn", dataset, _catalogue.state(workspace)), lambda: data_views(workspace, shown))
    return page(
        request, "dataset.html.j2", page=shown, links=_catalogue.links(workspace), left=left,
        proposals=waiting(workspace, dataset), corrections=corrections(people, workspace, dataset), **drawn,
    )  # fmt: skip
