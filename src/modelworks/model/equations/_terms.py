"""What the flows of a model add to each compartment and take from it, where it starts, and the force of infection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modelworks.model import _latex as latex
from modelworks.model._declaration import Entry, Exit, Flow, Infection, Move, Pulse, Stratification, Transition
from modelworks.model._expression import By, Constant, Expression, expression
from modelworks.model.equations._notation import PRODUCT, SUM, At, Notation


class Terms(Notation):
    """The right-hand sides of one model's equations."""

    # -- derivatives -----------------------------------------------------------------------------

    def _derivative_of(self, compartment: str) -> str:
        if compartment in self.model.quasi_steady:
            return "0"
        return rf"\frac{{\mathrm{{d}}{self._people(compartment, self._canonical(compartment))}}}{{\mathrm{{d}}t}}"

    def _derivative(self, compartment: str) -> str:
        terms: list[str] = []
        for flow in self.model.flows:
            terms += self._terms(flow, compartment)
        for stratification in self.model.strata_of(compartment):
            if stratification.widths is not None:
                terms += self._ageing(stratification, compartment)
        text = " ".join(terms) or "0"
        return text.removeprefix("+ ")

    def _terms(self, flow: Flow, compartment: str) -> list[str]:
        """What one flow adds to and takes from a compartment."""
        at = self._canonical(compartment)
        if isinstance(flow, Entry):
            return [f"+ {self._entering(flow, at)}"] if flow.destination == compartment else []
        if isinstance(flow, Exit):
            if compartment not in self._left(flow):
                return []
            return [f"- {self._product(self._within(flow.where, at), flow.rate, at)}{self._people(compartment, at)}"]
        if isinstance(flow, Move):
            return self._moving(flow, compartment, at)
        terms: list[str] = []
        if isinstance(flow, Pulse):
            return terms
        if flow.destination == compartment:
            terms.append(f"+ {self._arriving(flow, at)}")
        if flow.source == compartment:
            terms.append(f"- {self._leaving(flow, at)}")
        return terms

    def _leaving(self, flow: Transition | Infection, at: At) -> str:
        people, bracket = self._people(flow.source, at), self._within(flow.where, at)
        if isinstance(flow, Transition):
            return _in_last_stage(flow, self._product(bracket, flow.rate, at), people)
        if flow.strain is None:
            return rf"{bracket}{self._force(flow, at)} \, {people}"
        new = self.letters[flow.strain] + "'"
        return rf"{bracket}\sum_{{{new}}} {self._force(flow, {**at, flow.strain: new})} \, {people}"

    def _arriving(self, flow: Transition | Infection, at: At) -> str:
        """From a source that may be split otherwise: what it alone is split by is summed over."""
        strain = flow.strain if isinstance(flow, Infection) else None
        of_source = {s.name for s in self.model.strata_of(flow.source)}
        changed = {name for name in flow.becoming if name in at}
        kept = {name: index for name, index in at.items() if name in of_source and name not in {strain, *changed}}
        lost = [name for name in self.letters if name in of_source and name not in kept]
        left = {**kept, **{name: self.letters[name] + "'" for name in lost}}
        shares = "".join(
            self._share(flow.split.get(name), name, {**at, **left})
            for name in at
            if name not in of_source and name != strain
        )
        total = rf"\sum_{{{','.join(left[name] for name in lost)}}} " if lost else ""
        became = "".join(
            self._became(name, flow.becoming[name], at[name], left[name]) for name in lost if name in changed
        )
        front = f"{total}{became}{shares}{self._within(flow.where, left)}"
        people = self._people(flow.source, left)
        if isinstance(flow, Infection):
            carried = {**left, **({strain: at[strain]} if strain in at else {})} if strain else left
            return rf"{front}{self._force(flow, carried)} \, {people}"
        return _in_last_stage(flow, self._product(front, flow.rate, left), people)

    def _became(self, name: str, given: str | Mapping[str, str], after: str, before: str) -> str:
        """A factor that is one where people of the stratum `before` come into the stratum `after`."""
        if isinstance(given, str):
            return latex.bracket(after, [given])
        symbol = self.named.setdefault(
            id(given), rf"\phi^{{({sum('phi' in each for each in self.named.values()) + 1})}}"
        )
        later = [latex.text(given.get(stratum, stratum)) for stratum in self._strata(name)]
        self.definitions[f"{symbol}_{{{self.letters[name]}}}"] = (
            rf"\left({', '.join(later)}\right) \text{{ by {latex.words(name)}}}"
        )
        return rf"\left[{after} = {symbol}_{{{before}}}\right] \, "

    def _moving(self, flow: Move, compartment: str, at: At) -> list[str]:
        named = self.model.compartments if flow.compartments is None else flow.compartments
        if compartment not in named or flow.stratification not in at:
            return []
        letter = at[flow.stratification]
        before = {**at, flow.stratification: latex.text(flow.origin)}
        leave = self._product(self._within(flow.where, before), flow.rate, before) + self._people(compartment, before)
        return [
            rf"+ {latex.bracket(letter, [flow.target])}{leave}",
            rf"- {latex.bracket(letter, [flow.origin])}{leave}",
        ]

    def _ageing(self, stratification: Stratification, compartment: str) -> list[str]:
        at = self._canonical(compartment)
        letter = at[stratification.name]
        younger = {**at, stratification.name: letter + "-1"}
        width = f"w_{{{letter}}}"
        widths = [float(each) for each in list(stratification.widths or ())[: len(stratification.strata) - 1]]
        listed = ", ".join([*(latex.number(each) for each in widths), r"\infty"])
        self.definitions[width] = rf"\left({listed}\right)"
        return [
            rf"+ \frac{{{self._people(compartment, younger)}}}{{w_{{{letter}-1}}}}",
            rf"- \frac{{{self._people(compartment, at)}}}{{{width}}}",
        ]

    def _entering(self, flow: Entry, at: At) -> str:
        varies = self._varies([expression(flow.number)])
        shares = "".join(
            self._share(flow.split.get(name, self._find(name).split), name, at) for name in at if name not in varies
        )
        return shares + self._tex(flow.number, at, PRODUCT)

    def _share(self, given: object, name: str, at: At) -> str:
        """The part of the newcomers that one stratum gets, as a factor."""
        if isinstance(given, str):
            return latex.bracket(at[name], [given])
        if given is None:
            return ""
        if isinstance(given, Mapping):
            values = {stratum: expression(given.get(stratum, 0.0)) for stratum in self._strata(name)}
        else:
            listed: Sequence[float] = given  # type: ignore[assignment]
            values = {s: expression(v) for s, v in zip(self._strata(name), listed, strict=True)}
        same = [e for e in self._alive if isinstance(e, By) and e.stratification == name and _equal(e.values, values)]
        share = same[0] if same else By(name, values)
        return self._symbol(share, r"\pi", at) + r" \, "

    def _start(self, compartment: str) -> str:
        at = self._canonical(compartment)
        given = expression(self.model.initial[compartment])
        varies = self._varies([given])
        shares = "".join(self._share(self._find(name).split, name, at) for name in at if name not in varies)
        return shares + self._tex(given, at, PRODUCT if shares else SUM)

    def _at_start(self, compartment: str) -> str:
        return f"{self._people(compartment, self._canonical(compartment))}(0)"

    # -- force of infection --------------------------------------------------------------------------

    def _own(self, flow: Infection) -> dict[str, str]:
        """The stratifications by which the force of one infection differs."""
        varies = self._varies([expression(flow.rate), expression(flow.susceptibility), *self._scales(flow)])
        varies |= {*(flow.contacts.by if flow.contacts else ()), *([flow.strain] if flow.strain else [])}
        return {name: letter for name, letter in self.letters.items() if name in varies}

    def _scales(self, flow: Infection) -> list[Expression]:
        by = flow.contacts.by if flow.contacts else {}
        return [scale for name in by for _, scale in flow.contacts.settings(self._find(name))]  # type: ignore[union-attr]

    def _force(self, flow: Infection, at: At) -> str:
        several = sum(isinstance(each, Infection) for each in self.model.flows) > 1
        which = f"^{{{latex.text(flow.name)}}}" if several else ""
        return rf"\lambda{which}{latex.indices([at.get(n, c) for n, c in self._own(flow).items()])}"

    def _force_meaning(self, flow: Infection) -> str:
        at = self._own(flow)
        by = list(flow.contacts.by) if flow.contacts else []
        met = {name: self.letters[name] + "'" for name in by}
        strain = {flow.strain: at[flow.strain]} if flow.strain else {}
        infectious = self._infectious(flow, {**met, **strain})
        share = rf"\frac{{{infectious}}}{{{self._everybody(met)}}}"
        if flow.density_dependent:
            share = infectious if len(flow.infectiousness) == 1 else rf"\left({infectious}\right)"
        factors = [self._contacts(flow, name, at, met[name]) for name in by]
        if by:
            share = rf"\sum_{{{','.join(met.values())}}} " + r" \, ".join([*factors, share])
        else:
            share = r" \, ".join([*factors, share])
        return self._product(self._factor(flow.rate, at), flow.susceptibility, at) + share

    def _infectious(self, flow: Infection, fixed: At) -> str:
        terms = []
        for compartment, weight in flow.infectiousness.items():
            at, summed = self._free(compartment, fixed, {})
            front = rf"\sum_{{{','.join(summed)}}} " if summed else ""
            terms.append(front + self._factor(weight, at) + self._people(compartment, at))
        return " + ".join(terms)

    def _contacts(self, flow: Infection, name: str, at: At, met: str) -> str:
        """The symbol of contacts by one stratification, with the settings it is the sum of."""
        letter = self.letters[name]
        settings = flow.contacts.settings(self._find(name)) if flow.contacts else ()
        scales = [scale for _, scale in settings]
        same = [f for f in self.model.flows if isinstance(f, Infection) and f.contacts is flow.contacts]
        several = sum(isinstance(f, Infection) and f.contacts is not None for f in self.model.flows) > len(same)
        which = [latex.text(name)] if len(flow.contacts.by) > 1 else []  # type: ignore[union-attr]
        which += [latex.text(same[0].name)] if several else []
        base = "C" + (f"^{{{','.join(which)}}}" if which else "")
        others = [at.get(n, self.letters[n]) for n in self.letters if n in self._varies(scales) and n != name]
        symbol = f"{base}_{{{','.join([letter, met, *others])}}}"
        parts = []
        for k, scale in enumerate(scales, 1):
            matrix = f"M^{{{','.join([*which, f'({k})'])}}}_{{{letter},{met}}}"
            parts.append(self._factor(scale, at) + matrix)
        meaning = " + ".join(parts)
        rows = [np.asarray(matrix) for matrix, _ in settings]
        told = f"{rows[0].shape[0]} \\times {rows[0].shape[1]}"
        text = rf"\text{{contacts per person; each matrix $M$ is ${told}$, row who reports, column whom they met}}"
        self.definitions[symbol] = rf"{meaning} \quad {text}"
        return symbol


def _equal(a: Mapping[str, Expression], b: Mapping[str, Expression]) -> bool:
    """Whether two shares are the same parameters and numbers."""

    def told(each: Expression) -> object:
        return each.value if isinstance(each, Constant) else id(each)

    return list(a) == list(b) and all(told(a[name]) == told(b[name]) for name in a)


def _in_last_stage(flow: Transition, rate: str, people: str) -> str:
    """People leave for good from the last stage, at as many times the rate as there are stages."""
    return rf"{flow.stages} \cdot {rate}{people}^{{({flow.stages})}}" if flow.stages > 1 else f"{rate}{people}"
