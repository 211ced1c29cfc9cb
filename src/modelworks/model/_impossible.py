"""What can not be in any run, deterministic or by chance, as letters: values, rates, shares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from modelworks.dates import Calendar
from modelworks.errors import Letters, fail, near
from modelworks.model._eigenvalue import NOT_SETTLED
from modelworks.model._graph import Array
from modelworks.model._model import Model
from modelworks.model._program import Guard, Program
from modelworks.model.backends.interpreter import evaluate


def check_names(model: Model, parameters: Iterable[str], given: Collection[str], letters: Letters) -> None:
    """Values are for the model's parameters: for all of them and no others."""
    if not isinstance(given, Collection) or isinstance(given, list | tuple | str):
        fail(
            "S127",
            f"the values of `{model.name}` are a {type(given).__name__}, which does not say which is which",
            hint=f"write {{{', '.join(f'{name!r}: …' for name in parameters)}}}",
        )
    needed, named = tuple(parameters), tuple(given)
    for name in named:
        if name not in needed:
            letters.add(
                "S104",
                f"a value was given for `{name}`, which is not a parameter of `{model.name}`",
                hint=near(name, needed),
            )
    for name in needed:
        if name not in named:
            letters.add(
                "S105",
                f"the parameter `{name}` of `{model.name}` has no value",
                hint=f"its unit is `{model.parameters[name].unit}`",
            )


def check_bounds(model: Model, vector: Array, letters: Letters) -> None:
    """Values, in the order of the model's parameters, lie where the model allows."""
    for value, parameter in zip(vector, model.parameters.values(), strict=True):
        low = parameter.lower is not None and value < parameter.lower
        high = parameter.upper is not None and value > parameter.upper
        if low or high or not np.isfinite(value):
            limits = f"{'no limit' if parameter.lower is None else parameter.lower} and "
            limits += f"{'no limit' if parameter.upper is None else parameter.upper}"
            letters.add(
                "S107",
                f"`{parameter.name}` is {value:g} {parameter.unit}, but the model takes it between {limits}",
                hint="check the sign and the unit",
            )


def vector_of_values(model: Model, parameters: Sequence[str], values: Mapping[str, float]) -> Array:
    """Values by name as one vector, in the order of the parameters."""
    letters = Letters()
    check_names(model, parameters, values, letters)
    letters.raise_if_any()
    for name in parameters:
        if np.ndim(values[name]) > 0:
            letters.add(
                "S127",
                f"`{name}` has {np.size(values[name])} values, where one run takes one",
                hint="for many runs use simulate_many",
            )
        else:
            _check_number(name, values[name], letters)
    letters.raise_if_any()
    vector = np.array([float(values[name]) for name in parameters], dtype=float)
    check_bounds(model, vector, letters)
    letters.raise_if_any()
    return vector


def _check_number(name: str, value: object, letters: Letters) -> None:
    if np.asarray(value).dtype.kind not in "fiub":
        letters.add("S127", f"the value of `{name}` is {value!r}", hint="give a number, without quotes")


def rows_of_values(model: Model, parameters: Sequence[str], values: Mapping[str, ArrayLike]) -> Array:
    """Values by name as rows (draw, parameter): one row where every value is one number."""
    letters = Letters()
    check_names(model, parameters, values, letters)
    letters.raise_if_any()
    for name in parameters:
        _check_number(name, values[name], letters)
    letters.raise_if_any()
    given = [np.atleast_1d(np.asarray(values[name], dtype=float)) for name in parameters]
    sizes = {each.shape for each in given} - {(1,)}
    if len(sizes) > 1 or any(len(size) != 1 or size[0] == 0 for size in sizes):
        fail(
            "S114",
            f"the values of parameters come in the shapes {', '.join(map(str, sorted(sizes)))}",
            hint="give each parameter one number, or one for each draw",
        )
    rows = np.stack(np.broadcast_arrays(*given), axis=1) if given else np.empty((1, 0))
    for extreme in (rows.min(axis=0), rows.max(axis=0)):
        check_bounds(model, extreme, letters)
        letters.raise_if_any()
    return np.ascontiguousarray(rows)


def check_settled(model: Model, program: Program, calendar: Calendar | None, row: Array, times: Array) -> None:
    """Rates, shares and numbers that parameters and time decide, for one row of values, at some times."""
    found = evaluate(program.graph, [g.node for g in program.settled], parameters=row[None], times=times)
    for guard in program.settled:
        check_guard(model, program, calendar, guard, found[guard.node].reshape(found[guard.node].shape[0], -1), times)


def check_guard(
    model: Model, program: Program, calendar: Calendar | None, guard: Guard, values: Array, times: Array
) -> None:
    """That a guard holds for its values (time, lane)."""
    low, high = guard.limits
    wrong = ~((values >= low) & (values <= high))
    if wrong.any():
        point, lane = (int(k) for k in np.argwhere(wrong)[0])
        stratum = f" in {program.lanes[lane]}" if values.shape[1] > 1 else ""
        when = moment_in_words(model, calendar, float(times[min(point, times.size - 1)]))
        tell_of_guard(guard, float(values[point, lane]), stratum, when)


def tell_of_guard(guard: Guard, value: float, stratum: str, when: str) -> NoReturn:
    """A rate below zero, shares that do not sum to one, or what is not a number."""
    if not np.isfinite(value):
        fail(
            "S102",
            f"{guard.label}{stratum} is not a number{when}",
            hint="look for a division by zero, or the logarithm or root of a negative number",
        )
    if guard.kind == "share":
        fail(
            "S108",
            f"{guard.label}{stratum} sum to {value:.6g}{when}, not to one",
            hint="let the last share be one minus the others",
        )
    if guard.kind == "eigenvalue":
        fail("S103", f"{guard.label} {NOT_SETTLED[0]}", hint=NOT_SETTLED[1])
    if guard.kind == "delay":
        fail(
            "S103",
            f"{guard.label}{stratum} is {value:.6g}{when}, but a delay's numbers are above zero",
            hint="give the parameter a lower bound above zero",
        )
    if guard.kind == "part" and value > 1:
        fail(
            "S103",
            f"{guard.label}{stratum} is {value:.6g}{when}, but no more people can move than there are",
            hint="a share lies between 0 and 1",
        )
    fail(
        "S103",
        f"{guard.label}{stratum} is {value:.6g}{when}, but it can not be below zero",
        hint="look at the parameters it is made of and their bounds: one may be too large to subtract",
    )


def moment_in_words(model: Model, calendar: Calendar | None, time: float) -> str:
    """A model time within a sentence: ` on 2021-08-02`, or ` at 12 days`."""
    if calendar is not None:
        return f" on {calendar.date(time).isoformat()}"
    return f" at {time:g} {model.time}"
