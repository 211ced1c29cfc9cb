"""The page of a run: verdict, answer, figures, tables, assumptions, where it comes from; and each of its files."""

from __future__ import annotations

import csv
import io
import mimetypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, JSONResponse, Response

from modelworks.plots import PAPER_SCALE, Figure, drawn_rows
from modelworks.report import Page, columns_for, png_size, read_page, views
from modelworks.runs import Origin, Run, promotion_of, with_origin, without_formulas
from modelworks.website._drawings import as_svg
from modelworks.website._house import Workspace, no_such_place
from modelworks.website._render import LASTING, page
from modelworks.website._studies import changed_since
from modelworks.website.access.visits import Reader

router = APIRouter()

# These do nothing in a browser. Anything else, opened as a page or taken for a script or a style of ours, could act as
# us: it is only ever saved, and is of no kind that a page may use.
_PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_SHOWN = frozenset({"text/plain", "text/csv", "text/markdown", "application/json", "application/pdf"} | _PICTURES)
# As a picture within a page it runs nothing; opened by itself it would.
_DRAWING = "image/svg+xml"


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as the page holds it: its picture's size in CSS pixels, and how many panels lie side by side."""

    figure: Figure
    width: int
    height: int
    columns: int


@router.get("/w/{workspace}/runs/{run_id}")
def show(request: Request, visit: Reader, run_id: str) -> Response:
    """Everything about a run."""
    with visit.workspace.index.as_now():
        run = visit.workspace.run(run_id)
        promotion = promotion_of(visit.workspace.index, run.key)
    said = page_of(visit.workspace, run)
    sections = [(section, [_shown(run, figure) for figure in section.figures]) for section in said.sections]
    return page(
        request, "run.html.j2",
        run=run, said=said, sections=sections, stale=list(changed_since(visit.workspace, run.key)),
        promotion=promotion,
        files=[each.name for each in sorted((run.path / "tables").glob("*.csv"))], report=run.file("report.html"),
        **views(said),
    )  # fmt: skip


def page_of(workspace: Workspace, run: Run) -> Page:
    """What a run's report says; read once."""
    return workspace.remembered(
        ("page", run.key, workspace.store.stamp(run.key)), lambda: read_page(run.path, run.record)
    )


@router.get("/w/{workspace}/runs/{run_id}/figures/{name}.json")
def specs(visit: Reader, run_id: str, name: str) -> Response:
    """The panels of a figure as Vega-Lite, for the browser to draw."""
    return JSONResponse(list(_figure(visit.workspace, run_id, name).panels), headers=LASTING)


@router.get("/w/{workspace}/runs/{run_id}/figures/{name}.svg")
def drawing(visit: Reader, run_id: str, name: str) -> Response:
    """A figure as SVG, to be saved."""
    run, figure = visit.workspace.run(run_id), _figure(visit.workspace, run_id, name)
    drawn = as_svg(visit.workspace, figure, run.key)
    content = with_origin(drawn.encode("utf-8"), ".svg", Origin.of(run, f"figures/{name}.vl.json"))
    return _saved(content, "image/svg+xml", f"{run.study}-{run.id}-{name}.svg")


@router.get("/w/{workspace}/runs/{run_id}/figures/{name}.csv")
def numbers(visit: Reader, run_id: str, name: str) -> Response:
    """The numbers that a figure draws, as one table."""
    run, figure = visit.workspace.run(run_id), _figure(visit.workspace, run_id, name)
    return _saved(
        _as_csv(drawn_rows(figure.spec)).encode("utf-8"), "text/csv; charset=utf-8", f"{run.study}-{run.id}-{name}.csv"
    )


@router.get("/w/{workspace}/runs/{run_id}/files/{name:path}")
def file(visit: Reader, run_id: str, name: str) -> Response:
    """A file of the run's folder, by its name inside it; what could act as one of our pages is only saved."""
    run = visit.workspace.run(run_id)
    found = _inside(run.path, name)
    kind, packed = mimetypes.guess_type(found.name)
    if kind in _SHOWN and packed is None:
        return FileResponse(found, media_type=kind, headers=LASTING)
    kept = kind if kind == _DRAWING and packed is None else "application/octet-stream"
    return FileResponse(found, media_type=kept, headers=LASTING, filename=f"{run.id}-{found.name}")


def _inside(folder: Path, name: str) -> Path:
    """A file below a folder, and never one beside it, whatever the name says or a link leads to."""
    if "\0" in name:
        no_such_place()
    found = (folder / name).resolve()
    # A name that is too long for the disk is none of a file either.
    if not found.is_relative_to(folder.resolve()) or not os.path.isfile(found):
        no_such_place()
    return found


def _figure(workspace: Workspace, run_id: str, name: str) -> Figure:
    said = page_of(workspace, workspace.run(run_id))
    return next((each for each in said.figures if each.name == name), None) or no_such_place()


def _shown(run: Run, figure: Figure) -> Shown:
    picture = run.file(f"figures/{figure.name}.png")
    width, height = png_size(_beginning(picture)) if picture is not None else (0, 0)
    columns = columns_for(len(figure.panels), figure.spec.get("columns", 1))
    return Shown(figure, round(width / PAPER_SCALE), round(height / PAPER_SCALE), columns)


def _beginning(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(24)


def _as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows as one table, with every column that one of them has."""
    text = io.StringIO()
    rows = [without_formulas(row) for row in rows]
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _saved(content: bytes, kind: str, name: str) -> Response:
    return Response(
        content, media_type=kind, headers={**LASTING, "Content-Disposition": f'attachment; filename="{name}"'}
    )
