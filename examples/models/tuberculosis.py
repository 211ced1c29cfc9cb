"""Tuberculosis in a country of several places, over generations.

Infection is followed by a risk of disease that is high for months and low for the rest of life (early and late
latency), more so in children. Disease ends by itself, in death, or in treatment once it is found: by a health
system that gets better at it, or by campaigns that screen everybody. People are born, grow older, die, come and leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modelworks import (
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Output,
    Parameter,
    Setting,
    Stratification,
    Transition,
    by,
    events,
    people,
    table,
)
from modelworks.model import Expression, log, smooth_change

Array = NDArray[np.float64]

DAYS_PER_YEAR = 365.25

# Rates per day at which people of an age leave early latency for disease and for late latency, and late latency for
# disease, from the youngest age they hold for: Ragonnet et al. 2017, Epidemics 21: 39,
# doi:10.1016/j.epidem.2017.06.002.
EARLY_PROGRESSION: Mapping[float, float] = {0: 6.6e-3, 5: 2.7e-3, 15: 2.7e-4}
STABILISATION: Mapping[float, float] = {0: 1.2e-2, 5: 1.2e-2, 15: 5.4e-3}
LATE_PROGRESSION: Mapping[float, float] = {0: 1.9e-11, 5: 6.4e-6, 15: 3.3e-6}

# Where many are found within weeks the solver needs shorter steps than over decades.
STEPS_IN_CAMPAIGN = 4

# While people moved together into towns; before, they lived apart everywhere.
TOWNS_GREW = (1950.0, 2000.0)

# The age from which disease is as infectious as an adult's.
ADULT = 15

transmission_rate = Parameter(
    "transmission_rate",
    "per year",
    lower=0,
    meaning="people whom one untreated adult infects in a year where nobody was infected before",
)
transmission_dispersed = Parameter(
    "transmission_dispersed",
    "ratio",
    lower=0,
    upper=1,
    meaning="transmission where people live apart, as everybody once did, over that in the towns of today",
)
mixing_elsewhere = Parameter(
    "mixing_elsewhere", "proportion", lower=0, upper=1, meaning="contacts with just anybody of the country"
)
infectiousness_children = Parameter(
    "infectiousness_children", "ratio", lower=0, meaning="of the ill under 15, over that of adults"
)
infectiousness_treated = Parameter(
    "infectiousness_treated", "ratio", lower=0, meaning="of the treated, over that of the untreated"
)
reinfection_latent = Parameter(
    "reinfection_latent", "ratio", lower=0, meaning="risk of infection of the latently infected, over that of others"
)
reinfection_recovered = Parameter(
    "reinfection_recovered", "ratio", lower=0, meaning="risk of infection of the recovered, over that of others"
)
progression_ratio = Parameter(
    "progression_ratio", "ratio", lower=0, meaning="risk of disease once infected, over that of contacts in two cities"
)
diabetes_risk = Parameter("diabetes_risk", "ratio", lower=0, meaning="risk of disease with diabetes, over that without")

recovery_rate = Parameter("recovery_rate", "per year", lower=0, meaning="of recovering without treatment")
fatality_rate = Parameter("fatality_rate", "per year", lower=0, meaning="of dying of disease without treatment")
detection_rate = Parameter(
    "detection_rate", "per year", lower=0, meaning="of being found and treated, in the first place, once it has risen"
)
detection_middle = Parameter("detection_middle", "years", meaning="the year in which half of the rise is done")
detection_rise = Parameter("detection_rise", "years", lower=1, meaning="from 12% to 88% of the rise")
detection_since = Parameter(
    "detection_since",
    "ratio",
    lower=0,
    meaning="detection after the campaigns held, over that before; people came to know",
)
treatment_duration = Parameter("treatment_duration", "years", lower=0.01, meaning="of a course of treatment")
treatment_success = Parameter("treatment_success", "proportion", lower=0, upper=1, meaning="treated who are cured")
treatment_death = Parameter("treatment_death", "proportion", lower=0, upper=1, meaning="treated who die")

screening_sensitivity = Parameter(
    "screening_sensitivity",
    "probability",
    lower=0,
    upper=1,
    meaning="that a campaign finds the disease of somebody screened",
)
preventive_cure = Parameter(
    "preventive_cure",
    "probability",
    lower=0,
    upper=1,
    meaning="that a campaign with preventive treatment cures the latent infection of somebody screened",
)
past_campaigns = Parameter(
    "past_campaigns", "proportion", lower=0, upper=1, meaning="of the campaigns that were held; 0 undoes them"
)
future_campaigns = Parameter(
    "future_campaigns", "proportion", lower=0, upper=1, meaning="of the campaigns that are planned; 1 holds them all"
)

people_at_start = Parameter("people_at_start", "people", lower=1, meaning="people when the model begins")
births_before = Parameter("births_before", "people per year", lower=0, meaning="until the data on births begin")
mortality_before = Parameter(
    "mortality_before", "ratio", lower=0, meaning="death rates until the data begin, over the first ones known"
)
latent_at_start = Parameter("latent_at_start", "proportion", lower=0, upper=1, meaning="latently infected at the start")
ill_at_start = Parameter("ill_at_start", "proportion", lower=0, upper=1, meaning="ill at the start")
other_causes = Parameter(
    "other_causes", "proportion", lower=0, upper=1, meaning="of the deaths in the data, those not from tuberculosis"
)
emigration_ratio = Parameter("emigration_ratio", "ratio", lower=0, meaning="people who leave, over the estimate")


def build(data: Mapping[str, pd.DataFrame]) -> Model:
    """The model of a country, from its mortality, demography, places, diabetes and campaigns, held and planned."""
    bands = data["mortality"].drop_duplicates("age")
    ages, youngest = tuple(bands["age"]), bands["youngest"].to_numpy(dtype=float)
    places, shares = tuple(data["places"]["place"]), data["places"]["share"].to_numpy()
    return Model(
        name="tuberculosis",
        description="Early and late latency, disease, treatment; ages, places, births, deaths, campaigns of screening.",
        time="years",
        compartments=["susceptible", "early_latent", "late_latent", "infectious", "treated", "recovered"],
        stratifications=[
            Stratification(
                "age", ages, split=_age_pyramid(data["mortality"], youngest), widths=np.diff(youngest).tolist()
            ),
            Stratification("place", places, split=shares.tolist()),
        ],
        flows=[
            *_births_deaths_and_journeys(data["demography"], data["mortality"], ages[0]),
            *_infections(data["places"], youngest),
            *_progression(data["diabetes"], youngest),
            *_ends_of_disease(places, data["campaigns"]["start"].max()),
            *_campaigns(data, places, youngest),
        ],
        initial={
            "susceptible": people_at_start * (1.0 - latent_at_start - ill_at_start),
            "late_latent": people_at_start * latent_at_start,
            "infectious": people_at_start * ill_at_start,
        },
        outputs=_outputs(places),
    )


# -- people ----------------------------------------------------------------------------------------


def _births_deaths_and_journeys(
    demography: pd.DataFrame, mortality: pd.DataFrame, first_age: str
) -> list[Entry | Exit]:
    """Births and arrivals as numbers, natural deaths and emigration as rates; from means of five years.

    Who arrives was never infected. What is known is the balance of arrivals and departures: where more came
    than left nobody leaves, and the other way round.
    """
    middles = (demography["period_start"] + 2.5).tolist()
    balance = demography["net_migrants"].to_numpy()
    leaving = np.maximum(-balance, 0.0) / demography["people"].to_numpy()
    before = middles[0] - 5.0
    deaths = [
        table([before, *rows["year"]], [mortality_before * rows["deaths"].iloc[0], *rows["deaths"]])
        for _, rows in mortality.groupby("age", sort=False)
    ]
    return [
        Entry(
            "birth",
            "susceptible",
            number=table([before, *middles], [births_before, *demography["births"]]),
            split={"age": first_age},
        ),
        Entry("arrival", "susceptible", number=table(middles, np.maximum(balance, 0.0).tolist())),
        # Nobody is known to have left before the data begin.
        Exit("emigration", None, rate=emigration_ratio * table([before, *middles], [0.0, *leaving])),
        Exit("natural_death", None, rate=other_causes * by("age", deaths)),
    ]


def _age_pyramid(mortality: pd.DataFrame, youngest: Array) -> list[float]:
    """Shares of people by age, where births and deaths have long been as the first ones known."""
    rates = mortality[mortality["year"] == mortality["year"].min()]["deaths"].to_numpy()
    widths = np.append(np.diff(youngest), np.inf)
    reaching = np.exp(-np.cumsum(np.append(0.0, rates[:-1] * widths[:-1])))
    lived = reaching * -np.expm1(-rates * widths) / rates
    shares: list[float] = (lived / lived.sum()).tolist()
    return shares


def _start_of(starts: Iterable[float], youngest: Array) -> list[float]:
    """From which of some ages on a value holds, for each age band."""
    known = list(starts)
    return [max(start for start in known if start <= age) for age in youngest]


def _per_year(per_day: Mapping[float, float], youngest: Array) -> Expression:
    return by("age", [DAYS_PER_YEAR * per_day[start] for start in _start_of(per_day, youngest)])


# -- infection and disease -------------------------------------------------------------------------


def _contacts(shares: Array) -> Contacts:
    """Contacts within one's own place, and some with anybody; both sides count the same meetings."""
    own, anybody = np.eye(shares.size), np.tile(shares, (shares.size, 1))
    return Contacts(
        {
            "place": [
                Setting("own place", own, scale=1.0 - mixing_elsewhere),
                Setting("anywhere", anybody, scale=mixing_elsewhere),
            ]
        }
    )


def _infections(places: pd.DataFrame, youngest: Array) -> list[Infection]:
    """First infections, and those of people who carry an infection or have got over one."""
    growth = transmission_dispersed + (1.0 - transmission_dispersed) * table(TOWNS_GREW, [0.0, 1.0])
    rate = transmission_rate * by("place", [growth if town else transmission_dispersed for town in places["town"]])
    untreated = by("age", [1.0 if age >= ADULT else infectiousness_children for age in youngest])
    infectious = {"infectious": untreated, "treated": untreated * infectiousness_treated}
    risks: Mapping[str, Expression | float] = {
        "susceptible": 1.0,
        "late_latent": reinfection_latent,
        "recovered": reinfection_recovered,
    }
    return [
        Infection(
            f"infection_of_{source}",
            source,
            "early_latent",
            rate=rate,
            infectious=infectious,
            contacts=_contacts(places["share"].to_numpy()),
            susceptibility=risk,
        )
        for source, risk in risks.items()
    ]


def _progression(diabetes: pd.DataFrame, youngest: Array) -> list[Transition]:
    """From infection to disease; those with diabetes are more at risk, by how many they are at each age and time."""
    rows = [diabetes[diabetes["youngest"] == start] for start in _start_of(diabetes["youngest"], youngest)]
    prevalence = [table(each["year"].tolist(), each["diabetes"].tolist()) for each in rows]
    risk = progression_ratio * by("age", [1.0 + (diabetes_risk - 1.0) * part for part in prevalence])
    return [
        Transition(
            "early_progression", "early_latent", "infectious", rate=risk * _per_year(EARLY_PROGRESSION, youngest)
        ),
        Transition("stabilisation", "early_latent", "late_latent", rate=_per_year(STABILISATION, youngest)),
        Transition("late_progression", "late_latent", "infectious", rate=risk * _per_year(LATE_PROGRESSION, youngest)),
    ]


def _ends_of_disease(places: tuple[str, ...], last_campaign: pd.Timestamp) -> list[Transition | Exit]:
    """Disease ends by itself or is found; treatment cures, comes too late, or fails."""
    ratios = [
        Parameter(
            f"detection_ratio_{place}", "ratio", lower=0, meaning=f"detection in {place}, over that in {places[0]}"
        )
        for place in places[1:]
    ]
    since = table(
        [last_campaign, last_campaign + pd.DateOffset(years=1)], [1.0, 1.0 + (detection_since - 1.0) * past_campaigns]
    )
    detection = (
        by("place", [1.0, *ratios]) * since * smooth_change(0.0, detection_rate, detection_middle, detection_rise)
    )
    course_ends = 1.0 / treatment_duration
    failure = 1.0 - treatment_success - treatment_death
    return [
        Transition("recovery", "infectious", "recovered", rate=recovery_rate),
        Exit("death_untreated", "infectious", rate=fatality_rate),
        Transition("detection", "infectious", "treated", rate=detection),
        Transition("cure", "treated", "recovered", rate=course_ends * treatment_success),
        Exit("death_treated", "treated", rate=course_ends * treatment_death),
        Transition("failure", "treated", "infectious", rate=course_ends * failure),
    ]


# -- campaigns -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Campaign:
    """Screening of a part of a place's people from an age on; `held` says how much of it happens."""

    place: str
    start: pd.Timestamp
    end: pd.Timestamp
    youngest: float
    screened: float
    treats_latent: bool
    held: Expression

    def rate(self, success: Expression, ages: Array) -> Expression:
        r"""The rate by age at which people leave a compartment; steady in the campaign and zero otherwise.

        $$-\ln(1 - p) / d$$ takes out exactly the part $p$, screened with `success`, in the $d$ years of a campaign.
        """
        years = (self.end - self.start).days / DAYS_PER_YEAR
        steady = -log(1.0 - self.screened * self.held * success) / years
        # The solver stops at every time of a table: short steps during a campaign, long ones otherwise. Before its
        # first time a table holds its first value.
        stops = pd.date_range(self.start, self.end, periods=STEPS_IN_CAMPAIGN + 1).floor("D")
        pulse = table([self.start - pd.Timedelta(days=1), *stops], [0.0, *[steady] * STEPS_IN_CAMPAIGN, 0.0], "step")
        return pulse * by("age", [1.0 if age >= self.youngest else 0.0 for age in ages])


def _campaigns(data: Mapping[str, pd.DataFrame], places: tuple[str, ...], ages: Array) -> list[Transition]:
    """Campaigns find disease, and those with preventive treatment cure latent infection."""
    campaigns = [*_listed(data["campaigns"], past_campaigns), *_listed(data["plan"], future_campaigns)]
    found: dict[str, Expression | float] = dict.fromkeys(places, 0.0)
    cured = dict(found)
    for each in campaigns:
        found[each.place] += each.rate(screening_sensitivity, ages)
        if each.treats_latent:
            cured[each.place] += each.rate(preventive_cure, ages)
    return [
        Transition("screening", "infectious", "treated", rate=by("place", found)),
        Transition("preventive_cure_of_early", "early_latent", "recovered", rate=by("place", cured)),
        Transition("preventive_cure_of_late", "late_latent", "recovered", rate=by("place", cured)),
    ]


def _listed(campaigns: pd.DataFrame, held: Expression) -> list[Campaign]:
    return [
        Campaign(
            place=str(row["place"]),
            start=pd.Timestamp(row["start"]),
            end=pd.Timestamp(row["end"]),
            youngest=float(row["youngest"]),
            screened=float(row["screened"]),
            treats_latent=bool(row["preventive_treatment"]),
            held=held,
        )
        for _, row in campaigns.iterrows()
    ]


# -- what is reported ------------------------------------------------------------------------------


def _outputs(places: tuple[str, ...]) -> dict[str, Output]:
    """Series of the country, and of each place those that are observed."""
    found = {
        "population": Output(people(), "people", title="People"),
        "new_cases": Output(_new_cases(places), "people", title="People who fall ill, per year"),
        "deaths": Output(
            events("death_untreated") + events("death_treated"), "people", title="Deaths from tuberculosis, per year"
        ),
        "incidence": Output(1e5 * _new_cases(places) / people(), "per 100,000 people", title="Incidence, per year"),
    }
    for place in places:
        everybody, name = people(place=place), place.capitalize()
        found |= {
            f"incidence_{place}": Output(
                1e5 * _new_cases(place) / everybody, "per 100,000 people", title=f"Incidence in {name}, per year"
            ),
            f"notifications_{place}": Output(
                events("detection", place=place) + events("screening", place=place),
                "people",
                title=f"Notifications in {name}, per year",
            ),
            f"prevalence_{place}": Output(
                1e5 * people("infectious", place=place) / everybody, "per 100,000 people", title=f"Prevalence in {name}"
            ),
            f"latent_{place}": Output(
                100 * people("early_latent", "late_latent", place=place) / everybody,
                "percent",
                title=f"Latently infected in {name}",
            ),
        }
    return found


def _new_cases(place: str | Sequence[str]) -> Expression:
    return events("early_progression", place=place) + events("late_progression", place=place)
