"""What must hold for a run to mean anything: refused where it is known not to, watched where it may come to fail."""

from __future__ import annotations

from modelworks.errors import fail
from modelworks.model._eigenvalue import NOT_SETTLED
from modelworks.model._graph import Graph
from modelworks.model._program import EIGENVALUE_TOLERANCE, Guard


class Guards:
    """The numbers to look at while a model runs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.watched: list[Guard] = []

    def watch(self, kind: str, label: str, node: int) -> None:
        """Refuse a constant that can not be, and watch whatever may become so."""
        known = self.graph.nodes[node]
        if known.operation != "constant":
            self.watched.append(Guard(kind, label, node))
        elif kind == "eigenvalue":
            if any(abs(float(x) - 1.0) > EIGENVALUE_TOLERANCE for x in known.data):
                fail("M136", f"{label} {NOT_SETTLED[0]}", hint=NOT_SETTLED[1])
        elif kind == "delay" and any(float(x) <= 0 for x in known.data):
            fail("M135", f"{label} has the number {min(map(float, known.data)):g}", hint="give numbers above zero")
        elif kind == "part" and any(float(x) > 1 for x in known.data):
            fail("M110", f"{label} is {max(map(float, known.data)):g}, but a share is never above 1", hint="look for %")
        elif any(float(x) < 0 for x in known.data):
            fail(
                "M110",
                f"{label} is {min(float(x) for x in known.data):g}, but a rate, a share or a number is never below 0",
                hint="look for a sign, or for two numbers subtracted the wrong way round",
            )

    def sum_to_one(self, node: int, label: str) -> None:
        """Shares must share out everybody, once."""
        known = self.graph.nodes[node]
        if known.operation == "constant" and any(abs(float(x) - 1.0) > 1e-6 for x in known.data):
            fail(
                "M107",
                f"{label} sum to {float(known.data[0]):g}, not to one: people would appear from nowhere or be lost",
                hint="let the last share be one minus the others",
            )
        if known.operation != "constant":
            self.watched.append(Guard("share", label, node))
