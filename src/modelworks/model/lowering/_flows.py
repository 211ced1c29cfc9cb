"""Each kind of flow, written out over the rows it leaves: how many people go where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from modelworks.errors import fail
from modelworks.model._declaration import (
    Becoming,
    Entry,
    Exit,
    Flow,
    Infection,
    Move,
    Pulse,
    Split,
    Stratification,
    Transition,
    stage_name,
)
from modelworks.model._expression import expression
from modelworks.model.lowering._axes import NOWHERE, Strata
from modelworks.model.lowering._meaning import Meaning
from modelworks.model.lowering._pressure import Pressure
from modelworks.model.lowering._sharing import Sharing
from modelworks.model.solvers._grid import moments_of_pulse


class Flows:
    """Lowers flows into the ledger, one at a time."""

    def __init__(self, meaning: Meaning, sharing: Sharing) -> None:
        self.meaning = meaning
        self.sharing = sharing
        self.pressure = Pressure(meaning)
        self.axes = meaning.axes
        self.model = meaning.model
        self.graph = meaning.graph
        self.ledger = meaning.ledger
        self.guards = meaning.guards

    def lower(self, flow: Flow, of: str) -> None:
        """A flow of any kind that goes on all the time."""
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

    def times_of(self, pulse: Pulse) -> list[float]:
        """When a pulse happens, in the model's time."""
        return [self.meaning.model_time(moment, f"the pulse `{pulse.name}`") for moment in pulse.moments]

    def pulse(self, pulse: Pulse) -> None:
        """The flow it is like, at its own moments, where a rate is the share of people who move."""
        self.ledger.when = self.graph.happening(moments_of_pulse(time)[1] for time in self.times_of(pulse))
        self.ledger.pulsing = True
        try:
            self.lower(pulse.flow, f"the pulse `{pulse.name}`")
        finally:
            self.ledger.when, self.ledger.pulsing = None, False

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
            stratification = self.axes.stratification(name, of)
            if name in kept or stratification not in self.model.strata_of(compartment):
                reason = "people keep the stratum they have" if name in kept else f"`{compartment}` is not split by it"
                fail(
                    "M126",
                    f"{of} has shares by `{name}`, which change nothing: {reason}",
                    hint="leave the shares out; people change stratum by a Move, or by what a flow says in `becoming`",
                )

    def _transition(self, flow: Transition, of: str) -> None:
        (source,) = self.axes.compartments(flow.source, of)
        (destination,) = self.axes.compartments(flow.destination, of)
        where, mask = self.axes.selection(flow.where, of)
        self._used_split(flow.split, destination, self.axes.kept(source), of)
        becoming = self._becoming(flow, of)
        for _, strata in self._somebody(self.axes.chosen([source], where), of):
            rate = self.meaning.rate(expression(flow.rate), strata, of)
            rate = self.graph.multiply(self.graph.constant(float(flow.stages)), rate)
            self.ledger.leave(self.axes.row(source, strata), rate)
            people = self._masked(self.graph.multiply(rate, self.axes.people_in(source, strata)), mask)
            stage = int(strata.get(stage_name(flow), "1")) if flow.stages > 1 else 1
            if stage < flow.stages:
                onward = {**strata, stage_name(flow): str(stage + 1)}
                self.ledger.carry(f"stages before {flow.name}", source, source, strata, onward, people)
                continue
            for arrived, share in self.sharing.shares(destination, strata, flow.split, of, default=False):
                part = self.graph.multiply(people, share)
                self.ledger.carry(flow.name, source, destination, strata, arrived, part, becoming)

    def _infection(self, flow: Infection, of: str) -> None:
        (source,) = self.axes.compartments(flow.source, of)
        (destination,) = self.axes.compartments(flow.destination, of)
        where, mask = self.axes.selection(flow.where, of)
        strains: Sequence[Strata] = [NOWHERE]
        if flow.strain is not None:
            strains = [{flow.strain: each} for each in self.axes.stratification(flow.strain, of).strata]
        self._used_split(flow.split, destination, {*self.axes.kept(source), flow.strain or ""}, of)
        becoming = self._becoming(flow, of)
        for _, strata in self._somebody(self.axes.chosen([source], where), of):
            for strain in strains:
                carried = {**strata, **strain}
                rate = self.meaning.rate(expression(flow.rate), carried, of)
                susceptibility = self.meaning.rate(expression(flow.susceptibility), carried, of)
                pressure = self.pressure.on(flow, strata, strain, of)
                hazard = self.graph.multiply(self.graph.multiply(rate, susceptibility), pressure)
                people = self._masked(self.graph.multiply(hazard, self.axes.people_in(source, strata)), mask)
                for arrived, share in self.sharing.shares(destination, carried, flow.split, of, default=False):
                    part = self.graph.multiply(people, share)
                    self.ledger.carry(flow.name, source, destination, strata, arrived, part, becoming)

    def _becoming(self, flow: Transition | Infection, of: str) -> Becoming:
        """What strata become on the way, when source and destination have them and nothing else chooses them."""
        if not isinstance(flow.becoming, Mapping):
            fail(
                "M133",
                f"{of} has `becoming` as a {type(flow.becoming).__name__}, which does not say what changes",
                hint='write becoming={"history": "infected"}, or {"history": {"none": "once"}}',
            )
        for name, given in flow.becoming.items():
            stratification = self.axes.stratification(name, of)
            for stratum in [given] if isinstance(given, str) else [*given, *given.values()]:
                self.axes.stratum(stratification, stratum, of)
            for compartment in (flow.source, flow.destination):
                if name not in self.axes.kept(compartment):
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

    def _move(self, flow: Move, of: str) -> None:
        stratification = self.axes.stratification(flow.stratification, of)
        origin = self.axes.stratum(stratification, flow.origin, of)
        target = self.axes.stratum(stratification, flow.target, of)
        if origin == target:
            fail("M121", f"{of} goes from `{origin}` to itself", hint="name another target")
        named = self.axes.compartments(flow.compartments, of)
        where, mask = self.axes.selection(flow.where, of)
        split = [c for c in named if stratification in self.model.strata_of(c)]
        if flow.compartments is not None and len(split) < len(named):
            lost = ", ".join(f"`{c}`" for c in named if c not in split)
            fail(
                "M125",
                f"{of} moves nobody in {lost}, which `{flow.stratification}` does not split",
                hint=f"let `{flow.stratification}` split it, or take it out of the flow's compartments",
            )
        if not self.axes.is_lane(flow.stratification):
            where[flow.stratification] = (origin,)
        for compartment, strata in self._somebody(self.axes.chosen(split, where), of):
            rate = self.meaning.rate(expression(flow.rate), strata, of)
            row = self.axes.row(compartment, strata)
            people = self._masked(self.graph.multiply(rate, self.axes.people_in(compartment, strata)), mask)
            if self.axes.is_lane(flow.stratification):
                places = list(self.axes.lanes)
                alone = self.graph.constant([1.0 if lane == origin else 0.0 for lane in places])
                people = self.graph.multiply(people, alone)
                self.ledger.leave(row, self.graph.multiply(rate, alone))
                self.ledger.book(flow.name, row, row, strata, people, places.index(target) - places.index(origin))
            else:
                self.ledger.leave(row, rate)
                arrived = {**strata, flow.stratification: target}
                self.ledger.carry(flow.name, compartment, compartment, strata, arrived, people)

    def age(self, stratification: Stratification) -> None:
        """People grow older: out of each band at one over its width, into the next."""
        widths = list(stratification.widths or ())[: len(stratification.strata) - 1]
        compartments = [c for c in self.model.all_compartments if stratification in self.model.strata_of(c)]
        name = f"ageing by {stratification.name}"
        rates = [1.0 / float(width) for width in widths]
        for compartment, strata in self.axes.chosen(compartments, {}):
            if stratification is self.axes.lane:
                row = self.axes.row(compartment, strata)
                rate = self.graph.constant([*rates, 0.0])
                self.ledger.leave(row, rate)
                people = self.graph.multiply(rate, self.axes.people_in(compartment, strata))
                self.ledger.book(name, row, row, strata, people, 1)
                continue
            place = list(stratification.strata).index(strata[stratification.name])
            if place < len(rates):
                rate = self.graph.constant(rates[place])
                self.ledger.leave(self.axes.row(compartment, strata), rate)
                older = {**strata, stratification.name: stratification.strata[place + 1]}
                people = self.graph.multiply(rate, self.axes.people_in(compartment, strata))
                self.ledger.carry(name, compartment, compartment, strata, older, people)

    def _entry(self, flow: Entry, of: str) -> None:
        (destination,) = self.axes.compartments(flow.destination, of)
        self._used_split(flow.split, destination, self.meaning.varies_by(expression(flow.number)), of)
        for strata, number in self.sharing.placed(expression(flow.number), destination, flow.split, of):
            self.guards.watch("number", f"{of} into {destination}", number)
            self.ledger.book(flow.name, None, self.axes.row(destination, strata), strata, number)

    def _exit(self, flow: Exit, of: str) -> None:
        compartments = self.axes.compartments(
            tuple(flow.source) if isinstance(flow.source, (list, tuple)) else flow.source, of
        )
        where, mask = self.axes.selection(flow.where, of)
        for compartment, strata in self._somebody(self.axes.chosen(compartments, where), of):
            rate = self.meaning.rate(expression(flow.rate), strata, of)
            row = self.axes.row(compartment, strata)
            self.ledger.leave(row, rate)
            people = self._masked(self.graph.multiply(rate, self.axes.people_in(compartment, strata)), mask)
            self.ledger.book(flow.name, row, None, strata, people)

    def _masked(self, node: int, mask: int | None) -> int:
        return node if mask is None else self.graph.multiply(node, mask)
