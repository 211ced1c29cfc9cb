"""COVID-19 in one country through one year: sixteen ages, a second strain taking over, a vaccine rolled out.

Everybody starts susceptible, once exposed becomes infectious, and recovers or dies. Half-way through a
more transmissible strain is brought in. Immunity after infection is taken as complete for the year, and
protection by vaccine as partial and lasting; nobody is born and nobody dies of anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
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
    Setting,
    Stratification,
    Transition,
    by,
    events,
    exp,
    log,
    people,
    table,
)

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.model import Expression

Array = NDArray[np.float64]

# Where people alive and not on their way to death are; vaccination is known of these alone.
LIVING = ("susceptible", "exposed", "presymptomatic", "infectious", "isolated", "recovered")
CARRYING = ("exposed", "presymptomatic", "infectious")

# Two weeks from a dose to the protection it gives, as the studies of effectiveness count it.
DAYS_TO_PROTECTION = 14

# Susceptibility by age relative to the most susceptible, ten-year bands from 0-9 to 70 and over.
# Davies et al. 2020, Nature Medicine 26: 1205, doi:10.1038/s41591-020-0962-9.
SUSCEPTIBILITY = np.repeat([0.40, 0.38, 0.79, 0.86, 0.80, 0.82, 0.88, 0.74], 2)

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
    first_dose, second_dose = dose_rates(data["vaccination"], ages)
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
                contacts=Contacts({"age": _settings(data, ages)}),
                susceptibility=by("age", SUSCEPTIBILITY.tolist())
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
                rate=delta_arrivals / everybody * table([date(2020, 1, 1), *ARRIVALS], [0.0, 1.0, 0.0], "step"),
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


def dose_rates(coverage: pd.DataFrame, ages: tuple[str, ...]) -> tuple[Expression, Expression]:
    r"""Rates per day of a first and a second dose by age, under which coverage in the model is that of the data.

    Between two dates of the table a rate $h_1$ takes people without a dose, $u$, to the next date's,
    $u e^{-h_1 \Delta}$; of those with one dose, whom $h_1$ brings and a rate $h_2$ takes on, the next date's
    number follows too, and is solved for $h_2$. Doses count once they protect.
    """
    first = _wide(coverage, "first_dose", ages)
    fully = _wide(coverage, "fully", ages)
    # Coverage is that of the end of a day, which is the beginning of the next.
    wait = timedelta(days=1 + DAYS_TO_PROTECTION)
    days = [day.date() + wait for day in coverage["date"].drop_duplicates()]
    before = days[0] - (days[1] - days[0])
    spans = np.diff([day.toordinal() for day in (before, *days)]).astype(float)[:, None]
    first, fully = (np.vstack([np.zeros(len(ages)), each]) for each in (first, fully))
    first_rates = -np.diff(np.log1p(-first), axis=0) / spans
    second_rates = _second_dose_rates(first, fully, first_rates, spans)
    # Nobody is vaccinated before the first date or after the last: a table holds its end values beyond its ends.
    times = [date(2020, 1, 1), before, *days]
    return _steps_by_age(times, first_rates), _steps_by_age(times, second_rates)


def _second_dose_rates(first: Array, fully: Array, first_rates: Array, spans: Array) -> Array:
    """The rate (date, age) that leaves as many with just one dose as the data have, by bisection."""
    without, one_dose = 1.0 - first[:-1], (first - fully)[:-1]
    wanted = (first - fully)[1:]
    low, high = np.zeros_like(wanted), np.ones_like(wanted)
    for _ in range(50):
        rate = (low + high) / 2
        # What came in and was not yet taken on: h1 u (exp(-h1 t) - exp(-h2 t)) / (h2 - h1), steady where they meet.
        apart = (rate - first_rates) * spans
        apart = np.where(np.abs(apart) < 1e-9, 1e-9, apart)
        came = first_rates * without * np.exp(-first_rates * spans) * spans * -np.expm1(-apart) / apart
        too_many = one_dose * np.exp(-rate * spans) + came > wanted
        low, high = np.where(too_many, rate, low), np.where(too_many, high, rate)
    return (low + high) / 2


def _steps_by_age(times: list[date], rates: Array) -> Expression:
    """A rate for each age that holds from one date to the next, and is zero before and after."""
    nothing = np.zeros(rates.shape[1])
    steps = np.vstack([nothing, rates, nothing])
    return by("age", [table(times, column.tolist(), "step") for column in steps.T])


def _settings(data: Mapping[str, pd.DataFrame], ages: tuple[str, ...]) -> list[Setting]:
    """Contacts in each setting, and how much of them there was when.

    Contacts at work and elsewhere go with the square of visits: half as many visitors, each meeting half as many.
    """
    mobility = data["mobility"]
    weeks = [day.date() for day in mobility["week_start"]]
    elsewhere = mobility[["retail_and_recreation", "grocery_and_pharmacy", "transit_stations"]].mean(axis=1)
    schools = data["schools"]
    in_class = table([day.date() for day in schools["from"]], schools["share_in_class"].tolist(), "step")
    return [
        Setting("home", _matrix(data["contacts"], "home", ages)),
        Setting("school", _matrix(data["contacts"], "school", ages), scale=schools_open * in_class),
        Setting(
            "work",
            _matrix(data["contacts"], "work", ages),
            scale=table(weeks, _visits_squared(mobility["workplaces"]), "step"),
        ),
        Setting(
            "community",
            _matrix(data["contacts"], "community", ages),
            scale=table(weeks, _visits_squared(elsewhere), "step"),
        ),
    ]


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
