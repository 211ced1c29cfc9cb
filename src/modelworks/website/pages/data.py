"""The catalogue: what was used, whose it is, whether it holds, where it comes from and where it goes."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from modelworks.report import DataPage, dataset_views
from modelworks.study import data_pages
from modelworks.website._house import Workspace, no_such_place
from modelworks.website._render import at, page
from modelworks.website.access.visits import Reader

router = APIRouter()


@router.get("/w/{workspace}/data")
def catalogue(request: Request, visit: Reader) -> Response:
    """Every dataset, with what its checks found."""
    return page(request, "data.html.j2", datasets=_datasets(visit.workspace))


@router.get("/w/{workspace}/data/{dataset}")
def dataset(request: Request, visit: Reader, dataset: str) -> Response:
    """One dataset: plots, checks, columns, lineage."""
    shown = {each.name: each for each in _datasets(visit.workspace)}
    if dataset not in shown:
        no_such_place()
    links = {name: at(visit.workspace.name, "data", name) for name in shown}
    key = ("drawn", dataset, _stamps(visit.workspace.root))
    drawn = visit.workspace.remembered(key, lambda: dataset_views(shown[dataset]))
    return page(request, "dataset.html.j2", page=shown[dataset], links=links, **drawn)


def _datasets(workspace: Workspace) -> list[DataPage]:
    """The pages of all datasets, read again when a file of the data or of a study has changed."""
    if not (workspace.repository.data / "catalogue.yaml").is_file():
        return []
    return workspace.remembered(("data", _stamps(workspace.root)), lambda: data_pages(workspace.root))


def _stamps(root: Path) -> tuple[tuple[str, int, int], ...]:
    files = [*sorted((root / "data").rglob("*")), *sorted((root / "studies").rglob("*.yaml"))]
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())
