"""Infection pressure: how many infectious people someone meets per time, by contacts and by strain."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from modelworks.errors import fail
from modelworks.model._declaration import Contacts, Infection, Stratification
from modelworks.model._expression import expression
from modelworks.model._program import NOBODY
from modelworks.model.lowering._axes import Strata
from modelworks.model.lowering._meaning import Meaning


class Pressure:
    """The pressure on someone in some strata: contacts, times the infectious share of those who are met."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.axes = meaning.axes
        self.model = meaning.model
        self.graph = meaning.graph
        self._known: dict[tuple[object, ...], int] = {}

    def on(self, flow: Infection, strata: Strata, strain: Strata, of: str) -> int:
        """Contacts with infectious people, per person and time: the sum over whom one meets."""
        contacts = flow.contacts or Contacts({})
        by_rows = [self.axes.stratification(name, of) for name in contacts.by if not self.axes.is_lane(name)]
        by_lane = self.axes.lane is not None and self.axes.lane.name in contacts.by
        terms = []
        for group in itertools.product(*(s.strata for s in by_rows)):
            met = {s.name: stratum for s, stratum in zip(by_rows, group, strict=True)}
            term = self._infectious_share(flow, met, strain, by_lane, of)
            if by_lane and self.axes.lane is not None:
                settings = contacts.settings(self.axes.lane)
                term = self.graph.sum(
                    self.graph.multiply(self.meaning.rate(scale, strata, of), self.graph.matvec(matrix, term))
                    for matrix, scale in settings
                )
            for stratification in by_rows:
                term = self.graph.multiply(
                    term, self._met_in(flow, contacts, stratification, strata, met[stratification.name], of)
                )
            terms.append(term)
        return self.graph.sum(terms)

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
            self.graph.multiply(self.graph.constant(float(matrix[row, column])), self.meaning.rate(scale, strata, of))
            for matrix, scale in settings
        )

    def _infectious_share(self, flow: Infection, met: Strata, strain: Strata, by_lane: bool, of: str) -> int:
        """Infectious people of a group, weighted, over all people of it."""
        key = (id(flow), tuple(met.items()), tuple(strain.items()))
        if key in self._known:
            return self._known[key]
        weights = flow.infectiousness
        group = {name: (stratum,) for name, stratum in met.items()}
        who = {**group, **{name: (stratum,) for name, stratum in strain.items()}}
        infectious = []
        self._split_by_all(tuple(weights), strain, f"the infections of {of}")
        self._split_by_all((*self.model.compartments, *weights), met, f"the contacts of {of}")
        for compartment in self.axes.compartments(tuple(weights), of):
            for _, strata in self.axes.chosen([compartment], who):
                weight = self.meaning.rate(expression(weights[compartment]), strata, of)
                infectious.append(self.graph.multiply(weight, self.axes.people_in(compartment, strata)))
        everybody = [self.axes.people_in(c, s) for c, s in self.axes.chosen(self.model.compartments, group)]
        above, below = self.graph.sum(infectious), self.graph.sum(everybody)
        if not by_lane and self.axes.lane is not None:
            above, below = self.graph.total(above), self.graph.total(below)
        share = self.graph.divide(above, self.graph.binary("maximum", below, self.graph.constant(NOBODY)))
        if flow.density_dependent:
            share = self.graph.multiply(share, below)
        self._known[key] = share
        return share

    def _split_by_all(self, compartments: Iterable[str], group: Strata, of: str) -> None:
        """Refuse compartments that are in no stratum of a group: their people would silently not be counted."""
        for compartment in compartments:
            for name in group:
                if compartment in self.model.all_compartments and name not in self.axes.kept(compartment):
                    fail(
                        "M115",
                        f"{of} differ by `{name}`, which does not split `{compartment}`: its people would not count",
                        hint=f"let `{name}` split `{compartment}` too",
                    )
