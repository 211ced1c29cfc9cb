"""Up to six runs side by side: what differs, which numbers moved, and their figures over each other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from modelworks.report import ComparisonPage, comparison_page
from modelworks.runs import Run, compare
from modelworks.study import foresight
from modelworks.website._house import Workspace
from modelworks.website._render import at, page
from modelworks.website.access.visits import Reader

router = APIRouter()


@router.get("/w/{workspace}/compare")
def side_by_side(request: Request, visit: Reader, run: Annotated[Sequence[str], Query()] = ()) -> Response:
    """The runs that were chosen, the earliest first: it is what the others are held against."""
    # A key is study/model/region/moment/id.
    chosen = {each.key: each for each in map(visit.workspace.run, run)}
    found = [chosen[key] for key in sorted(chosen, key=lambda key: key.split("/")[-2:])]
    compared = _compared(visit.workspace, found) if len(found) > 1 else None
    return page(request, "compare.html.j2", runs=found, compared=compared)


def _compared(workspace: Workspace, runs: Sequence[Run]) -> ComparisonPage:
    links = {run.id: at(workspace.name, "runs", run.id) for run in runs}
    stamps: list[Hashable] = [(run.key, workspace.store.stamp(run.key)) for run in runs]
    return workspace.remembered(
        ("comparison", *stamps), lambda: comparison_page(compare(runs), foresight(runs), links=links)
    )
