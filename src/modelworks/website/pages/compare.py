"""Up to six runs side by side: what differs, which numbers moved, and their figures over each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from modelworks.report import ComparisonPage, comparison_page
from modelworks.runs import Run, compare
from modelworks.study import foresight
from modelworks.website._drawings import as_svg
from modelworks.website._house import Workspace, no_such_place
from modelworks.website._render import LASTING, at, page
from modelworks.website.access.visits import Reader

router = APIRouter()


@router.get("/w/{workspace}/compare")
def side_by_side(request: Request, visit: Reader, run: Annotated[Sequence[str], Query()] = ()) -> Response:
    """The runs that were chosen, the earliest first: it is what the others are held against."""
    found = _chosen(visit.workspace, run)
    compared = _compared(visit.workspace, found) if len(found) > 1 else None
    return page(request, "compare.html.j2", runs=found, compared=compared)


@router.get("/w/{workspace}/compare/{figure}.svg")
def picture(visit: Reader, figure: str, run: Annotated[Sequence[str], Query()] = ()) -> Response:
    """A figure of the page, for who runs no scripts."""
    found = _chosen(visit.workspace, run)
    sections = _compared(visit.workspace, found).sections if len(found) > 1 else ()
    drawn = (each.figure for _, figures in sections for each in figures)
    wanted = next((each for each in drawn if each.name == figure), None) or no_such_place()
    content = as_svg(visit.workspace, wanted, _stamps(visit.workspace, found))
    return Response(content, media_type="image/svg+xml", headers=LASTING)


def _chosen(workspace: Workspace, ids: Sequence[str]) -> list[Run]:
    """The runs, each once, the earliest first."""
    with workspace.index.as_now():
        chosen = {each.key: each for each in map(workspace.run, ids)}
    # A key is study/model/region/moment/id.
    return [chosen[key] for key in sorted(chosen, key=lambda key: key.split("/")[-2:])]


def _compared(workspace: Workspace, runs: Sequence[Run]) -> ComparisonPage:
    links = {run.id: at(workspace.name, "runs", run.id) for run in runs}
    query = urlencode([("run", run.id) for run in runs])

    def picture(name: str) -> str:
        return f"{at(workspace.name, 'compare', f'{name}.svg')}?{query}"

    return workspace.remembered(
        ("comparison", *_stamps(workspace, runs)),
        lambda: comparison_page(compare(runs), foresight(runs), links=links, picture=picture),
    )


def _stamps(workspace: Workspace, runs: Sequence[Run]) -> tuple[tuple[str, str | None], ...]:
    return tuple((run.key, workspace.store.stamp(run.key)) for run in runs)
