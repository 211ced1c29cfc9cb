"""What an expression means in some strata: a node of the graph, wide where it differs by lane."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from modelworks.dates import Calendar
from modelworks.errors import fail, near
from modelworks.model._declaration import Stratification
from modelworks.model._delayed import Delayed
from modelworks.model._eigenvalue import WeightedContacts
from modelworks.model._expression import (
    By,
    Constant,
    Eigenvalue,
    Events,
    Expression,
    Leaving,
    Moment,
    Operation,
    Parameter,
    People,
    Table,
    Time,
    Year,
    length_of_year,
    walk,
)
from modelworks.model._graph import UNARY, Depends
from modelworks.model._monotone import monotone_slopes
from modelworks.model._next_generation import NextGeneration
from modelworks.model._program import Program
from modelworks.model._reparameterise import InfectionsPerRate
from modelworks.model._scaled import ModelReproduction
from modelworks.model.lowering._axes import NOWHERE, Axes, Strata, both, is_within
from modelworks.model.lowering._guards import Guards
from modelworks.model.lowering._ledger import Ledger

if TYPE_CHECKING:
    from modelworks.model._model import Model

# What makes a program of a model.
Lower: TypeAlias = "Callable[[Model, Calendar | None], Program]"


class AlreadyTold(Exception):  # noqa: N818 (nothing is wrong with what raises it)
    """Something that can not be worked out for a mistake that has its own letter."""


class Meaning:
    """Gives each expression its node; `in_outputs` once the flows are lowered and events can be counted."""

    def __init__(self, axes: Axes, ledger: Ledger, guards: Guards, calendar: Calendar | None, lower: Lower) -> None:
        self.axes = axes
        self.model = axes.model
        self.graph = axes.graph
        self.ledger = ledger
        self.guards = guards
        self.calendar = calendar
        self._lower = lower
        self.in_outputs = False
        self._memory: dict[tuple[object, ...], int] = {}
        self._alive: list[Expression] = []

    def evaluate(self, given: Expression, strata: Strata, of: str) -> int:
        """The node an expression means in some strata; wide where it differs by lane."""
        key = (id(given), tuple(sorted(strata.items())))
        if key not in self._memory:
            # An id is a name only as long as its object lives.
            self._alive.append(given)
            self._memory[key] = self._evaluated(given, strata, of)
        return self._memory[key]

    def _evaluated(self, given: Expression, strata: Strata, of: str) -> int:
        if isinstance(given, Constant):
            return self.graph.constant(given.value)
        if isinstance(given, Parameter):
            return self.graph.parameter(self.axes.positions[given.name])
        if isinstance(given, Time):
            return self.graph.time()
        if isinstance(given, By):
            return self._evaluate_by(given, strata, of)
        if isinstance(given, Table):
            return self._evaluate_table(given, strata, of)
        if isinstance(given, Moment):
            return self.graph.constant(self.model_time(given.when, of))
        if isinstance(given, Leaving):
            return self._evaluate_leaving(given, of)
        if isinstance(given, Year):
            return self.graph.constant(length_of_year(self.model.time))
        if isinstance(given, People):
            return self._evaluate_people(given, strata, of)
        if isinstance(given, Events):
            return self._evaluate_events(given, strata, of)
        if isinstance(given, Eigenvalue) and strata:
            # The same wherever it is used, and worked out once.
            return self.evaluate(given, NOWHERE, of)
        if isinstance(given, InfectionsPerRate):
            return self._infections_per_rate(given, of)
        if isinstance(given, ModelReproduction):
            return self._reproduction(given, of)
        if isinstance(given, Delayed):
            fail(
                "M135",
                f"{of} holds a delayed series where none can stand",
                hint="an output is a delayed series, or a sum or difference of such; write what multiplies it inside, "
                "before the events; a rate can not wait, people in stages can",
            )
        if isinstance(given, Operation):
            nodes = [self.evaluate(each, strata, of) for each in given.arguments]
            return self._operation(given.operation, nodes, of)
        raise TypeError(f"an expression of kind {type(given).__name__} is not known")

    def _evaluate_table(self, given: Table, strata: Strata, of: str) -> int:
        values = [self.evaluate(value, strata, of) for value in given.values]
        if any(self.graph.nodes[value].wide for value in values):
            fail(
                "M119",
                f"{of} has a table whose values differ by `{self.axes.lane and self.axes.lane.name}`",
                hint="turn it round: a number by stratum, each of which is a table",
            )
        times = [self.model_time(t, of) for t in given.times]
        if given.kind != "monotone":
            return self.graph.lookup(times, values, given.kind)
        slopes = monotone_slopes(self.graph, times, values)
        return self.graph.add(self.graph.lookup(times, values, "level"), self.graph.lookup(times, slopes, "slopes"))

    def _operation(self, operation: str, nodes: Sequence[int], of: str) -> int:
        """Arithmetic on nodes; what is infinite or no number whatever the parameters is refused here."""
        known = self.graph.nodes[nodes[-1]]
        by_zero = operation == "divide" and known.operation == "constant" and 0.0 in known.data
        if not by_zero:
            node = self.graph.unary(operation, *nodes) if operation in UNARY else self.graph.binary(operation, *nodes)
            result = self.graph.nodes[node]
            if result.operation != "constant" or all(math.isfinite(float(x)) for x in result.data):
                return node
        fail(
            "M110",
            f"{of} holds arithmetic (`{operation}`) whose result is not a number",
            hint="look for a division by zero, the logarithm or root of a negative number, or a number far too large",
        )

    def _evaluate_by(self, given: By, strata: Strata, of: str) -> int:
        stratification = self.axes.stratification(given.stratification, of)
        values = self.by_name(given, stratification, of)
        if stratification is self.axes.lane and given.stratification not in strata:
            return self.graph.pack([self.evaluate(values[lane], strata, of) for lane in self.axes.lanes])
        if given.stratification not in strata:
            fail(
                "M105",
                f"{of} differs by `{given.stratification}`, but is used where people are not told apart by it",
                hint=f"stratify the compartment by `{given.stratification}`, or name the stratum that is meant",
            )
        return self.evaluate(values[strata[given.stratification]], strata, of)

    def by_name(self, given: By, stratification: Stratification, of: str) -> Mapping[str, Expression]:
        """The values by stratum, when they were given by name or in order; all of them, and no others."""
        names = list(given.values)
        if names and all(name.startswith("#") for name in names):
            if len(names) != len(stratification.strata):
                fail(
                    "M117",
                    f"{of} has {len(names)} values by `{stratification.name}`, which has "
                    f"{len(stratification.strata)} strata",
                    hint="give one value for each stratum, in the order the strata are declared in",
                )
            return dict(zip(stratification.strata, given.values.values(), strict=True))
        for name in names:
            self.axes.stratum(stratification, name, of)
        missing = [name for name in stratification.strata if name not in given.values]
        if missing:
            fail(
                "M117",
                f"{of} has no value for {', '.join(f'`{m}`' for m in missing)} of `{stratification.name}`",
                hint="give a value for every stratum; 1 where nothing changes",
            )
        return given.values

    def _evaluate_people(self, given: People, strata: Strata, of: str) -> int:
        compartments = self.axes.compartments(given.compartments, of)
        for name in compartments:
            if given.of_pools not in (None, self.model.pool_of(name) is not None):
                what, write = ("people", "people") if given.of_pools else ("not people", "amount")
                fail("M134", f"{of} counts `{name}`, which is {what}", hint=f'write {write}("{name}")')
        where, mask = self.axes.selection(given.where, of)
        where = both(where, self.axes.apart(given.by, strata, of))
        rows = list(self.axes.chosen(compartments, where))
        if not rows:
            if not all(where.values()):
                return self.graph.constant(0.0)
            fail(
                "M113",
                f"{of} counts people in {given.where}, where the model has nobody",
                hint="the stratification does not split any of those compartments",
            )
        wide = self.graph.sum(self.axes.people_in(compartment, inside) for compartment, inside in rows)
        return self._over_lanes(wide, mask, given.by, strata)

    def _evaluate_events(self, given: Events, strata: Strata, of: str) -> int:
        if not self.in_outputs:
            fail(
                "M112",
                f"{of} uses events(`{given.flow}`), which are known only at outputs",
                hint="a rate can depend on people(...) now, not on what happened since the last output",
            )
        if given.flow not in self.ledger.moved:
            if given.flow in {flow.name for flow in self.model.flows}:
                raise AlreadyTold
            fail(
                "M111",
                f"{of} counts a flow `{given.flow}`, which the model does not have",
                hint=near(given.flow, self.ledger.moved),
            )
        where, mask = self.axes.selection(given.where, of)
        apart = self.axes.apart(given.by, strata, of)
        asked = [
            moved
            for moved in self.ledger.moved[given.flow]
            if is_within(moved.strata, where) and all(name in moved.strata for name in apart)
        ]
        if not asked:
            fail(
                "M113",
                f"{of} counts events of `{given.flow}` in {dict(given.where)}, where the flow moves nobody",
                hint="check the strata the flow's source and destination are split by",
            )
        # One of the strata that `by` keeps apart may see none of the flow's events.
        chosen = [moved for moved in asked if is_within(moved.strata, apart)]
        if not chosen:
            return self.graph.constant(0.0)
        times = [self.evaluate(given.times, moved.strata, of) for moved in chosen]
        change = self.graph.sum(
            self.graph.multiply(moved.node, each) for moved, each in zip(chosen, times, strict=True)
        )
        counts = tuple((moved.jump, each) for moved, each in zip(chosen, times, strict=True))
        return self._over_lanes(self.ledger.accumulated(given.flow, change, counts), mask, given.by, strata)

    def _evaluate_leaving(self, given: Leaving, of: str) -> int:
        named = {flow.name for flow in self.model.flows}
        for name in given.flows:
            if name not in named:
                fail(
                    "M111",
                    f"{of} counts who leaves by a flow `{name}`, which the model does not have",
                    hint=near(name, named),
                )
            if name not in self.ledger.moved:
                fail(
                    "M111",
                    f"{of} counts who leaves by the flow `{name}`, which itself waits for others to leave",
                    hint="count who leaves by flows whose own rates are not made of leaving(...)",
                )
        moved = [each.node for name in given.flows for each in self.ledger.moved[name]]
        return self.graph.sum(self.graph.total(node) for node in moved)

    def _over_lanes(self, wide: int, mask: int | None, by: Sequence[str], strata: Strata) -> int:
        if self.axes.lane is None:
            return wide
        if mask is not None:
            wide = self.graph.multiply(wide, mask)
        if self.axes.lane.name not in by:
            return self.graph.total(wide)
        if self.axes.lane.name in strata:
            return self.graph.lane(wide, self.axes.lanes.index(strata[self.axes.lane.name]))
        return wide

    def model_time(self, moment: float | date, of: str) -> float:
        if not isinstance(moment, date):
            return float(moment)
        if self.calendar is None and self.model.time == "days":
            fail(
                "M114",
                f"{of} has a date, but the day the model starts on is not known",
                hint="give `start=` when you simulate, or write days since the start instead of dates",
            )
        return (self.calendar or Calendar("years", date(1, 1, 1))).number(moment)

    def _infections_per_rate(self, given: InfectionsPerRate, of: str) -> int:
        """The largest eigenvalue of contacts, weighted."""

        def settled(each: Expression, strata: Strata) -> int:
            node = self.evaluate(each, strata, of)
            if self.graph.nodes[node].depends & ~Depends.PARAMETERS:
                fail(
                    "M136",
                    f"{of} has infections per rate that change with time or people",
                    hint="give the contacts, susceptibility and infectious time of the moment that R0 is meant for",
                )
            return node

        by = [self.axes.stratification(name, of) for name in given.contacts.by]
        contacts = WeightedContacts(self.graph, given.contacts, by, self.axes.lane, settled)
        rows, columns = (
            [settled(each, group) for group in contacts.groups]
            for each in (given.susceptibility, given.infectious_time)
        )
        if not contacts.meets_by_lane and any(self.graph.nodes[node].wide for node in (*rows, *columns)):
            fail(
                "M105",
                f"{of} has infections per rate that differ by `{self.axes.lane and self.axes.lane.name}`, "
                "by which nobody meets",
                hint="give contacts by it as well, the same as in the Infection",
            )
        found, last = contacts.largest_eigenvalue(rows, columns)
        self.guards.watch("eigenvalue", f"{of} has infections per rate whose last iteration", last)
        return found

    def _reproduction(self, given: ModelReproduction, of: str) -> int:
        """The basic reproduction number of a whole model, which is this one but for the scale of its infections."""
        for mine, scaled in zip(_declared(self.model, self.axes.stages), _declared(given.model, ()), strict=True):
            if mine != scaled:
                fail(
                    "M136",
                    f"{of} is scaled to a reproduction number, and `{min(mine ^ scaled)}` came or went afterwards",
                    hint="extend the model first, then call with_reproduction_number",
                )
        program = self._lower(given.model, self.calendar)
        found = NextGeneration(given.model, program, self.graph, self.axes.positions, given.time)
        number, last = found.number(of)
        self.guards.watch("eigenvalue", f"{of} is scaled to a reproduction number, whose last iteration", last)
        return number

    def rate(self, given: Expression, strata: Strata, of: str) -> int:
        """A rate or multiplier in some strata, which must not be negative when the model runs."""
        node = self.evaluate(given, strata, of)
        inside = ", ".join(f"{name}={stratum}" for name, stratum in strata.items())
        self.guards.watch("part" if self.ledger.pulsing else "rate", f"{of}{f' ({inside})' if inside else ''}", node)
        return node

    def varies_by(self, given: Expression) -> set[str]:
        """The stratifications an expression can differ by."""
        found: set[str] = set()
        for part in walk(given, into=lambda each: not isinstance(each, (Events, Eigenvalue))):
            if isinstance(part, By):
                found.add(part.stratification)
            elif isinstance(part, (People, Events)):
                found.update(part.by)
        return found


def _declared(model: Model, stages: Iterable[Stratification]) -> tuple[set[str], ...]:
    """The names of all that a reproduction number depends on; of stratifications without those of stages."""
    strata = {each.name for each in model.stratifications} - {each.name for each in stages}
    return {flow.name for flow in model.flows}, strata, set(model.all_compartments)
