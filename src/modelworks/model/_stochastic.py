"""Stochastic runs of the same declaration: whole people, who move by chance."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.dates import Calendar
from modelworks.errors import fail, near
from modelworks.model._compiled import _columns, _increasing, derived_numbers
from modelworks.model._convolve import Convolutions
from modelworks.model._graph import Array
from modelworks.model._impossible import check_guard, check_settled, moment_in_words, rows_of_values
from modelworks.model._lower import lower
from modelworks.model._model import Model
from modelworks.model._program import GUARD_TOLERANCE
from modelworks.model._simulate import Outputs
from modelworks.model._whole_people import whole_people
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.backends.stochastic import METHODS, Failure, Flock, Steps, StochasticKernel
from modelworks.model.solvers._grid import Grid

# Where nothing else is said, people decide once a day.
DAY = {"days": 1.0, "years": 1 / 365.25}


class StochasticModel:
    """A model compiled for stochastic runs at one set of output times.

    `parameters` is the order of the values it takes; `outputs` the names of its columns; `times` the model
    times of its rows. It may be used from several threads at once.
    """

    def __init__(
        self,
        model: Model,
        times: Sequence[float] | Array,
        *,
        method: str = "chain_binomial",
        calendar: Calendar | None = None,
        step: float | None = None,
        cores: int | None = None,
    ) -> None:
        if method not in METHODS:
            fail("S112", f"there is no stochastic method `{method}`", hint=near(method, METHODS))
        if step is not None and not (np.isfinite(step) and step > 0):
            fail("S114", f"the step is {step}, but a step takes some time", hint="give a number above zero")
        for pool in model.pools:
            if not pool.individuals:
                fail(
                    "S123",
                    f"`{model.name}` has a pool `{pool.name}` of {pool.unit}, which chance can not move one by one",
                    hint="run it with `simulate`, or count single ones and declare the pool with individuals=True",
                )
        self.model, self.calendar, self.method = model, calendar, method
        self.times = _increasing(times)
        self.program = lower(model, calendar)
        self.parameters = self.program.parameters
        self.columns = tuple(_columns(model, self.program))
        self.outputs = tuple(column.name for column in self.columns)
        self.cores = cores or os.cpu_count() or 1
        self.kernel = StochasticKernel(self.program, method)
        program = self.program
        grid = Grid.covering(
            self.times, program.knots, step or DAY[model.time], program.pulses, between=program.delay_steps
        )
        self._written = grid.outputs
        self._later = Convolutions(program, grid) if program.delay_steps else None
        self.steps = Steps.of(grid, self.kernel.data)
        self.step = float(self.steps.sizes.max())

    def rows(self, values: Mapping[str, ArrayLike]) -> Array:
        """Values by name as rows (draw, parameter): one row where every value is one number."""
        return rows_of_values(self.model, self.parameters, values)

    def begin(self, rows: Array, draws: int, seed: int, first: int = 0) -> Flock:
        """Draws at the start: whole people in every compartment, and a stream of random numbers each.

        `first` is the number of the first of them among all.
        """
        check_draws(len(rows), draws, seed)
        program = self.program
        found = evaluate(program.graph, program.initial, parameters=rows)
        shape = (len(rows), program.width)
        numbers = np.stack(
            [np.broadcast_to(found[k].reshape(found[k].shape[0], -1), shape) for k in program.initial], 1
        )
        wrong = ~((numbers >= -GUARD_TOLERANCE) & np.isfinite(numbers)).all(axis=(1, 2))
        if len(rows) == 1 or wrong.any():
            self._check_settled(rows[int(np.argmax(wrong))])
        # People are rounded among themselves, and so are those of each pool.
        for kind in (None, *self.model.pools):
            rows_of = [k for k in program.stocks if self.model.pool_of(program.rows[k].compartment) is kind]
            numbers[:, rows_of] = whole_people(numbers[:, rows_of], [program.rows[k].compartment for k in rows_of])
        initial = np.broadcast_to(numbers.reshape(len(rows), -1), (draws, self.kernel.layout.state))
        return self.kernel.flock(np.array(initial, order="C"), seed, first)

    def advance(self, flock: Flock, rows: Array, first: int, last: int) -> Array:
        """Take draws on to write the outputs `first` to `last` - 1; shape (draw, time, column).

        Not of a model with delays, whose outputs depend on all that was before.
        """
        if self._later is not None:
            fail(
                "S125",
                f"`{self.model.name}` has delayed outputs, which are known only when a run is done",
                hint="let people wait in a compartment, in stages, where a particle filter looks at what comes later",
            )
        return self._advance(flock, rows, first, last)[:, :, : len(self.columns)]

    def _advance(self, flock: Flock, rows: Array, first: int, last: int, cores: int | None = None) -> Array:
        """All that the kernel writes, shape (draw, output, number)."""
        raw, suspects, failure = self.kernel.run(flock, rows, self.steps, (first, last), cores=cores or self.cores)
        if failure is not None:
            self._tell_of_failure(failure, rows, flock.first)
        if suspects.any():
            draw = int(np.argmax(suspects))
            self._check_settled(rows[draw % len(rows)])
            self._check_watched(raw[draw], self._written[first:last])
        return raw

    def run(self, rows: Array, draws: int, seed: int, *, first: int = 0, cores: int | None = None) -> Array:
        """Outputs (draw, time, column) of whole runs.

        `first` is the number of the first draw, where these are some of many: each is the same as among all of them.
        """
        raw = self._advance(self.begin(rows, draws, seed, first), rows, 0, self._written.size, cores)
        found = raw if self._later is None else self._later.apply(raw)
        return found[:, :, : len(self.columns)].copy()

    @property
    def is_delayed(self) -> bool:
        """Whether outputs depend on all that was before, so that they are known only when a run is done."""
        return self._later is not None

    def derived(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        """The model's derived numbers for draws of its parameters, each of the draws' shape."""
        return derived_numbers(self.model, draws)

    def moment(self, k: int) -> str:
        """The time of output `k` within a sentence, as in ` on 2021-08-02`."""
        return moment_in_words(self.model, self.calendar, float(self.times[k]))

    # -- what can not be -------------------------------------------------------------------------

    def _check_settled(self, row: Array) -> None:
        """Rates, shares and numbers that parameters and time decide, all along the run."""
        check_settled(self.model, self.program, self.calendar, row, np.sort(self.steps.moments))

    def _check_watched(self, raw: Array, times: Array) -> None:
        """Rates and shares that follow the state, at the outputs of one draw."""
        places = self.kernel.layout.output_offsets[len(self.program.columns) + len(self.program.hidden) :]
        for guard, offset in zip(self.program.watched, places, strict=True):
            width = self.program.width if self.program.graph.nodes[guard.node].wide else 1
            check_guard(self.model, self.program, self.calendar, guard, raw[:, offset : offset + width], times)

    def _tell_of_failure(self, failure: Failure, rows: Array, first: int) -> NoReturn:
        self._check_settled(rows[failure.draw % len(rows)])
        jump = self.kernel.jumps.jumps[failure.jump]
        when = moment_in_words(self.model, self.calendar, float(self.steps.moments[failure.step]))
        fail(
            "S103",
            f"the rate of the flow `{jump.flow}` is below zero or not a number{when}, in draw {first + failure.draw}",
            hint="it depends on the people in a compartment: look at what it becomes where few or none are left",
        )


def check_draws(values: int, draws: int, seed: int) -> None:
    """That so many values and a seed make so many draws."""
    if values not in (1, draws):
        fail("S114", f"there are {values} values for {draws} draws", hint="give one value for each draw")
    if not all(isinstance(each, int | np.integer) for each in (draws, seed)) or draws < 1 or seed < 0:
        fail(
            "S114",
            f"{draws} draws were asked for with the seed {seed}",
            hint="ask for at least one draw, with a whole number from zero on as the seed",
        )


def simulate_stochastic(
    model: Model,
    parameters: Mapping[str, ArrayLike],
    times: Sequence[float] | NDArray[np.float64],
    *,
    seed: int,
    draws: int | None = None,
    method: str = "chain_binomial",
    start: date | None = None,
    step: float | None = None,
    cores: int | None = None,
) -> Outputs:
    """Run a model by chance, many times: whole people, who move at the rates the declaration gives.

    Initial numbers that are not whole are rounded: everybody to the nearest, then compartments and in each its
    strata by the largest remainders, so that each compartment is within one person of its number. One that would
    become empty by it is an error.

    Parameters
    ----------
    parameters
        For every parameter of the model a value, or an array of one value for each draw.
    times
        When outputs are wanted, in the model's time unit; the first is where the run starts.
    seed
        Zero or more. A draw depends on the seed and its own number alone: the same on any number of cores, and the
        first ten of a thousand are those of ten.
    draws
        How many runs; as many as the values given, or one.
    method
        `chain_binomial`: in each step people stay or leave by the rates at its start. The step is part of the model: a
        mean stay of $d$ becomes $h / (1 - e^{-h/d})$, with daily steps two and a half days for a mean of two.
        `tau_leap`: many events at once while rates hardly change. `exact`: one event after the other.
    start
        The day that time 0 is, for a model in days with tables by date.
    step
        The longest step, in the model's time unit; a day unless given. What varies with time alone keeps
        through a step the value it has in the step's middle, whatever the method.
    cores
        Threads to use; all there are unless given.

    Returns
    -------
    Outputs
        With a first dimension of draws; counts are whole numbers, but for delayed ones: these are what is expected of
        the events that happened.

    Raises
    ------
    ModelworksError
        With every mistake of the declaration or the values, or naming the flow, date and draw at which a
        rate was impossible.

    Examples
    --------
    >>> from modelworks.model.library.sir import sir
    >>> values = {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 1000, "first_cases": 5}
    >>> runs = simulate_stochastic(sir(), values, range(30), draws=100, seed=1)
    >>> runs["prevalence"].shape
    (100, 30)
    """
    calendar = Calendar(model.time, start) if start is not None else None
    compiled = StochasticModel(model.checked(), times, method=method, calendar=calendar, step=step, cores=cores)
    rows = compiled.rows(parameters)
    values = compiled.run(rows, len(rows) if draws is None else draws, seed)
    units = {name: output.unit for name, output in model.series.items()}
    return Outputs(values, compiled.times, compiled.columns, units, calendar, compiled.step, np.nan)
