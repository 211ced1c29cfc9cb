"""The page of a run that somebody can judge: one offline HTML file, the same as Markdown, and its tables.

`Page` holds what is said; `render_html` and `render_markdown` say it; `write_report` writes everything at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.report._compared import moved_by_chance
    from modelworks.report._crate import export_crate
    from modelworks.report._files import export_files
    from modelworks.report._html import columns_for, figure_scripts, png_size, render_html
    from modelworks.report._hubverse import export_hubverse
    from modelworks.report._kept import read_page
    from modelworks.report._markdown import render_markdown
    from modelworks.report._tables import tables, write_tables
    from modelworks.report._templates import environment, policy, stylesheet
    from modelworks.report._views import views
    from modelworks.report._write import take_picture, write_figure, write_report
    from modelworks.report.comparison import ComparisonPage, Foresight, comparison_page, render_comparison
    from modelworks.report.data_page import (
        CheckLine,
        ColumnLine,
        DataPage,
        LineageStep,
        dataset_views,
        render_data_page,
    )
    from modelworks.report.page import (
        AssumptionRow,
        AvertedRow,
        CheckRow,
        DataRow,
        Excerpt,
        FitRow,
        ForecastRow,
        Page,
        Picture,
        PosteriorRow,
        QuantityRow,
        RelianceRow,
        ScenarioRow,
        Section,
        StageRow,
        TargetRow,
        ThresholdRow,
    )

_HOME = {
    "AssumptionRow": "page",
    "AvertedRow": "page",
    "CheckLine": "data_page",
    "CheckRow": "page",
    "ColumnLine": "data_page",
    "DataPage": "data_page",
    "DataRow": "page",
    "Excerpt": "page",
    "FitRow": "page",
    "ForecastRow": "page",
    "ComparisonPage": "comparison",
    "Foresight": "comparison",
    "LineageStep": "data_page",
    "Page": "page",
    "Picture": "page",
    "PosteriorRow": "page",
    "QuantityRow": "page",
    "RelianceRow": "page",
    "ScenarioRow": "page",
    "Section": "page",
    "StageRow": "page",
    "TargetRow": "page",
    "ThresholdRow": "page",
    "dataset_views": "data_page",
    "environment": "_templates",
    "export_crate": "_crate",
    "export_files": "_files",
    "export_hubverse": "_hubverse",
    "policy": "_templates",
    "comparison_page": "comparison",
    "render_comparison": "comparison",
    "render_data_page": "data_page",
    "render_html": "_html",
    "moved_by_chance": "_compared",
    "columns_for": "_html",
    "figure_scripts": "_html",
    "png_size": "_html",
    "read_page": "_kept",
    "views": "_views",
    "render_markdown": "_markdown",
    "stylesheet": "_templates",
    "tables": "_tables",
    "take_picture": "_write",
    "write_figure": "_write",
    "write_report": "_write",
    "write_tables": "_tables",
}

__all__ = [
    "AssumptionRow",
    "AvertedRow",
    "CheckLine",
    "CheckRow",
    "ColumnLine",
    "ComparisonPage",
    "DataPage",
    "DataRow",
    "Excerpt",
    "FitRow",
    "ForecastRow",
    "Foresight",
    "LineageStep",
    "Page",
    "Picture",
    "PosteriorRow",
    "QuantityRow",
    "RelianceRow",
    "ScenarioRow",
    "Section",
    "StageRow",
    "TargetRow",
    "ThresholdRow",
    "columns_for",
    "comparison_page",
    "dataset_views",
    "environment",
    "export_crate",
    "export_files",
    "export_hubverse",
    "figure_scripts",
    "moved_by_chance",
    "png_size",
    "policy",
    "read_page",
    "render_comparison",
    "render_data_page",
    "render_html",
    "render_markdown",
    "stylesheet",
    "tables",
    "take_picture",
    "views",
    "write_figure",
    "write_report",
    "write_tables",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
