"""Figures of several runs over each other, from the files of the runs alone."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks import plots
from modelworks.errors import fail
from modelworks.report.page import Section
from modelworks.runs import Comparison, Run

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.plots import Figure

# More panels than this in one figure and nobody looks at any of them.
MOST_PANELS = 12
BASELINE = "baseline"
Draws = dict[str, NDArray[np.float64]]


def sections(comparison: Comparison, titles: Mapping[str, str]) -> list[Section]:
    """What several runs have in common, drawn over each other; `titles` says how each run, by its id, is called."""
    found = (
        _over_time(comparison.runs, titles),
        _draws("quantities", ("numbers", "The numbers"), comparison, titles, _quantities),
        _draws("parameters", ("parameters", "The parameters"), comparison, titles, _parameters),
    )
    return [section for section in found if section is not None]


def _over_time(runs: Sequence[Run], titles: Mapping[str, str]) -> Section | None:
    """The baseline's outputs that more than one run has, those of a single series first."""
    import pandas as pd

    tables = [table.assign(run=titles[run.id]) for run in runs for table in [_baseline(run)] if table is not None]
    if len(tables) < 2:
        return None
    together = pd.concat(tables, ignore_index=True)
    runs_with = together.groupby("output", sort=False)["run"].nunique()
    shared = sorted((str(name) for name in runs_with[runs_with > 1].index), key=lambda name: "[" in name)
    if not shared:
        return None
    figure = plots.figure("compared")(together, outputs=shared[:MOST_PANELS], title="What the model says")
    return Section("Over time", (figure,), _left_out(shared, "output"))


def _baseline(run: Run) -> pd.DataFrame | None:
    with _readable(run, "project/outputs.parquet") as path:
        if path is None:
            return None
        import pandas as pd

        table = pd.read_parquet(path)
        names = list(dict.fromkeys(table["scenario"]))
        return table[table["scenario"] == (BASELINE if BASELINE in names else names[0])]


def _draws(
    group: str,
    called: tuple[str, str],
    comparison: Comparison,
    titles: Mapping[str, str],
    read: Callable[[Run], Draws],
) -> Section | None:
    """The draws of everything that varies and that every run with draws has."""
    name, heading = called
    numbers = {each.name: each for each in comparison.numbers if each.group == group}
    unlike = {each.name for each in numbers.values() if not each.draws_compare}
    found = {titles[run.id]: draws for run in comparison.runs if (draws := read(run))}
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
    drawn: Figure = plots.figure("overlay")(found, names=shared[:MOST_PANELS], labels=labels, title=heading)
    return Section(heading, (dataclasses.replace(drawn, name=name),), _left_out(shared, "number"))


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
        return {str(name): rows["value"].to_numpy(float) for name, rows in table.groupby("name", sort=False)}


def _parameters(run: Run) -> Draws:
    with _readable(run, "calibrate/posterior.nc") as path:
        if path is None:
            return {}
        import xarray as xr

        with xr.open_dataset(path, group="posterior", engine="h5netcdf") as posterior:
            return {str(name): each.to_numpy().reshape(-1) for name, each in posterior.data_vars.items()}


@contextlib.contextmanager
def _readable(run: Run, name: str) -> Iterator[Path | None]:
    """A file of a run, where it has one; that it is damaged is a letter."""
    try:
        yield run.file(name)
    except (OSError, KeyError, ValueError) as error:
        said = f"{name} of the run {run.id} can not be read: {error}"
        fail("R166", said, hint=f"modelworks verify {run.id}", file=str(run.path / name))
