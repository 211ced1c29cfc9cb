"""From a declaration to a graph: every compartment in every combination of strata, every flow written out.

The stratification that splits all compartments into the most strata becomes the lanes; each
combination of the others is a row. A flow takes from its source exactly what it gives to its
destination, so people can not be lost or made between compartments, whatever the declaration says.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from modelworks.dates import Calendar
from modelworks.errors import Letters, ModelworksError, fail, near
from modelworks.model._declaration import (
    Becoming,
    Contacts,
    Entry,
    Exit,
    Flow,
    Infection,
    Move,
    Output,
    Pulse,
    Split,
    Stratification,
    Transition,
    stage_name,
    stages_of,
)
from modelworks.model._delayed import Delayed, taken_apart
from modelworks.model._eigenvalue import NOT_SETTLED, WeightedContacts
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
    Year,
    expression,
    length_of_year,
    walk,
)
from modelworks.model._graph import UNARY, Depends, Graph
from modelworks.model._monotone import monotone_slopes
from modelworks.model._program import EIGENVALUE_TOLERANCE, Column, Guard, Jump, Later, Program, Row
from modelworks.model._reparameterise import InfectionsPerRate
from modelworks.model.solvers._grid import moments_of_pulse

if TYPE_CHECKING:
    from modelworks.model._model import Model

Strata = Mapping[str, str]
NOWHERE: Strata = {}

# Dividing by nobody: where a group is empty nobody in it is infectious either, and 0 / this is 0.
NOBODY = 1e-100

# Within which delayed events are taken as even, where nothing else is said: a day, and a week in a model of years.
DELAY_STEP = {"days": 1.0, "years": 7 / 365.25}


def lower(model: Model, calendar: Calendar | None = None) -> Program:
    """The program of a model, or a `ModelworksError` with every mistake found on the way."""
    return _Lowering(model, calendar).program()


class AlreadyTold(Exception):  # noqa: N818 (nothing is wrong with what raises it)
    """Something that can not be worked out for a mistake that has its own letter."""


@dataclass
class _Moved:
    """People moved by one flow out of one row: under which strata, how many.

    The strata are those they have afterwards; of someone who leaves for good, and where `becoming` changes them,
    those they had.
    """

    strata: Strata
    node: int
    jump: int


@dataclass
class _Lowering:
    model: Model
    calendar: Calendar | None
    letters: Letters = field(default_factory=Letters)

    def __post_init__(self) -> None:
        self.positions = {name: k for k, name in enumerate(self.model.parameters)}
        self.stages = stages_of(self.model.flows)
        self.model = replace(self.model, stratifications=(*self.model.stratifications, *self.stages))
        # What a flow chooses stratum by stratum, a strain or what people become, rows can be and lanes can not.
        chosen = {flow.strain for flow in self.model.flows if isinstance(flow, Infection)}
        chosen |= {name for flow in self.model.flows for name in getattr(flow, "becoming", ())}
        everywhere = [s for s in self.model.stratifications if self._splits_all(s) and s.name not in chosen]
        self.lane = max(everywhere, key=lambda s: len(s.strata), default=None)
        if self.lane is not None and len(self.lane.strata) < 2:
            self.lane = None
        self.lanes = tuple(self.lane.strata) if self.lane else ()
        self.graph = Graph(len(self.lanes) or 1)
        self.rows: list[Row] = []
        self.index: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        for compartment in self.model.all_compartments:
            for strata in self._combinations(compartment):
                self.index[compartment, frozenset(strata.items())] = len(self.rows)
                self.rows.append(Row(compartment, tuple(strata.items())))
        self.changes: list[list[int]] = [[] for _ in self.rows]
        self.leaving: list[list[int]] = [[] for _ in self.rows]
        self.moved: dict[str, list[_Moved]] = {}
        self.guards: list[Guard] = []
        self.accumulators: dict[tuple[object, ...], int] = {}
        self.counted: list[tuple[Row, int]] = []
        self.jumps: list[Jump] = []
        self.counts: list[tuple[tuple[int, int], ...]] = []
        self.in_outputs = False
        # When the flow at hand happens: at the moments of a pulse, or at all others; None where there are no pulses.
        self.when: int | None = None
        self.pulsing = False
        self._memory: dict[tuple[object, ...], int] = {}
        self._alive: list[Expression] = []

    def program(self) -> Program:
        pulses = [flow for flow in self.model.flows if isinstance(flow, Pulse)]
        times = sorted({time for pulse in pulses for time in self._times_of(pulse)})
        for pulse in pulses:
            self._try(self._pulse, pulse)
        if times:
            still = self.graph.happening(moment for time in times for moment in moments_of_pulse(time))
            self.when = self.graph.subtract(self.graph.constant(1.0), still)
        for flow in sorted(self.model.flows, key=_replaces):
            self._try(self._lower_flow, flow, f"the flow `{flow.name}`")
        for stratification in self.model.stratifications:
            if stratification.widths is not None:
                self._age(stratification)
        initial = self._initial()
        self.in_outputs = True
        columns: list[Column] = []
        for name, output in self.model.series.items():
            self._try(lambda name=name, output=output: columns.extend(self._columns(name, output)))
        self.letters.raise_if_any()
        return Program(
            graph=self.graph,
            parameters=tuple(self.positions),
            lanes=self.lanes,
            lane_stratification=self.lane.name if self.lane else None,
            rows=(*self.rows, *(row for row, _ in self.counted)),
            derivatives=(*(self.graph.sum(terms) for terms in self.changes), *(node for _, node in self.counted)),
            initial=(*initial, *(self.graph.constant(0.0) for _ in self.counted)),
            columns=tuple(columns),
            guards=tuple(dict.fromkeys(self.guards)),
            exit_rates=tuple(
                self.graph.sum(t for t in terms if not self.graph.nodes[t].depends & Depends.STATE)
                for terms in self.leaving
            ),
            knots=tuple(sorted({t for knots in self.graph.knots for t in knots.times})),
            jumps=tuple(self.jumps),
            counts=tuple(self.counts),
            pulses=tuple(times),
        )

    def _try(self, work: Callable[..., object], *arguments: object) -> None:
        """Do a part; its mistakes are collected, so that one does not hide the next."""
        try:
            work(*arguments)
        except AlreadyTold:
            # Whoever mends the flow mends this.
            return
        except ModelworksError as error:
            self.letters.extend(error.letters)

    # -- who is where ----------------------------------------------------------------------------

    def _splits_all(self, stratification: Stratification) -> bool:
        split = self.model.compartments if stratification.compartments is None else stratification.compartments
        return set(split) >= set(self.model.all_compartments)

    def _row_stratifications(self, compartment: str) -> list[Stratification]:
        return [s for s in self.model.strata_of(compartment) if s is not self.lane]

    def _combinations(self, compartment: str) -> Iterator[dict[str, str]]:
        split = self._row_stratifications(compartment)
        for choice in itertools.product(*(s.strata for s in split)):
            yield {s.name: stratum for s, stratum in zip(split, choice, strict=True)}

    def _row(self, compartment: str, strata: Strata) -> int:
        wanted = {s.name for s in self._row_stratifications(compartment)}
        return self.index[compartment, frozenset((n, v) for n, v in strata.items() if n in wanted)]

    def _people_in(self, compartment: str, strata: Strata) -> int:
        return self.graph.state(self._row(compartment, strata))

    def _compartments(self, names: str | Sequence[str] | None, of: str) -> tuple[str, ...]:
        if names is None or names == ():
            return tuple(self.model.compartments)
        listed = (names,) if isinstance(names, str) else tuple(names)
        for name in listed:
            if name not in self.model.all_compartments:
                fail(
                    "M101",
                    f"{of} names a compartment `{name}`, but the model has none of that name",
                    hint=near(name, self.model.all_compartments),
                )
        if len(set(listed)) < len(listed):
            fail(
                "M102",
                f"{of} names a compartment twice: {', '.join(f'`{name}`' for name in listed)}",
                hint="name each once; its people would be counted twice",
            )
        return listed

    def _stratification(self, name: str, of: str) -> Stratification:
        found = self.model.stratification(name)
        if found is None:
            fail(
                "M103",
                f"{of} names a stratification `{name}`, but the model has none of that name",
                hint=near(name, [s.name for s in self.model.stratifications]),
            )
        return found

    def _stratum(self, stratification: Stratification, name: str, of: str) -> str:
        if name not in stratification.strata:
            fail(
                "M103",
                f"{of} names a stratum `{name}` of `{stratification.name}`, which has none of that name",
                hint=near(name, stratification.strata),
            )
        return name

    def _selection(
        self, where: Mapping[str, str | Sequence[str]], of: str
    ) -> tuple[dict[str, tuple[str, ...]], int | None]:
        """What `where` asks of rows, and the lanes it chooses as a node of zeros and ones."""
        rows: dict[str, tuple[str, ...]] = {}
        mask: int | None = None
        for name, chosen in where.items():
            stratification = self._stratification(name, of)
            listed = (chosen,) if isinstance(chosen, str) else tuple(chosen)
            for stratum in listed:
                self._stratum(stratification, stratum, of)
            if stratification is self.lane:
                mask = self.graph.constant([1.0 if lane in listed else 0.0 for lane in self.lanes])
            else:
                rows[name] = listed
        return rows, mask

    def _chosen(
        self, compartments: Iterable[str], where: Mapping[str, tuple[str, ...]]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Rows of some compartments in the chosen strata; one a stratification does not split is not in any of it."""
        for compartment in compartments:
            for strata in self._combinations(compartment):
                if _is_within(strata, where):
                    yield compartment, strata

    # -- expressions -----------------------------------------------------------------------------

    def _evaluate(self, given: Expression, strata: Strata, of: str) -> int:
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
            return self.graph.parameter(self.positions[given.name])
        if isinstance(given, Time):
            return self.graph.time()
        if isinstance(given, By):
            return self._evaluate_by(given, strata, of)
        if isinstance(given, Table):
            values = [self._evaluate(value, strata, of) for value in given.values]
            if any(self.graph.nodes[value].wide for value in values):
                fail(
                    "M119",
                    f"{of} has a table whose values differ by `{self.lane and self.lane.name}`",
                    hint="turn it round: a number by stratum, each of which is a table",
                )
            return self._read(given.kind, [self._model_time(t, of) for t in given.times], values)
        if isinstance(given, Moment):
            return self.graph.constant(self._model_time(given.when, of))
        if isinstance(given, Leaving):
            return self._evaluate_leaving(given, of)
        if isinstance(given, Year):
            return self.graph.constant(length_of_year(self.model.time))
        if isinstance(given, People):
            return self._evaluate_people(given, strata, of)
        if isinstance(given, Events):
            return self._evaluate_events(given, strata, of)
        if isinstance(given, InfectionsPerRate):
            # The same wherever it is used, and worked out once.
            return self._evaluate(given, NOWHERE, of) if strata else self._infections_per_rate(given, of)
        if isinstance(given, Delayed):
            fail(
                "M135",
                f"{of} holds a delayed series where none can stand",
                hint="an output is a delayed series, or a sum or difference of such; write what multiplies it inside, "
                "before the events; a rate can not wait, people in stages can",
            )
        if isinstance(given, Operation):
            nodes = [self._evaluate(each, strata, of) for each in given.arguments]
            return self._operation(given.operation, nodes, of)
        raise TypeError(f"an expression of kind {type(given).__name__} is not known")

    def _read(self, kind: str, times: Sequence[float], values: Sequence[int]) -> int:
        if kind != "monotone":
            return self.graph.lookup(times, values, kind)
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
        stratification = self._stratification(given.stratification, of)
        values = self._by_name(given, stratification, of)
        if stratification is self.lane and given.stratification not in strata:
            return self.graph.pack([self._evaluate(values[lane], strata, of) for lane in self.lanes])
        if given.stratification not in strata:
            fail(
                "M105",
                f"{of} differs by `{given.stratification}`, but is used where people are not told apart by it",
                hint=f"stratify the compartment by `{given.stratification}`, or name the stratum that is meant",
            )
        return self._evaluate(values[strata[given.stratification]], strata, of)

    def _by_name(self, given: By, stratification: Stratification, of: str) -> Mapping[str, Expression]:
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
            self._stratum(stratification, name, of)
        missing = [name for name in stratification.strata if name not in given.values]
        if missing:
            fail(
                "M117",
                f"{of} has no value for {', '.join(f'`{m}`' for m in missing)} of `{stratification.name}`",
                hint="give a value for every stratum; 1 where nothing changes",
            )
        return given.values

    def _evaluate_people(self, given: People, strata: Strata, of: str) -> int:
        compartments = self._compartments(given.compartments, of)
        for name in compartments:
            if given.of_pools not in (None, self.model.pool_of(name) is not None):
                what, write = ("people", "people") if given.of_pools else ("not people", "amount")
                fail("M134", f"{of} counts `{name}`, which is {what}", hint=f'write {write}("{name}")')
        where, mask = self._selection(given.where, of)
        where = _both(where, self._apart(given.by, strata, of))
        rows = list(self._chosen(compartments, where))
        if not rows:
            if not all(where.values()):
                return self.graph.constant(0.0)
            fail(
                "M113",
                f"{of} counts people in {given.where}, where the model has nobody",
                hint="the stratification does not split any of those compartments",
            )
        wide = self.graph.sum(self._people_in(compartment, inside) for compartment, inside in rows)
        return self._over_lanes(wide, mask, given.by, strata)

    def _evaluate_events(self, given: Events, strata: Strata, of: str) -> int:
        if not self.in_outputs:
            fail(
                "M112",
                f"{of} uses events(`{given.flow}`), which are known only at outputs",
                hint="a rate can depend on people(...) now, not on what happened since the last output",
            )
        if given.flow not in self.moved:
            if given.flow in {flow.name for flow in self.model.flows}:
                raise AlreadyTold
            fail(
                "M111",
                f"{of} counts a flow `{given.flow}`, which the model does not have",
                hint=near(given.flow, self.moved),
            )
        where, mask = self._selection(given.where, of)
        apart = self._apart(given.by, strata, of)
        asked = [
            moved
            for moved in self.moved[given.flow]
            if _is_within(moved.strata, where) and all(name in moved.strata for name in apart)
        ]
        if not asked:
            fail(
                "M113",
                f"{of} counts events of `{given.flow}` in {dict(given.where)}, where the flow moves nobody",
                hint="check the strata the flow's source and destination are split by",
            )
        # One of the strata that `by` keeps apart may see none of the flow's events.
        chosen = [moved for moved in asked if _is_within(moved.strata, apart)]
        if not chosen:
            return self.graph.constant(0.0)
        times = [self._evaluate(given.times, moved.strata, of) for moved in chosen]
        change = self.graph.sum(
            self.graph.multiply(moved.node, each) for moved, each in zip(chosen, times, strict=True)
        )
        counts = tuple((moved.jump, each) for moved, each in zip(chosen, times, strict=True))
        return self._over_lanes(self._accumulated(given.flow, change, counts), mask, given.by, strata)

    def _evaluate_leaving(self, given: Leaving, of: str) -> int:
        named = {flow.name for flow in self.model.flows}
        for name in given.flows:
            if name not in named:
                fail(
                    "M111",
                    f"{of} counts who leaves by a flow `{name}`, which the model does not have",
                    hint=near(name, named),
                )
            if name not in self.moved:
                fail(
                    "M111",
                    f"{of} counts who leaves by the flow `{name}`, which itself waits for others to leave",
                    hint="count who leaves by flows whose own rates are not made of leaving(...)",
                )
        moved = [each.node for name in given.flows for each in self.moved[name]]
        return self.graph.sum(self.graph.total(node) for node in moved)

    def _accumulated(self, flow: str, change: int, counts: tuple[tuple[int, int], ...]) -> int:
        """The row that counts a change since the last output."""
        # Births of girls and of boys may be the same number, and are yet other births.
        key = (flow, change, counts)
        if key not in self.accumulators:
            self.accumulators[key] = len(self.rows) + len(self.counted)
            self.counted.append((Row(f"events of {flow}", (), accumulates=True), change))
            self.counts.append(counts)
        return self.graph.state(self.accumulators[key])

    def _apart(self, by: Sequence[str], strata: Strata, of: str) -> dict[str, tuple[str, ...]]:
        """The strata that `by` keeps apart, as the place of use names them; lanes stay apart by themselves."""
        found: dict[str, tuple[str, ...]] = {}
        for name in by:
            stratification = self._stratification(name, of)
            if stratification is self.lane:
                continue
            if name not in strata:
                fail(
                    "M105",
                    f"{of} counts by `{name}`, but is used where people are not told apart by it",
                    hint=f"add `{name}` to the output's own `by`, or sum over it",
                )
            found[name] = (strata[name],)
        return found

    def _over_lanes(self, wide: int, mask: int | None, by: Sequence[str], strata: Strata) -> int:
        if self.lane is None:
            return wide
        if mask is not None:
            wide = self.graph.multiply(wide, mask)
        if self.lane.name not in by:
            return self.graph.total(wide)
        if self.lane.name in strata:
            return self.graph.lane(wide, self.lanes.index(strata[self.lane.name]))
        return wide

    def _model_time(self, moment: float | date, of: str) -> float:
        if not isinstance(moment, date):
            return float(moment)
        if self.calendar is None and self.model.time == "days":
            fail(
                "M114",
                f"{of} has a date, but the day the model starts on is not known",
                hint="give `start=` when you simulate, or write days since the start instead of dates",
            )
        return (self.calendar or Calendar("years", date(1, 1, 1))).number(moment)

    # -- flows -----------------------------------------------------------------------------------

    def _lower_flow(self, flow: Flow, of: str) -> None:
        if isinstance(flow, Transition):
            self._transition(flow, of)
        elif isinstance(flow, Move):
            self._move(flow, of)
        elif isinstance(flow, Infection):
            self._infection(flow, of)
        elif isinstance(flow, Entry):
            self._entry(flow, of)
        elif isinstance(flow, Exit):
            self._exit(flow, of)

    def _times_of(self, pulse: Pulse) -> list[float]:
        return [self._model_time(moment, f"the pulse `{pulse.name}`") for moment in pulse.moments]

    def _pulse(self, pulse: Pulse) -> None:
        """The flow it is like, at its own moments, where a rate is the share of people who move."""
        self.when = self.graph.happening(moments_of_pulse(time)[1] for time in self._times_of(pulse))
        self.pulsing = True
        try:
            self._lower_flow(pulse.flow, f"the pulse `{pulse.name}`")
        finally:
            self.when, self.pulsing = None, False

    def _somebody(self, rows: Iterable[tuple[str, dict[str, str]]], of: str) -> list[tuple[str, dict[str, str]]]:
        """The rows a flow leaves; a flow that leaves none is a mistake that would go unnoticed."""
        found = list(rows)
        if not found:
            fail(
                "M125",
                f"{of} moves nobody: no compartment it leaves is split in the way it asks for",
                hint="stratify the compartment by what `where` names, or leave that out",
            )
        return found

    def _used_split(self, split: Split, compartment: str, kept: Iterable[str], of: str) -> None:
        """Refuse shares for strata that people already have, or that the destination is not split by."""
        for name in split:
            stratification = self._stratification(name, of)
            if name in kept or stratification not in self.model.strata_of(compartment):
                reason = "people keep the stratum they have" if name in kept else f"`{compartment}` is not split by it"
                fail(
                    "M126",
                    f"{of} has shares by `{name}`, which change nothing: {reason}",
                    hint="leave the shares out; people change stratum by a Move, or by what a flow says in `becoming`",
                )

    def _transition(self, flow: Transition, of: str) -> None:
        (source,) = self._compartments(flow.source, of)
        (destination,) = self._compartments(flow.destination, of)
        where, mask = self._selection(flow.where, of)
        self._used_split(flow.split, destination, self._kept(source), of)
        becoming = self._becoming(flow, of)
        for _, strata in self._somebody(self._chosen([source], where), of):
            rate = self._rate(flow.name, expression(flow.rate), strata, of)
            rate = self.graph.multiply(self.graph.constant(float(flow.stages)), rate)
            self._leave(self._row(source, strata), rate)
            people = self._masked(self.graph.multiply(rate, self._people_in(source, strata)), mask)
            stage = int(strata.get(stage_name(flow), "1")) if flow.stages > 1 else 1
            if stage < flow.stages:
                onward = {**strata, stage_name(flow): str(stage + 1)}
                self._carry(f"stages before {flow.name}", source, source, strata, onward, people)
                continue
            for arrived, share in self._shares(destination, strata, flow.split, of, default=False):
                part = self.graph.multiply(people, share)
                self._carry(flow.name, source, destination, strata, arrived, part, becoming)

    def _infection(self, flow: Infection, of: str) -> None:
        (source,) = self._compartments(flow.source, of)
        (destination,) = self._compartments(flow.destination, of)
        where, mask = self._selection(flow.where, of)
        strains: Sequence[Strata] = [NOWHERE]
        if flow.strain is not None:
            strains = [{flow.strain: each} for each in self._stratification(flow.strain, of).strata]
        self._used_split(flow.split, destination, {*self._kept(source), flow.strain or ""}, of)
        becoming = self._becoming(flow, of)
        for _, strata in self._somebody(self._chosen([source], where), of):
            for strain in strains:
                carried = {**strata, **strain}
                rate = self._rate(flow.name, expression(flow.rate), carried, of)
                susceptibility = self._rate(flow.name, expression(flow.susceptibility), carried, of)
                pressure = self._pressure(flow, strata, strain, of)
                hazard = self.graph.multiply(self.graph.multiply(rate, susceptibility), pressure)
                people = self._masked(self.graph.multiply(hazard, self._people_in(source, strata)), mask)
                for arrived, share in self._shares(destination, carried, flow.split, of, default=False):
                    part = self.graph.multiply(people, share)
                    self._carry(flow.name, source, destination, strata, arrived, part, becoming)

    def _becoming(self, flow: Transition | Infection, of: str) -> Becoming:
        """What strata become on the way, when source and destination have them and nothing else chooses them."""
        if not isinstance(flow.becoming, Mapping):
            fail(
                "M133",
                f"{of} has `becoming` as a {type(flow.becoming).__name__}, which does not say what changes",
                hint='write becoming={"history": "infected"}, or {"history": {"none": "once"}}',
            )
        for name, given in flow.becoming.items():
            stratification = self._stratification(name, of)
            for stratum in [given] if isinstance(given, str) else [*given, *given.values()]:
                self._stratum(stratification, stratum, of)
            for compartment in (flow.source, flow.destination):
                if name not in self._kept(compartment):
                    fail(
                        "M133",
                        f"{of} changes `{name}`, which does not split `{compartment}`",
                        hint=f"let `{name}` split both `{flow.source}` and `{flow.destination}`; where only the "
                        "destination is split by it, `split` says who goes where",
                    )
            if isinstance(flow, Infection) and name == flow.strain:
                fail(
                    "M133",
                    f"{of} changes `{name}`, which is its strain: the newly infected carry that of who infected them",
                    hint="leave `becoming` out, or `strain`",
                )
        return flow.becoming

    def _kept(self, compartment: str) -> set[str]:
        """The stratifications whose strata people take along when they leave a compartment."""
        return {s.name for s in self.model.strata_of(compartment)}

    def _pressure(self, flow: Infection, strata: Strata, strain: Strata, of: str) -> int:
        """Contacts with infectious people, per person and time: the sum over whom one meets."""
        contacts = flow.contacts or Contacts({})
        by_rows = [self._stratification(name, of) for name in contacts.by if not self._is_lane(name)]
        by_lane = self.lane is not None and self.lane.name in contacts.by
        terms = []
        for group in itertools.product(*(s.strata for s in by_rows)):
            met = {s.name: stratum for s, stratum in zip(by_rows, group, strict=True)}
            term = self._infectious_share(flow, met, strain, by_lane, of)
            if by_lane and self.lane is not None:
                settings = contacts.settings(self.lane)
                term = self.graph.sum(
                    self.graph.multiply(self._scale(flow, scale, strata, of), self.graph.matvec(matrix, term))
                    for matrix, scale in settings
                )
            for stratification in by_rows:
                term = self.graph.multiply(
                    term, self._met_in(flow, contacts, stratification, strata, met[stratification.name], of)
                )
            terms.append(term)
        return self.graph.sum(terms)

    def _infections_per_rate(self, given: InfectionsPerRate, of: str) -> int:
        """The largest eigenvalue of contacts, weighted."""

        def settled(each: Expression, strata: Strata) -> int:
            node = self._evaluate(each, strata, of)
            if self.graph.nodes[node].depends & ~Depends.PARAMETERS:
                fail(
                    "M136",
                    f"{of} has infections per rate that change with time or people",
                    hint="give the contacts, susceptibility and infectious time of the moment that R0 is meant for",
                )
            return node

        by = [self._stratification(name, of) for name in given.contacts.by]
        contacts = WeightedContacts(self.graph, given.contacts, by, self.lane, settled)
        rows, columns = (
            [settled(each, group) for group in contacts.groups]
            for each in (given.susceptibility, given.infectious_time)
        )
        if not contacts.meets_by_lane and any(self.graph.nodes[node].wide for node in (*rows, *columns)):
            fail(
                "M105",
                f"{of} has infections per rate that differ by `{self.lane and self.lane.name}`, by which nobody meets",
                hint="give contacts by it as well, the same as in the Infection",
            )
        found, last = contacts.largest_eigenvalue(rows, columns)
        self._guard("eigenvalue", f"{of} has infections per rate whose last iteration", last)
        return found

    def _is_lane(self, name: str) -> bool:
        return self.lane is not None and self.lane.name == name

    def _scale(self, flow: Infection, scale: Expression, strata: Strata, of: str) -> int:
        return self._rate(flow.name, scale, strata, of)

    def _met_in(
        self, flow: Infection, contacts: Contacts, stratification: Stratification, strata: Strata, met: str, of: str
    ) -> int:
        """Contacts of a person in their own stratum with people in another, for a stratification that is not lanes."""
        if stratification.name not in strata:
            fail(
                "M105",
                f"{of} has contacts by `{stratification.name}`, which does not split `{flow.source}`",
                hint=f"stratify `{flow.source}` by `{stratification.name}`, or leave those contacts out",
            )
        row = list(stratification.strata).index(strata[stratification.name])
        column = list(stratification.strata).index(met)
        settings = contacts.settings(stratification)
        return self.graph.sum(
            self.graph.multiply(self.graph.constant(float(matrix[row, column])), self._scale(flow, scale, strata, of))
            for matrix, scale in settings
        )

    def _infectious_share(self, flow: Infection, met: Strata, strain: Strata, by_lane: bool, of: str) -> int:
        """Infectious people of a group, weighted, over all people of it."""
        key = ("infectious", id(flow), tuple(met.items()), tuple(strain.items()))
        if key in self._memory:
            return self._memory[key]
        weights = flow.infectiousness
        group = {name: (stratum,) for name, stratum in met.items()}
        who = {**group, **{name: (stratum,) for name, stratum in strain.items()}}
        infectious = []
        self._split_by_all(tuple(weights), strain, f"the infections of {of}")
        self._split_by_all((*self.model.compartments, *weights), met, f"the contacts of {of}")
        for compartment in self._compartments(tuple(weights), of):
            for _, strata in self._chosen([compartment], who):
                weight = self._rate(flow.name, expression(weights[compartment]), strata, of)
                infectious.append(self.graph.multiply(weight, self._people_in(compartment, strata)))
        everybody = [self._people_in(c, s) for c, s in self._chosen(self.model.compartments, group)]
        above, below = self.graph.sum(infectious), self.graph.sum(everybody)
        if not by_lane and self.lane is not None:
            above, below = self.graph.total(above), self.graph.total(below)
        share = self.graph.divide(above, self.graph.binary("maximum", below, self.graph.constant(NOBODY)))
        if flow.density_dependent:
            share = self.graph.multiply(share, below)
        self._memory[key] = share
        return share

    def _split_by_all(self, compartments: Iterable[str], group: Strata, of: str) -> None:
        """Refuse compartments that are in no stratum of a group: their people would silently not be counted."""
        for compartment in compartments:
            for name in group:
                if compartment in self.model.all_compartments and name not in self._kept(compartment):
                    fail(
                        "M115",
                        f"{of} differ by `{name}`, which does not split `{compartment}`: its people would not count",
                        hint=f"let `{name}` split `{compartment}` too",
                    )

    def _move(self, flow: Move, of: str) -> None:
        stratification = self._stratification(flow.stratification, of)
        origin = self._stratum(stratification, flow.origin, of)
        target = self._stratum(stratification, flow.target, of)
        if origin == target:
            fail("M121", f"{of} goes from `{origin}` to itself", hint="name another target")
        named = self._compartments(flow.compartments, of)
        where, mask = self._selection(flow.where, of)
        split = [c for c in named if stratification in self.model.strata_of(c)]
        if flow.compartments is not None and len(split) < len(named):
            lost = ", ".join(f"`{c}`" for c in named if c not in split)
            fail(
                "M125",
                f"{of} moves nobody in {lost}, which `{flow.stratification}` does not split",
                hint=f"let `{flow.stratification}` split it, or take it out of the flow's compartments",
            )
        if not self._is_lane(flow.stratification):
            where[flow.stratification] = (origin,)
        for compartment, strata in self._somebody(self._chosen(split, where), of):
            rate = self._rate(flow.name, expression(flow.rate), strata, of)
            row = self._row(compartment, strata)
            people = self._masked(self.graph.multiply(rate, self._people_in(compartment, strata)), mask)
            if self._is_lane(flow.stratification):
                places = list(self.lanes)
                alone = self.graph.constant([1.0 if lane == origin else 0.0 for lane in places])
                people = self.graph.multiply(people, alone)
                self._leave(row, self.graph.multiply(rate, alone))
                self._book(flow.name, row, row, strata, people, places.index(target) - places.index(origin))
            else:
                self._leave(row, rate)
                arrived = {**strata, flow.stratification: target}
                self._carry(flow.name, compartment, compartment, strata, arrived, people)

    def _age(self, stratification: Stratification) -> None:
        """People grow older: out of each band at one over its width, into the next."""
        widths = list(stratification.widths or ())[: len(stratification.strata) - 1]
        compartments = [c for c in self.model.all_compartments if stratification in self.model.strata_of(c)]
        name = f"ageing by {stratification.name}"
        rates = [1.0 / float(width) for width in widths]
        for compartment, strata in self._chosen(compartments, {}):
            if stratification is self.lane:
                row = self._row(compartment, strata)
                rate = self.graph.constant([*rates, 0.0])
                self._leave(row, rate)
                people = self.graph.multiply(rate, self._people_in(compartment, strata))
                self._book(name, row, row, strata, people, 1)
                continue
            place = list(stratification.strata).index(strata[stratification.name])
            if place < len(rates):
                rate = self.graph.constant(rates[place])
                self._leave(self._row(compartment, strata), rate)
                older = {**strata, stratification.name: stratification.strata[place + 1]}
                people = self.graph.multiply(rate, self._people_in(compartment, strata))
                self._carry(name, compartment, compartment, strata, older, people)

    def _entry(self, flow: Entry, of: str) -> None:
        (destination,) = self._compartments(flow.destination, of)
        self._used_split(flow.split, destination, self._varies_by(expression(flow.number)), of)
        for strata, number in self._placed(expression(flow.number), destination, flow.split, of):
            self._guard("number", f"{of} into {destination}", number)
            self._book(flow.name, None, self._row(destination, strata), strata, number)

    def _exit(self, flow: Exit, of: str) -> None:
        compartments = self._compartments(
            tuple(flow.source) if isinstance(flow.source, (list, tuple)) else flow.source, of
        )
        where, mask = self._selection(flow.where, of)
        for compartment, strata in self._somebody(self._chosen(compartments, where), of):
            rate = self._rate(flow.name, expression(flow.rate), strata, of)
            row = self._row(compartment, strata)
            self._leave(row, rate)
            people = self._masked(self.graph.multiply(rate, self._people_in(compartment, strata)), mask)
            self._book(flow.name, row, None, strata, people)

    def _leave(self, row: int, rate: int) -> None:
        """Note the rate at which people leave a row, which the length of steps follows from; a pulse has none."""
        if not self.pulsing:
            self.leaving[row].append(rate)

    def _carry(
        self,
        flow: str,
        source: str,
        destination: str,
        left: Strata,
        arrived: Strata,
        people: int,
        becoming: Becoming = NOWHERE,
    ) -> None:
        """Take people out of one row and put the same people into another; what they become is not yet counted."""
        later = dict(arrived)
        for name, given in becoming.items():
            later[name] = given if isinstance(given, str) else given.get(arrived[name], arrived[name])
        self._book(flow, self._row(source, left), self._row(destination, later), {**left, **arrived}, people)

    def _book(
        self, flow: str, source: int | None, destination: int | None, strata: Strata, people: int, shift: int = 0
    ) -> None:
        """People of one row go to another, `shift` lanes further; from or to no row where they enter or leave."""
        if self.when is not None:
            people = self.graph.multiply(self.when, people)
        arriving = self.graph.shift(people, shift) if shift else people
        if source is not None:
            self.changes[source].append(self._negative(people))
        if destination is not None:
            self.changes[destination].append(arriving)
        self.moved.setdefault(flow, []).append(_Moved(strata, arriving, len(self.jumps)))
        self.jumps.append(Jump(flow, source, destination, people, shift))

    def _negative(self, node: int) -> int:
        return self.graph.multiply(self.graph.constant(-1.0), node)

    def _masked(self, node: int, mask: int | None) -> int:
        return node if mask is None else self.graph.multiply(node, mask)

    def _rate(self, flow: str, given: Expression, strata: Strata, of: str) -> int:
        """A rate or multiplier in some strata, which must not be negative when the model runs."""
        node = self._evaluate(given, strata, of)
        inside = ", ".join(f"{name}={stratum}" for name, stratum in strata.items())
        self._guard("part" if self.pulsing else "rate", f"{of}{f' ({inside})' if inside else ''}", node)
        return node

    def _guard(self, kind: str, label: str, node: int) -> None:
        """Refuse what is negative already, and watch what may become so."""
        known = self.graph.nodes[node]
        if known.operation != "constant":
            self.guards.append(Guard(kind, label, node))
        elif kind == "eigenvalue":
            if any(abs(float(x) - 1.0) > EIGENVALUE_TOLERANCE for x in known.data):
                fail("M136", f"{label} {NOT_SETTLED[0]}", hint=NOT_SETTLED[1])
        elif kind == "delay" and any(float(x) <= 0 for x in known.data):
            fail("M135", f"{label} has the number {min(map(float, known.data)):g}", hint="give numbers above zero")
        elif kind == "part" and any(float(x) > 1 for x in known.data):
            fail("M110", f"{label} is {max(map(float, known.data)):g}, but a share is never above 1", hint="look for %")
        elif any(float(x) < 0 for x in known.data):
            fail(
                "M110",
                f"{label} is {min(float(x) for x in known.data):g}, but a rate, a share or a number is never below 0",
                hint="look for a sign, or for two numbers subtracted the wrong way round",
            )

    # -- sharing people out ----------------------------------------------------------------------

    def _shares(
        self, compartment: str, strata: Strata, split: Split, of: str, *, default: bool, without: Iterable[str] = ()
    ) -> Iterator[tuple[Strata, int]]:
        """Where in a compartment people of some strata go, and which share of them.

        With `default` a stratification's own split serves where none is given here.
        """
        open_ = [s for s in self._row_stratifications(compartment) if s.name not in strata]
        for name in split:
            self._stratification(name, of)
        choices = [self._proportions(s, split, strata, of, default=default) for s in open_ if s.name not in without]
        named = [s for s in open_ if s.name not in without]
        for choice in itertools.product(*choices):
            arrived = {**strata, **{s.name: stratum for s, (stratum, _) in zip(named, choice, strict=True)}}
            share = self.graph.constant(1.0)
            for _, part in choice:
                share = self.graph.multiply(share, part)
            if not (self.graph.nodes[share].operation == "constant" and self.graph.nodes[share].data == (0.0,)):
                yield arrived, share

    def _proportions(
        self, stratification: Stratification, split: Split, strata: Strata, of: str, *, default: bool
    ) -> list[tuple[str, int]]:
        # Whoever comes into a compartment begins with its first stage, whatever brought them.
        default = default or stratification in self.stages
        given = split.get(stratification.name, stratification.split if default else None)
        if given is None:
            fail(
                "M106",
                f"{of} brings people into strata of `{stratification.name}` without saying into which",
                hint=f'add split={{"{stratification.name}": {{...}}}} with a share for each stratum',
            )
        if isinstance(given, str):
            return [(self._stratum(stratification, given, of), self.graph.constant(1.0))]
        values = self._by_name(_as_by(stratification.name, given, stratification), stratification, of)
        nodes = {name: self._evaluate(value, strata, of) for name, value in values.items()}
        label = f"the shares of {of} by `{stratification.name}`"
        for node in nodes.values():
            self._guard("rate", label, node)
        self._sum_to_one(self.graph.sum(nodes.values()), label)
        return list(nodes.items())

    def _sum_to_one(self, node: int, label: str) -> None:
        known = self.graph.nodes[node]
        if known.operation == "constant" and any(abs(float(x) - 1.0) > 1e-6 for x in known.data):
            fail(
                "M107",
                f"{label} sum to {float(known.data[0]):g}, not to one: people would appear from nowhere or be lost",
                hint="let the last share be one minus the others",
            )
        if known.operation != "constant":
            self.guards.append(Guard("share", label, node))

    def _placed(self, given: Expression, compartment: str, split: Split, of: str) -> Iterator[tuple[Strata, int]]:
        """People put into a compartment: the number in each of its rows, over all lanes."""
        varies = self._varies_by(given)
        apart = [s for s in self._row_stratifications(compartment) if s.name in varies]
        for choice in itertools.product(*(s.strata for s in apart)):
            strata = {s.name: stratum for s, stratum in zip(apart, choice, strict=True)}
            number = self._evaluate(given, strata, of)
            for arrived, share in self._shares(compartment, strata, split, of, default=True):
                people = self.graph.multiply(number, share)
                if self.lane is not None and self.lane.name not in varies:
                    people = self.graph.multiply(people, self._lane_shares(split, arrived, of))
                yield arrived, people

    def _lane_shares(self, split: Split, strata: Strata, of: str) -> int:
        if self.lane is None:
            return self.graph.constant(1.0)
        shares = dict(self._proportions(self.lane, split, strata, of, default=True))
        return self.graph.pack([shares.get(lane, self.graph.constant(0.0)) for lane in self.lanes])

    def _varies_by(self, given: Expression) -> set[str]:
        """The stratifications an expression can differ by."""
        found: set[str] = set()
        for part in walk(given, into=lambda each: not isinstance(each, (Events, InfectionsPerRate))):
            if isinstance(part, By):
                found.add(part.stratification)
            elif isinstance(part, (People, Events)):
                found.update(part.by)
        return found

    def _initial(self) -> list[int]:
        nodes = [self.graph.constant(0.0) for _ in self.rows]
        for compartment, given in self.model.initial.items():
            self._try(self._start, nodes, compartment, expression(given))
        return nodes

    def _start(self, nodes: list[int], compartment: str, given: Expression) -> None:
        of = f"the initial number of `{compartment}`"
        self._compartments(compartment, of)
        for strata, people in self._placed(given, compartment, {}, of):
            if self.graph.nodes[people].depends & ~Depends.PARAMETERS:
                fail("M116", f"{of} changes with time or people", hint="use numbers and parameters only")
            self._guard("number", of, people)
            row = self._row(compartment, strata)
            nodes[row] = self.graph.add(nodes[row], people)

    # -- outputs ---------------------------------------------------------------------------------

    def _columns(self, name: str, output: Output) -> Iterator[Column]:
        of = f"the output `{name}`"
        apart = [self._stratification(each, of) for each in output.by]
        varies = self._varies_by(expression(output.value))
        for stratification in apart:
            if stratification.name not in varies:
                name = stratification.name
                fail(
                    "M127",
                    f"{of} is shown by `{name}`, but is the same number in each of them: the sum over all",
                    hint=f'write people(..., by=["{name}"]) or events(..., by=["{name}"]) to keep them apart',
                )
        rows = [s for s in apart if s is not self.lane]
        by_lane = any(s is self.lane for s in apart)
        for choice in itertools.product(*(s.strata for s in rows)):
            strata = {s.name: stratum for s, stratum in zip(rows, choice, strict=True)}
            now, delayed = taken_apart(expression(output.value))
            node = self._shown(now, strata, by_lane, of)
            node = self.graph.spread(node) if by_lane else node
            later = tuple(self._later(each, strata, by_lane, of) for each in delayed)
            yield Column(name, tuple(strata.items()), node, later)

    def _shown(self, given: Expression, strata: Strata, by_lane: bool, of: str) -> int:
        """The node of an output: one number, or one for each lane."""
        node = self._evaluate(given, strata, of)
        if self.graph.nodes[node].wide and not by_lane and self.lane is not None:
            fail(
                "M105",
                f"{of} differs by `{self.lane.name}`, but is one number",
                hint=f'add by=["{self.lane.name}"] to the output, or sum over it',
            )
        return node

    def _later(self, given: Delayed, strata: Strata, by_lane: bool, of: str) -> Later:
        """What an output gets from earlier events: these, and the numbers of their delay."""
        numbers = [self._shown(each, strata, by_lane, of) for each in given.delay.numbers]
        label = f"the delay of {of}"
        for number in numbers:
            if self.graph.nodes[number].depends & ~Depends.PARAMETERS:
                fail(
                    "M135",
                    f"{label} changes with time or people",
                    hint="a delay is numbers and parameters; let the shares that go one way or another change",
                )
            self._guard("rate" if given.delay.family == "discrete" else "delay", label, number)
        if given.delay.family == "discrete":
            self._sum_to_one(self.graph.sum(numbers), f"the probabilities of {label}")
        step = given.step or DELAY_STEP[self.model.time]
        events = self._shown(given.value, strata, by_lane, of)
        events = self.graph.spread(events) if by_lane else events
        return Later(events, given.delay.family, tuple(numbers), step, given.lasting)


def _replaces(flow: Flow) -> bool:
    """Whether a flow depends on who leaves by others, which are then to be lowered before it."""
    number = flow.number if isinstance(flow, Entry) else None if isinstance(flow, Pulse) else flow.rate
    return number is not None and any(isinstance(part, Leaving) for part in walk(expression(number)))


def _is_within(strata: Strata, where: Mapping[str, tuple[str, ...]]) -> bool:
    return all(strata.get(name) in listed for name, listed in where.items())


def _both(where: Mapping[str, tuple[str, ...]], apart: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The strata that are in both selections; none of a stratification where they exclude each other."""
    shared = {name: tuple(s for s in listed if s in where.get(name, listed)) for name, listed in apart.items()}
    return {**where, **shared}


def _as_by(name: str, given: object, stratification: Stratification) -> By:
    from modelworks.model._expression import by

    if isinstance(given, Mapping):
        # Strata that are not named get nobody.
        filled = dict.fromkeys(stratification.strata, 0.0)
        return By(
            name, {**{k: expression(v) for k, v in filled.items()}, **{k: expression(v) for k, v in given.items()}}
        )
    values = np.asarray(given).tolist() if isinstance(given, np.ndarray) else given
    result = by(name, values)  # type: ignore[arg-type]
    if not isinstance(result, By):
        raise TypeError("shares by stratum are a mapping or a sequence")
    return result
