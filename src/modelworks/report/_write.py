"""Everything a report leaves in its folder."""

from __future__ import annotations

from pathlib import Path

from modelworks.plots import PAPER_SCALE, Figure, rasterise
from modelworks.report import _kept
from modelworks.report._html import STILL_SCALE, is_large, render_html
from modelworks.report._markdown import render_markdown
from modelworks.report._tables import write_tables
from modelworks.report.page import Page
from modelworks.runs import Progress


def write_report(page: Page, folder: Path, progress: Progress | None = None) -> None:
    """Write a page into a folder, for a reader, for other programs, and so that `read_page` gives it again.

    `report.html`, `report.md`, `page.json`, `figures/` (Vega-Lite, PNG) and `tables/` (CSV, Parquet).
    """
    progress = progress or Progress(quiet=True)
    progress.start("draw the figures", len(page.figures))
    large = []
    for figure in page.figures:
        # Whoever asks how large a drawing is has it drawn.
        large += [figure] if is_large(figure) else []
        progress.advance()
    progress.start("write the report")
    rasterise([(figure, PAPER_SCALE) for figure in page.figures] + [(figure, STILL_SCALE) for figure in large])
    (folder / "report.html").write_text(render_html(page), encoding="utf-8", newline="\n")
    pictures = {figure.name: write_figure(figure, folder / "figures") for figure in page.figures}
    paths = {name: path.relative_to(folder).as_posix() for name, path in pictures.items()}
    (folder / "report.md").write_text(render_markdown(page, paths), encoding="utf-8", newline="\n")
    write_tables(page, folder / "tables")
    _kept.write_page(page, folder)
    progress.finish()


def write_figure(figure: Figure, folder: Path) -> Path:
    """A figure's specification and its picture; gives the place of the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{figure.name}.vl.json").write_text(figure.json(), encoding="utf-8")
    picture = folder / f"{figure.name}.png"
    picture.write_bytes(figure.png())
    return picture


def take_picture(figure: Figure, folder: Path) -> None:
    """Take the picture from a folder in which `write_figure` left the very same figure, if it did."""
    specification = folder / f"{figure.name}.vl.json"
    if specification.is_file() and specification.read_text(encoding="utf-8") == figure.json():
        figure.pictures[PAPER_SCALE] = specification.with_name(f"{figure.name}.png").read_bytes()
