"""The page of several runs side by side: which numbers moved, figures over each other, and what made them differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from markupsafe import Markup

from modelworks.errors import fail
from modelworks.report import words
from modelworks.report._compared import draws_of, moved_by_chance, sections
from modelworks.report._html import Shown, figure_scripts, show
from modelworks.report._templates import environment, policy, stylesheet
from modelworks.report._views import MOST_IN_SIGHT, Cell, Column, Table
from modelworks.report.page import Section
from modelworks.runs import KINDS_OF_DIFFERENCE, Comparison, Difference, Number, Origin, Run

# As many as colours can be told apart, and a table holds beside each other.
MOST_RUNS = 6
# Of a file with a whole table in it, nobody reads more.
MOST_LINES = 2000
HEADINGS = {
    "assumptions": "Assumptions that differ",
    "data": "Data that differ",
    "targets": "Targets that differ",
    "scenarios": "Scenarios that differ",
    "settings": "Settings that differ",
    "code": "Code that differs",
    "packages": "Packages that differ",
    "machine": "Machines that differ",
    "verdicts": "Verdicts that differ",
}
NOT_THERE, EMPTY = "–", "(empty)"


@dataclass(frozen=True, slots=True)
class Foresight:
    """How much better a run foretells the data than the first: a series, the difference in words, and what it means.

    Where that can not be said, `why_not` says why.
    """

    run: str
    series: str = ""
    difference: str = ""
    meaning: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """What a page of several runs shows, in its order; `sections` are headings with figures made ready for it."""

    runs: Sequence[Run]
    title: str
    said: str
    first_tables: Sequence[Table]
    sections: Sequence[tuple[Section, Sequence[Shown]]]
    tables: Sequence[Table]
    code: str


def comparison_page(
    comparison: Comparison,
    foresight: Sequence[Foresight] = (),
    *,
    links: Mapping[str, str] | None = None,
    picture: Callable[[str], str] = lambda name: "",
) -> ComparisonPage:
    """What there is to say of runs side by side; `links` leads to the page of each, by its id.

    `picture` gives the address of a figure's picture, by its name; without it the page holds the pictures, and to
    draw them takes longer than all else.

    Raises
    ------
    ModelworksError
        R161 for more than six runs, R166 where a file of a run is damaged.
    """
    runs = comparison.runs
    if len(runs) > MOST_RUNS:
        fail("R161", f"a page lays at most {MOST_RUNS} runs side by side, and these are {len(runs)}")
    titles = run_titles(runs)
    differences = [_differences(kind, found, titles) for kind in KINDS_OF_DIFFERENCE if (found := comparison.of(kind))]
    drawn = draws_of(runs)
    chance = moved_by_chance(comparison, drawn)
    numbers = [_numbers(comparison.numbers, titles, chance)] if comparison.numbers else []
    foretold = [_foresight(foresight)] if foresight else []
    return ComparisonPage(
        runs,
        title=_title(runs),
        said=_said(comparison, chance),
        first_tables=[_runs(runs, titles, links or {}), *numbers],
        sections=[
            (section, [show(figure, picture(figure.name)) for figure in section.figures])
            for section in sections(comparison, titles, drawn)
        ],
        tables=[*foretold, *differences],
        code=_code(comparison.code),
    )


def render_comparison(
    comparison: Comparison,
    foresight: Sequence[Foresight] = (),
    *,
    links: Mapping[str, str] | None = None,
    home: str = "",
) -> str:
    """The page as one HTML text that needs nothing else; `home` leads to a list of runs.

    Raises what `comparison_page` raises.
    """
    page = comparison_page(comparison, foresight, links=links)
    scripts = figure_scripts() if page.sections else ()
    return environment("modelworks.report").get_template("comparison.html.j2").render(
        page=page,
        origins=[Origin.of(run) for run in page.runs],
        home=home,
        scripts=[Markup(script) for script in scripts],
        style=Markup(stylesheet()),
        policy=policy([stylesheet()], scripts),
    )  # fmt: skip


def run_titles(runs: Sequence[Run]) -> dict[str, str]:
    """What each run is called on a page: its id, with the study and the region where these are not all the same, and
    whether something was assumed otherwise than the study says; the name of such a copy says all of it, and is long."""
    copies = [run.record.get("rerun") or {} for run in runs]
    named = [
        (str(copy.get("of") or run.study), run.key.split("/")[2], "changed" if copy else "")
        for run, copy in zip(runs, copies, strict=True)
    ]
    told = [part for part in range(3) if len({each[part] for each in named}) > 1]
    return {
        run.id: " · ".join([*(each[part] for part in told if each[part]), run.id])
        for run, each in zip(runs, named, strict=True)
    }


def _title(runs: Sequence[Run]) -> str:
    """The studies' titles, each once."""
    return " / ".join(dict.fromkeys(str(run.record.get("title") or run.study) for run in runs))


def _said(comparison: Comparison, chance: Set[tuple[str, str]]) -> str:
    """In a sentence, whether anything that makes numbers differs."""
    moved = [each.key for each in comparison.numbers if each.moved]
    if comparison.same_inputs:
        told = f"; {_of_all(len(moved), comparison)} moved, by chance alone."
        return "The runs were made from the same inputs" + (told if moved else ".")
    beyond = sum(each not in chance for each in moved)
    numbers = f"{_of_all(beyond, comparison)} moved{' by more than chance makes' if chance else ''}"
    kinds = [kind for kind in KINDS_OF_DIFFERENCE if comparison.of(kind)]
    return f"What differs: {', '.join(kinds)}." + (f" {numbers}." if comparison.numbers else "")


def _of_all(count: int, comparison: Comparison) -> str:
    return f"{words.plural(count, 'number')} of {len(comparison.numbers):,}"


def _runs(runs: Sequence[Run], titles: Mapping[str, str], links: Mapping[str, str]) -> Table:
    columns = (Column("Verdict", "verdict"), *map(Column, ("Run", "Finished", "By", "Answer")))
    return Table("runs", "The runs", "The first is what the others are held against", columns, tuple(
        (
            Cell(words.VERDICTS[run.record.get("verdict")][0], verdict=run.record.get("verdict")),
            Cell(titles[run.id], note=run.key, link=links.get(run.id, "")),
            Cell(words.moment(str(run.record.get("finished") or ""))),
            Cell(str((run.record.get("provenance") or {}).get("person") or "")),
            Cell(str(run.record.get("answer") or "")),
        )
        for run in runs
    ))  # fmt: skip


def _numbers(numbers: Sequence[Number], titles: Mapping[str, str], chance: Set[tuple[str, str]]) -> Table:
    columns = (Column("Number"), *(Column(title, "number") for title in titles.values()), Column("Change"))
    caption = (
        "Median (95% interval) of each number and each calibrated parameter; the change is that of the median, from "
        "the first to the last, and no more than chance where it is less than two of the Monte Carlo errors of both"
    )
    rows = tuple(_number_row(each, each.key in chance) for each in numbers)
    heading = "Which numbers moved?"
    return Table("moved", heading, caption, columns, rows, stacks=False, in_sight=MOST_IN_SIGHT)


def _number_row(number: Number, is_chance: bool) -> tuple[Cell, ...]:
    told = (
        Cell(NOT_THERE)
        if each is None
        else Cell(words.told(each), note="" if number.has_one_unit else str(each.get("unit") or ""))
        for each in number.values
    )
    moved = words.change(number.values[-1] or {}, number.values[0] or {}, is_chance=is_chance)
    return (Cell(number.title, note=number.unit), *told, Cell(moved))


def _differences(kind: str, found: Sequence[Difference], titles: Mapping[str, str]) -> Table:
    columns = (Column("Name"), *map(Column, titles.values()))
    rows = tuple((Cell(each.name), *map(_value, each.values)) for each in found)
    return Table(kind, HEADINGS[kind], f"As each run has it; {NOT_THERE} is nothing", columns, rows)


def _value(text: str | None) -> Cell:
    return Cell(NOT_THERE if text is None else text or EMPTY)


def _foresight(found: Sequence[Foresight]) -> Table:
    columns = (*map(Column, ("Run", "Series")), Column("Better than the first by", "number"), Column("Meaning"))
    caption = (
        "How well each observation is foretold from all the others (leave-one-out, difference in log density with its "
        "standard error)"
    )
    rows = tuple(
        (Cell(each.run), Cell(each.series), Cell(each.difference or NOT_THERE), Cell(each.why_not or each.meaning))
        for each in found
    )
    return Table("foretold", "Which foretells the data better?", caption, columns, rows)


def _code(text: str) -> str:
    lines = text.rstrip().splitlines()
    more = len(lines) - MOST_LINES
    return "\n".join([*lines[:MOST_LINES], *([f"… and {more:,} more lines"] if more > 0 else [])])
