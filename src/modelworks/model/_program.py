"""What a model becomes before it is compiled: a graph, and which of its nodes are what."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from modelworks.model._graph import Depends, Graph


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the state: a compartment in one combination of the strata that are not lanes.

    An accumulator is a row nobody lives in; it counts the events of a flow between outputs.
    """

    compartment: str
    strata: tuple[tuple[str, str], ...]
    accumulates: bool = False

    @property
    def name(self) -> str:
        inside = ", ".join(f"{name}={stratum}" for name, stratum in self.strata)
        return f"{self.compartment}[{inside}]" if inside else self.compartment


@dataclass(frozen=True, slots=True)
class Jump:
    """One way for one person to move: out of a row and into another, `shift` lanes further.

    `people` is how many do so per time; without a source they come from outside, without a
    destination they leave for good.
    """

    flow: str
    source: int | None
    destination: int | None
    people: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Later:
    """What an output gets from earlier events when the run is done: nodes of these and of their delay's numbers."""

    events: int
    family: str
    numbers: tuple[int, ...]
    step: float
    lasting: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One output: a scalar node, or a wide one that takes a column a lane."""

    output: str
    strata: tuple[tuple[str, str], ...]
    node: int
    later: tuple[Later, ...] = ()


# A share may miss one, and a rate zero, by the round-off of a few additions.
GUARD_TOLERANCE = 1e-9
# Dividing by nobody: where a group is empty nobody in it is infectious either, and 0 / this is 0.
NOBODY = 1e-100
# How much an eigenvalue may have changed in its last iteration.
EIGENVALUE_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Guard:
    """A number that must hold for a run to mean anything: a rate not below zero, shares that sum to one."""

    kind: str  # "rate", "share", "number", "part", "delay", "eigenvalue"
    label: str
    node: int

    @property
    def limits(self) -> tuple[float, float]:
        """Between which it must lie; what is not a number, or infinite, lies between no limits."""
        if self.kind == "share":
            return 1.0 - GUARD_TOLERANCE, 1.0 + GUARD_TOLERANCE
        if self.kind == "eigenvalue":
            return 1.0 - EIGENVALUE_TOLERANCE, 1.0 + EIGENVALUE_TOLERANCE
        if self.kind == "delay":
            return sys.float_info.min, sys.float_info.max
        if self.kind == "part":
            return -GUARD_TOLERANCE, 1.0 + GUARD_TOLERANCE
        return -GUARD_TOLERANCE, sys.float_info.max


@dataclass(frozen=True)
class Program:
    """A model lowered to a graph.

    `derivatives` holds a node for each row (accumulators included), per the model's time unit;
    `initial` one for each row at the start; `exit_rates` the part of each row's rate of leaving that
    does not depend on the state; `knots` the times at which a table changes. `jumps` is every way to
    move, for stochastic runs; `counts` says, for each accumulator, which jumps it counts and the node of
    what each of their events counts. `pulses` are the times at which people move at an instant: the grid gives each
    a step of its own, in which all other derivatives are zero. `balanced` are quasi-steady rows, which stand still,
    with the node of what is in them.
    """

    graph: Graph
    parameters: tuple[str, ...]
    lanes: tuple[str, ...]
    lane_stratification: str | None
    rows: tuple[Row, ...]
    derivatives: tuple[int, ...]
    initial: tuple[int, ...]
    columns: tuple[Column, ...]
    guards: tuple[Guard, ...]
    exit_rates: tuple[int, ...]
    knots: tuple[float, ...]
    jumps: tuple[Jump, ...] = ()
    counts: tuple[tuple[tuple[int, int], ...], ...] = ()
    pulses: tuple[float, ...] = ()
    balanced: tuple[tuple[int, int], ...] = ()

    @property
    def width(self) -> int:
        return self.graph.width

    def side_by_side(self, runs: int) -> Program:
        """The program of several runs at once; only of one without lanes."""
        return replace(self, graph=self.graph.side_by_side(runs))

    def content(self) -> str:
        """Everything the machine code is made from, as text: two programs of one content have one code.

        To be asked before the graph is differentiated, which adds to it.
        """
        graph = self.graph
        # What depends on time alone is computed beforehand: the code reads it, whatever it is.
        read = {k for k, node in enumerate(graph.nodes) if node.depends == Depends.TIME}
        places = (self.derivatives, self.initial, self.observed, self.stocks, self.accumulators)
        guards = [(guard.limits, guard.node) for guard in self.guards]
        wanted = [*self.derivatives, *self.initial, *self.observed, *(node for _, node in guards)]
        nodes = []
        for k in sorted(graph.ancestors(wanted, stop=read)):
            node = graph.nodes[k]
            nodes.append((k, node.wide) if k in read else (k, node.operation, node.children, node.data, node.wide))
        matrices = [(matrix.shape, matrix.tobytes().hex()) for matrix in graph.matrices]
        return repr((graph.width, graph.runs, len(self.parameters), nodes, matrices, places, guards))

    @cached_property
    def watched(self) -> tuple[Guard, ...]:
        """Guards that depend on the state: looked at whenever outputs are written."""
        return tuple(g for g in self.guards if self.graph.nodes[g.node].depends & Depends.STATE)

    @cached_property
    def settled(self) -> tuple[Guard, ...]:
        """Guards that are known for a whole run before it starts."""
        return tuple(g for g in self.guards if not self.graph.nodes[g.node].depends & Depends.STATE)

    @cached_property
    def hidden(self) -> tuple[int, ...]:
        """Nodes written for outputs that come later than their events."""
        return tuple(dict.fromkeys(n for c in self.columns for each in c.later for n in (each.events, *each.numbers)))

    @cached_property
    def delay_steps(self) -> tuple[float, ...]:
        """The steps within which delayed events are taken as even; outputs are written at the end of each."""
        return tuple(sorted({each.step for column in self.columns for each in column.later}))

    @cached_property
    def observed(self) -> tuple[int, ...]:
        """Nodes written at every output: the columns, behind them the hidden, and last the watched guards."""
        return (*(column.node for column in self.columns), *self.hidden, *(guard.node for guard in self.watched))

    @cached_property
    def stocks(self) -> tuple[int, ...]:
        """Positions of the rows people live in."""
        return tuple(k for k, row in enumerate(self.rows) if not row.accumulates)

    @cached_property
    def accumulators(self) -> tuple[int, ...]:
        return tuple(k for k, row in enumerate(self.rows) if row.accumulates)


@dataclass(frozen=True)
class Slots:
    """Where the values of a class of nodes lie in a buffer of float64."""

    offsets: dict[int, int]
    size: int

    @staticmethod
    def lay_out(graph: Graph, blocks: Iterable[tuple[int, ...]]) -> Slots:
        """Give every node its place; the nodes of one block lie side by side.

        A node may lie in several blocks; it is then computed once and stored in each.
        """
        offsets: dict[int, int] = {}
        size = 0
        for block in blocks:
            for node in block:
                offsets.setdefault(node, size)
                size += graph.width if graph.nodes[node].wide else 1
        return Slots(offsets, size)


@dataclass(frozen=True)
class Schedule:
    """When each part of a program is computed.

    - `run_nodes`: depend on parameters only; once a run.
    - `data_nodes`: depend on time only; once a time grid, whatever the parameters.
    - `moment_nodes`: depend on both; once a time point of a run.
    Everything else depends on the state and is computed at each evaluation of the derivative.
    """

    run_nodes: tuple[int, ...]
    data_nodes: tuple[int, ...]
    moment_nodes: tuple[int, ...]

    @staticmethod
    def of(program: Program) -> Schedule:
        graph = program.graph
        wanted = [*program.derivatives, *program.observed, *(guard.node for guard in program.guards)]
        moment = _frontier(graph, wanted, Depends.PARAMETERS | Depends.TIME)
        run = _frontier(graph, wanted, Depends.PARAMETERS)
        data = _frontier(graph, wanted, Depends.TIME)
        return Schedule(tuple(sorted(run)), tuple(sorted(data)), tuple(sorted(moment)))


def _frontier(graph: Graph, wanted: Iterable[int], depends: Depends) -> set[int]:
    """The topmost nodes below `wanted` that depend on exactly this."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = list(wanted)
    while waiting:
        index = waiting.pop()
        if index in seen:
            continue
        seen.add(index)
        node = graph.nodes[index]
        if node.depends == depends:
            found.add(index)
        else:
            waiting.extend(node.children)
    return found
