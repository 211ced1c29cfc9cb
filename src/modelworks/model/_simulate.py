"""One run of a model: parameters in, labelled outputs out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks.dates import Calendar
from modelworks.errors import fail, near
from modelworks.model._accuracy import settle_step
from modelworks.model._column import OutputColumn
from modelworks.model._compiled import CompiledModel
from modelworks.model._graph import Array
from modelworks.model._model import Model

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a run gave: every output over time, in its strata.

    `values` is (time, column); of many runs (draw, time, column), or (scenario, draw, time, column); `error` the
    largest error of the solver in any output, as a part of that output's largest value (not a number where chance
    decides, or where the step is part of the model); `step` the solver's longest step in the model's time unit.
    """

    values: Array
    times: Array
    columns: tuple[OutputColumn, ...]
    units: Mapping[str, str]
    calendar: Calendar | None
    step: float
    error: float
    scenarios: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Array:
        """One output over time, shape (time,) or (time, stratum, ...) in the order of the output's `by`.

        Of many runs the first dimension is the draw, or the scenario and then the draw.
        """
        return output_of(self.values, self.columns, name)

    @property
    def dates(self) -> tuple[date, ...] | None:
        return None if self.calendar is None else tuple(self.calendar.date(float(t)) for t in self.times)

    def to_dataset(self) -> xr.Dataset:
        """The outputs as an xarray Dataset: scenario, draw (where there are any), time (dates where known), strata."""
        import xarray as xr

        dates = self.dates
        time = np.asarray(dates, dtype="datetime64[ns]") if dates else self.times
        runs: dict[str, list[Any]] = {"scenario": list(self.scenarios)} if self.scenarios else {}
        runs |= {"draw": list(range(self.values.shape[-3]))} if self.values.ndim > 2 else {}
        found = {}
        for name in dict.fromkeys(column.output for column in self.columns):
            strata = _dimensions([c for c in self.columns if c.output == name])
            found[name] = xr.DataArray(
                self[name],
                dims=(*runs, "time", *strata),
                coords={**runs, "time": time, **{k: list(v) for k, v in strata.items()}},
                attrs={"unit": self.units.get(name, "")},
            )
        return xr.Dataset(found)


def simulate(
    model: Model,
    parameters: Mapping[str, float],
    times: Sequence[float] | Array,
    *,
    start: date | None = None,
    accuracy: float = 1e-5,
    solver: str = "rk4",
    step: float | None = None,
) -> Outputs:
    """Run a model once.

    Parameters
    ----------
    parameters
        A value for every parameter of the model, in the unit the model declares.
    times
        When outputs are wanted, in the model's time unit; the first is where the run starts.
    start
        The day that time 0 is, for a model in days with tables by date.
    accuracy
        The largest error wanted in any output, as a part of that output's largest value. The step
        is halved until the measured error is below it.
    solver
        `rk4`; `euler` for difference equations, in which people move by the rates at a step's start; `adaptive`, of
        order five, which chooses its own steps; `implicit`, which does so for what is truly stiff.
    step
        The step of `euler`, in the model's time unit. It is part of the model, so there is no error estimate. Other
        solvers choose their own, and take no longer one than this.

    Raises
    ------
    ModelworksError
        With every mistake of the declaration or the values, or naming the compartment and date at
        which the run left what is possible.
    """
    calendar = Calendar(model.time, start) if start is not None else None
    compiled = CompiledModel(model.checked(), times, calendar=calendar, step=step, solver=solver)
    vector = compiled.vector(parameters)
    settled = settle_step(compiled, vector, accuracy)
    units = {name: output.unit for name, output in model.series.items()}
    return Outputs(compiled.run(vector), compiled.times, compiled.columns, units, calendar, settled.step, settled.error)


def output_of(values: Array, columns: Sequence[OutputColumn], name: str) -> Array:
    """One output from values (..., column), shape (..., stratum, ...) in the order of the output's `by`."""
    chosen = [k for k, column in enumerate(columns) if column.output == name]
    if not chosen:
        fail("S110", f"there is no output `{name}`", hint=near(name, dict.fromkeys(c.output for c in columns)))
    strata = _dimensions([columns[k] for k in chosen])
    found = np.empty((*values.shape[:-1], *(len(names) for names in strata.values())))
    for k in chosen:
        inside = (strata[name].index(stratum) for name, stratum in columns[k].strata)
        place: tuple[Any, ...] = (..., *inside)
        found[place] = values[..., k]
    return found


def _dimensions(columns: Sequence[OutputColumn]) -> dict[str, tuple[str, ...]]:
    """The strata of an output's columns by stratification, in order."""
    found: dict[str, dict[str, None]] = {}
    for column in columns:
        for name, stratum in column.strata:
            found.setdefault(name, {})[stratum] = None
    return {name: tuple(strata) for name, strata in found.items()}
