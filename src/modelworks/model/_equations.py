r"""The equations of a model in LaTeX, written from its declaration: compact, with an index for each stratification.

Strata are not written out: sixteen ages are one equation with an index. What differs by stratum or
by time gets a symbol, and its values stand below the equations.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from modelworks.model import _latex as latex
from modelworks.model._declaration import Entry, Exit, Flow, Infection, Move, Pulse, Transition, changes_in_words
from modelworks.model._expression import expression
from modelworks.model.equations._terms import Terms

if TYPE_CHECKING:
    from modelworks.model._model import Model


def equations(model: Model) -> str:
    """The equations of a model as LaTeX, for a document that uses `amsmath` and `booktabs`.

    One derivative for each compartment, the force of infection of each infection once, what varies by
    stratum or time, and tables of the flows and of every symbol with its meaning and unit.
    """
    return _Document(model).document()


class _Document(Terms):
    """The whole, with its tables."""

    def document(self) -> str:
        derivatives = [(self._derivative_of(c), self._derivative(c)) for c in self.model.all_compartments]
        infections = [flow for flow in self.model.flows if isinstance(flow, Infection)]
        forces = [(self._force(flow, self._own(flow)), self._force_meaning(flow)) for flow in infections]
        parts = [
            f"% {latex.plain(self.model.name)}, in {self.model.time}; needs amsmath and booktabs.",
            latex.aligned(derivatives),
        ]
        if forces:
            parts += ["with the force of infection", latex.aligned(forces)]
        flows = [self._described(flow) for flow in self.model.flows]
        starts = [(f"{self._at_start(c)}", self._start(c)) for c in self.model.initial]
        if starts:
            parts += ["from the initial numbers", latex.aligned(starts)]
        # Last, for whatever was written above may have needed a symbol.
        if self.definitions:
            parts += ["where", latex.aligned(list(self.definitions.items()))]
        parts.append(latex.tabular(("Flow", "From", "To", "Rate"), flows))
        parts.append(latex.tabular(("Symbol", "Meaning", "Unit"), self._symbols()))
        return "\n\n".join(parts) + "\n"

    def _symbols(self) -> list[tuple[str, ...]]:
        people = [(f"${self._people(c, self._canonical(c))}$", *self._counted_in(c)) for c in self.compartments]
        indices = [
            (f"${letter}$", f"{latex.words(name)}: {latex.few(self._strata(name))}", "")
            for name, letter in self.letters.items()
        ]
        numbers = [
            (f"${self.parameters[name]}$", latex.words(p.meaning or name), latex.words(p.unit))
            for name, p in self.model.parameters.items()
        ]
        return [*people, *indices, *numbers, ("$t$", "time", self.model.time)]

    def _counted_in(self, compartment: str) -> tuple[str, str]:
        """What is in a compartment, and its unit."""
        pool = self.model.pool_of(compartment)
        return (
            (f"people {latex.words(compartment)}", "people")
            if pool is None
            else (latex.words(compartment), latex.words(pool.unit))
        )

    def _described(self, flow: Flow) -> tuple[str, ...]:
        if isinstance(flow, Pulse):
            return self._described_pulse(flow)
        words = {c: f"${self._people(c, self._canonical(c))}$" for c in self.model.all_compartments}
        if isinstance(flow, Entry):
            return (
                latex.words(flow.name),
                "",
                words[flow.destination],
                f"${self._tex(flow.number)}$ {self._counted_in(flow.destination)[1]}",
            )
        if isinstance(flow, Exit):
            left = ", ".join(words[c] for c in self._left(flow))
            return latex.words(flow.name), left, "", f"${self._tex(flow.rate)}$"
        if isinstance(flow, Move):
            origin, target = (
                f"{latex.words(flow.stratification)} {latex.words(each)}" for each in (flow.origin, flow.target)
            )
            return latex.words(flow.name), origin, target, f"${self._tex(flow.rate)}$"
        rate = self._force(flow, self._own(flow)) if isinstance(flow, Infection) else self._tex(flow.rate)
        stages = flow.stages if isinstance(flow, Transition) else 1
        passed = f", in {stages} stages, $({stages})$ the last" if stages > 1 else ""
        changes = "".join(f"; {latex.words(each)}" for each in changes_in_words(flow.becoming))
        return latex.words(flow.name), words[flow.source], words[flow.destination], f"${rate}${passed}{changes}"

    def _described_pulse(self, pulse: Pulse) -> tuple[str, ...]:
        """Where people go and how many of them, and when: nothing of it is in the derivatives."""
        name, origin, target, _ = self._described(pulse.flow)
        given, of = (pulse.number, "people") if pulse.share is None else (pulse.share, "of those there")
        much = f"${self._tex(expression(0.0 if given is None else given))}$ {of}"
        moments = [t.isoformat() if isinstance(t, date) else f"{t:g}" for t in pulse.moments]
        changes = "".join(f"; {latex.words(each)}" for each in changes_in_words(pulse.becoming))
        return name, origin, target, f"{much}, at an instant: {latex.few(moments)}{changes}"
