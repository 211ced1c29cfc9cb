"""Where people are: a compartment in one combination of strata is a row, and one stratification lies along the lanes.

What a declaration's names mean is found here, and a name that means nothing is told.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from modelworks.errors import fail, near
from modelworks.model._declaration import Infection, Stratification, stages_of
from modelworks.model._graph import Graph
from modelworks.model._kinds import in_words
from modelworks.model._program import Row

if TYPE_CHECKING:
    from modelworks.model._model import Model

Strata = Mapping[str, str]
NOWHERE: Strata = {}


class Axes:
    """The rows and lanes of a model, and the graph that is as wide as its lanes.

    The stratification that splits all compartments into the most strata becomes the lanes; each combination of the
    others is a row. `model` has the stages of its transitions among its stratifications.
    """

    def __init__(self, model: Model) -> None:
        self.stages = stages_of(model.flows)
        self.model = replace(model, stratifications=(*model.stratifications, *self.stages))
        self.positions = {name: k for k, name in enumerate(model.parameters)}
        self.lane = self._widest()
        self.lanes = tuple(self.lane.strata) if self.lane else ()
        self.graph = Graph(len(self.lanes) or 1)
        self.rows: list[Row] = []
        self.index: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        for compartment in self.model.all_compartments:
            for strata in self.combinations(compartment):
                self.index[compartment, frozenset(strata.items())] = len(self.rows)
                self.rows.append(Row(compartment, tuple(strata.items())))

    def _widest(self) -> Stratification | None:
        """The stratification for the lanes, where one splits everybody into two or more."""
        # What a flow chooses stratum by stratum, a strain or what people become, rows can be and lanes can not.
        chosen = {flow.strain for flow in self.model.flows if isinstance(flow, Infection)}
        chosen |= {name for flow in self.model.flows for name in getattr(flow, "becoming", ())}
        everywhere = [s for s in self.model.stratifications if self._splits_all(s) and s.name not in chosen]
        widest = max(everywhere, key=lambda s: len(s.strata), default=None)
        return widest if widest is not None and len(widest.strata) > 1 else None

    def _splits_all(self, stratification: Stratification) -> bool:
        split = self.model.compartments if stratification.compartments is None else stratification.compartments
        return set(split) >= set(self.model.all_compartments)

    def row_stratifications(self, compartment: str) -> list[Stratification]:
        return [s for s in self.model.strata_of(compartment) if s is not self.lane]

    def combinations(self, compartment: str) -> Iterator[dict[str, str]]:
        split = self.row_stratifications(compartment)
        for choice in itertools.product(*(s.strata for s in split)):
            yield {s.name: stratum for s, stratum in zip(split, choice, strict=True)}

    def row(self, compartment: str, strata: Strata) -> int:
        wanted = {s.name for s in self.row_stratifications(compartment)}
        return self.index[compartment, frozenset((n, v) for n, v in strata.items() if n in wanted)]

    def people_in(self, compartment: str, strata: Strata) -> int:
        return self.graph.state(self.row(compartment, strata))

    def compartments(self, names: str | Sequence[str] | None, of: str) -> tuple[str, ...]:
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

    def stratification(self, name: str, of: str) -> Stratification:
        found = self.model.stratification(name)
        if found is None:
            fail(
                "M103",
                f"{of} names a stratification `{name}`, but the model has none of that name",
                hint=near(name, [s.name for s in self.model.stratifications]),
            )
        return found

    def stratum(self, stratification: Stratification, name: str, of: str) -> str:
        if name not in stratification.strata:
            fail(
                "M103",
                f"{of} names a stratum `{name}` of `{stratification.name}`, which has none of that name",
                hint=near(name, stratification.strata),
            )
        return name

    def selection(
        self, where: Mapping[str, str | Sequence[str]], of: str
    ) -> tuple[dict[str, tuple[str, ...]], int | None]:
        """What `where` asks of rows, and the lanes it chooses as a node of zeros and ones."""
        if not isinstance(where, Mapping):
            fail(
                "M128",
                f"{of} has `where` as {in_words(where)}, which does not say of which stratification",
                hint='write where={"age": "old"}, or a list of strata for several',
            )
        rows: dict[str, tuple[str, ...]] = {}
        mask: int | None = None
        for name, chosen in where.items():
            stratification = self.stratification(name, of)
            listed = (chosen,) if isinstance(chosen, str) else tuple(chosen)
            for stratum in listed:
                self.stratum(stratification, stratum, of)
            if stratification is self.lane:
                mask = self.graph.constant([1.0 if lane in listed else 0.0 for lane in self.lanes])
            else:
                rows[name] = listed
        return rows, mask

    def chosen(
        self, compartments: Iterable[str], where: Mapping[str, tuple[str, ...]]
    ) -> Iterator[tuple[str, dict[str, str]]]:
        """Rows of some compartments in the chosen strata; one a stratification does not split is not in any of it."""
        for compartment in compartments:
            for strata in self.combinations(compartment):
                if is_within(strata, where):
                    yield compartment, strata

    def apart(self, by: Sequence[str], strata: Strata, of: str) -> dict[str, tuple[str, ...]]:
        """The strata that `by` keeps apart, as the place of use names them; lanes stay apart by themselves."""
        found: dict[str, tuple[str, ...]] = {}
        for name in by:
            stratification = self.stratification(name, of)
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

    def kept(self, compartment: str) -> set[str]:
        """The stratifications whose strata people take along when they leave a compartment."""
        return {s.name for s in self.model.strata_of(compartment)}

    def is_lane(self, name: str) -> bool:
        return self.lane is not None and self.lane.name == name


def is_within(strata: Strata, where: Mapping[str, tuple[str, ...]]) -> bool:
    return all(strata.get(name) in listed for name, listed in where.items())


def both(where: Mapping[str, tuple[str, ...]], apart: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The strata that are in both selections; none of a stratification where they exclude each other."""
    shared = {name: tuple(s for s in listed if s in where.get(name, listed)) for name, listed in apart.items()}
    return {**where, **shared}
