"""Household epidemics by the hundred: numbers in, labelled outputs out."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import ArrayLike, NDArray

from modelworks.dates import Calendar
from modelworks.errors import fail
from modelworks.model._column import OutputColumn
from modelworks.model._compiled import _increasing
from modelworks.model._graph import Array
from modelworks.model._impossible import check_settled, rows_of_values
from modelworks.model._lower import lower
from modelworks.model._simulate import Outputs
from modelworks.model._stochastic import DAY, check_draws
from modelworks.model.agents import _epidemic
from modelworks.model.agents._households import SOURCES, HouseholdModel
from modelworks.model.backends import _cache
from modelworks.model.backends._routines import Routines, exported
from modelworks.model.backends.interpreter import evaluate

STATUSES = ("susceptible", "exposed", "infectious", "removed")


def simulate_households(
    model: HouseholdModel,
    parameters: Mapping[str, ArrayLike],
    times: Sequence[float] | NDArray[np.float64],
    *,
    seed: int,
    draws: int | None = None,
    start: date | None = None,
    step: float | None = None,
    cores: int | None = None,
) -> Outputs:
    """Epidemics among people in households, event by event: exact but for rates that change with time.

    Parameters
    ----------
    parameters
        For every parameter of the model a value, or an array of one value for each draw.
    times
        When outputs are wanted, in the model's time unit; the first is where the run starts.
    seed, draws, cores
        As in `simulate_stochastic`: a draw depends on the seed and its own number alone.
    start
        The day that time 0 is, for a model in days with tables by date.
    step
        How long a rate that changes with time keeps the value it has in the middle; a day unless given.

    Returns
    -------
    Outputs
        By `size`, that of the household: `susceptible`, `exposed`, `infectious` and `removed` people, and
        `incidence`, those infected since the output before, by `source` as well: `home`, `community`, `outside`.
        `households` are counted by `size` and by how many were ever `infected`. The first dimension is the draw.

    Raises
    ------
    ModelworksError
        With every mistake of the declaration or the values.

    Examples
    --------
    >>> from modelworks.model.agents import HouseholdModel, Period
    >>> flats = HouseholdModel("flats", {4: 250}, Period(3.0), at_home=0.2, in_community=0.2, first_infected=5)
    >>> runs = simulate_households(flats, {}, range(0, 100, 10), draws=20, seed=1)
    >>> runs["incidence"].shape  # draw, time, size, source
    (20, 10, 1, 3)
    """
    calendar = Calendar(model.time, start) if start is not None else None
    at = _increasing(times)
    if step is not None and not (np.isfinite(step) and step > 0):
        fail("S114", f"the step is {step}, but a step takes some time", hint="give a number above zero")
    numbers = _numbers(model, calendar, parameters, at, step or DAY[model.time])
    given = numbers["at_home"].shape[0]
    number = given if draws is None else draws
    check_draws(given, number, seed)
    found = _Epidemics(model, at, step or DAY[model.time], numbers).run(number, seed, cores or os.cpu_count() or 1)
    columns = tuple(_columns(model))
    units = dict.fromkeys((*STATUSES, "incidence"), "people") | {"households": "dimensionless"}
    return Outputs(found.reshape(number, at.size, -1), at, columns, units, calendar, step or DAY[model.time], np.nan)


def _numbers(
    model: HouseholdModel, calendar: Calendar | None, parameters: Mapping[str, ArrayLike], times: Array, step: float
) -> dict[str, Array]:
    """The numbers of a run by name, each (draw, step)."""
    checked = model.checked()
    program = lower(checked, calendar)
    rows = rows_of_values(checked, program.parameters, parameters)
    # The last step is one also where the run ends within it.
    steps = max(1, int(np.ceil((times[-1] - times[0]) / step - 1e-9)))
    middles = times[0] + step * (np.arange(steps) + 0.5)
    nodes = {column.output: column.node for column in program.columns}
    found: dict[str, list[Array]] = {name: [] for name in nodes}
    for row in rows:
        check_settled(checked, program, calendar, row, middles)
        values = evaluate(program.graph, nodes.values(), parameters=row[None], times=middles)
        for name, node in nodes.items():
            found[name].append(np.broadcast_to(values[node].ravel(), middles.size))
    numbers = {name: np.array(each) for name, each in found.items()}
    first = numbers["first_infected"]
    if np.any((first > 0) & (np.round(first) == 0)):
        fail(
            "S113",
            f"the number first infected is {first[first > 0].min():.3g} people, which rounds to nobody",
            hint="an epidemic begins with whole people: give at least one, or let them come from outside",
        )
    return numbers


def _columns(model: HouseholdModel) -> list[OutputColumn]:
    """What is counted of each size, in the order in which an epidemic counts."""
    found = []
    for size in map(str, model.sizes):
        found += [OutputColumn(status, (("size", size),), False) for status in STATUSES]
        found += [OutputColumn("incidence", (("size", size), ("source", each)), True) for each in SOURCES]
        ever = range(model.sizes[-1] + 1)
        found += [OutputColumn("households", (("size", size), ("infected", str(each))), False) for each in ever]
    return found


@functools.cache
def _compiled() -> tuple[_cache.Library, Any]:
    """The routine of an epidemic as machine code, one for all models."""
    module = ir.Module("agents")
    Routines(module, {}).function(_epidemic.run_epidemic, exported=True)
    library = _cache.compile_module(str(module))
    return library, exported(library, _epidemic.run_epidemic)


@dataclass(frozen=True, eq=False)
class _Epidemics:
    """A population, ready to be infected."""

    model: HouseholdModel
    times: Array
    step: float
    numbers: Mapping[str, Array]

    @functools.cached_property
    def _stride(self) -> int:
        return int(_epidemic.HOUSEHOLDS) + self.model.sizes[-1] + 1

    @functools.cached_property
    def _settings(self) -> NDArray[np.int64]:
        model, steps = self.model, self.numbers["in_community"].shape[1]
        # Without a latent period, and where it is always the same, there are no stages.
        latent = (model.latent.stages or 0) if model.latent else 0
        stages = (latent, model.infectious.stages or 0)
        counts = (model.people, len(model.sizes), self._stride, self.times.size, steps)
        return np.array([*counts, *stages, int(model.in_each_household), *model.sizes], dtype=np.int64)

    @functools.cached_property
    def _persons(self) -> NDArray[np.int64]:
        """Everybody before the epidemic, household by household."""
        numbers = [self.model.households[size] for size in self.model.sizes]
        sizes = np.repeat(self.model.sizes, numbers)
        firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        persons = np.zeros((self.model.people, int(_epidemic.PLACES)), dtype=np.int64)
        persons[:, _epidemic.FIRST_AT_HOME] = np.repeat(firsts, sizes)
        persons[:, _epidemic.GROUP] = np.repeat(np.repeat(np.arange(len(numbers)), numbers), sizes)
        return persons

    @functools.cached_property
    def _sums(self) -> NDArray[np.int64]:
        """Nothing waits, everybody is susceptible, and no household was ever infected."""
        counts = np.zeros((len(self.model.sizes), self._stride), dtype=np.int64)
        numbers = np.array([self.model.households[size] for size in self.model.sizes])
        counts[:, _epidemic.SUSCEPTIBLE] = numbers * self.model.sizes
        counts[:, _epidemic.HOUSEHOLDS] = numbers
        return np.concatenate([[0], counts.ravel()])

    def _of_draw(self, draw: int) -> Array:
        one = {name: values[draw % len(values)] for name, values in self.numbers.items()}
        sizes = np.array(self.model.sizes, dtype=float)
        at_home = one["at_home"][0] / np.maximum(sizes - 1.0, 1.0) ** one["dilution"][0]
        first = round(float(one["first_infected"][0]))
        highest = (one["in_community"].max(), one["from_outside"].max())
        return np.array([self.step, one["latent"][0], one["infectious"][0], first, *highest, *at_home])

    def run(self, draws: int, seed: int, cores: int) -> Array:
        """What is counted in each draw, (draw, time, number)."""
        found = np.empty((draws, self.times.size, len(self.model.sizes) * self._stride))
        key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        # Before there are several who would all compile it.
        _, call = _compiled()
        with ThreadPoolExecutor(max_workers=min(cores, draws)) as pool:
            list(pool.map(lambda draw: self._run_one(call, draw, key, found[draw]), range(draws)))
        return found

    def _run_one(self, call: Callable[..., None], draw: int, key: NDArray[Any], found: Array) -> None:
        people = self.model.people
        # Whoever is infected has at most one event of each kind ahead, and one contact with each housemate.
        most = people * (self.model.sizes[-1] + 1) + 1
        arrays = (
            self._settings,
            self._of_draw(draw),
            *(self.numbers[name][draw % len(self.numbers[name])] for name in ("in_community", "from_outside")),
            self.times,
            np.empty(4, dtype=np.uint64),
            self._persons.copy(),
            np.empty(people),
            np.empty(most),
            np.empty(most, dtype=np.int64),
            self._sums.copy(),
            found,
        )
        call(key.ctypes.data, draw, *(each.ctypes.data for each in arrays))
