"""How people, parameters and expressions are written: a letter for each, and what needs a line of its own below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from modelworks.model import _latex as latex
from modelworks.model._declaration import Exit, Stratification
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


@dataclass
class Notation:
    """The symbols of one model; `definitions` are what has to be told below the equations."""

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


def _unique(wanted: Mapping[str, str], longer: str, reserved: str) -> dict[str, str]:
    """A letter for each name; those that would share one, or take a reserved one, are told apart by their name."""
    found: dict[str, str] = {}
    for name, letter in wanted.items():
        free = letter.isascii() and letter.isalpha() and letter not in reserved and letter not in found.values()
        found[name] = letter if free else longer.format(letter if letter.isalpha() else "x", latex.text(name))
    return found
