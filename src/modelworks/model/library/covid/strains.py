"""Strains: how they come, how they spread and how severe they are, and whom earlier ones protect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from modelworks.model._declaration import Split, Stratification, Transition
from modelworks.model._expression import Expression, Number, Parameter, by, table

NAIVE, INFECTED = "naive", "infected"

cross_immunity = Parameter(
    "cross_immunity",
    "proportion",
    lower=0,
    upper=1,
    meaning="infections with another strain prevented in those recovered of one",
)


@dataclass(frozen=True)
class Strain:
    """A strain by its name; `arrives` are the times between which it is brought in, if it is."""

    name: str
    arrives: tuple[date, date] | tuple[float, float] | None = None


def during(start: float | date, end: float | date) -> Expression:
    """One from `start` until `end`, and zero before and after."""
    before = start - timedelta(days=3650) if isinstance(start, date) else start - 1.0
    return table([before, start, end], [0.0, 1.0, 0.0], "step")


def strain_stratification(strains: Sequence[Strain], compartments: Sequence[str]) -> Stratification:
    """Strains of those infected; all are infected with the first at the start."""
    return Stratification("strain", [each.name for each in strains], compartments, split=strains[0].name)


def relative_to_first(strains: Sequence[Strain], what: str, meaning: str) -> Number:
    """A ratio by strain: one for the first, a parameter such as `transmissibility_delta` for each other."""
    if len(strains) < 2:
        return 1.0
    ratios: dict[str, Number] = {
        each.name: Parameter(f"{what}_{each.name}", "ratio", lower=0, meaning=f"{meaning} of {each.name}")
        for each in strains[1:]
    }
    return by("strain", {strains[0].name: 1.0, **ratios})


def importation(strain: Strain, everybody: float, split: Split) -> list[Transition]:
    """People infected elsewhere while a strain arrives: `arrivals_…` a day, of whom the susceptible fall ill.

    `split` says into which strata they come: the strain, and whether they are traced.
    """
    if strain.arrives is None:
        return []
    number = Parameter(
        f"arrivals_{strain.name}", "people per day", lower=0, meaning=f"infected with {strain.name} elsewhere"
    )
    rate = number / everybody * during(*strain.arrives)
    return [Transition(f"arrival_{strain.name}", "susceptible", "incubating", rate, split)]


def histories_of(strains: Sequence[Strain], *, by_strain: bool) -> tuple[str, ...]:
    """What people can have been infected with last: nothing, anything, or each strain."""
    return (NAIVE, *([each.name for each in strains] if by_strain else [INFECTED]))


def reinfection_of_recovered(strains: Sequence[Strain]) -> Expression:
    """How susceptible the recovered are: not at all to the strain they last had, less than the naive to others."""
    to_others = {
        had.name: by("strain", {each.name: 0.0 if each is had else 1.0 - cross_immunity for each in strains})
        for had in strains
    }
    return by("history", {NAIVE: 0.0, **to_others})
