"""What can not be right about a declaration, found before anything runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from modelworks import units
from modelworks.dates import Calendar
from modelworks.errors import Letter, Letters, ModelworksError, near
from modelworks.model._declaration import Flow, Infection, Transition
from modelworks.model._delayed import Delayed
from modelworks.model._dimensions import check_units
from modelworks.model._expression import Constant, Events, Operation, Parameter, People, expression, walk
from modelworks.model._reachable import flows_of, flows_out_of_nothing, unreachable_compartments

if TYPE_CHECKING:
    from modelworks.model._model import Model
    from modelworks.model._program import Program
    from modelworks.model._reached import Reached


def check(model: Model, *, start: bool = True) -> tuple[Letter, ...]:
    """Every mistake of the declaration, in the order a reader would find them.

    Without `start` it may be that nobody is infectious, as where only a reproduction number is asked for.
    """
    letters = Letters()
    _names(model, letters)
    _units(model, letters)
    _derived(model, letters)
    if letters:
        return tuple(letters)
    letters.extend(check_units(model))
    program = _lowering(model, letters)
    if program is not None and not letters:
        letters.extend(unreachable_compartments(model))
        letters.extend(flows_out_of_nothing(model))
        if start and not letters:
            _nobody(model, program, letters)
    return tuple(letters)


def _names(model: Model, letters: Letters) -> None:
    kinds = {
        "compartment": list(model.all_compartments),
        "flow": [flow.name for flow in model.flows],
        "stratification": [each.name for each in model.stratifications],
    }
    for kind, names in kinds.items():
        for name, times in Counter(names).items():
            if times > 1:
                letters.add("M102", f"there are {times} {kind}s named `{name}`", hint="give each a name of its own")
    if not model.compartments:
        letters.add("M101", f"`{model.name}` has no compartments", hint="name at least one")
    if not model.outputs:
        letters.add(
            "M113", f"`{model.name}` has no outputs", hint="say what a run should report: people(...), events(...)"
        )
    for stratification in model.stratifications:
        for name in stratification.compartments or ():
            if name not in model.all_compartments:
                letters.add(
                    "M101",
                    f"`{stratification.name}` splits a compartment `{name}`, but the model has none of that name",
                    hint=near(name, model.all_compartments),
                )
    for flow in flows_of(model):
        if isinstance(flow, (Transition, Infection)) and flow.source == flow.destination:
            letters.add(
                "M121",
                f"the flow `{flow.name}` goes from `{flow.source}` to itself",
                hint="for a change of stratum use Move; otherwise name another destination",
            )
        if isinstance(flow, (Transition, Infection)) and model.pool_of(flow.source) is not model.pool_of(
            flow.destination
        ):
            letters.add(
                "M134",
                f"the flow `{flow.name}` turns people into a pool, or one pool into another",
                hint="let people fill a pool by an Entry: number=rate * people(...)",
            )


def _units(model: Model, letters: Letters) -> None:
    try:
        parameters = model.parameters
    except ModelworksError as error:
        letters.extend(error.letters)
        return
    named = [(f"the parameter `{name}`", each.unit) for name, each in parameters.items()]
    named += [(f"the output `{n}`", o.unit) for n, o in model.series.items()]
    named += [(f"the pool `{pool.name}`", pool.unit) for pool in model.pools]
    for what, unit in named:
        try:
            units.parse(unit)
        except ModelworksError as error:
            for letter in error.letters:
                letters.add("M122", f"{what} has the unit `{unit}`: {letter.message}", hint=letter.hint)


def _derived(model: Model, letters: Letters) -> None:
    for name, given in model.derived.items():
        if not all(isinstance(part, (Constant, Parameter, Operation)) for part in walk(expression(given))):
            letters.add(
                "M118",
                f"the derived number `{name}` depends on time, people or strata",
                hint="derived numbers are arithmetic on parameters; make it an output instead",
            )


def _lowering(model: Model, letters: Letters) -> Program | None:
    """Lower the model, and hand on what is told."""
    from modelworks.model._lower import lower
    from modelworks.model._quasi_steady import in_balance

    try:
        program = lower(model, Calendar(model.time, date(2000, 1, 1)))
        if model.quasi_steady:
            # Where anybody can be is asked of the whole model; this tells what can not be in balance.
            in_balance(model, lower(model, Calendar(model.time, date(2000, 1, 1))))
        return program
    except ModelworksError as error:
        letters.extend(error.letters)
        return None


def _nobody(model: Model, program: Program, letters: Letters) -> None:
    """Infections nobody can start, and outputs of strata that nobody can get into."""
    from modelworks.model._reached import Reached

    reached = Reached(program)
    there = {row.compartment for row, lanes in zip(program.rows, reached.rows, strict=True) if lanes}
    for flow in model.flows:
        if isinstance(flow, Infection) and not there & set(flow.infectiousness):
            letters.add(
                "M115",
                f"the flow `{flow.name}` never infects anybody: nobody starts in "
                f"{' or '.join(f'`{name}`' for name in flow.infectiousness)}, and without them nobody gets there",
                hint="give an initial number of infectious people, or bring some by an Entry or a Pulse",
            )
    if not letters:
        for name in _always_zero(model, program, reached):
            letters.add(
                "M113",
                f"the output `{name}` is zero at all times, whatever the parameters",
                hint="nobody can get into the strata it counts: give them someone (an initial share, a Move, a flow "
                "with `becoming`), or leave the output out",
            )


def _always_zero(model: Model, program: Program, reached: Reached) -> list[str]:
    """Outputs that no parameter and no rate can make other than zero.

    A rate of zero is a number like another: nobody is vaccinated yet, and a scenario has no arrivals. Only where a flow
    is missing is there a mistake.
    """
    from modelworks.model._lower import lower
    from modelworks.model._reached import Reached

    zero = [name for name in _counting(model) if not _is_reached(name, program, reached)]
    if not zero:
        return []
    opened = lower(_at_any_rate(model), Calendar(model.time, date(2000, 1, 1)))
    found = Reached(opened)
    return [name for name in zero if not _is_reached(name, opened, found)]


def _counting(model: Model) -> list[str]:
    """Outputs that count people or events; a delayed series is made behind the graph, of the events it delays."""
    parts = {name: list(walk(expression(output.value))) for name, output in model.series.items()}
    return [
        name
        for name, inside in parts.items()
        if any(isinstance(part, (People, Events)) for part in inside)
        and not any(isinstance(part, Delayed) for part in inside)
    ]


def _is_reached(output: str, program: Program, reached: Reached) -> bool:
    return any(reached.nodes[column.node] for column in program.columns if column.output == output)


def _at_any_rate(model: Model) -> Model:
    """The model with flows that go where its own go, at rates that can be anything."""
    rate = Parameter("any rate")
    flows: list[Flow] = []
    for flow in model.flows:
        given = next(name for name in ("rate", "share", "number") if getattr(flow, name, None) is not None)
        changed: dict[str, Any] = {given: rate}
        flows.append(replace(flow, **changed))
    return replace(model, flows=flows)
