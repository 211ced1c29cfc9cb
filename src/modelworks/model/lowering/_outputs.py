"""What a model shows: the nodes of each output's columns, and what comes later than its events."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from modelworks.errors import fail
from modelworks.model._declaration import Output
from modelworks.model._delayed import Delayed, taken_apart
from modelworks.model._expression import Expression, expression
from modelworks.model._graph import Depends
from modelworks.model._program import Column, Later
from modelworks.model.lowering._axes import Strata
from modelworks.model.lowering._meaning import Meaning

# Within which delayed events are taken as even, where nothing else is said: a day, and a week in a model of years.
DELAY_STEP = {"days": 1.0, "years": 7 / 365.25}


class Outputs:
    """Lowers outputs, when all flows are lowered."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.axes = meaning.axes
        self.model = meaning.model
        self.graph = meaning.graph
        self.guards = meaning.guards

    def columns(self, name: str, output: Output) -> Iterator[Column]:
        """The columns of one output: one for each combination of the rows it is shown by."""
        of = f"the output `{name}`"
        apart = [self.axes.stratification(each, of) for each in output.by]
        varies = self.meaning.varies_by(expression(output.value))
        for stratification in apart:
            if stratification.name not in varies:
                name = stratification.name
                fail(
                    "M127",
                    f"{of} is shown by `{name}`, but is the same number in each of them: the sum over all",
                    hint=f'write people(..., by=["{name}"]) or events(..., by=["{name}"]) to keep them apart',
                )
        rows = [s for s in apart if s is not self.axes.lane]
        by_lane = any(s is self.axes.lane for s in apart)
        for choice in itertools.product(*(s.strata for s in rows)):
            strata = {s.name: stratum for s, stratum in zip(rows, choice, strict=True)}
            now, delayed = taken_apart(expression(output.value))
            node = self._shown(now, strata, by_lane, of)
            node = self.graph.spread(node) if by_lane else node
            later = tuple(self._later(each, strata, by_lane, of) for each in delayed)
            yield Column(name, tuple(strata.items()), node, later)

    def _shown(self, given: Expression, strata: Strata, by_lane: bool, of: str) -> int:
        """The node of an output: one number, or one for each lane."""
        node = self.meaning.evaluate(given, strata, of)
        if self.graph.nodes[node].wide and not by_lane and self.axes.lane is not None:
            fail(
                "M105",
                f"{of} differs by `{self.axes.lane.name}`, but is one number",
                hint=f'add by=["{self.axes.lane.name}"] to the output, or sum over it',
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
            self.guards.watch("rate" if given.delay.family == "discrete" else "delay", label, number)
        if given.delay.family == "discrete":
            self.guards.sum_to_one(self.graph.sum(numbers), f"the probabilities of {label}")
        step = given.step or DELAY_STEP[self.model.time]
        events = self._shown(given.value, strata, by_lane, of)
        events = self.graph.spread(events) if by_lane else events
        return Later(events, given.delay.family, tuple(numbers), step, given.lasting)
