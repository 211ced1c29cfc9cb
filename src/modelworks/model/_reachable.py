"""Compartments and strata that nobody can ever be in, from the declaration alone: a misspelt flow, or one forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from modelworks.errors import Letter
from modelworks.model._declaration import Entry, Exit, Flow, Infection, Move, Pulse, Stratification, Transition
from modelworks.model._expression import By, Constant, expression, one_or_more, walk

if TYPE_CHECKING:
    from modelworks.model._model import Model


def flows_of(model: Model) -> list[Transition | Move | Infection | Entry | Exit]:
    """The flows, and what pulses move as flows."""
    return [flow.flow if isinstance(flow, Pulse) else flow for flow in model.flows]


def unreachable_compartments(model: Model) -> Iterator[Letter]:
    """Those that nobody starts in or can get to, and those that no flow touches."""
    flows = flows_of(model)
    links = [(f.source, f.destination) for f in flows if isinstance(f, (Transition, Infection))]
    reached = _closed(set(model.initial) | {f.destination for f in flows if isinstance(f, Entry)}, links)
    for name in model.all_compartments:
        if name not in reached:
            yield Letter(
                "M108",
                f"nobody can ever be in `{name}`: nobody starts there and no flow leads to it",
                hint="add a flow into it, an initial number, or take it out",
            )
    used = {compartment for flow in flows for compartment in _touched(flow, model)}
    for name in model.all_compartments:
        if name not in used and len(model.compartments) > 1:
            yield Letter("M108", f"no flow begins or ends in `{name}`", hint="take it out, or say what happens in it")


def _touched(flow: Flow, model: Model) -> tuple[str, ...]:
    if isinstance(flow, (Transition, Infection)):
        return (flow.source, flow.destination)
    if isinstance(flow, Entry):
        return (flow.destination,)
    named = flow.source if isinstance(flow, Exit) else getattr(flow, "compartments", None)
    return tuple(model.compartments) if named is None else one_or_more(named)


def flows_out_of_nothing(model: Model) -> Iterator[Letter]:
    """Flows that begin in strata which nobody is ever in."""
    reached = {each.name: _strata_reached(model, each) for each in model.stratifications}
    for flow in flows_of(model):
        begins = {name: one_or_more(strata) for name, strata in getattr(flow, "where", {}).items()}
        if isinstance(flow, Move):
            begins[flow.stratification] = (flow.origin,)
        for name, strata in begins.items():
            if not set(strata) & reached.get(name, set(strata)):
                yield Letter(
                    "M125",
                    f"the flow `{flow.name}` moves nobody: nobody can ever be in {' or '.join(map(repr, strata))} of "
                    f"`{name}`",
                    hint="let people start there by the split of the stratification, or get there by a Move, a `split` "
                    "or `becoming` of a flow",
                )


def _strata_reached(model: Model, stratification: Stratification) -> set[str]:
    """Those somebody starts in or can come into, whatever the parameters."""
    name, every = stratification.name, set(stratification.strata)
    # People grow older; and where nothing says who is where, that is told elsewhere.
    if stratification.widths is not None or stratification.split is None:
        return every
    started = _shared(stratification.split, stratification)
    for number in (*model.initial.values(), *(f.number for f in flows_of(model) if isinstance(f, Entry))):
        by_stratum = (each for each in walk(expression(number)) if isinstance(each, By))
        for each in by_stratum:
            started |= _shared(each.values, stratification) if each.stratification == name else set()
    links: list[tuple[str, str]] = []
    for flow in flows_of(model):
        if isinstance(flow, Infection) and flow.strain == name:
            return every
        if isinstance(flow, Move) and flow.stratification == name:
            links.append((flow.origin, flow.target))
        started |= _shared(getattr(flow, "split", {}).get(name, {}), stratification)
        becoming = getattr(flow, "becoming", {}).get(name, {})
        links += becoming.items() if isinstance(becoming, Mapping) else [(each, becoming) for each in every]
    return _closed(started, links)


def _shared(given: Any, stratification: Stratification) -> set[str]:
    """The strata that get a share, by name or in order."""
    if isinstance(given, str):
        return {given}
    if isinstance(given, Mapping) and not any(str(name).startswith("#") for name in given):
        return {str(name) for name, share in given.items() if not _is_nought(share)}
    shares = given.values() if isinstance(given, Mapping) else given
    pairs = zip(stratification.strata, shares, strict=False)
    return {stratum for stratum, share in pairs if not _is_nought(share)}


def _is_nought(number: Any) -> bool:
    given = expression(number)
    return isinstance(given, Constant) and given.value == 0.0


def _closed(first: Iterable[str], links: Iterable[tuple[str, str]]) -> set[str]:
    """Everything that links lead to from the first ones."""
    reached, pairs = set(first), list(links)
    while more := {after for before, after in pairs if before in reached} - reached:
        reached |= more
    return reached
