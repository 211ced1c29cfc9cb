r"""The equations of a model in LaTeX, written from its declaration: compact, with an index for each stratification.

Strata are not written out: sixteen ages are one equation with an index. What differs by stratum or
by time gets a symbol, and its values stand below the equations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from modelworks.model import _latex as latex
from modelworks.model._declaration import (
    Entry,
    Exit,
    Flow,
    Infection,
    Move,
    Pulse,
    Stratification,
    Transition,
    changes_in_words,
)
from modelworks.model._expression import (
    By,
    Constant,
    Eigenvalue,
    Expression,
    Leaving,
    Moment,
    Operation,
    Parameter,
    People,
    Table,
    Time,
    Year,
    expression,
    length_of_year,
    one_or_more,
    walk,
)
from modelworks.model._reparameterise import InfectionsPerRate
from modelworks.model._scaled import ModelReproduction

if TYPE_CHECKING:
    from modelworks.model._model import Model

# Which index stands for a stratification: its canonical letter, a primed one that is summed over, or one stratum.
At = Mapping[str, str]

# The letters the field gives these; any other parameter is written by its name.
_LETTERS = {
    "contact_rate": r"\beta",
    "transmission_rate": r"\beta",
    "latency_rate": r"\sigma",
    "progression_rate": r"\sigma",
    "recovery_rate": r"\gamma",
    "waning_rate": r"\omega",
    "birth_rate": "b",
    "death_rate": r"\mu",
    "mortality_rate": r"\mu",
    "population": "N_0",
    "first_cases": "I_0",
}
_FUNCTIONS = {"exp": r"\exp", "log": r"\ln", "cos": r"\cos", "maximum": r"\max", "minimum": r"\min"}
SUM, PRODUCT, ATOM = 1, 2, 3


def equations(model: Model) -> str:
    """The equations of a model as LaTeX, for a document that uses `amsmath` and `booktabs`.

    One derivative for each compartment, the force of infection of each infection once, what varies by
    stratum or time, and tables of the flows and of every symbol with its meaning and unit.
    """
    return _Writer(model).document()


@dataclass
class _Writer:
    model: Model
    definitions: dict[str, str] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)
    _alive: list[Expression] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.letters = _unique({s.name: s.name[:1].lower() for s in self.model.stratifications}, r"{}_{{{}}}", "tn")
        self.compartments = _unique({c: c[:1].upper() for c in self.model.all_compartments}, r"{}^{{{}}}", "NC")
        taken = {*self.letters.values(), *self.compartments.values()}
        self.parameters: dict[str, str] = {}
        for name in self.model.parameters:
            letter = _LETTERS.get(name, "")
            free = letter and letter not in taken and letter not in self.parameters.values()
            self.parameters[name] = letter if free else latex.text(name)

    # -- the whole -------------------------------------------------------------------------------

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

    # -- derivatives -----------------------------------------------------------------------------

    def _derivative_of(self, compartment: str) -> str:
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

    # -- force of infection ----------------------------------------------------------------------

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

    # -- people ----------------------------------------------------------------------------------

    def _people(self, compartment: str, at: At) -> str:
        symbol = self.compartments[compartment]
        return symbol + latex.indices([at[s.name] for s in self.model.strata_of(compartment)])

    def _canonical(self, compartment: str) -> dict[str, str]:
        return {s.name: self.letters[s.name] for s in self.model.strata_of(compartment)}

    def _free(
        self, compartment: str, fixed: At, where: Mapping[str, Sequence[str]]
    ) -> tuple[dict[str, str], list[str]]:
        """An index for each stratification of a compartment, and those among them that are summed over."""
        at: dict[str, str] = {}
        summed: list[str] = []
        for stratification in self.model.strata_of(compartment):
            name, chosen = stratification.name, where.get(stratification.name)
            if name in fixed:
                at[name] = fixed[name]
            elif chosen is not None and len(chosen) == 1:
                at[name] = latex.text(chosen[0])
            else:
                at[name] = self.letters[name] + "''"
                inside = "" if chosen is None else rf" \in \{{{','.join(latex.text(each) for each in chosen)}\}}"
                summed.append(at[name] + inside)
        return at, summed

    def _everybody(self, fixed: At) -> str:
        fixed = {name: fixed[name] for name in self.letters if name in fixed}
        symbol = "N" + latex.indices(list(fixed.values()))
        canonical = {name: self.letters[name] for name in fixed}
        self.definitions["N" + latex.indices(list(canonical.values()))] = self._counted(
            self.model.compartments, canonical, {}
        )
        return symbol

    def _counted(self, compartments: Iterable[str], fixed: At, where: Mapping[str, Sequence[str]]) -> str:
        groups: dict[tuple[str, ...], list[str]] = {}
        for compartment in compartments:
            split = {s.name for s in self.model.strata_of(compartment)}
            if not set(where) <= split or not set(fixed) <= split:
                continue
            at, summed = self._free(compartment, fixed, where)
            groups.setdefault(tuple(summed), []).append(self._people(compartment, at))
        terms = []
        for over, people in groups.items():
            inside = " + ".join(people)
            alone = not over or len(people) == 1
            inside = inside if alone else rf"\left({inside}\right)"
            terms.append((rf"\sum_{{{','.join(over)}}} " if over else "") + inside)
        return " + ".join(terms) or "0"

    def _left(self, flow: Exit) -> Sequence[str]:
        return one_or_more(flow.source) if flow.source else self.model.compartments

    def _within(self, where: Mapping[str, str | Sequence[str]], at: At) -> str:
        """A factor that is one in the strata a flow is limited to, and zero elsewhere."""
        return "".join(latex.bracket(at[name], one_or_more(chosen)) for name, chosen in where.items() if name in at)

    # -- expressions -----------------------------------------------------------------------------

    def _tex(self, given: object, at: At | None = None, level: int = SUM) -> str:
        """An expression, in brackets where it binds less than `level`."""
        text, binds = self._written(expression(given), at or self.letters)  # type: ignore[arg-type]
        return text if binds >= level else rf"\left({text}\right)"

    def _factor(self, given: object, at: At) -> str:
        """An expression as a factor before something; nothing where it is one."""
        if isinstance(given, Constant | int | float) and float(getattr(given, "value", given)) == 1.0:
            return ""
        return self._tex(given, at, PRODUCT) + r" \, "

    def _product(self, front: str, given: object, at: At) -> str:
        return front + self._factor(given, at)

    def _written(self, given: Expression, at: At) -> tuple[str, int]:
        if isinstance(given, Constant):
            return latex.number(given.value), ATOM if given.value >= 0 else SUM
        if isinstance(given, Parameter):
            return self.parameters[given.name], ATOM
        if isinstance(given, Time):
            return "t", ATOM
        if isinstance(given, Leaving):
            return rf"\text{{people leaving by {latex.words(', '.join(given.flows))}}}", ATOM
        if isinstance(given, Moment):
            return latex.text(given.when.isoformat()), ATOM
        if isinstance(given, Year):
            return latex.number(length_of_year(self.model.time)), ATOM
        if isinstance(given, By):
            return self._symbol(given, r"\kappa", at), ATOM
        if isinstance(given, Table):
            return self._symbol(given, "f", at) + r"(t)", ATOM
        if isinstance(given, People):
            return self._people_now(given, at)
        if isinstance(given, InfectionsPerRate):
            self.definitions[r"\rho[a, d]"] = (
                r"\text{largest eigenvalue of the contacts, row by row times $a$ and column by column times $d$}"
            )
            inside = (self._tex(each) for each in (given.susceptibility, given.infectious_time))
            return rf"\rho\left[{', '.join(inside)}\right]", ATOM
        if isinstance(given, ModelReproduction):
            self.definitions[r"\mathcal{R}_0^{*}"] = r"\text{the basic reproduction number at the rates beside it}"
            return r"\mathcal{R}_0^{*}", ATOM
        if isinstance(given, Operation):
            return self._operation(given, at)
        raise TypeError(f"an expression of kind {type(given).__name__} is not known")

    def _people_now(self, given: People, at: At) -> tuple[str, int]:
        fixed = {name: at.get(name, self.letters[name]) for name in given.by}
        if not given.compartments and not given.where:
            return self._everybody(fixed), ATOM
        where = {name: chosen for name, chosen in given.where.items() if name not in fixed}
        front = self._within(given.where, fixed)
        text = self._counted(given.compartments or self.model.compartments, fixed, where)
        if front:
            return rf"{front}\left({text}\right)", PRODUCT
        return text, ATOM if re.fullmatch(r"[^+]*", text) and not text.startswith(r"\sum") else SUM

    def _operation(self, given: Operation, at: At) -> tuple[str, int]:
        operation, arguments = given.operation, given.arguments
        if operation == "add":
            return " + ".join(self._tex(each, at) for each in arguments), SUM
        if operation == "subtract":
            left, right = arguments
            behind = self._tex(right, at, PRODUCT)
            zero = isinstance(left, Constant) and left.value == 0.0
            return (f"-{behind}" if zero else f"{self._tex(left, at)} - {behind}"), SUM
        if operation == "multiply":
            return r" \, ".join(self._tex(each, at, PRODUCT) for each in arguments), PRODUCT
        if operation == "divide":
            above, below = (self._tex(each, at) for each in arguments)
            return rf"\frac{{{above}}}{{{below}}}", ATOM
        if operation == "sqrt":
            return rf"\sqrt{{{self._tex(arguments[0], at)}}}", ATOM
        inside = ", ".join(self._tex(each, at) for each in arguments)
        return rf"{_FUNCTIONS[operation]}\left({inside}\right)", ATOM

    def _symbol(self, given: By | Table, letter: str, at: At) -> str:
        """The symbol of something with many values, which are written below the equations once."""
        varies = [name for name in self.letters if name in self._varies([given])]
        if id(given) not in self.named:
            self._alive.append(given)
            count = sum(name.startswith(letter + "^") for name in self.named.values()) + 1
            self.named[id(given)] = f"{letter}^{{({count})}}"
            shown = self.named[id(given)] + latex.indices([self.letters[name] for name in varies])
            if isinstance(given, By):
                self.definitions[shown] = self._values(given)
            else:
                self.definitions[shown + "(t)"] = self._knots(given)
        return self.named[id(given)] + latex.indices([at.get(name, self.letters[name]) for name in varies])

    def _values(self, given: By) -> str:
        written = [self._tex(each) for each in given.values.values()]
        return rf"\left({', '.join(written)}\right) \text{{ by {latex.words(given.stratification)}}}"

    def _knots(self, given: Table) -> str:
        points = [
            rf"({latex.text(t.isoformat()) if isinstance(t, date) else latex.number(t)}, {self._tex(v)})"
            for t, v in zip(given.times, given.values, strict=True)
        ]
        how = {
            "linear": "straight lines through",
            "step": "steps at",
            "level": "a cubic, level at its ends, through",
        }.get(given.kind, f"{given.kind} curve through")
        shown = points if len(points) <= 12 else [*points[:3], r"\dots", points[-1]]
        return rf"\text{{{how} }} {', '.join(shown)}"

    def _varies(self, given: Iterable[Expression]) -> set[str]:
        found: set[str] = set()
        for part in walk(*given, into=lambda each: not isinstance(each, Eigenvalue)):
            if isinstance(part, By):
                found.add(part.stratification)
            elif isinstance(part, People):
                found.update(part.by)
        return found

    def _find(self, name: str) -> Stratification:
        return next(s for s in self.model.stratifications if s.name == name)

    def _strata(self, name: str) -> Sequence[str]:
        return self._find(name).strata


def _equal(a: Mapping[str, Expression], b: Mapping[str, Expression]) -> bool:
    """Whether two shares are the same parameters and numbers."""

    def told(each: Expression) -> object:
        return each.value if isinstance(each, Constant) else id(each)

    return list(a) == list(b) and all(told(a[name]) == told(b[name]) for name in a)


def _unique(wanted: Mapping[str, str], longer: str, reserved: str) -> dict[str, str]:
    """A letter for each name; those that would share one, or take a reserved one, are told apart by their name."""
    found: dict[str, str] = {}
    for name, letter in wanted.items():
        free = letter.isascii() and letter.isalpha() and letter not in reserved and letter not in found.values()
        found[name] = letter if free else longer.format(letter if letter.isalpha() else "x", latex.text(name))
    return found


def _in_last_stage(flow: Transition, rate: str, people: str) -> str:
    """People leave for good from the last stage, at as many times the rate as there are stages."""
    return rf"{flow.stages} \cdot {rate}{people}^{{({flow.stages})}}" if flow.stages > 1 else f"{rate}{people}"
