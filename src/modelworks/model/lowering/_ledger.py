"""Who moves: what a flow takes from its source it gives to its destination, and what outputs count is noted."""

from __future__ import annotations

from dataclasses import dataclass

from modelworks.model._declaration import Becoming
from modelworks.model._program import Jump, Row
from modelworks.model.lowering._axes import NOWHERE, Axes, Strata


@dataclass(frozen=True, slots=True)
class Moved:
    """People moved by one flow out of one row: under which strata, how many.

    The strata are those they have afterwards; of someone who leaves for good, and where `becoming` changes them,
    those they had.
    """

    strata: Strata
    node: int
    jump: int


class Ledger:
    """Every way to move, by row and by flow; people can be neither lost nor made between rows.

    - `changes`, `leaving`: for each row, the nodes that change it, and the rates at which people leave it.
    - `moved`: for each flow, whom it moved. `jumps`: the same, as stochastic runs take it.
    - `counted`: the rows that count events since the last output, with how they change; `counts`: what each counts.
    - `when`: when the flow at hand happens, at the moments of a pulse or at all others; None where there are no pulses.
    """

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.graph = axes.graph
        self.changes: list[list[int]] = [[] for _ in axes.rows]
        self.leaving: list[list[int]] = [[] for _ in axes.rows]
        self.moved: dict[str, list[Moved]] = {}
        self.jumps: list[Jump] = []
        self.counted: list[tuple[Row, int]] = []
        self.counts: list[tuple[tuple[int, int], ...]] = []
        self.when: int | None = None
        self.pulsing = False
        self._accumulators: dict[tuple[object, ...], int] = {}

    def accumulated(self, flow: str, change: int, counts: tuple[tuple[int, int], ...]) -> int:
        """The row that counts a change since the last output."""
        # Births of girls and of boys may be the same number, and are yet other births.
        key = (flow, change, counts)
        if key not in self._accumulators:
            self._accumulators[key] = len(self.axes.rows) + len(self.counted)
            self.counted.append((Row(f"events of {flow}", (), accumulates=True), change))
            self.counts.append(counts)
        return self.graph.state(self._accumulators[key])

    def leave(self, row: int, rate: int) -> None:
        """Note the rate at which people leave a row, which the length of steps follows from; a pulse has none."""
        if not self.pulsing:
            self.leaving[row].append(rate)

    def carry(
        self,
        flow: str,
        source: str,
        destination: str,
        left: Strata,
        arrived: Strata,
        people: int,
        becoming: Becoming = NOWHERE,
    ) -> None:
        """Take people out of one row and put the same people into another; what they become is not yet counted."""
        later = dict(arrived)
        for name, given in becoming.items():
            later[name] = given if isinstance(given, str) else given.get(arrived[name], arrived[name])
        self.book(flow, self.axes.row(source, left), self.axes.row(destination, later), {**left, **arrived}, people)

    def book(
        self, flow: str, source: int | None, destination: int | None, strata: Strata, people: int, shift: int = 0
    ) -> None:
        """People of one row go to another, `shift` lanes further; from or to no row where they enter or leave."""
        if self.when is not None:
            people = self.graph.multiply(self.when, people)
        arriving = self.graph.shift(people, shift) if shift else people
        if source is not None:
            self.changes[source].append(self._negative(people))
        if destination is not None:
            self.changes[destination].append(arriving)
        self.moved.setdefault(flow, []).append(Moved(strata, arriving, len(self.jumps)))
        self.jumps.append(Jump(flow, source, destination, people, shift))

    def _negative(self, node: int) -> int:
        return self.graph.multiply(self.graph.constant(-1.0), node)
