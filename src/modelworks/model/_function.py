"""A model that is a function of one's own: agents, another team's program, anything that gives series."""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from modelworks import units
from modelworks.dates import TIME_UNITS, Calendar, TimeUnit
from modelworks.errors import Letter, Letters, ModelworksError, fail, near
from modelworks.model._column import OutputColumn
from modelworks.model._expression import Parameter

Array = NDArray[np.float64]

FORM = "def simulate(values, times, key): ... return {'cases': cases}"


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """A series that a function gives: its unit, and whether it counts events or says what is there at a moment."""

    unit: str = "people"
    counts_events: bool = False
    title: str = ""

    @property
    def by(self) -> tuple[str, ...]:
        """The strata it is shown by, as of an `Output`: none."""
        return ()


class FunctionModel:
    """A function that simulates, with what a study has to know of it.

    The function is called with the values of its parameters by name, the times (time,) of a regular grid from the
    start, `step` apart, and, if it has an argument `key`, a NumPy generator for all its randomness. It gives for each
    output, by name, a number at each time: of one that counts events those since the time before, so that the first is
    zero. A study asks for whatever times it needs: between those of the grid what is there is taken along a
    straight line, and events as even.

    Parameters
    ----------
    name : str
    function : callable
        `simulate(values, times, key)`; without `key` it gives the same outputs for the same values.
    parameters : sequence of Parameter
        With their units, and the limits between which the function takes them.
    outputs : mapping of name to FunctionOutput
    time : str
        The unit of the times, `days` or `years`.
    step : float
        How far apart the times are that the function is asked for.

    Raises
    ------
    ModelworksError
        M128, M154: a time unit, a function or names that can not be.

    Examples
    --------
    >>> def throws(values, times, key):
    ...     return {"heads": np.append(0, key.binomial(10, values["chance"], size=times.size - 1))}
    >>> heads = FunctionOutput("people", counts_events=True)
    >>> coin = FunctionModel("coin", throws, [Parameter("chance", "probability")], {"heads": heads})
    >>> coin.is_random
    True
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Mapping[str, Any]],
        parameters: Sequence[Parameter],
        outputs: Mapping[str, FunctionOutput],
        *,
        time: TimeUnit = "days",
        step: float = 1.0,
        description: str = "",
    ) -> None:
        self.name, self.time, self.description = name, time, description
        self.function, self.step = function, step
        letters = Letters()
        _check(self, parameters, outputs, letters)
        letters.raise_if_any()
        self.parameters: dict[str, Parameter] = {each.name: each for each in parameters}
        self.series: dict[str, FunctionOutput] = dict(outputs)
        # Numbers that follow from the parameters alone are those of a declaration.
        self.derived: dict[str, Any] = {}
        self.is_random = "key" in inspect.signature(function).parameters

    def check(self) -> tuple[Letter, ...]:
        """Units that nobody can read; empty when all is sound."""
        letters = Letters()
        asked = [each.unit for each in self.parameters.values()] + [each.unit for each in self.series.values()]
        for unit in dict.fromkeys(asked):
            try:
                units.parse(unit)
            except ModelworksError as error:
                letters.extend(error.letters)
        return tuple(letters.collected)

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """The outputs as the columns of a run."""
        return tuple(OutputColumn(name, (), each.counts_events) for name, each in self.series.items())


class FunctionRuns:
    """A function at one set of output times, as `CompiledModel` is of a declaration.

    `parameters` is the order of the values it takes; `outputs` the names of its columns; `times` the model times of
    its rows.
    """

    def __init__(self, model: FunctionModel, times: Array, *, calendar: Calendar | None = None) -> None:
        self.model, self.calendar = model, calendar
        self.times = np.asarray(times, dtype=np.float64)
        self.parameters, self.columns = tuple(model.parameters), model.columns
        self.outputs = tuple(model.series)
        steps = max(1, math.ceil((self.times[-1] - self.times[0]) / model.step - 1e-9))
        self._grid = self.times[0] + model.step * np.arange(steps + 1)

    def run(self, given: dict[str, float], key: np.random.Generator) -> Array:
        """Outputs (time, column) of values by name; all that is by chance is of the key.

        Raises
        ------
        ModelworksError
            S129: the function stopped; S130: what it gave is not what was declared.
        """
        found = self._checked(self._called(given, key))
        laid = np.empty((self.times.size, len(self.outputs)))
        for place, column in enumerate(self.columns):
            if column.counts_events:
                total = np.interp(self.times, self._grid, np.cumsum(found[column.output]))
                laid[:, place] = np.diff(total, prepend=total[0])
            else:
                laid[:, place] = np.interp(self.times, self._grid, found[column.output])
        return laid

    def derived(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        """A function has no derived numbers."""
        return {}

    def _called(self, given: dict[str, float], key: np.random.Generator) -> Any:
        arguments = {"key": key} if self.model.is_random else {}
        try:
            # Copies: whoever changes what is given changes no other run, and no letter.
            return self.model.function(dict(given), self._grid.copy(), **arguments)
        except ModelworksError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a team's function raises is told as a letter
            self._tell(error, given)

    def _tell(self, error: Exception, given: Mapping[str, float]) -> NoReturn:
        path = self.model.function.__code__.co_filename
        lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == path]
        at = ", ".join(f"{name} = {value:.6g}" for name, value in given.items())
        fail(
            "S129",
            f"the function of `{self.model.name}` stopped with {type(error).__name__}: {error}, at {at}",
            hint="mend that line; raise a ModelworksError for values with which nothing can be simulated",
            file=Path(path).name,
            line=lines[-1] if lines else None,
        )

    def _checked(self, found: Any) -> dict[str, Array]:
        """The series by name; S130 where they are not what was declared."""
        if not isinstance(found, Mapping):
            self._wrong(f"gave a {type(found).__name__}", f"give the series by name, as in {FORM}")
        series = {}
        for name in self.outputs:
            if name not in found:
                self._wrong(f"gave no output `{name}`", near(name, [str(each) for each in found]))
            try:
                series[name] = np.asarray(found[name], dtype=np.float64)
            except (TypeError, ValueError):
                self._wrong(f"gave `{name}` as what is no series of numbers", "give one number for each of `times`")
        more = [str(name) for name in found if name not in self.outputs]
        if more:
            self._wrong(f"gave `{more[0]}`, which is not among its outputs", near(more[0], self.outputs))
        for name, values in series.items():
            self._check_series(name, values)
        return series

    def _check_series(self, name: str, values: Array) -> None:
        if values.shape != self._grid.shape:
            self._wrong(
                f"gave `{name}` in the shape {values.shape}, but was asked for {self._grid.size} times",
                "give one number for each of `times`, the first of which is the start",
            )
        if not np.isfinite(values).all():
            where = int(np.argmin(np.isfinite(values)))
            self._wrong(
                f"gave `{name}` as {values[where]} at the time {self._grid[where]:g}",
                "look for a division by zero or the logarithm of nobody",
            )
        if self.model.series[name].counts_events and values[0] != 0:
            self._wrong(
                f"gave {values[0]:g} events of `{name}` at the start",
                "an output that counts events has at each time those since the time before, and none at the first",
            )

    def _wrong(self, what: str, hint: str) -> NoReturn:
        fail("S130", f"the function of `{self.model.name}` {what}", hint=hint)


def _check(
    model: FunctionModel, parameters: Sequence[Parameter], outputs: Mapping[str, FunctionOutput], letters: Letters
) -> None:
    """Everything that can not be about a declaration, before anything is called."""

    def say(what: str, hint: str) -> None:
        letters.add("M154", f"the function model `{model.name}` {what}", hint=hint)

    if model.time not in TIME_UNITS:
        hint = 'write time="days" or time="years"'
        letters.add("M128", f"the time of `{model.name}` is in `{model.time}`", hint=hint)
    if not (isinstance(model.step, int | float) and math.isfinite(model.step) and model.step > 0):
        say(f"has a step of {model.step!r}", f"give how far apart its times are, in {model.time}, as in step=1")
    if not inspect.isfunction(model.function) or not {2, 3} & {len(inspect.signature(model.function).parameters)}:
        say("has no function of values, times and, where it runs by chance, key", f"write it as {FORM}")
    elif (
        len(inspect.signature(model.function).parameters) == 3
        and "key" not in inspect.signature(model.function).parameters
    ):
        say("has a function whose third argument is not called `key`", f"write it as {FORM}")
    given: list[Any] = list(parameters) if isinstance(parameters, list | tuple) else [parameters]
    if not all(isinstance(each, Parameter) for each in given):
        say("has parameters that are none", 'write parameters=[Parameter("contact_rate", "per day", lower=0)]')
    else:
        twice = [each.name for k, each in enumerate(given) if each.name in {other.name for other in given[:k]}]
        if twice:
            say(f"has the parameter `{twice[0]}` twice", "declare it once")
    if (
        not isinstance(outputs, Mapping)
        or not outputs
        or not all(isinstance(each, FunctionOutput) for each in outputs.values())
    ):
        say("has no outputs", 'write outputs={"cases": FunctionOutput("people", counts_events=True)}')
