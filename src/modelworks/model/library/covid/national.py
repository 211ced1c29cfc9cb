"""The parts put together: COVID-19 in a country."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from modelworks.errors import fail
from modelworks.model._declaration import Contacts, Infection, Stratification, Transition
from modelworks.model._expression import Expression, Number, Parameter, by, expression
from modelworks.model._model import Model
from modelworks.model.library._bands import age_bands
from modelworks.model.library.covid import finding
from modelworks.model.library.covid.course import COMPARTMENTS, INFECTED, Course, Risks, infected_by_stage
from modelworks.model.library.covid.mixing import mixing
from modelworks.model.library.covid.reporting import outputs
from modelworks.model.library.covid.strains import (
    NAIVE,
    Strain,
    histories_of,
    importation,
    reinfection_of_recovered,
    relative_to_first,
    strain_stratification,
)
from modelworks.model.library.covid.vaccination import RollOut, remaining

YOUNGEST = tuple(range(0, 80, 5))
CONTACTS_A_DAY = 10.0

transmission_probability = Parameter(
    "transmission_probability", "probability", lower=0, upper=1, meaning="of infection per contact with the symptomatic"
)
infected_at_start = Parameter(
    "infected_at_start", "people", lower=0, meaning="incubating or ill at the start, none of them found"
)
recovered_at_start = Parameter("recovered_at_start", "people", lower=0, meaning="recovered and immune at the start")
days_immune = Parameter("days_immune", "days", lower=0, meaning="of immunity after an infection")
protection_previous_infection = Parameter(
    "protection_previous_infection",
    "proportion",
    lower=0,
    upper=1,
    meaning="infections prevented by an earlier one, after immunity has waned",
)
protection_previous_severity = Parameter(
    "protection_previous_severity",
    "proportion",
    lower=0,
    upper=1,
    meaning="admissions of the infected prevented by an earlier infection",
)


@dataclass(frozen=True, eq=False)
class Country:
    """Its people and whom they meet.

    Parameters
    ----------
    people
        People in each age band.
    contacts
        Contacts per person and day in each setting (`home` is one that distancing leaves as it is), shape (age, age):
        row who reports, column whom they met.
    youngest
        The youngest age in each band; sixteen bands of five years when left out.
    """

    people: Sequence[float]
    contacts: Mapping[str, ArrayLike]
    youngest: Sequence[int] = YOUNGEST

    def __post_init__(self) -> None:
        if len(self.people) != len(self.youngest):
            fail(
                "M150",
                f"there are people of {len(self.people)} ages, but {len(self.youngest)} youngest ages",
                hint="give one number of people for each band, and `youngest` where these are not five years wide",
            )

    @staticmethod
    def nowhere() -> Country:
        """Ten million people, as many of each age up to 60 and fewer from there on, who meet ten of them a day."""
        numbers = np.where(np.array(YOUNGEST) < 60, 1.0, 0.6)
        shares = numbers / numbers.sum()
        met = np.tile(CONTACTS_A_DAY * shares, (len(YOUNGEST), 1))
        return Country((1e7 * shares).tolist(), {"anywhere": met})

    @property
    def everybody(self) -> float:
        return float(np.sum(self.people))


def covid(
    country: Country | None = None,
    *,
    risks: Risks | None = None,
    symptoms: bool = True,
    intensive_care: bool = True,
    scales: Mapping[str, Number] | None = None,
    micro_distancing: Number | None = None,
    transmission: Number = 1.0,
    detection: Number | None = None,
    tests: Number | None = None,
    tracing: bool = False,
    strains: Sequence[Strain] = (Strain("first"),),
    vaccination: RollOut | None = None,
    waning: bool = False,
    history: bool = False,
    cross_immunity: bool = False,
) -> Model:
    r"""COVID-19 in a country: six compartments by age and clinical course, and what governments did about it.

    Susceptible people are infected, incubate, become infectious, and fall ill: without symptoms, undetected, isolated,
    in hospital or in intensive care. After some days the found are isolated or admitted; in the end they recover or,
    in hospital, die. Whatever is left out is not in the model, nor are its parameters. Time is in days. Nobody is
    born, grows older, or dies of anything else; each duration is exponentially distributed. Beds never run out.

    Parameters
    ----------
    country
        People by age, and contacts by setting; a country that is nowhere when left out.
    risks
        Susceptibility, symptoms, admission, intensive care and death by age; published ones when left out.
    symptoms
        Who has symptoms is told apart, and nobody else is found. When false each is as infectious as the mean of their
        age, and the found are of all the infected, as where people without symptoms are tested as well.
    intensive_care
        Who needs it is told apart. When false all the admitted are in `hospital`, alike, and as many of them die.
    scales
        How much of each setting takes place: visits squared (`mobility`), schools (`closures`).
    micro_distancing
        Contacts that can infect, outside homes, over those before anybody kept their distance (`micro_distancing`).
    transmission
        What the probability per contact is multiplied by: a season, a random walk.
    detection
        Proportion of those with symptoms who are found, such as a table of dates; a parameter when left out.
    tests
        Tests per person and day, which detection follows instead.
    tracing
        Contacts of the found are traced and quarantined, fewer of them the more are ill.
    strains
        The first is there at the start; others arrive, and differ in transmissibility and severity.
    vaccination
        Doses by age, and with them protections against infection, admission, and infecting others.
    waning
        The recovered become susceptible again.
    history
        It is remembered who recovered before, and they are less susceptible and less severely ill.
    cross_immunity
        With history, that of the last strain: the recovered can be infected by another.

    Raises
    ------
    ModelworksError
        M150 for options that do not fit each other, and what each part says of its own.
    """
    country = country or Country.nowhere()
    risks = risks or Risks.published(country.youngest)
    course = Course(risks, symptoms=symptoms, intensive_care=intensive_care, tracing=tracing)
    parts = _Options(country, course, tuple(strains), vaccination, history, cross_immunity)
    detected = finding.detection_of(detection, tests)
    infections = parts.infections(mixing(country.contacts, scales, micro_distancing), transmission)
    return Model(
        name="covid",
        description="COVID-19 by age and clinical course, with testing, tracing, strains, vaccination and history.",
        compartments=COMPARTMENTS,
        stratifications=parts.stratifications(),
        flows=[
            *infections,
            *parts.arrivals(),
            *course.flows(course.shares(parts.severity, detected)),
            *parts.recoveries(),
            *([Transition("waning", "recovered", "susceptible", 1.0 / days_immune)] if waning else []),
            *(vaccination.moves() if vaccination else []),
        ],
        initial=parts.initial(),
        outputs=outputs(
            [each.name for each in infections],
            detected,
            course,
            strains=parts.strains,
            histories=parts.histories,
            vaccination=vaccination,
            traced=parts.traced,
        ),
    )


@dataclass(frozen=True, eq=False)
class _Options:
    """What is switched on, and what flows and initial numbers become by it."""

    country: Country
    course: Course
    strains: tuple[Strain, ...]
    vaccination: RollOut | None
    history: bool
    cross_immunity: bool

    def __post_init__(self) -> None:
        if not self.strains:
            fail("M150", "there is no strain", hint='give one or more: strains=[Strain("first")]')
        if self.cross_immunity and not (self.history and self.several):
            fail(
                "M150",
                "cross-immunity is between strains that people recovered of",
                hint="give two strains or more, and history=True",
            )

    @property
    def several(self) -> bool:
        return len(self.strains) > 1

    @property
    def histories(self) -> tuple[str, ...]:
        """What people can have been infected with before; nothing where it is not remembered."""
        return histories_of(self.strains, by_strain=self.cross_immunity) if self.history else ()

    @cached_property
    def traced(self) -> Expression | None:
        course = self.course
        return finding.traced_share(course.infectiousness_of_ill(), course.found) if course.tracing else None

    def stratifications(self) -> list[Stratification]:
        shares = np.asarray(self.country.people) / self.country.everybody
        found = [Stratification("age", age_bands(self.country.youngest), split=shares.tolist())]
        if self.vaccination:
            found.append(self.vaccination.stratification())
        if self.histories:
            found.append(Stratification("history", self.histories, split=NAIVE))
        if self.several:
            found.append(strain_stratification(self.strains, INFECTED))
        if self.course.tracing:
            found.append(Stratification("tracing", ["untraced", "traced"], INFECTED[:3], split="untraced"))
        return [*found, self.course.stratification()]

    def left_by_vaccine(self, against: str, meaning: str) -> Number:
        return remaining(against, meaning, self.vaccination.strata) if self.vaccination else 1.0

    def left_by_history(self, protection: Parameter) -> Number:
        """What an infection before leaves of a risk."""
        if not self.histories:
            return 1.0
        return by("history", {each: 1.0 if each == NAIVE else 1.0 - protection for each in self.histories})

    @property
    def severity(self) -> Expression:
        """Admissions per infection, over those of the first strain in people neither vaccinated nor infected before."""
        by_strain = relative_to_first(self.strains, "severity", "admissions per infection")
        vaccine = self.left_by_vaccine("severity", "admissions of the infected")
        return expression(by_strain) * vaccine * self.left_by_history(protection_previous_severity)

    def infections(self, contacts: Contacts, transmission: Number) -> list[Infection]:
        """Of the susceptible, and where strains are told apart in what was before, of the recovered."""
        ratio = relative_to_first(self.strains, "transmissibility", "infections per contact")
        vaccine = self.left_by_vaccine("infection", "infections")
        susceptibility = by("age", self.course.risks.susceptibility) * vaccine
        sources = {"susceptible": susceptibility * self.left_by_history(protection_previous_infection)}
        if self.cross_immunity:
            sources["recovered"] = susceptibility * reinfection_of_recovered(self.strains)
        onward = self.left_by_vaccine("onward", "infections by the infected")
        return [
            Infection(
                "infection" if source == "susceptible" else "reinfection",
                source,
                "incubating",
                rate=transmission_probability * transmission * ratio,
                infectious=self.course.infectiousness(onward),
                contacts=contacts,
                susceptibility=each,
                strain="strain" if self.several else None,
                split={}
                if self.traced is None
                else {"tracing": {"untraced": 1.0 - self.traced, "traced": self.traced}},
            )
            for source, each in sources.items()
        ]

    def arrivals(self) -> list[Transition]:
        untraced = {"tracing": "untraced"} if self.course.tracing else {}
        return [
            flow
            for each in self.strains
            for flow in importation(
                each, self.country.everybody, {**untraced, **({"strain": each.name} if self.several else {})}
            )
        ]

    def recoveries(self) -> list[Transition]:
        """All alike, or where it is remembered of which strain, one flow each."""
        rate = self.course.recovery_rate
        if not self.cross_immunity:
            becoming = {"history": self.histories[1]} if self.history else {}
            return [Transition("recovery", "late_active", "recovered", rate, becoming=becoming)]
        return [
            Transition(
                f"recovery_{each.name}",
                "late_active",
                "recovered",
                rate,
                where={"strain": each.name},
                becoming={"history": each.name},
            )
            for each in self.strains
        ]

    def initial(self) -> dict[str, Number]:
        """The first infected over the parts of the disease by how long each lasts, at all ages alike."""
        population = np.asarray(self.country.people, dtype=float)
        shares = by("age", (population / population.sum()).tolist())
        recovered: Number = recovered_at_start
        if self.histories:
            before = dict.fromkeys(self.histories, expression(0.0)) | {self.histories[1]: recovered_at_start}
            recovered = by("history", before)
        return {
            "susceptible": by("age", population.tolist()) - shares * (infected_at_start + recovered_at_start),
            **infected_by_stage(shares * infected_at_start),
            "recovered": recovered,
        }
