"""The tables of a page as they are shown: captions, headings and cells, for HTML and Markdown alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from modelworks.diagnostics import Verdict
from modelworks.diagnostics.checks.prior_sensitivity import SENSITIVE
from modelworks.report.page import (
    AssumptionRow,
    AvertedRow,
    CheckRow,
    Excerpt,
    FitRow,
    Page,
    PosteriorRow,
    RelianceRow,
    TargetRow,
)
from modelworks.report.words import (
    VERDICTS,
    anchor,
    decimals_for,
    grouped,
    interval,
    moment,
    number,
    percent,
    plural,
    seconds,
    signed,
)

GRAVEST: tuple[Verdict, ...] = ("stop", "look", "fine")
MOST_SOURCES = 4
# Rows of a table that stand on a page without being asked for: of a longer one a phone would show nothing else.
MOST_IN_SIGHT = 12
Kind = Literal["text", "number", "code", "verdict"]


# What is said instead of a commit; git is asked what differs from it wherever there is a repository.
NO_COMMIT = {
    True: "none: the study is in no git repository",
    False: "none: nothing is committed yet in the git repository of the study",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; `note` is a second, quieter line, `full` what a shortened text stands for, `link` where it leads."""

    text: str
    note: str = ""
    full: str = ""
    link: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """`stacks` says that on a narrow screen each row becomes a block; a table of numbers scrolls instead.

    The first `in_sight` of its rows say what a reader must know; None where that is not for us to say.
    """

    name: str
    heading: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    stacks: bool = True
    in_sight: int | None = None

    @property
    def parts(self) -> tuple[Table | None, Table | None]:
        """What a page shows, and what it folds: a long table, and rows that nobody must know."""
        first = self.in_sight if self.in_sight is not None else len(self.rows) if len(self.rows) <= MOST_IN_SIGHT else 0
        shown, folded = self.rows[:first], self.rows[first:]
        return (
            replace(self, rows=shown) if shown else None,
            # Each has an id of its own.
            replace(self, name=f"{self.name}-more" if shown else self.name, rows=folded) if folded else None,
        )


def views(page: Page) -> dict[str, Any]:
    """What a template shows of a page beside its texts and figures, in a report and on a website alike."""
    return {
        "quantities": quantities(page),
        "tables": closing_tables(page),
        "excerpt": excerpt,
        "origin": origin(page),
        "stages": stages(page),
    }


def quantities(page: Page) -> Table:
    rows = (
        (Cell(row.title or row.name), Cell(row.text or interval(row.median, row.low, row.high)), Cell(row.unit))
        for row in page.quantities
    )
    kind, caption = "Median (95% interval)", "The numbers of the answer"
    if any("." in row.name for row in page.quantities):
        # `stage.metric`: a program says a number and an interval, and not of which kind.
        kind = "Number (interval)"
        caption += "; of those with a dot in their name, the stage's program says what the interval means"
    columns = (Column("Quantity"), Column(kind, "number"), Column("Unit"))
    return Table("quantities", "Key numbers", caption, columns, tuple(rows))


def reliance(page: Page) -> Table:
    """What moves each number most; all of it is in the table beside the page."""
    rows = [row for name in dict.fromkeys(row.name for row in page.reliance) for row in _strongest(page, name)]
    columns = (
        Column("Quantity"),
        Column("Source"),
        Column("Distribution moves by", "number"),
        Column("Mean moves by", "number"),
        Column("In standard deviations", "number"),
    )
    caption = (
        "How a number changes when one prior, or the data of one series, is trusted twice as much (power-scaling, to "
        "the first order). The first figure, from 0 to 1, is of the whole distribution, which data also narrow; from "
        f"{SENSITIVE:g} on that is marked. Shown are the {MOST_SOURCES} strongest that are, or the strongest alone"
    )
    shown = tuple(
        (
            Cell(row.title or row.name),
            Cell(row.source, note=row.kind),
            Cell(number(row.distance, decimals=2)),
            Cell(signed(row.move), note=row.unit),
            Cell(signed(row.in_sd, decimals=2)),
        )
        for row in rows
    )
    return Table("reliance", "What the numbers rest on", caption, columns, shown)


def _strongest(page: Page, name: str) -> list[RelianceRow]:
    rows = sorted((row for row in page.reliance if row.name == name), key=lambda row: -row.distance)
    return [row for row in rows[:MOST_SOURCES] if row.distance >= SENSITIVE] or rows[:1]


def checks(page: Page) -> Table:
    """The gravest first; within a verdict in the order in which they were asked."""
    order = sorted(page.checks, key=lambda row: GRAVEST.index(row.verdict))
    columns = (Column("Verdict", "verdict"), *map(Column, ("Question", "Answer", "Measured", "Held against")))
    caption = "Every question asked of the draws, the gravest answer, which is the verdict, first"
    grave = sum(row.verdict != "fine" for row in order)
    return Table("checks", "Checks", caption, columns, tuple(map(_check_row, order)), in_sight=grave)


def _check_row(row: CheckRow) -> tuple[Cell, ...]:
    return (
        Cell(VERDICTS[row.verdict][0], verdict=row.verdict),
        Cell(row.title),
        Cell(row.reason, note=row.remedy and f"To do: {row.remedy}."),
        _measured(row),
        Cell(row.threshold),
    )


def _measured(row: CheckRow) -> Cell:
    if row.value is None:
        return Cell("")
    # All R-hats are 1.00 where they are good.
    return Cell(number(row.value, decimals=3 if row.name == "convergence" else None), note=row.measures)


def fits(page: Page) -> Table:
    titles = ("In the 95% range", "Mean", "Maximum", "Its time", "Scatter", "Autocorrelation", "ELPD (SE)")
    columns = (Column("Series"), *(Column(title, "number") for title in titles))
    caption = (
        "Mean, maximum, time of the maximum and scatter: which share of the series that the model makes are as far out "
        "as the observed one (two-sided posterior predictive p-values; small is bad). Autocorrelation: of a residual "
        "with the next. ELPD: how well each observation is foretold from all the others (leave-one-out, log density; "
        "only differences between models of the same data mean something)"
    )
    if page.evidence is not None:
        value, error = page.evidence
        caption += f". The log evidence of all series is {number(value, decimals=2)} ± {number(error, decimals=2)}"
    return Table(
        "fits", "How well is each series met?", caption, columns, tuple(map(_fit_row, page.fits)), stacks=False
    )


def _fit_row(row: FitRow) -> tuple[Cell, ...]:
    chances = (row.p_mean, row.p_maximum, row.p_time_of_maximum, row.p_dispersion)
    elpd = "–" if row.elpd is None else number(row.elpd, decimals=1)
    if row.se is not None and math.isfinite(row.se):
        elpd += f" ({number(row.se, decimals=1)})"
    return (
        Cell(row.name),
        Cell(f"{row.inside:,} of {row.points:,}"),
        *(Cell("–" if each is None else number(each, decimals=3 if each < 0.1 else 2)) for each in chances),
        Cell(number(row.autocorrelation, decimals=2)),
        Cell(elpd, note=f"doubtful for {row.doubtful:,}" if row.doubtful else ""),
    )


def posterior(page: Page) -> Table:
    numbers = ("Mean", "SD", "2.5%", "Median", "97.5%", "R-hat", "ESS bulk", "ESS tail")
    columns = (Column("Parameter"), *(Column(title, "number") for title in numbers), Column("Prior"))
    caption = (
        "What was believed before the data, and after. R-hat near 1 says that the chains agree; the effective sample "
        "sizes (ESS) say how many independent draws the correlated ones are worth"
    )
    rows = tuple(_posterior_row(row) for row in page.posterior)
    return Table("posterior", "Calibrated parameters", caption, columns, rows, stacks=False)


def _posterior_row(row: PosteriorRow) -> tuple[Cell, ...]:
    # One number of decimals a row, so that mean, spread and interval can be compared by eye.
    places = decimals_for(row.sd)
    values = (row.mean, row.sd, row.q025, row.q50, row.q975)
    return (
        Cell(row.name, note=row.unit),
        *(Cell(number(value, decimals=places)) for value in values),
        Cell(number(row.r_hat, decimals=3)),
        Cell(number(row.ess_bulk, decimals=0)),
        Cell(number(row.ess_tail, decimals=0)),
        Cell(row.prior),
    )


def scenarios(page: Page) -> Table:
    rows = ((Cell(row.title or row.name), Cell("; ".join(row.changed) or "nothing")) for row in page.scenarios)
    columns = (Column("Scenario"), Column("What differs from the calibrated model"))
    return Table(
        "scenarios",
        "What the scenarios change",
        "Each is run with the same draws of the posterior",
        columns,
        tuple(rows),
    )


def averted(page: Page) -> Table:
    columns = (
        Column("Scenario"),
        Column("Output"),
        Column("Averted (95% interval)", "number"),
        Column("Share of the baseline", "number"),
    )
    rows = tuple(
        (
            Cell(row.scenario),
            Cell(row.output, note=row.unit),
            Cell(interval(row.median, row.low, row.high)),
            Cell("–" if row.share is None else share_in_words(row)),
        )
        for row in page.averted
    )
    caption = "The baseline's events over the whole time less the scenario's, draw by draw; below zero there are more"
    return Table("averted", "What each scenario averts", caption, columns, rows)


def share_in_words(row: AvertedRow) -> str:
    """A share with its interval in percent; a small one with decimals, so that it is not told as nothing."""
    known = [100 * each for each in (row.share, row.share_low, row.share_high) if each is not None]
    size = max(map(abs, known))
    told = [number(each, decimals=0 if size >= 10 else 1 if size >= 1 else 2) for each in known]
    return f"{told[0]}% ({told[1]} to {told[2]})"


def thresholds(page: Page) -> Table:
    columns = (
        *map(Column, ("Threshold", "Scenario")),
        Column("Ever above", "number"),
        Column("Most probable day", "number"),
        Column("More likely than not by"),
    )
    rows = tuple(
        (
            Cell(row.title or row.name),
            Cell(row.scenario),
            Cell(percent(row.ever)),
            Cell(percent(row.highest), note=row.highest_on),
            Cell(row.likely or "never"),
        )
        for row in page.thresholds
    )
    caption = "How probable it is that the threshold is passed: on any day, and on the day on which it is most probable"
    return Table("thresholds", "Beyond the thresholds", caption, columns, rows)


def targets(page: Page) -> Table:
    columns = tuple(map(Column, ("Series", "Values", "Dates", "Compared by", "Source")))
    rows = tuple(_target_row(row) for row in page.targets)
    return Table("targets", "What the model was fitted to", "Observed series, and how each is compared", columns, rows)


def _target_row(row: TargetRow) -> tuple[Cell, ...]:
    each = "" if row.covers in ("", "instant") else f"one a {row.covers}"
    values = plural(row.points, "value") + (f", {row.held_out:,} held out" if row.held_out else "")
    output = "" if row.output == row.name else f"output {row.output}"
    return (
        Cell(row.name, note=_joined(output, row.unit)),
        Cell(values, note=each),
        Cell(row.first if row.first == row.last else f"{row.first} to {row.last}"),
        Cell(row.likelihood),
        Cell(row.source),
    )


def forecasts(page: Page) -> Table:
    columns = (
        Column("Series"),
        Column("In the 95% range", "number"),
        Column("Chance of so few", "number"),
        Column("Score of the model", "number"),
        Column("Score of the last value", "number"),
    )
    caption = (
        "Observations that the calibration was not shown, against what the model foresaw. The chance is that of so few "
        "in the range if the model were right. The score (continuous ranked probability score, CRPS) says how far off "
        "a forecast was, in the unit of the series, small is good; beside it that of a naive forecast, which repeats "
        "the last value seen"
    )
    rows = tuple(
        (
            Cell(row.name, note=row.unit),
            Cell(f"{row.inside:,} of {row.points:,}"),
            Cell(percent(row.chance)),
            Cell(number(row.crps)),
            Cell(number(row.naive_crps)),
        )
        for row in page.forecasts
    )
    return Table("forecasts", "Was the rest foreseen?", caption, columns, rows)


def assumptions(page: Page) -> Table:
    columns = (*map(Column, ("Parameter", "Value or prior", "Unit", "Source")), Column("Written in", "code"))
    rows = tuple(_assumption_row(row) for row in page.assumptions)
    caption = "Every value and prior that somebody chose, with its unit and where it comes from"
    return Table("assumptions", "Assumptions", caption, columns, rows)


def _assumption_row(row: AssumptionRow) -> tuple[Cell, ...]:
    chosen = " ".join(part for part in (row.by and f"by {row.by}", row.when and f"on {row.when}") if part)
    note = ": ".join(part for part in (chosen and f"chosen {chosen}", row.why) if part)
    return (
        Cell(row.name, note=row.meaning),
        Cell(grouped(row.value)),
        Cell(row.unit),
        Cell(row.source, note=note),
        Cell(row.place),
    )


def data(page: Page) -> Table:
    columns = (Column("Dataset"), Column("Publisher"), Column("Licence"), Column("Source"), Column("SHA-256", "code"))
    rows = (
        (
            Cell(row.title or row.name, note=row.name if row.title else ""),
            Cell(row.publisher),
            Cell(row.licence),
            Cell(
                row.source, note="; ".join(filter(None, [row.retrieved and f"retrieved {row.retrieved}", row.checks]))
            ),
            Cell(row.sha256[:12], full=row.sha256),
        )
        for row in page.data
    )
    return Table("data", "Data", "Datasets used, with the checksum of the file as it was", columns, tuple(rows))


def stages(page: Page) -> Table:
    rows = [
        (Cell(row.name, note="finished before, not done again" if row.reused else ""), Cell(seconds(row.seconds)))
        for row in page.stages
    ]
    columns = (Column("Stage"), Column("Time", "number"))
    return Table("stages", "Time taken", "How long each stage took", columns, tuple(rows), stacks=False)


def excerpt(each: Excerpt) -> Table:
    """The beginning of a table of somebody else's."""
    caption = each.title
    if each.total > len(each.rows):
        caption += f": the first {len(each.rows)} of {each.total:,} rows"
    columns = tuple(Column(title) for title in each.columns)
    rows = tuple(tuple(Cell(text) for text in row) for row in each.rows)
    return Table(anchor(each.name, "table"), each.title, caption, columns, rows, stacks=False)


def closing_tables(page: Page) -> list[Table]:
    """The tables after the pictures, without those that would be empty."""
    makers = (checks, averted, thresholds, reliance, posterior, scenarios, targets, fits, forecasts, assumptions, data)
    return [table for table in (make(page) for make in makers) if table.rows]


def origin(page: Page) -> list[tuple[str, str]]:
    """Where the result comes from, as terms and their values; what is not known is left out."""
    known = page.provenance
    commit = str(known.get("commit") or "")
    if commit and known.get("dirty"):
        commit += ", with changes that were not committed (uncommitted.patch in the folder of the run)"
    told = [
        ("Finished", moment(page.finished)),
        ("Made by", str(known.get("person") or "")),
        ("Commit", commit or NO_COMMIT[known.get("dirty") is None]),
        ("Branch", str(known.get("branch") or "")),
        ("Machine", _machine(known.get("machine") or {})),
        ("Software", _software(known)),
    ]
    return [(term, value) for term, value in told if value]


def _machine(machine: Mapping[str, Any]) -> str:
    memory = machine.get("memory_gb")
    cores = machine.get("cores")
    parts = (machine.get("processor"), cores and plural(int(cores), "core"), memory and f"{memory:g} GB of memory")
    return _joined(*(str(part) for part in parts if part), str(machine.get("system") or ""))


def _software(known: Mapping[str, Any]) -> str:
    packages = known.get("packages") or {}
    ours = packages.get("modelworks")
    python = (known.get("machine") or {}).get("python", "")
    more = f"{plural(len(packages), 'package')} in environment.lock" if packages else ""
    return _joined(f"modelworks {ours}" if ours else "", python, more)


def _joined(*parts: str) -> str:
    return ", ".join(_given(parts))


def _given(parts: Iterable[str]) -> list[str]:
    return [part for part in parts if part]
