"""Figures of several runs over each other, from the files of the runs alone."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks import plots
from modelworks.diagnostics import mcse_quantile
from modelworks.errors import fail
from modelworks.report.page import Section
from modelworks.runs import Comparison, Number, Run

if TYPE_CHECKING:
    import pyarrow as pa

    from modelworks.plots import Figure

# More panels than this in one figure and nobody looks at any of them.
MOST_PANELS = 12
BASELINE = "baseline"
# Of fewer draws the error of a median is itself a guess.
FEWEST_DRAWS = 100
# A median that moved by less than so many standard errors of the difference did so by chance, 19 times in 20.
STANDARD_ERRORS = 2.0
# By name, shape (chain, draw).
Draws = dict[str, NDArray[np.float64]]


# Of each group of numbers, those of each run, in the order of the runs.
Drawn = Mapping[str, Sequence[Draws]]


def draws_of(runs: Sequence[Run]) -> Drawn:
    """Raises R166 where a file of a run is damaged."""
    return {"quantities": tuple(map(_quantities, runs)), "parameters": tuple(map(_parameters, runs))}


def moved_by_chance(comparison: Comparison, drawn: Drawn | None = None) -> frozenset[tuple[str, str]]:
    """Group and name of the numbers whose medians moved, from the first run to the last, by no more than chance.

    A median is known to its Monte Carlo error; where two differ by less than twice the error of their difference,
    the same inputs might have given both. Not judged are what has too few draws, dates, and a probability, which is
    no median.

    Raises
    ------
    ModelworksError
        R166 where a file of a run is damaged.
    """
    drawn = drawn or draws_of(comparison.runs)
    return frozenset(
        each.key
        for each in comparison.numbers
        if each.draws_compare and _is_chance(each, drawn[each.group][0], drawn[each.group][-1])
    )


def _is_chance(number: Number, first: Draws, last: Draws) -> bool:
    before, after = number.values[0], number.values[-1]
    if number.name not in first or number.name not in last or before is None or after is None:
        return False
    draws = first[number.name], last[number.name]
    if min(each.size for each in draws) < FEWEST_DRAWS or not all(_has_interval(each) for each in (before, after)):
        return False
    error = math.hypot(*(mcse_quantile(each, 0.5) for each in draws))
    return bool(0 < abs(after["median"] - before["median"]) <= STANDARD_ERRORS * error)


def _has_interval(said: Mapping[str, Any]) -> bool:
    low, high = said.get("low"), said.get("high")
    return said.get("median") is not None and low is not None and high is not None and low < high


def sections(comparison: Comparison, titles: Mapping[str, str], drawn: Drawn) -> list[Section]:
    """What several runs have in common, drawn over each other; `titles` says how each run, by its id, is called."""
    found = (
        _over_time(comparison.runs, titles),
        _draws("quantities", ("numbers", "The numbers"), comparison, titles, drawn),
        _draws("parameters", ("parameters", "The parameters"), comparison, titles, drawn),
    )
    return [section for section in found if section is not None]


def _over_time(runs: Sequence[Run], titles: Mapping[str, str]) -> Section | None:
    """The baseline's outputs that more than one run has, those of a single series first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = {titles[run.id]: table for run in runs if (table := _baseline(run)) is not None}
    runs_with = Counter(name for table in tables.values() for name in table["output"].unique().to_pylist())
    shared = sorted((name for name, runs in runs_with.items() if runs > 1), key=lambda name: "[" in name)
    if not shared:
        return None
    drawn = shared[:MOST_PANELS]
    # One table for pandas: a page waits for it, and one of each run costs as much as to draw them.
    rows = [table.filter(pc.is_in(table["output"], pa.array(drawn, table["output"].type))) for table in tables.values()]
    titled = [each.append_column("run", pa.repeat(title, len(each))) for title, each in zip(tables, rows, strict=True)]
    together = pa.concat_tables(titled, promote_options="permissive").to_pandas(use_threads=False)
    figure = plots.figure("compared")(together, outputs=drawn, title="What the model says")
    return Section("Over time", (figure,), _left_out(shared, "output"))


def _baseline(run: Run) -> pa.Table | None:
    """What a run says without a scenario, as a table of quantiles of each output over time."""
    with _readable(run, "project/outputs.parquet") as path:
        if path is None:
            return None
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        # One thread: it is small, and many may look at pages at once. The reader of pandas takes three times as long.
        with pq.ParquetFile(path) as opened:
            table = opened.read(use_threads=False)
        names = table["scenario"].unique().to_pylist()
        wanted = BASELINE if BASELINE in names else names[0]
        return table.filter(pc.equal(table["scenario"], wanted))


def _draws(
    group: str,
    called: tuple[str, str],
    comparison: Comparison,
    titles: Mapping[str, str],
    drawn: Drawn,
) -> Section | None:
    """The draws of everything that varies and that every run with draws has."""
    name, heading = called
    numbers = {each.name: each for each in comparison.numbers if each.group == group}
    unlike = {each.name for each in numbers.values() if not each.draws_compare}
    found = {titles[run.id]: draws for run, draws in zip(comparison.runs, drawn[group], strict=True) if draws}
    if len(found) < 2:
        return None
    first, *others = found.values()
    shared = [
        each
        for each in first
        if each not in unlike and all(each in other for other in others) and _varies(found.values(), each)
    ]
    if not shared:
        return None
    labels = {each.name: f"{each.title} ({each.unit})" if each.unit else each.title for each in numbers.values()}
    figure: Figure = plots.figure("overlay")(found, names=shared[:MOST_PANELS], labels=labels, title=heading)
    return Section(heading, (dataclasses.replace(figure, name=name),), _left_out(shared, "number"))


def _varies(runs: Iterable[Draws], name: str) -> bool:
    return all(np.ptp(each[name]) > 0 for each in runs)


def _left_out(shared: Sequence[str], noun: str) -> str:
    more = len(shared) - MOST_PANELS
    return f"Drawn are the first {MOST_PANELS}; {more} more {noun}s are in the runs' own tables." if more > 0 else ""


def _quantities(run: Run) -> Draws:
    with _readable(run, "project/quantities.parquet") as path:
        if path is None:
            return {}
        import pandas as pd

        table = pd.read_parquet(path)
        return {
            str(name): rows["value"].to_numpy(float)[np.newaxis] for name, rows in table.groupby("name", sort=False)
        }


def _parameters(run: Run) -> Draws:
    with _readable(run, "calibrate/posterior.nc") as path:
        if path is None:
            return {}
        import xarray as xr

        with xr.open_dataset(path, group="posterior", engine="h5netcdf") as posterior:
            return {str(name): each.to_numpy() for name, each in posterior.data_vars.items()}


@contextlib.contextmanager
def _readable(run: Run, name: str) -> Iterator[Path | None]:
    """A file of a run, where it has one; that it is damaged is a letter."""
    try:
        yield run.file(name)
    except (OSError, KeyError, ValueError) as error:
        said = f"{name} of the run {run.id} can not be read: {error}"
        fail("R166", said, hint=f"modelworks verify {run.id}", file=str(run.path / name))
