"""How people who arrive somewhere are shared out among its strata."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from modelworks.errors import fail
from modelworks.model._declaration import Split, Stratification
from modelworks.model._expression import By, Expression, by, expression
from modelworks.model.lowering._axes import Strata
from modelworks.model.lowering._meaning import Meaning


class Sharing:
    """Shares out arrivals: by what a flow says in `split`, or else by what a stratification says itself."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.axes = meaning.axes
        self.graph = meaning.graph
        self.guards = meaning.guards

    def shares(
        self, compartment: str, strata: Strata, split: Split, of: str, *, default: bool
    ) -> Iterator[tuple[Strata, int]]:
        """Where in a compartment people of some strata go, and which share of them.

        With `default` a stratification's own split serves where none is given here.
        """
        open_ = [s for s in self.axes.row_stratifications(compartment) if s.name not in strata]
        for name in split:
            self.axes.stratification(name, of)
        choices = [self.proportions(s, split, strata, of, default=default) for s in open_]
        for choice in itertools.product(*choices):
            arrived = {**strata, **{s.name: stratum for s, (stratum, _) in zip(open_, choice, strict=True)}}
            share = self.graph.constant(1.0)
            for _, part in choice:
                share = self.graph.multiply(share, part)
            if not (self.graph.nodes[share].operation == "constant" and self.graph.nodes[share].data == (0.0,)):
                yield arrived, share

    def proportions(
        self, stratification: Stratification, split: Split, strata: Strata, of: str, *, default: bool
    ) -> list[tuple[str, int]]:
        """The share of each stratum of one stratification; they sum to one."""
        # Whoever comes into a compartment begins with its first stage, whatever brought them.
        default = default or stratification in self.axes.stages
        given = split.get(stratification.name, stratification.split if default else None)
        if given is None:
            fail(
                "M106",
                f"{of} brings people into strata of `{stratification.name}` without saying into which",
                hint=f'add split={{"{stratification.name}": {{...}}}} with a share for each stratum',
            )
        if isinstance(given, str):
            return [(self.axes.stratum(stratification, given, of), self.graph.constant(1.0))]
        values = self.meaning.by_name(_as_by(stratification.name, given, stratification), stratification, of)
        nodes = {name: self.meaning.evaluate(value, strata, of) for name, value in values.items()}
        label = f"the shares of {of} by `{stratification.name}`"
        for node in nodes.values():
            self.guards.watch("rate", label, node)
        self.guards.sum_to_one(self.graph.sum(nodes.values()), label)
        return list(nodes.items())

    def placed(self, given: Expression, compartment: str, split: Split, of: str) -> Iterator[tuple[Strata, int]]:
        """People put into a compartment: the number in each of its rows, over all lanes."""
        varies = self.meaning.varies_by(given)
        apart = [s for s in self.axes.row_stratifications(compartment) if s.name in varies]
        for choice in itertools.product(*(s.strata for s in apart)):
            strata = {s.name: stratum for s, stratum in zip(apart, choice, strict=True)}
            number = self.meaning.evaluate(given, strata, of)
            for arrived, share in self.shares(compartment, strata, split, of, default=True):
                people = self.graph.multiply(number, share)
                if self.axes.lane is not None and self.axes.lane.name not in varies:
                    people = self.graph.multiply(people, self._lane_shares(split, arrived, of))
                yield arrived, people

    def _lane_shares(self, split: Split, strata: Strata, of: str) -> int:
        if self.axes.lane is None:
            return self.graph.constant(1.0)
        shares = dict(self.proportions(self.axes.lane, split, strata, of, default=True))
        return self.graph.pack([shares.get(lane, self.graph.constant(0.0)) for lane in self.axes.lanes])


def _as_by(name: str, given: object, stratification: Stratification) -> By:
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
