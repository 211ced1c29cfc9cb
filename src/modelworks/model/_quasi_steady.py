r"""A compartment that is always in balance, left out of the differential equations: exact algebra of the graph.

Where what is in some compartments $q$ changes much faster than all else $x$, it follows $x$ at once:
$$\dot q = b(x) + J(x)\, q = 0 \quad\Rightarrow\quad q = -J(x)^{-1} b(x),$$
for a balance that is linear in $q$ itself. The error is of the order of the slow rates over the fast ones
(Tikhonov's theorem; Segel & Slemrod 1989, doi:10.1137/1031091), and the step is no longer bounded by these. Where
nothing comes into the compartments or leaves them, only their shares are fast, and as much is in them as at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from modelworks.dates import Calendar
from modelworks.errors import fail, near
from modelworks.model._declaration import Pulse
from modelworks.model._directions import MIXING, substituted, tangents
from modelworks.model._graph import Graph
from modelworks.model._lower import lower
from modelworks.model._program import Guard, Program

if TYPE_CHECKING:
    from modelworks.model._model import Model

HINT = "let it be followed in time: take it out of `quasi_steady`, and use the solver `implicit` where it is fast"


def program_of(model: Model, calendar: Calendar | None = None) -> Program:
    """The program of a deterministic run: the model's own, with quasi-steady compartments in balance."""
    program = lower(model, calendar)
    return in_balance(model, program) if model.quasi_steady else program


def in_balance(model: Model, program: Program) -> Program:
    """A program whose quasi-steady rows stand still, while all that depends on them depends on their balance."""
    for name in model.quasi_steady:
        if name not in model.all_compartments:
            fail(
                "M101",
                f"`quasi_steady` names a compartment `{name}`, but the model has none of that name",
                hint=near(name, model.all_compartments),
            )
    rows = [k for k in program.stocks if program.rows[k].compartment in model.quasi_steady]
    _refuse_pulses(model, program, rows)
    graph = program.graph
    balances = list(zip(rows, _solved(graph, *_equations(program, rows)), strict=True))
    instead = {graph.state(row): node for row, node in balances}
    nothing = graph.constant(0.0)
    wanted = [*program.derivatives, *program.observed, *(g.node for g in program.guards), *program.exit_rates]
    found = substituted(graph, wanted, instead)
    guards = [replace(guard, node=found[guard.node]) for guard in program.guards]
    guards += [Guard("number", f"the balance of `{program.rows[row].name}`", node) for row, node in balances]
    return replace(
        program,
        derivatives=tuple(nothing if k in rows else found[node] for k, node in enumerate(program.derivatives)),
        exit_rates=tuple(nothing if k in rows else found[node] for k, node in enumerate(program.exit_rates)),
        columns=tuple(
            replace(
                column,
                node=found[column.node],
                later=tuple(
                    replace(each, events=found[each.events], numbers=tuple(found[n] for n in each.numbers))
                    for each in column.later
                ),
            )
            for column in program.columns
        ),
        guards=tuple(guards),
        balanced=tuple(balances),
    )


def _refuse_pulses(model: Model, program: Program, rows: Sequence[int]) -> None:
    pulses = {flow.name for flow in model.flows if isinstance(flow, Pulse)}
    for jump in program.jumps:
        touched = [row for row in rows if row in (jump.source, jump.destination)]
        if jump.flow in pulses and touched:
            _tell(program, touched[0], f"the pulse `{jump.flow}` moves what is in it at an instant")


def _equations(program: Program, rows: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """What the balance of each row takes from each (row, row), and what comes into each whatever is in them."""
    graph = program.graph
    states = [graph.state(row) for row in rows]
    zero, one = graph.constant(0.0), graph.constant(1.0)
    # A pulse elsewhere makes everything else pause for its moment, which is no part of the balance.
    still = {k: zero for k, node in enumerate(graph.nodes) if node.operation == "happening"}
    found = substituted(graph, [program.derivatives[row] for row in rows], still)
    changes = [found[program.derivatives[row]] for row in rows]
    _refuse_mixing(program, rows, changes, states)
    come = substituted(graph, changes, dict.fromkeys(states, zero))
    sources = [come[change] for change in changes]
    matrix: list[list[int]] = [[] for _ in rows]
    for state in states:
        itself = {k: k for k in graph.ancestors(changes)}
        moved = tangents(graph, changes, {**dict.fromkeys(states, zero), state: one}, graph, itself)
        for k, change in enumerate(changes):
            if graph.ancestors([moved[change]]) & set(states):
                _tell(program, rows[k], "what comes and goes is not in proportion to what is there")
            matrix[k].append(graph.subtract(zero, moved[change]))
    for closed in _closed(program, rows):
        # As much is in them as at the start: in the place of one balance, which follows from the others.
        matrix[closed[0]] = [one if k in closed else zero for k in range(len(rows))]
        sources[closed[0]] = graph.sum(program.initial[rows[k]] for k in closed)
    for k, row in enumerate(rows):
        if matrix[k][k] == zero:
            _tell(program, row, "nothing leaves it, so it is never in balance")
    return matrix, sources


def _refuse_mixing(program: Program, rows: Sequence[int], changes: Sequence[int], states: Sequence[int]) -> None:
    graph = program.graph
    for row, change in zip(rows, changes, strict=True):
        for k in graph.ancestors([change]):
            if graph.nodes[k].operation in MIXING and graph.ancestors([k]) & set(states):
                name = program.lane_stratification
                _tell(program, row, f"what is in one stratum of `{name}` depends on what is in the others")


def _closed(program: Program, rows: Sequence[int]) -> list[list[int]]:
    """The positions of rows between which people move, but from and to which nobody comes or goes."""
    group = {row: {row} for row in rows}
    open_: set[int] = set()
    for jump in program.jumps:
        inside = [row for row in (jump.source, jump.destination) if row in group]
        if len(inside) == 2:
            joined = group[inside[0]] | group[inside[1]]
            group.update(dict.fromkeys(joined, joined))
        elif inside:
            open_.add(inside[0])
    found = {tuple(sorted(each)) for each in group.values() if not each & open_}
    return [[rows.index(row) for row in each] for each in sorted(found) if len(each) > 1]


def _solved(graph: Graph, matrix: list[list[int]], sources: list[int]) -> list[int]:
    """The solution of linear equations, lane by lane, by elimination in the order they stand in.

    Without pivots: what arrives in other rows has left its own, whose number is therefore the largest of its column.
    """
    zero, size = graph.constant(0.0), len(sources)
    for k in range(size):
        for i in range(k + 1, size):
            if matrix[i][k] == zero:
                continue
            part = graph.divide(matrix[i][k], matrix[k][k])
            for j in range(k + 1, size):
                matrix[i][j] = graph.subtract(matrix[i][j], graph.multiply(part, matrix[k][j]))
            sources[i] = graph.subtract(sources[i], graph.multiply(part, sources[k]))
    found: dict[int, int] = {}
    for k in reversed(range(size)):
        rest = graph.sum(graph.multiply(matrix[k][j], found[j]) for j in range(k + 1, size))
        found[k] = graph.divide(graph.subtract(sources[k], rest), matrix[k][k])
    return [found[k] for k in range(size)]


def _tell(program: Program, row: int, reason: str) -> NoReturn:
    fail("M152", f"`{program.rows[row].name}` can not be quasi-steady: {reason}", hint=HINT)
