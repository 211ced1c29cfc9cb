"""Every run of some scenarios: here, or by other machines that make the same of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Settings
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.binding._questions import projection_times
from modelworks.study.binding._scaled import Scaled, ScaledFunction, ScaledModel, gathered
from modelworks.study.projection._scenario_runs import other_data, told_of
from modelworks.study.projection._statistic import reduced

if TYPE_CHECKING:
    from modelworks.inputs import Quantity
    from modelworks.runs import Progress

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """Rows (row, …) of which any part can be done by itself, here or by another machine, to the last bit the same.

    `here(first, last, threads)` gives the results (row, …) of some of them; `cores` are so many threads as are of use.
    Another machine is given `named`, how many rows there are, the number of the first of a part, and its rows. Parts
    are multiples of `together`.
    """

    rows: Array
    here: Callable[[int, int, int], Array]
    named: tuple[str | float, ...]
    cores: int
    together: int = 1


class Elsewhere(Protocol):
    """Other machines."""

    def results(self, work: Callable[..., Array], shares: Mapping[str, Share], progress: Progress) -> dict[str, Array]:
        """The results (row, …) of every share; `work` is a function of this package that makes a part of one."""

    def forget(self) -> None:
        """Whatever was kept for the case that machines are lost is no longer needed."""


def every_run(
    study: BoundStudy,
    made: Mapping[str, tuple[Scaled, Array]],
    cores: int | None,
    progress: Progress,
    elsewhere: Elsewhere | None = None,
    asked: Quantity | None = None,
) -> dict[str, Array]:
    """Of each scenario the outputs (draw, time, column) of all draws; with `asked` a number of each (draw,)."""
    if elsewhere is not None:
        return elsewhere.results(
            some_runs, {name: _share(study, name, *each, cores, asked) for name, each in made.items()}, progress
        )
    found = {}
    for name, (model, rows) in made.items():
        with told_of(name):
            found[name] = gathered(_blocks(study, model, rows, cores, asked), len(rows), progress.advance)
    return found


def some_runs(
    folder: str, scenario: str, quantity: str, step: float, tolerance: float, of: int, first: int, rows: Array
) -> Array:
    """Some runs of a scenario of the study in a folder, as `every_run` makes them; `quantity` may be empty.

    For machines that are given no more than this. The rows (draw, parameter) are in the model's own order and units.
    """
    with told_of(scenario):
        study, model = _model(folder, scenario, step, tolerance)
        asked = study.inputs.study.quantities[quantity] if quantity else None
        return gathered(_blocks(study, model, rows, 1, asked, first, of), len(rows))


def _share(
    study: BoundStudy, scenario: str, model: Scaled, rows: Array, cores: int | None, asked: Quantity | None
) -> Share:
    def here(first: int, last: int, threads: int) -> Array:
        with told_of(scenario):
            blocks = _blocks(study, model, rows[first:last], threads, asked, first, len(rows))
            return gathered(blocks, last - first)

    named = (scenario, "" if asked is None else asked.name, *step_of(model))
    return Share(rows, here, named, threads_for(model, cores), model.together(len(rows)))


def threads_for(model: Scaled, cores: int | None) -> int:
    """How many threads are of use: a function of the team's own is Python, which runs in one."""
    return 1 if isinstance(model, ScaledFunction) else Settings(cores=cores).threads()


def step_of(model: Scaled) -> tuple[float, float]:
    """The step and the tolerance that a model's solver was settled to; zeros where it has none."""
    return (model.compiled.step, model.compiled.tolerance) if isinstance(model, ScaledModel) else (0.0, 0.0)


def with_step(model: Scaled, step: float, tolerance: float) -> Scaled:
    """The model with what `step_of` gave elsewhere."""
    if isinstance(model, ScaledModel):
        model.compiled.with_step(step, tolerance)
    return model


def _blocks(
    study: BoundStudy,
    model: Scaled,
    rows: Array,
    cores: int | None,
    asked: Quantity | None,
    first: int = 0,
    of: int | None = None,
) -> Iterator[Array]:
    """Block by block, for the outputs of all runs may not fit into memory where one number of each is asked for."""
    for block in model.blocks(rows, cores=cores, first=first, of=of):
        yield block if asked is None else reduced(study, model.compiled, asked, block)


@functools.lru_cache(maxsize=2)
def bound(folder: str) -> BoundStudy:
    """The study in a folder in which nothing changes, read once."""
    return bind(Path(folder))


@functools.lru_cache(maxsize=16)
def _model(folder: str, name: str, step: float, tolerance: float) -> tuple[BoundStudy, Scaled]:
    """The model of a scenario, with the step that was settled for all of them."""
    study = bound(folder)
    data = other_data(study, study.inputs.study.scenarios.get(name))
    model = study.simulator(projection_times(study.inputs, study.calendar), data)
    return study, with_step(model, step, tolerance)
