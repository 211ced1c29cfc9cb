"""The numbers a model's declaration holds itself: an assumption each, although no file of the study names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelworks.model._declaration import Entry, Infection, Pulse, Setting, Stratification, Transition
from modelworks.model._delayed import Delayed
from modelworks.model._expression import (
    By,
    Constant,
    Events,
    Expression,
    Leaving,
    Moment,
    Operation,
    Parameter,
    People,
    Table,
    Time,
    by_label,
    expression,
    walk,
)
from modelworks.model._reparameterise import InfectionsPerRate
from modelworks.model._scaled import ModelReproduction

if TYPE_CHECKING:
    from modelworks.model._model import Model

# Numbers of the algebra rather than of the world, where they stand within something longer: 1 - share, 1 / duration.
ALGEBRA = frozenset({-1.0, 0.0, 1.0})
# Letters of a formula; longer, and nobody reads it in a table.
LONGEST = 160
# A larger matrix is a picture.
LARGEST_IN_WORDS = 4
# More numbers by stratum than this within a formula are told by their range.
MOST_WITHIN = 4
SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "/"}


# The strata of each stratification, for numbers that are given in their order.
Names: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class Written:
    """A number of the declaration, or several that belong together, in words.

    Of contacts, `matrix` holds the numbers as well (row: who reports; column: whom they met), in the order of
    `strata`.
    """

    name: str
    value: str
    unit: str = ""
    matrix: NDArray[np.float64] | None = None
    strata: tuple[str, ...] = ()


def written_numbers(model: Model) -> tuple[Written, ...]:
    """Every number that is written in the declaration: who is where at the start, shares, rates, contacts.

    A parameter has its value in the study's files and is none of these, but is named where a number stands
    beside it. Nought, and one where it is but algebra, are left out.

    >>> from modelworks.model import Model, Transition
    >>> made = Model("decay", ["here", "gone"], [Transition("leaving", "here", "gone", rate=0.2)], {"here": 500}, {})
    >>> [(each.name, each.value, each.unit) for each in written_numbers(made)]
    [('people in here at the start', '500', 'people'), ('leaving: rate', '0.2', 'per day')]
    """
    found: list[Written] = []
    for each in (*_initial(model), *_strata(model), *_flows(model), *_outputs(model)):
        # Several infections of one model mostly share their contacts.
        if each.matrix is None or not any(_same(each, other) for other in found):
            found.append(each)
    return tuple(found)


def _same(one: Written, other: Written) -> bool:
    return (one.value, one.strata) == (other.value, other.strata) and np.array_equal(
        np.asarray(one.matrix), np.asarray(other.matrix)
    )


def _initial(model: Model) -> Iterator[Written]:
    for compartment, number in model.initial.items():
        if _holds_numbers(number):
            yield Written(f"people in {compartment} at the start", in_words(number, _names(model)), "people")


def _strata(model: Model) -> Iterator[Written]:
    for each in model.stratifications:
        if each.split is not None and not isinstance(each.split, str):
            shares = _by_stratum(each.split, each.strata)
            if any(_holds_numbers(share) for share in shares.values()):
                yield Written(f"{each.name}: share of people", _listed(shares, _names(model)), "proportion")
        if each.widths is not None:
            widths = dict(zip(each.strata, each.widths, strict=False))
            yield Written(f"{each.name}: width of the band", _listed(widths, {}), model.time)


def _flows(model: Model) -> Iterator[Written]:
    per = f"per {model.time.removesuffix('s')}"
    for flow in model.flows:
        if isinstance(flow, Pulse):
            yield from _pulse(flow, model)
            continue
        number = flow.number if isinstance(flow, Entry) else flow.rate
        if _holds_numbers(number):
            kind = "number" if isinstance(flow, Entry) else "rate"
            meets = isinstance(flow, Infection) and flow.contacts is not None
            dense = isinstance(flow, Infection) and flow.density_dependent
            rate = f"{per} per person" if dense else "probability" if meets else per
            unit = f"people {per}" if isinstance(flow, Entry) else rate
            yield Written(f"{flow.name}: {kind}", in_words(number, _names(model)), unit)
        if isinstance(flow, Transition) and flow.stages > 1:
            yield Written(f"{flow.name}: stages", str(flow.stages))
        for stratification, split in getattr(flow, "split", {}).items():
            shares = split if isinstance(split, Mapping) else {"": split}
            if any(not isinstance(share, str) and _holds_numbers(share) for share in shares.values()):
                yield Written(f"{flow.name}: {stratification}", _listed(shares, _names(model)), "proportion")
        if isinstance(flow, Infection):
            yield from _infection(flow, model, per)


def _pulse(pulse: Pulse, model: Model) -> Iterator[Written]:
    moments = ", ".join(t.isoformat() if isinstance(t, date) else f"{t:g}" for t in pulse.moments)
    yield Written(f"{pulse.name}: when", _short(moments))
    for kind, unit, given in (("share", "proportion", pulse.share), ("number", "people", pulse.number)):
        if given is not None and _holds_numbers(given):
            yield Written(f"{pulse.name}: {kind}", in_words(given, _names(model)), unit)


def _infection(flow: Infection, model: Model, per: str) -> Iterator[Written]:
    names = _names(model)
    weights = flow.infectious if isinstance(flow.infectious, Mapping) else {}
    if any(_holds_numbers(each) and not _is_one(each) for each in weights.values()):
        yield Written(f"{flow.name}: relative infectiousness", _listed(weights, names))
    if _holds_numbers(flow.susceptibility) and not _is_one(flow.susceptibility):
        yield Written(f"{flow.name}: susceptibility", in_words(flow.susceptibility, names))
    for name in flow.contacts.by if flow.contacts is not None else ():
        stratification = model.stratification(name)
        if flow.contacts is None or stratification is None:
            continue
        settings = flow.contacts.settings(stratification)
        for title, (matrix, scale) in zip(_titles(flow.contacts.by[name]), settings, strict=True):
            yield Written(
                f"{flow.name}: contacts by {name}{title}",
                _matrix(matrix, stratification, scale, names),
                f"people {per}",
                matrix,
                tuple(stratification.strata),
            )


def _titles(contacts: Any) -> list[str]:
    """What tells the settings apart whose contacts add up; nothing where there is one matrix."""
    several = isinstance(contacts, Sequence) and bool(contacts) and isinstance(contacts[0], Setting)
    return [f", {each.name}" for each in contacts] if several else [""]


def _outputs(model: Model) -> Iterator[Written]:
    for name, output in model.series.items():
        for part in walk(expression(output.value)):
            if isinstance(part, Events) and not _is_one(part.times) and _holds_numbers(part.times):
                yield Written(f"{name}: each {part.flow} counts", in_words(part.times, _names(model)))
            if isinstance(part, Delayed) and any(_holds_numbers(each) for each in part.delay.numbers):
                told = ", ".join(f"{label} {in_words(each, _names(model))}" for label, each in part.delay.labelled())
                yield Written(f"{name}: {'duration' if part.lasting else 'delay'}", f"{part.delay.family}, {told}")


def _matrix(matrix: NDArray[np.float64], stratification: Stratification, scale: Expression, names: Names) -> str:
    """A small matrix row by row, a large one by its size and range."""
    times = "" if _is_one(scale) else f" × {_bracketed(scale, ('add', 'subtract'), names)}"
    if len(matrix) > LARGEST_IN_WORDS:
        return f"{len(matrix)} × {len(matrix)} numbers from {matrix.min():,.3g} to {matrix.max():,.3g}{times}"
    rows = (
        f"{stratum} meet {', '.join(f'{number:,.4g}' for number in row)}"
        for stratum, row in zip(stratification.strata, matrix, strict=True)
    )
    told = "; ".join(rows)
    return f"({told}){times}" if times else told


def _is_one(number: Any) -> bool:
    value = expression(number)
    return isinstance(value, Constant) and value.value == 1


def _holds_numbers(number: Any) -> bool:
    """Whether a number is written there, other than nought, or one within algebra."""
    value = expression(number)
    if isinstance(value, Constant):
        return value.value != 0
    return any(isinstance(part, Constant) and part.value not in ALGEBRA for part in walk(value))


def _names(model: Model) -> Names:
    return {each.name: each.strata for each in model.stratifications}


def _by_stratum(values: Any, strata: Sequence[str]) -> Mapping[str, Any]:
    found = by_label(values)
    return found if isinstance(found, Mapping) else dict(zip(strata, found, strict=False))


def _listed(values: Mapping[str, Any], names: Names) -> str:
    told = (
        f"{name} {each if isinstance(each, str) else _formula(expression(each), names)}"
        for name, each in values.items()
    )
    return _short(", ".join(each.strip() for each in told))


def in_words(number: Any, names: Names) -> str:
    """An expression as a formula that can be read in a table.

    >>> first = Parameter("first_cases", "people")
    >>> in_words(100_000 - first, {}), in_words(2 * (first + 0.5) / 3, {})
    ('100,000 − first_cases', '2 × (first_cases + 0.5) / 3')
    """
    value = expression(number)
    return _listed(_strata_of(value, names), names) if isinstance(value, By) else _short(_formula(value, names))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _strata_of(value: By, names: Names) -> Mapping[str, Expression]:
    """The numbers of each stratum; those given in the order of the strata (`#0`, `#1`, …) by their names."""
    strata = names.get(value.stratification, ())
    places = {f"#{k}": stratum for k, stratum in enumerate(strata)}
    return {places.get(name, name): each for name, each in value.values.items()}


def _formula(value: Expression, names: Names) -> str:
    if isinstance(value, Constant):
        return _number(value.value)
    if isinstance(value, Parameter):
        return value.name
    if isinstance(value, Time):
        return "time"
    if isinstance(value, Leaving):
        return f"people leaving by {', '.join(value.flows)}"
    if isinstance(value, Moment):
        return value.when.isoformat()
    if isinstance(value, By):
        return _within(value, names)
    if isinstance(value, Table):
        times = [f"{each:g}" if isinstance(each, float) else each for each in value.times]
        first, last = (f"{times[k]} {_formula(value.values[k], names)}" for k in (0, -1))
        return first if len(times) == 1 else f"{len(times)} values, {first} to {last}"
    if isinstance(value, People):
        named = ", ".join(value.compartments)
        return f"{named} now" if value.of_pools else f"people in {named}" if named else "all people"
    if isinstance(value, InfectionsPerRate):
        inside = (_formula(each, names) for each in (value.susceptibility, value.infectious_time))
        return f"infections per rate({', '.join(inside)})"
    if isinstance(value, ModelReproduction):
        return "R0 at these rates"
    if isinstance(value, Operation):
        return _operation(value, names)
    return type(value).__name__.lower()


def _number(value: float) -> str:
    """A number whole from a hundred thousand up, else to six digits.

    >>> _number(2_597_390.4), _number(0.25), _number(-3)
    ('2,597,390', '0.25', '−3')
    """
    text = f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:,.6g}"
    return text.replace("-", "−")


def _within(value: By, names: Names) -> str:
    """Numbers by stratum inside a formula: a few one by one, more of them by their range."""
    strata = _strata_of(value, names)
    found = [each.value for each in strata.values() if isinstance(each, Constant)]
    if len(strata) <= MOST_WITHIN:
        return f"[{_listed(strata, names)}]"
    if len(found) < len(strata):
        return f"[by {value.stratification}]"
    return f"[by {value.stratification}, {_number(min(found))} to {_number(max(found))}]"


def _operation(value: Operation, names: Names) -> str:
    if value.operation not in SIGNS or len(value.arguments) != 2:
        return f"{value.operation}({', '.join(_formula(each, names) for each in value.arguments)})"
    left, right = value.arguments
    binds = value.operation in ("multiply", "divide")
    looser = ("add", "subtract") if value.operation in ("multiply", "subtract") else tuple(SIGNS)
    first = _bracketed(left, ("add", "subtract") if binds else (), names)
    second = _bracketed(right, () if value.operation == "add" else looser, names)
    return f"{first} {SIGNS[value.operation]} {second}"


def _bracketed(value: Expression, operations: Sequence[str], names: Names) -> str:
    """Part of a formula, in brackets where it would be misread."""
    text = _formula(value, names)
    if isinstance(value, Table) and len(value.times) > 1:
        return f"({text})"
    return f"({text})" if isinstance(value, Operation) and value.operation in operations else text
