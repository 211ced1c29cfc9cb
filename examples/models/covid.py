"""COVID-19 in one country through one year: sixteen ages, a second strain taking over, a vaccine rolled out.

Everybody starts susceptible, once exposed becomes infectious, and recovers or dies. Half-way through a
more transmissible strain is brought in. Immunity after infection is taken as complete for the year, and
protection by vaccine as partial and lasting; nobody is born and nobody dies of anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks import (
    Contacts,
    Exit,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Stratification,
    Transition,
    by,
    events,
    exp,
    log,
    people,
    table,
)
from modelworks.model.library.covid import Risks, RollOut, during, mixing

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.model import Expression

Array = NDArray[np.float64]

# Where people alive and not on their way to death are; vaccination is known of these alone.
LIVING = ("susceptible", "exposed", "presymptomatic", "infectious", "isolated", "recovered")
CARRYING = ("exposed", "presymptomatic", "infectious")

# Two weeks from a dose to the protection it gives, as the studies of effectiveness count it.
DAYS_TO_PROTECTION = 14

# The new strain came with travellers while borders were nearly closed: its first case in Malaysia was found on
# 2 May 2021, and a few weeks of arrivals started what then spread by itself.
ARRIVALS = (date(2021, 4, 12), date(2021, 5, 24))

transmission_probability = Parameter(
    "transmission_probability",
    "probability",
    lower=0,
    upper=1,
    meaning="of infection per contact, at the study's start",
)
infected_at_start = Parameter("infected_at_start", "people", lower=0, meaning="exposed or infectious on the first day")
recovered_at_start = Parameter("recovered_at_start", "people", lower=0, meaning="infected before the first day")

days_latent = Parameter("days_latent", "days", lower=0, meaning="from infection until infectious")
days_presymptomatic = Parameter("days_presymptomatic", "days", lower=0, meaning="infectious before symptoms")
days_infectious = Parameter("days_infectious", "days", lower=0, meaning="infectious after that, unless isolated")
days_to_report = Parameter("days_to_report", "days", lower=0, meaning="from symptoms to the report of a case")
days_to_death = Parameter("days_to_death", "days", lower=0, meaning="from symptoms to death, for those who die")

delta_transmissibility = Parameter("delta_transmissibility", "ratio", lower=0, meaning="Delta's, over earlier strains'")
delta_arrivals = Parameter(
    "delta_arrivals", "people per day", lower=0, meaning="infected with Delta abroad, while it came"
)
delta_fatality = Parameter(
    "delta_fatality", "ratio", lower=0, meaning="deaths per infection with Delta, over earlier strains'"
)
fatality_multiplier = Parameter(
    "fatality_multiplier", "ratio", lower=0, meaning="deaths per infection, over the source's"
)

protection_two_doses = Parameter(
    "protection_two_doses", "proportion", lower=0, upper=1, meaning="infections that two doses prevent"
)
relative_protection_one_dose = Parameter(
    "relative_protection_one_dose", "ratio", lower=0, upper=1, meaning="one dose's protection over that of two"
)
protection_death_one_dose = Parameter(
    "protection_death_one_dose", "proportion", lower=0, upper=1, meaning="deaths that one dose prevents in the infected"
)
protection_death_two_doses = Parameter(
    "protection_death_two_doses",
    "proportion",
    lower=0,
    upper=1,
    meaning="deaths that two doses prevent in the infected",
)
schools_open = Parameter(
    "schools_open", "ratio", lower=0, upper=1, meaning="of the schooling there was; 0 closes schools"
)

# What mobility does not show (masks, ventilation, whom one still meets, the other strains of spring) is found
# from the epidemic itself: by which factor transmission per contact changes up to each of these days since the day
# before it in the list, in equal proportions from day to day. The growth of an epidemic then answers to each
# number nearly in a straight line, which the sampler's work depends on. Before the first it is level, for no
# data of those weeks could tell a change of transmission from more infected at the start.
LEVEL_UNTIL = date(2021, 1, 11)
TRANSMISSION = {
    date(2021, 2, 8): Parameter("transmission_february", "ratio", lower=0),
    date(2021, 3, 15): Parameter("transmission_march", "ratio", lower=0),
    date(2021, 4, 19): Parameter("transmission_april", "ratio", lower=0),
    date(2021, 5, 17): Parameter("transmission_may", "ratio", lower=0),
    date(2021, 6, 14): Parameter("transmission_june", "ratio", lower=0),
    date(2021, 7, 26): Parameter("transmission_july", "ratio", lower=0),
    date(2021, 9, 6): Parameter("transmission_september", "ratio", lower=0),
    date(2021, 10, 18): Parameter("transmission_october", "ratio", lower=0),
    date(2021, 11, 29): Parameter("transmission_november", "ratio", lower=0),
}
# Part of infections that are found and reported, straight lines between.
DETECTION = {
    date(2021, 3, 22): Parameter("detection_march", "proportion", lower=0, upper=1),
    date(2021, 5, 10): Parameter("detection_may", "proportion", lower=0, upper=1),
    date(2021, 7, 12): Parameter("detection_july", "proportion", lower=0, upper=1),
    date(2021, 8, 16): Parameter("detection_august", "proportion", lower=0, upper=1),
    date(2021, 10, 11): Parameter("detection_october", "proportion", lower=0, upper=1),
}


def build(data: Mapping[str, pd.DataFrame]) -> Model:
    """The model of a country: its people, contacts, mobility, schools, vaccination and fatality by age."""
    ages = tuple(data["population"]["age"])
    population = data["population"]["people"].to_numpy()
    transmission = exp(table([LEVEL_UNTIL, *TRANSMISSION], [*accumulate(map(log, TRANSMISSION.values()), initial=0.0)]))
    detection = table(list(DETECTION), list(DETECTION.values()))
    fatality = fatality_multiplier * (
        by("age", list(_by_age(data["fatality"], "fatality", ages)))
        * by("strain", {"earlier": 1.0, "delta": delta_fatality})
        * by(
            "vaccination",
            {
                "none": 1.0,
                "one_dose": 1.0 - protection_death_one_dose,
                "two_doses": 1.0 - protection_death_two_doses,
            },
        )
    )
    first_dose, second_dose = roll_out(data["vaccination"], ages).rates()
    onset = 1.0 / days_presymptomatic
    everybody = float(population.sum())
    return Model(
        name="covid",
        description="Two strains, sixteen ages, vaccination; contacts at home, school, work and elsewhere.",
        compartments=[*LIVING, "severe", "critical"],
        stratifications=[
            Stratification("age", ages, split=(population / everybody).tolist()),
            Stratification("vaccination", ("none", "one_dose", "two_doses"), LIVING, split="none"),
            Stratification("strain", ("earlier", "delta"), CARRYING, split="earlier"),
        ],
        flows=[
            Infection(
                "infection",
                "susceptible",
                "exposed",
                rate=transmission_probability
                * transmission
                * by("strain", {"earlier": 1.0, "delta": delta_transmissibility}),
                # Infectious a little before symptoms and, unless found and isolated, for some days after.
                infectious={"presymptomatic": 1.0, "infectious": 1.0},
                contacts=contacts(data, ages),
                susceptibility=by("age", Risks.published(range(0, 80, 5)).susceptibility)
                * by(
                    "vaccination",
                    {
                        "none": 1.0,
                        "one_dose": 1.0 - relative_protection_one_dose * protection_two_doses,
                        "two_doses": 1.0 - protection_two_doses,
                    },
                ),
                strain="strain",
            ),
            Transition(
                "arrival",
                "susceptible",
                "exposed",
                rate=delta_arrivals / everybody * during(*ARRIVALS),
                split={"strain": "delta"},
            ),
            Transition("becoming_infectious", "exposed", "presymptomatic", rate=1.0 / days_latent),
            Transition("fatal_onset", "presymptomatic", "severe", rate=onset * fatality),
            Transition("detected_onset", "presymptomatic", "isolated", rate=onset * (1.0 - fatality) * detection),
            Transition(
                "undetected_onset", "presymptomatic", "infectious", rate=onset * (1.0 - fatality) * (1.0 - detection)
            ),
            Transition("recovery", "infectious", "recovered", rate=1.0 / days_infectious),
            # Whoever is found meets nobody from then on, so that when they recover makes no difference to others.
            Transition("report", "isolated", "recovered", rate=1.0 / days_to_report),
            # Two stages, so that few die within days of falling ill.
            Transition("worsening", "severe", "critical", rate=2.0 / days_to_death),
            Exit("death", "critical", rate=2.0 / days_to_death),
            Move("first_dose", "vaccination", "none", "one_dose", rate=first_dose),
            Move("second_dose", "vaccination", "one_dose", "two_doses", rate=second_dose),
        ],
        initial=_initial(population),
        outputs={
            "notifications": Output(events("report") + events("worsening"), "people", title="Cases reported, per week"),
            "deaths": Output(events("death"), "people", title="Deaths by the week of death"),
            "infections": Output(events("infection"), "people", title="Infections, per week"),
            "deaths_over_60": Output(
                events("death", age=list(ages[12:])), "people", title="Deaths of people aged 60 and more"
            ),
            "delta_share": Output(
                people(*CARRYING, strain="delta") / people(*CARRYING), "proportion", title="Infected who carry Delta"
            ),
            "ever_infected": Output(
                1.0 - people("susceptible") / people(), "proportion", title="People infected so far"
            ),
            "vaccinated": Output(
                people(*LIVING, vaccination="two_doses") / people(), "proportion", title="Protected by two doses"
            ),
            "detection": Output(detection, "proportion", title="Infections that are reported"),
            "transmission": Output(transmission, "ratio", title="Transmission per contact, beyond what mobility shows"),
        },
    )


def roll_out(coverage: pd.DataFrame, ages: tuple[str, ...]) -> RollOut:
    """Two doses by age as the table has them, which count once they protect."""
    days = [day.date() for day in coverage["date"].drop_duplicates()]
    return RollOut(days, _wide(coverage, "first_dose", ages), _wide(coverage, "fully", ages), DAYS_TO_PROTECTION)


def contacts(data: Mapping[str, pd.DataFrame], ages: tuple[str, ...]) -> Contacts:
    """Contacts in each setting, and how much of them there was when.

    Contacts at work and elsewhere go with the square of visits: half as many visitors, each meeting half as many.
    """
    mobility, schools = data["mobility"], data["schools"]
    weeks = [day.date() for day in mobility["week_start"]]
    elsewhere = mobility[["retail_and_recreation", "grocery_and_pharmacy", "transit_stations"]].mean(axis=1)
    in_class = table([day.date() for day in schools["from"]], schools["share_in_class"].tolist(), "step")
    return mixing(
        {setting: _matrix(data["contacts"], setting, ages) for setting in ("home", "school", "work", "community")},
        scales={
            "school": schools_open * in_class,
            "work": table(weeks, _visits_squared(mobility["workplaces"]), "step"),
            "community": table(weeks, _visits_squared(elsewhere), "step"),
        },
    )


def _visits_squared(change: pd.Series) -> list[float]:
    """From a change of visits in percent to the square of visits over the usual."""
    return ((1.0 + change / 100.0) ** 2).tolist()


def _matrix(contacts: pd.DataFrame, setting: str, ages: tuple[str, ...]) -> Array:
    """Contacts per person and day in a setting; row = who reports, column = whom they met."""
    chosen = contacts[contacts["setting"] == setting]
    return chosen.pivot(index="reports", columns="met", values="contacts").loc[list(ages), list(ages)].to_numpy()


def _wide(long: pd.DataFrame, column: str, ages: tuple[str, ...]) -> Array:
    """A column by date and age as an array (date, age)."""
    return long.pivot(index="date", columns="age", values=column)[list(ages)].to_numpy()


def _by_age(long: pd.DataFrame, column: str, ages: tuple[str, ...]) -> Array:
    return long.set_index("age")[column].loc[list(ages)].to_numpy()


def _initial(population: Array) -> dict[str, Expression]:
    """The first infected, spread over ages as people are, and over stages by how long each lasts."""
    days = days_latent + days_presymptomatic + days_infectious
    share = population / population.sum()
    return {
        "exposed": infected_at_start * days_latent / days,
        "presymptomatic": infected_at_start * days_presymptomatic / days,
        "infectious": infected_at_start * days_infectious / days,
        "recovered": recovered_at_start,
        "susceptible": by("age", population.tolist())
        - by("age", share.tolist()) * (infected_at_start + recovered_at_start),
    }
