"""What the page of a dataset says: whose it is, what its columns mean, what its checks found, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from modelworks.diagnostics import Verdict
from modelworks.plots import Figure
from modelworks.report._html import still
from modelworks.report._templates import environment, policy, stylesheet
from modelworks.report._views import Cell, Column, Table
from modelworks.report.words import VERDICTS

# A picture that stays readable on a phone, and of which two stand side by side on a desk.
PICTURE_WIDTH, PICTURE_HEIGHT = 330, 200
HEADINGS: Mapping[Verdict, str] = {
    "fine": "Every check holds.",
    "look": "A check fails, and somebody has written why that is right.",
    "stop": "Studies can not use this table as it is.",
}


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column: its unit, what it says, from where to where it goes, and how many of its cells are empty."""

    name: str
    unit: str
    meaning: str
    span: str
    empty: str


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check: what it found, and why its failing is accepted."""

    name: str
    verdict: Verdict
    found: str
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class LineageStep:
    """A step of where the data come from and go to: a file, the code, the table, a study. `dataset` has a page too."""

    what: str
    name: str
    detail: str = ""
    dataset: str = ""


@dataclass(frozen=True)
class DataPage:
    """The page of a dataset. `facts` are pairs of a word and what is said; `problem` is why there is no table."""

    name: str
    title: str
    meaning: str
    facts: tuple[tuple[str, str], ...]
    columns: tuple[ColumnLine, ...]
    checks: tuple[CheckLine, ...]
    lineage: tuple[LineageStep, ...]
    figures: tuple[Figure, ...] = ()
    problem: str = ""

    @property
    def verdict(self) -> Verdict:
        """The gravest that was found."""
        found: set[Verdict] = {each.verdict for each in self.checks} | ({"stop"} if self.problem else set())
        return next((each for each in ("stop", "look") if each in found), "fine")

    @property
    def heading(self) -> str:
        return HEADINGS[self.verdict] if self.checks or self.problem else "No check is declared."


def render_data_page(page: DataPage, links: Mapping[str, str] | None = None, *, home: str = "") -> str:
    """The page as one HTML text that needs nothing else. `links` leads to the pages of other datasets, by name."""
    style = stylesheet()
    return environment("modelworks.report").get_template("dataset.html.j2").render(
        page=page,
        links=links or {},
        home=home,
        **dataset_views(page),
        style=Markup(style),
        policy=policy([style]),
    )  # fmt: skip


def dataset_views(page: DataPage) -> dict[str, Any]:
    """The pictures and tables of a dataset, as `dataset_body.html.j2` shows them in a report and on a website."""
    return {"pictures": [(figure, *still(_narrow(figure))) for figure in page.figures], "tables": _tables(page)}


def _narrow(figure: Figure) -> Figure:
    """The figure at the size it has on the page."""
    size = {"width": PICTURE_WIDTH, "height": PICTURE_HEIGHT, "autosize": "pad"}
    return replace(figure, spec={**figure.spec, **size})


def _tables(page: DataPage) -> list[Table]:
    return [*([_checks(page)] if page.checks else []), _columns(page)]


def _checks(page: DataPage) -> Table:
    heads = (Column("Verdict", "verdict"), Column("Check"), Column("Found"))
    rows = tuple(
        (Cell(VERDICTS[each.verdict][0], verdict=each.verdict), Cell(each.name), Cell(each.found, note=each.accepted))
        for each in page.checks
    )
    return Table("checks", "Checks", "What is asked of the table, and what was found", heads, rows)


def _columns(page: DataPage) -> Table:
    heads = (
        Column("Column", "code"),
        Column("Unit"),
        Column("Meaning"),
        Column("From – to"),
        Column("Empty", "number"),
    )
    rows = tuple(
        (Cell(each.name), Cell(each.unit), Cell(each.meaning), Cell(each.span), Cell(each.empty))
        for each in page.columns
    )
    return Table("columns", "Columns", "What the columns mean", heads, rows)
