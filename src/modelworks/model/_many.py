"""Thousands of runs: draws in each of some scenarios, in parallel, of the outputs that were asked for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from modelworks.dates import Calendar
from modelworks.errors import Letters, fail
from modelworks.model._accuracy import settle_step
from modelworks.model._batch import RUNS
from modelworks.model._compiled import CompiledModel
from modelworks.model._graph import Array
from modelworks.model._impossible import check_names
from modelworks.model._model import Model
from modelworks.model._simulate import Outputs

# Blocks of runs under way or waiting to be taken, for each core: what bounds the memory.
AHEAD = 4
# Few draws go in as many blocks as this, in whole groups of those side by side, so that no core waits for the last.
FEWEST_BLOCKS = 16
# So many draws of each scenario settle the solver's step, spread evenly over them.
SETTLED_BY = 3
Value = float | ArrayLike
Result = TypeVar("Result")


def simulate_many(
    model: Model,
    draws: Mapping[str, Value],
    times: Sequence[float] | Array,
    *,
    outputs: Sequence[str] | None = None,
    scenarios: Mapping[str, Mapping[str, Value]] | None = None,
    start: date | None = None,
    accuracy: float = 1e-5,
    cores: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Outputs:
    """Run a model for every draw of its parameters, in every scenario.

    Parameters
    ----------
    draws
        A value for every parameter, or one for each draw, shape (draw,).
    times
        When outputs are wanted, in the model's time unit; the first is where the run starts.
    outputs
        Names of those wanted; no others are computed or kept. All when left out. The result takes eight bytes for
        each scenario, draw, time and stratum of these; what runs take on the way does not grow with the draws.
    scenarios
        For each scenario the values, or one for each draw, that take the place of those in `draws`.
    start
        The day that time 0 is, for a model in days with tables by date.
    accuracy
        The largest error wanted in any output, as a part of that output's largest value: measured on some of the
        draws of each scenario, and kept by the shortest of the steps.
    cores
        How many runs at a time; all cores when left out. The result does not depend on it.
    progress
        Told the number of runs done, now and then.

    Returns
    -------
    Outputs
        `values` is (scenario, draw, time, column), or (draw, time, column) without scenarios; `to_dataset()` labels
        them.

    Raises
    ------
    ModelworksError
        With every mistake of the declaration or the values, S111 for values of different numbers of draws, or naming
        the compartment and date at which a run left what is possible.
    """
    asked = model.reporting(*(model.series if outputs is None else outputs)).checked()
    calendar = Calendar(model.time, start) if start is not None else None
    compiled = CompiledModel(asked, times, calendar=calendar)
    plans = {"": {}} if scenarios is None else dict(scenarios)
    table = np.concatenate([_rows(model, compiled, {**draws, **changed}, draws) for changed in plans.values()])
    number = len(table) // max(len(plans), 1)
    chosen = {k * number + int(d) for k in range(len(plans)) for d in np.linspace(0, number - 1, SETTLED_BY)}
    error = max(settle_step(compiled, table[k], accuracy).error for k in sorted(chosen))
    values = run_many(compiled, table, cores=cores, progress=progress)
    if scenarios is not None:
        values = values.reshape(len(plans), number, *values.shape[1:])
    units = {name: output.unit for name, output in asked.series.items()}
    return Outputs(
        values, compiled.times, compiled.columns, units, calendar, compiled.step, error, tuple(scenarios or ())
    )


def run_many(
    compiled: CompiledModel,
    draws: Array,
    *,
    cores: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Array:
    """A run for each row of `draws` (draw, parameter); outputs (draw, time, column).

    The kernel releases Python's lock, so threads are enough; the result does not depend on how many.
    """
    found = np.empty((len(draws), compiled.times.size, len(compiled.columns)))
    done = 0
    for block in run_in_blocks(compiled, draws, cores=cores):
        found[done : done + len(block)] = block
        done += len(block)
        if progress is not None:
            progress(done)
    return found


def runs_in_block(compiled: CompiledModel, number: int) -> int:
    """How many of so many draws are run together: always the same, on any number of cores."""
    return min(compiled.runs_at_once, max(-(-number // (FEWEST_BLOCKS * RUNS)), 1) * RUNS)


def run_in_blocks(
    compiled: CompiledModel, draws: Array, *, cores: int | None = None, of: int | None = None
) -> Iterator[Array]:
    """The outputs (draw, time, column) of `draws` (draw, parameter), some at a time and in order.

    For as many draws as one likes: a few blocks for each core are held, whatever the number of draws. `of` is how many
    there are in all, where these are a part of them: a multiple of `runs_in_block(compiled, of)`, or the last.
    """
    together = runs_in_block(compiled, of or len(draws))
    yield from taken_in_order(lambda some: compiled.run_batch(draws[some]), len(draws), together, cores=cores)


def taken_in_order(
    work: Callable[[slice], Result], number: int, together: int, *, cores: int | None = None
) -> Iterator[Result]:
    """What some work makes of so many draws, some together, on all cores unless told; a few for each are held."""
    workers = cores or available_cores()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            for first in range(0, number, together):
                waiting.append(pool.submit(work, slice(first, first + together)))
                if len(waiting) >= AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _rows(model: Model, compiled: CompiledModel, given: Mapping[str, Value], draws: Mapping[str, Value]) -> Array:
    """Values by name as rows (draw, parameter); as many in every scenario as in `draws`."""
    letters = Letters()
    check_names(model, tuple(model.parameters), given, letters)
    letters.raise_if_any()
    number = max((np.size(each) for each in draws.values()), default=1)
    for name, each in given.items():
        if np.ndim(each) > 1 or np.size(each) not in (1, number):
            fail(
                "S111",
                f"`{name}` has values of shape {np.shape(each)}, but there are {number} draws",
                hint="give one value, or one for each draw; draws of several chains are joined into one row first",
            )
    columns = [np.broadcast_to(np.asarray(given[name], dtype=float), (number,)) for name in compiled.parameters]
    rows = np.column_stack(columns) if columns else np.empty((number, 0))
    # The lowest and the highest of each: where these are within bounds, all are.
    for row in (rows.min(axis=0, initial=np.inf), rows.max(axis=0, initial=-np.inf)) if columns else ():
        compiled.vector(dict(zip(compiled.parameters, row, strict=True)))
    return rows
