"""Commands that ask something beside the line of stages: of data before any model, of a study after its run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelworks.cli._runs import comparison_as_dict, foretold_as_dict, show_comparison, show_foretold
from modelworks.cli._words import (
    MARKS,
    json_option,
    next_step,
    quiet_option,
    say,
    show,
    show_json,
    table,
    values_option,
)

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.plots import Figure
    from modelworks.study import Sensitivity

# What fits a screen; --json has all.
WINDOWS_SHOWN = 14

DAY = click.DateTime(["%Y-%m-%d"])
figure_option = click.option(
    "--figure",
    "-f",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figure there: .png, .svg or .json.",
)


def _pair(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, float]:
    """Two numbers with a comma between them."""
    try:
        mean, sd = (float(each) for each in value.split(","))
    except ValueError as error:
        message = f"`{value}` is not two numbers with a comma between them, as in 2.6,1.5"
        raise click.BadParameter(message, ctx, param) from error
    return mean, sd


def write_figure(figure: Figure, path: Path) -> None:
    """The figure in the format of the file's ending."""
    if path.suffix == ".png":
        path.write_bytes(figure.png())
    elif path.suffix in (".svg", ".json"):
        path.write_text(figure.svg if path.suffix == ".svg" else figure.json(), encoding="utf-8")
    else:
        raise click.UsageError(f"a figure is written as .png, .svg or .json, and not as `{path.name}`")
    say(f"wrote {path}")


@click.command("rt")
@click.argument("dataset")
@click.option("--column", required=True, help="The column of daily counts, by day of onset or infection.")
@click.option(
    "--serial-interval", "interval", metavar="MEAN,SD", callback=_pair, required=True, help="In days, as in 2.6,1.5."
)
@click.option("--window", type=click.IntRange(1), default=7, show_default=True, help="Days over which it is constant.")
@click.option("--date", "date_column", help="The column of days, where there are several.")
@click.option("--from", "start", type=DAY, help="Only counts of this day and later.")
@click.option("--to", "end", type=DAY, help="Only counts of this day and earlier.")
@figure_option
@json_option
def rt(
    dataset: str,
    column: str,
    interval: tuple[float, float],
    window: int,
    date_column: str | None,
    start: datetime | None,
    end: datetime | None,
    figure: Path | None,
    as_json: bool,
) -> None:
    """The reproduction number from daily counts alone: a quick look before any model.

    By Cori and colleagues (2013, doi:10.1093/aje/kwt133): each case of a day is infected by those before it as the
    serial interval says, and the number is constant within a window.
    """
    from modelworks.inputs import Catalogue, Repository
    from modelworks.study import quick_look

    first, last = (None if each is None else each.date() for each in (start, end))
    look = quick_look(
        Catalogue.read(Repository.around(Path.cwd()).root), dataset, column, interval,
        window=window, date_column=date_column, start=first, end=last,
    )  # fmt: skip
    found = look.table()
    if as_json:
        rows = found.assign(start=found["start"].dt.date, time=found["time"].dt.date).to_dict("records")
        show_json({"dataset": dataset, "column": column, "serial_interval": interval, "window": window, "rows": rows})
    else:
        table(
            (f"{window} days to", "median", "95%", "growing"),
            [_cells(row) for _, row in found[-WINDOWS_SHOWN:].iterrows()],
        )
        if len(found) > WINDOWS_SHOWN:
            say(f"the last {WINDOWS_SHOWN} of {len(found)} windows; --json has all")
    if figure is not None:
        write_figure(look.figure(), figure)
    next_step("write what you learned into the prior of a study, then modelworks run")


def _cells(row: pd.Series[Any]) -> tuple[str, ...]:
    return (
        f"{row['time']:%Y-%m-%d}",
        f"{row['q50']:.2f}",
        f"{row['q025']:.2f} to {row['q975']:.2f}",
        chance(row["above_one"]),
    )


def chance(probability: float) -> str:
    """A probability that is neither rounded to never nor to always.

    >>> chance(0.9999), chance(0.424), chance(0.0)
    ('>99%', '42%', '<1%')
    """
    return ">99%" if probability > 0.99 else "<1%" if probability < 0.01 else f"{probability:.0%}"


@click.command("sensitivity")
@click.argument("study", required=False)
@click.option("--quantity", help="A named number of the study; needed where it has several.")
@click.option(
    "--method", type=click.Choice(["tornado", "prcc", "sobol"]), default="tornado", show_default=True,
    help="One at a time; partial rank correlations; shares of the variance.",
)  # fmt: skip
@click.option(
    "--over", type=click.Choice(["prior", "posterior"]), default="prior", show_default=True,
    help="What was believed before the data, or after (which calibrates where that is stale).",
)  # fmt: skip
@click.option("--runs", type=click.IntRange(8), help="Runs for prcc (500), or of each design for sobol (512).")
@figure_option
@json_option
@quiet_option
@click.option("--cores", type=click.IntRange(1), help="Processor cores to use (all, when left out).")
def sensitivity(study: str | None, figure: Path | None, as_json: bool, **asked: Any) -> None:
    """Which of what is not known moves a named number, and by how much."""
    from modelworks.study import find_study
    from modelworks.study import sensitivity as examine

    found = examine(find_study(study), **asked)
    if as_json:
        show_json(
            {
                "study": found.study.name, "quantity": found.quantity.name, "unit": found.unit, "method": found.method,
                "over": found.over, "runs": found.runs, "middle": found.middle, "rows": found.table.to_dict("records"),
            }
        )  # fmt: skip
    else:
        show(f"{found.quantity.title} ({found.unit or 'number'}), over the {found.over}")
        _show_sensitivity(found)
        say(f"{found.runs:,} runs, {found.seconds:.1f} s")
    if figure is not None:
        write_figure(found.figure(), figure)
    strongest = found.table["parameter"][0]
    next_step(f"learn more of `{strongest}`, on which it depends most; or narrow its prior and look again")


def _show_sensitivity(found: Sensitivity) -> None:
    rows = [row for _, row in found.table.iterrows()]
    if found.method == "tornado":
        cells = [
            (
                r["parameter"],
                f"{r['low']:.3g} to {r['high']:.3g}",
                f"{found.words(r['at_low'])} to {found.words(r['at_high'])}",
            )
            for r in rows
        ]
        table(("parameter", "from – to", f"where all others are in the middle ({found.words(found.middle)})"), cells)
        return
    header, columns = ["parameter", "correlation", "95%"], [("value", "low", "high")]
    if found.method == "sobol":
        header = ["parameter", "alone", "95%", "with others", "95%"]
        columns.append(("total", "total_low", "total_high"))
    table(header, [(r["parameter"], *(c for k in columns for c in _index(r, *k))) for r in rows])


def _index(row: pd.Series[Any], value: str, low: str, high: str) -> tuple[str, str]:
    return f"{row[value]:.2f}", f"{row[low]:.2f} to {row[high]:.2f}"


@click.command("rerun")
@click.argument("study", required=False)
@click.option(
    "--change", "changes", multiple=True, metavar="CHANGE",
    help="As in 'prior contact_rate = normal(2, 0.5)', 'value x = 3', 'target x without', 'data x = dataset'; repeat "
    "for several.",
)  # fmt: skip
@values_option
@json_option
@quiet_option
@click.option("--anew", is_flag=True, help="Calibrate anew, from the priors, whatever the old draws could do for it.")
@figure_option
@click.option("--cores", type=click.IntRange(1), help="Processor cores to use (all, when left out).")
def rerun(
    study: str | None,
    changes: tuple[str, ...],
    values: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    anew: bool,
    figure: Path | None,
    cores: int | None,
) -> None:
    """A study with something assumed otherwise, beside the study as it is; no file of the study is touched.

    Only the stages that the change reaches are done again; draws that can carry another prior, or a target less, are
    weighted anew, and a calibration that is needed begins among them.
    """
    from modelworks.study import find_study
    from modelworks.study import rerun as run_again

    said = [*changes, *values]
    if not said:
        raise click.UsageError(
            "say what is to be otherwise: --change, or --set NAME=VALUE", click.get_current_context()
        )
    made = run_again(find_study(study), said, cores=cores, quiet=quiet, anew=anew)
    if figure is not None:
        write_figure(made.figure(), figure)
    ids = [run.id for run in made.comparison.runs]
    if as_json:
        show_json(
            {
                "changes": said,
                "after": made.after.as_dict(),
                **comparison_as_dict(made.comparison, with_code=False),
                **foretold_as_dict(made.comparison.runs),
            }
        )
        return
    show_comparison(made.comparison)
    show_foretold(made.comparison.runs)
    for name, result in (("as it is", made.before), ("changed", made.after)):
        if result.verdict:
            show(f"{name}: {MARKS[result.verdict][0]} {result.verdict}: {result.sentences[0]}")
    say(made.after.line())
    next_step(f"modelworks compare {' '.join(ids)} --code shows the lines that differ")


@click.command("sbc")
@click.argument("study", required=False)
@click.option("--draws", type=click.IntRange(2), default=50, show_default=True, help="How many simulated studies.")
@figure_option
@json_option
@quiet_option
@click.option("--cores", type=click.IntRange(1), help="Processor cores to use (all, when left out).")
def sbc(study: str | None, draws: int, figure: Path | None, as_json: bool, quiet: bool, cores: int | None) -> None:
    """Can the calibration of a study find what is there? Simulation-based calibration.

    Studies are simulated from its priors and its likelihoods, and calibrated as it is; the truth must rank evenly among
    the draws. What is done is kept: the same command goes on after an interruption, and with more --draws.
    """
    from modelworks.study import find_study
    from modelworks.study import sbc as examine

    found = examine(find_study(study), draws, cores=cores, quiet=quiet)
    if as_json:
        rows = {
            name: {"p_value": test.p_value, "ranks": found.ranks[name].tolist()} for name, test in found.tests.items()
        }
        told = {"study": found.study, "verdict": found.verdict, "sentences": found.sentences()}
        show_json({**told, "failed": found.failed, "parameters": rows})
    else:
        table(("parameter", "p"), [(name, f"{test.p_value:.2g}") for name, test in found.tests.items()])
        mark, colour = MARKS[found.verdict]
        show(click.style(f"{mark} {found.verdict}", fg=colour, bold=True) + f": {' '.join(found.sentences())}")
    if figure is not None:
        write_figure(found.figure(), figure)
    next_step(f"modelworks run {found.study}" if found.verdict == "fine" else "--figure shows how; --draws with more")
    if found.verdict == "stop":
        raise click.exceptions.Exit(1)


COMMANDS = (rt, sensitivity, rerun, sbc)
