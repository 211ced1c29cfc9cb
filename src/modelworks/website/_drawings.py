"""Pictures of figures, drawn in a process of their own.

The library that draws holds Python's lock for as long as a drawing takes, a quarter of a second and more, and keeps an
engine of JavaScript in memory: in the process of the website everybody else would wait for it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from modelworks.plots import Figure
from modelworks.report import DataPage, dataset_views
from modelworks.website._house import Workspace


def as_svg(workspace: Workspace, figure: Figure, of: Hashable) -> str:
    """A figure as SVG; `of` is all that tells it from another of its name."""
    return workspace.remembered(("svg", figure.name, of), lambda: workspace.of_figures(_svg, figure))


def as_png(workspace: Workspace, figure: Figure) -> bytes:
    """A figure as PNG."""
    return workspace.of_figures(_png, figure)


def data_views(workspace: Workspace, page: DataPage) -> dict[str, Any]:
    """The pictures and tables of a dataset."""
    return workspace.of_figures(dataset_views, page)


def _svg(figure: Figure) -> str:
    return figure.svg


def _png(figure: Figure) -> bytes:
    return figure.png()
