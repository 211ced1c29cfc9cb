"""From a declaration to a graph: every compartment in every combination of strata, every flow written out.

The parts are in `lowering/`, in the order they are put to work:

- `_axes`: rows and lanes, and what names mean.
- `_ledger`: what every flow takes and gives, and the events that outputs count.
- `_guards`: numbers that must hold while the model runs.
- `_meaning`: the node of an expression in some strata.
- `_sharing`, `_pressure`, `_flows`: who arrives where, who infects whom, each kind of flow.
- `_outputs`: the columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from modelworks.dates import Calendar
from modelworks.errors import Letters, ModelworksError, fail
from modelworks.model._declaration import Entry, Flow, Pulse
from modelworks.model._expression import Expression, Leaving, expression, walk
from modelworks.model._graph import Depends
from modelworks.model._program import Column, Program
from modelworks.model.lowering._axes import Axes
from modelworks.model.lowering._flows import Flows
from modelworks.model.lowering._guards import Guards
from modelworks.model.lowering._ledger import Ledger
from modelworks.model.lowering._meaning import AlreadyTold, Meaning
from modelworks.model.lowering._outputs import Outputs
from modelworks.model.lowering._sharing import Sharing
from modelworks.model.solvers._grid import moments_of_pulse

if TYPE_CHECKING:
    from modelworks.model._model import Model


def lower(model: Model, calendar: Calendar | None = None) -> Program:
    """The program of a model, or a `ModelworksError` with every mistake found on the way."""
    return _Lowering(model, calendar).program()


class _Lowering:
    """One model on its way; mistakes are collected in `letters`."""

    def __init__(self, model: Model, calendar: Calendar | None) -> None:
        self.letters = Letters()
        self.axes = Axes(model)
        self.model = self.axes.model
        self.graph = self.axes.graph
        self.ledger = Ledger(self.axes)
        self.guards = Guards(self.graph)
        self.meaning = Meaning(self.axes, self.ledger, self.guards, calendar, lower)
        self.sharing = Sharing(self.meaning)
        self.flows = Flows(self.meaning, self.sharing)
        self.outputs = Outputs(self.meaning)

    def program(self) -> Program:
        pulses = self._pulses()
        for flow in sorted(self.model.flows, key=_waits):
            self._try(self.flows.lower, flow, f"the flow `{flow.name}`")
        for stratification in self.model.stratifications:
            if stratification.widths is not None:
                self.flows.age(stratification)
        initial = self._initial()
        columns = self._columns()
        self.letters.raise_if_any()
        axes, ledger, graph = self.axes, self.ledger, self.graph
        return Program(
            graph=graph,
            parameters=tuple(axes.positions),
            lanes=axes.lanes,
            lane_stratification=axes.lane.name if axes.lane else None,
            rows=(*axes.rows, *(row for row, _ in ledger.counted)),
            derivatives=(*(graph.sum(terms) for terms in ledger.changes), *(node for _, node in ledger.counted)),
            initial=(*initial, *(graph.constant(0.0) for _ in ledger.counted)),
            columns=columns,
            guards=tuple(dict.fromkeys(self.guards.watched)),
            exit_rates=tuple(
                graph.sum(t for t in terms if not graph.nodes[t].depends & Depends.STATE) for terms in ledger.leaving
            ),
            knots=tuple(sorted({t for knots in graph.knots for t in knots.times})),
            jumps=tuple(ledger.jumps),
            counts=tuple(ledger.counts),
            pulses=pulses,
        )

    def _pulses(self) -> tuple[float, ...]:
        """Lower the pulses, and let whatever else there is pause at their moments, which are returned."""
        pulses = [flow for flow in self.model.flows if isinstance(flow, Pulse)]
        times = sorted({time for pulse in pulses for time in self.flows.times_of(pulse)})
        for pulse in pulses:
            self._try(self.flows.pulse, pulse)
        if times:
            still = self.graph.happening(moment for time in times for moment in moments_of_pulse(time))
            self.ledger.when = self.graph.subtract(self.graph.constant(1.0), still)
        return tuple(times)

    def _columns(self) -> tuple[Column, ...]:
        self.meaning.in_outputs = True
        columns: list[Column] = []
        for name, output in self.model.series.items():
            self._try(lambda name=name, output=output: columns.extend(self.outputs.columns(name, output)))
        return tuple(columns)

    def _try(self, work: Callable[..., object], *arguments: object) -> None:
        """Do a part; its mistakes are collected, so that one does not hide the next."""
        try:
            work(*arguments)
        except AlreadyTold:
            # Whoever mends the flow mends this.
            return
        except ModelworksError as error:
            self.letters.extend(error.letters)

    def _initial(self) -> list[int]:
        nodes = [self.graph.constant(0.0) for _ in self.axes.rows]
        for compartment, given in self.model.initial.items():
            self._try(self._start, nodes, compartment, expression(given))
        return nodes

    def _start(self, nodes: list[int], compartment: str, given: Expression) -> None:
        of = f"the initial number of `{compartment}`"
        self.axes.compartments(compartment, of)
        for strata, people in self.sharing.placed(given, compartment, {}, of):
            if self.graph.nodes[people].depends & ~Depends.PARAMETERS:
                fail("M116", f"{of} changes with time or people", hint="use numbers and parameters only")
            self.guards.watch("number", of, people)
            row = self.axes.row(compartment, strata)
            nodes[row] = self.graph.add(nodes[row], people)


def _waits(flow: Flow) -> bool:
    """Whether a flow depends on who leaves by others, which are then to be lowered before it."""
    number = flow.number if isinstance(flow, Entry) else None if isinstance(flow, Pulse) else flow.rate
    return number is not None and any(isinstance(part, Leaving) for part in walk(expression(number)))
