"""Whether the units in a declaration fit each other: a rate per year in a model of days, people added to a rate.

A unit is worked out for every expression whose parts have one. A number written into a model has none of its
own and goes with whatever it is added to; what it multiplies is not followed further, for it may turn weeks into
days. So what is told is certain, and not everything that is wrong is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelworks import units
from modelworks.errors import Letter, ModelworksError
from modelworks.model._declaration import Contacts, Entry, Flow, Infection, Output, Pulse, Setting
from modelworks.model._expression import (
    By,
    Constant,
    Events,
    Expression,
    Number,
    Operation,
    Parameter,
    People,
    Table,
    Time,
    expression,
)

if TYPE_CHECKING:
    from modelworks.model._model import Model


@dataclass(frozen=True, slots=True)
class Kind:
    """Exponents of time and of people, and how many days or people one of it is."""

    time: int
    people: int
    factor: float

    def times(self, other: Kind, power: int = 1) -> Kind:
        """The unit of a product, or with a power of minus one of a quotient."""
        return Kind(
            self.time + power * other.time, self.people + power * other.people, self.factor * other.factor**power
        )

    def is_same(self, other: Kind) -> bool:
        alike = (self.time, self.people) == (other.time, other.people)
        return alike and math.isclose(self.factor, other.factor, rel_tol=1e-9)

    def in_words(self) -> str:
        """As a unit is written; where no word fits, by its factor."""
        counted = {0: "", 1: "people"}.get(self.people, f"people to the power of {self.people}")
        if self.time == 0:
            over = "" if math.isclose(self.factor, 1.0) else f" times {self.factor:g}"
            return (counted or "a pure number") + over
        day = self.factor ** (1 / self.time)
        word = next((w for w in ("day", "week", "month", "year") if math.isclose(units.parse(w).factor, day)), None)
        span = word or f"{day:g} days"
        if self.time < 0:
            return f"{counted} per {span}".strip() + ("" if self.time == -1 else f" to the power of {-self.time}")
        return f"{counted} {span}s".strip()


PURE = Kind(0, 0, 1.0)
PEOPLE = Kind(0, 1, 1.0)

# What a number is taken for: it fits everything.
Known = Kind | None


class MisfitError(Exception):
    """Two parts of an expression that can not be added."""


def check_units(model: Model) -> Iterator[Letter]:
    """A letter for each flow, initial number and output whose units do not fit."""
    per_time = Kind(-1, 0, 1.0 / units.parse(model.time).factor)
    for flow in model.flows:
        for what, value, wanted in _of_flow(flow, per_time):
            yield from _compared(model, f"{what} of the flow `{flow.name}`", value, wanted)
    for name, number in model.initial.items():
        yield from _compared(model, f"the initial number of `{name}`", number, [PEOPLE])
    for name, output in model.series.items():
        yield from _of_output(model, name, output)


def _of_flow(flow: Flow, per_time: Kind) -> Iterator[tuple[str, Number, list[Kind]]]:
    if isinstance(flow, Entry):
        yield "the number", flow.number, [PEOPLE.times(per_time)]
        return
    if isinstance(flow, Pulse):
        if flow.share is not None:
            yield "the share", flow.share, [PURE]
        if flow.number is not None:
            yield "the number", flow.number, [PEOPLE]
        return
    if not isinstance(flow, Infection):
        yield "the rate", flow.rate, [per_time]
        return
    # With contacts it is they that are per time, and the rate a probability; or else they are shares of all contacts.
    wanted = [per_time] if flow.contacts is None else [per_time, PURE]
    if flow.density_dependent:
        # "per person" is read as a rate of each person, which it also is: of each who is infectious.
        wanted = [*wanted, *(each.times(PEOPLE, -1) for each in wanted)]
    yield "the rate", flow.rate, wanted
    yield "the susceptibility", flow.susceptibility, [PURE]
    for compartment, weight in flow.infectiousness.items():
        yield f"the infectiousness of `{compartment}`", weight, [PURE]
    for setting in _settings(flow.contacts):
        yield f"the scale of the contacts `{setting.name}`", setting.scale, [PURE]


def _settings(contacts: Contacts | None) -> Iterator[Setting]:
    for given in contacts.by.values() if contacts else ():
        if isinstance(given, list | tuple):
            yield from (each for each in given if isinstance(each, Setting))


def _of_output(model: Model, name: str, output: Output) -> Iterator[Letter]:
    try:
        declared = units.parse(output.unit)
    except ModelworksError:
        return  # told elsewhere
    # As with a parameter, this says that nobody says.
    wanted = [] if output.unit == "dimensionless" else [Kind(declared.time, declared.people, declared.factor)]
    says = f"its unit is `{output.unit}`"
    hint = 'give the unit it has: Output(..., "proportion"); an output that says none counts people'
    yield from _compared(model, f"the output `{name}`", output.value, wanted, says, hint)


OF_PARTS = "look at the units of its parameters: what counts is the unit each is declared in, not that of a study"


def _compared(
    model: Model, what: str, value: Number, wanted: list[Kind], says: str = "", hint: str = OF_PARTS
) -> Iterator[Letter]:
    try:
        found = _kind(expression(value), model)
    except MisfitError as misfit:
        yield Letter("M129", f"{what} adds {misfit}", hint="look at the units of its parameters, and at the brackets")
        return
    if found is None or not wanted or any(found.is_same(each) for each in wanted):
        return
    belongs = " or ".join(each.in_words() for each in wanted)
    yield Letter("M129", f"{what} is {found.in_words()}, but {says or f'{belongs} belongs there'}", hint=hint)


def _kind(given: Expression, model: Model) -> Known:
    """The unit of an expression; None where a number decides it."""
    if isinstance(given, Parameter):
        unit = units.parse(given.unit)
        # A parameter whose unit nobody gave is a number like any other.
        return None if given.unit == "dimensionless" else Kind(unit.time, unit.people, unit.factor)
    if isinstance(given, Time):
        return Kind(1, 0, units.parse(model.time).factor)
    if isinstance(given, People):
        return PEOPLE
    if isinstance(given, Events):
        each_counts_one = isinstance(given.times, Constant) and given.times.value == 1.0
        return PEOPLE if each_counts_one else _product(PEOPLE, _kind(given.times, model))
    if isinstance(given, By | Table):
        return _sum([_kind(each, model) for each in given.parts()])
    if isinstance(given, Operation):
        return _of_operation(given, model)
    return None


def _of_operation(given: Operation, model: Model) -> Known:
    if given.operation in ("add", "subtract", "maximum", "minimum"):
        return _sum([_kind(each, model) for each in given.arguments])
    if given.operation == "multiply":
        left, right = (_kind(each, model) for each in given.arguments)
        return _product(left, right)
    if given.operation == "divide":
        above, below = given.arguments
        # One over a duration is a rate; any other number above may be anything.
        over = PURE if isinstance(above, Constant) and above.value == 1.0 else _kind(above, model)
        return _product(over, _kind(below, model), -1)
    for each in given.arguments:
        _kind(each, model)  # the parts of a function may not fit each other either
    return None


def _product(left: Known, right: Known, power: int = 1) -> Known:
    return None if left is None or right is None else left.times(right, power)


def _sum(kinds: Iterable[Known]) -> Known:
    known = [kind for kind in kinds if kind is not None]
    for other in known[1:]:
        if not other.is_same(known[0]):
            raise MisfitError(f"{known[0].in_words()} and {other.in_words()}")
    return known[0] if known else None
