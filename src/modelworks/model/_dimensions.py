"""Whether the units in a declaration fit each other: a rate per year in a model of days, people added to a rate.

A unit is worked out for every expression whose parts have one. A number written into a model has none of its
own and goes with whatever it is added to; what it multiplies is not followed further, for it may turn weeks into
days. So what is told is certain, and not everything that is wrong is told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelworks import units
from modelworks.errors import Letter, ModelworksError
from modelworks.model._declaration import Contacts, Entry, Flow, Infection, Output, Pulse, Setting
from modelworks.model._delayed import Delayed
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
    one_or_more,
    walk,
)
from modelworks.model._reparameterise import InfectionsPerRate
from modelworks.model._scaled import ModelReproduction

if TYPE_CHECKING:
    from modelworks.model._model import Model


@dataclass(frozen=True, slots=True)
class Kind:
    """Exponents of time, of people and of others by name, and how many days or people one of it is."""

    time: int
    people: int
    factor: float
    others: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def of(unit: str) -> Kind:
        """What a unit is, as written."""
        found = units.parse(unit)
        return Kind(found.time, found.people, found.factor, found.others)

    def times(self, other: Kind, power: int = 1) -> Kind:
        """The unit of a product, or with a power of minus one of a quotient."""
        others = Counter(dict(self.others))
        others.update({name: power * count for name, count in other.others})
        return Kind(
            self.time + power * other.time,
            self.people + power * other.people,
            self.factor * other.factor**power,
            tuple(sorted((name, count) for name, count in others.items() if count)),
        )

    def is_same(self, other: Kind) -> bool:
        alike = (self.time, self.people, self.others) == (other.time, other.people, other.others)
        return alike and math.isclose(self.factor, other.factor, rel_tol=1e-9)

    def in_words(self) -> str:
        """As a unit is written; where no word fits, by its factor."""
        if self.others:
            above = " ".join(name for name, count in self.others for _ in range(count))
            below = "".join(f" per {name}" for name, count in self.others for _ in range(-count))
            rest = Kind(self.time, self.people, self.factor)
            return f"{above}{below}".strip() + ("" if rest == PURE else f" times {rest.in_words()}")
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
    """Two parts of an expression that can not be added, or a function of what is no pure number."""


def check_units(model: Model) -> Iterator[Letter]:
    """A letter for each flow, initial number and output whose units do not fit."""
    per_time = Kind(-1, 0, 1.0 / units.parse(model.time).factor)
    for stratification in model.stratifications:
        for share in _shares(stratification.split):
            yield from _compared(model, f"a share of people by `{stratification.name}`", share, [PURE])
    for flow in model.flows:
        for name, given in getattr(flow, "split", {}).items():
            for share in _shares(given):
                yield from _compared(model, f"a share by `{name}` of the flow `{flow.name}`", share, [PURE])
        for what, value, wanted in _of_flow(model, flow, per_time):
            yield from _compared(model, f"{what} of the flow `{flow.name}`", value, wanted)
    for name, number in model.initial.items():
        yield from _compared(model, f"the initial number of `{name}`", number, [_counted(model, name)])
    for name, output in model.series.items():
        yield from _of_output(model, name, output)


def _counted(model: Model, compartment: str) -> Kind:
    """What a compartment counts: people, or what its pool is of."""
    pool = model.pool_of(compartment)
    return PEOPLE if pool is None else Kind.of(pool.unit)


def _of_flow(model: Model, flow: Flow, per_time: Kind) -> Iterator[tuple[str, Number, list[Kind]]]:
    if isinstance(flow, Entry):
        number = _counted(model, flow.destination).times(per_time)
        # What people shed is per time and, which goes without saying, per person.
        yield (
            "the number",
            flow.number,
            [number]
            if model.pool_of(flow.destination) is None
            else [
                number,
                number.times(PEOPLE),
            ],
        )
        return
    if isinstance(flow, Pulse):
        if flow.share is not None:
            yield "the share", flow.share, [PURE]
        if flow.number is not None:
            yield "the number", flow.number, [_moved(model, flow)]
        return
    if not isinstance(flow, Infection):
        yield "the rate", flow.rate, [per_time]
        return
    # With contacts it is they that are per time, and the rate a probability; or else they are shares of all contacts.
    wanted = [per_time] if flow.contacts is None else [per_time, PURE]
    if flow.density_dependent:
        # "per person" is read as a rate of each person, which it also is: of each who is infectious.
        per_each = {_counted(model, compartment) for compartment in flow.infectiousness}
        wanted = [*wanted, *(each.times(what, -1) for each in wanted for what in per_each)]
    yield "the rate", flow.rate, wanted
    yield "the susceptibility", flow.susceptibility, [PURE]
    for compartment, weight in flow.infectiousness.items():
        yield f"the infectiousness of `{compartment}`", weight, [PURE]
    for setting in _settings(flow.contacts):
        yield f"the scale of the contacts `{setting.name}`", setting.scale, [PURE]


def _shares(split: Any) -> Iterator[Number]:
    """The shares of a split, by name or in order; none where one stratum is named."""
    if not isinstance(split, str) and split is not None:
        yield from split.values() if isinstance(split, Mapping) else split


def _settings(contacts: Contacts | None) -> Iterator[Setting]:
    for given in contacts.by.values() if contacts else ():
        if isinstance(given, list | tuple):
            yield from (each for each in given if isinstance(each, Setting))


def _of_output(model: Model, name: str, output: Output) -> Iterator[Letter]:
    try:
        units.parse(output.unit)
    except ModelworksError:
        return  # told elsewhere
    # As with a parameter, this says that nobody says.
    wanted = [] if output.unit == "dimensionless" else [Kind.of(output.unit)]
    says = f"its unit is `{output.unit}`"
    hint = 'give the unit it has: Output(..., "proportion"); an output that says none counts people'
    yield from _compared(model, f"the output `{name}`", output.value, wanted, says, hint)
    lengths = {"mean": Kind(1, 0, units.parse(model.time).factor), "shape": PURE}
    lengths["sd"] = lengths["mean"]
    for delayed in walk(expression(output.value)):
        for label, number in delayed.delay.labelled() if isinstance(delayed, Delayed) else ():
            wanted = [lengths.get(label, PURE)]
            yield from _compared(model, f"the {label.rstrip(':')} of the delay of `{name}`", number, wanted)


OF_PARTS = "look at the units of its parameters: what counts is the unit each is declared in, not that of a study"


def _compared(
    model: Model, what: str, value: Number, wanted: list[Kind], says: str = "", hint: str = OF_PARTS
) -> Iterator[Letter]:
    try:
        found = _kind(expression(value), model)
    except MisfitError as misfit:
        yield Letter("M129", f"{what} {misfit}", hint="look at the units of its parameters, and at the brackets")
        return
    if found is None or not wanted or any(found.is_same(each) for each in wanted):
        return
    belongs = " or ".join(each.in_words() for each in wanted)
    yield Letter("M129", f"{what} is {found.in_words()}, but {says or f'{belongs} belongs there'}", hint=hint)


def _kind(given: Expression, model: Model) -> Known:
    """The unit of an expression; None where a number decides it."""
    if isinstance(given, Parameter):
        # A parameter whose unit nobody gave is a number like any other.
        return None if given.unit == "dimensionless" else Kind.of(given.unit)
    if isinstance(given, Time):
        return Kind(1, 0, units.parse(model.time).factor)
    if isinstance(given, People):
        return _counted(model, given.compartments[0]) if given.compartments else PEOPLE
    if isinstance(given, Events):
        each_counts_one = isinstance(given.times, Constant) and given.times.value == 1.0
        counted = next((_moved(model, flow) for flow in model.flows if flow.name == given.flow), PEOPLE)
        return counted if each_counts_one else _product(counted, _kind(given.times, model))
    if isinstance(given, Delayed):
        return _kind(given.value, model)
    if isinstance(given, InfectionsPerRate):
        return _product(_kind(given.infectious_time, model), Kind(1, 0, units.parse(model.time).factor), -1)
    if isinstance(given, ModelReproduction):
        return PURE
    if isinstance(given, By | Table):
        return _sum([_kind(each, model) for each in given.parts()])
    if isinstance(given, Operation):
        return _of_operation(given, model)
    return None


def _moved(model: Model, flow: Flow) -> Kind:
    """What one event of a flow counts."""
    ends = [getattr(flow, "source", None), getattr(flow, "destination", None)]
    named = next((name for each in ends if each is not None for name in one_or_more(each)), "")
    return _counted(model, named)


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
        found = _kind(each, model)  # the parts of a function may not fit each other either
        if given.operation in ("exp", "log", "cos") and found is not None and found.time != 0:
            raise MisfitError(f"takes the {given.operation} of {found.in_words()}, which is no pure number")
    return None


def _product(left: Known, right: Known, power: int = 1) -> Known:
    return None if left is None or right is None else left.times(right, power)


def _sum(kinds: Iterable[Known]) -> Known:
    known = [kind for kind in kinds if kind is not None]
    for other in known[1:]:
        if not other.is_same(known[0]):
            raise MisfitError(f"adds {known[0].in_words()} and {other.in_words()}")
    return known[0] if known else None
