"""How infection spreads, becomes disease, and ends untreated."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from modelworks.model._declaration import Contacts, Exit, Flow, Infection, Setting, Stratification, Transition
from modelworks.model._expression import Number, Parameter, by, expression
from modelworks.model.library.tb.people import ADULT, Ages

DAYS_PER_YEAR = 365.25

# Rates per day at which people of an age leave early latency for disease and for late latency, and late latency for
# disease, from the youngest age they hold for: Ragonnet et al. 2017, Epidemics 21: 39,
# doi:10.1016/j.epidem.2017.06.002.
EARLY_PROGRESSION: Mapping[float, float] = {0: 6.6e-3, 5: 2.7e-3, 15: 2.7e-4}
STABILISATION: Mapping[float, float] = {0: 1.2e-2, 5: 1.2e-2, 15: 5.4e-3}
LATE_PROGRESSION: Mapping[float, float] = {0: 1.9e-11, 5: 6.4e-6, 15: 3.3e-6}

MANIFESTATIONS = ("smear_positive", "smear_negative", "extrapulmonary")

transmission_rate = Parameter(
    "transmission_rate",
    "per year",
    lower=0,
    meaning="people whom one untreated adult infects in a year where nobody was infected before",
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
infectiousness_smear_negative = Parameter(
    "infectiousness_smear_negative", "ratio", lower=0, meaning="of smear-negative disease, over smear-positive"
)
smear_positive_share = Parameter(
    "smear_positive_share", "proportion", lower=0, upper=1, meaning="of those who fall ill, smear-positive"
)
extrapulmonary_share = Parameter(
    "extrapulmonary_share", "proportion", lower=0, upper=1, meaning="of those who fall ill, not in the lungs"
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


def manifestations() -> Stratification:
    """Smear-positive and smear-negative disease of the lungs, and disease elsewhere; treated or not."""
    return Stratification(
        "manifestation", MANIFESTATIONS, compartments=["infectious", "treated"], split=_shares_of_manifestations()
    )


def _shares_of_manifestations() -> dict[str, Number]:
    shares = [smear_positive_share, 1.0 - smear_positive_share - extrapulmonary_share, extrapulmonary_share]
    return dict(zip(MANIFESTATIONS, shares, strict=True))


def mixing(places: Mapping[str, float] | None, contacts: ArrayLike | None) -> Contacts | None:
    """Contacts within one's own place, and some with anybody; by age as the matrix says. Both multiply."""
    found: dict[str, ArrayLike | list[Setting]] = {}
    if contacts is not None:
        found["age"] = contacts
    if places:
        own, anybody = np.eye(len(places)), np.tile(list(places.values()), (len(places), 1))
        found["place"] = [
            Setting("own place", own, scale=1.0 - mixing_elsewhere),
            Setting("anywhere", anybody, scale=mixing_elsewhere),
        ]
    return Contacts(found) if found else None


def infections(
    ages: Ages,
    contacts: Contacts | None = None,
    *,
    transmission: Number = 1.0,
    protected: Number = 1.0,
    infectiousness: Mapping[float, Number] | None = None,
    by_manifestation: bool = False,
) -> list[Flow]:
    """First infections, and those of people who carry an infection or have got over one.

    Disease outside the lungs infects nobody. Recently infected people are not infected again.

    Parameters
    ----------
    transmission
        What the transmission rate is multiplied by, in each place and at each time.
    protected
        The risk of infection of people never infected, over that without BCG, in each age and at each time.
    infectiousness
        Of the untreated, by the youngest age it holds for; that of children and of adults, which is 1, when left out.
    """
    untreated = expression(ages.numbers(infectiousness or {0.0: infectiousness_children, ADULT: 1.0}))
    if by_manifestation:
        untreated = untreated * by("manifestation", [1.0, infectiousness_smear_negative, 0.0])
    risks = {"susceptible": protected, "late_latent": reinfection_latent, "recovered": reinfection_recovered}
    return [
        Infection(
            f"infection_of_{source}",
            source,
            "early_latent",
            rate=transmission_rate * transmission,
            infectious={"infectious": untreated, "treated": untreated * infectiousness_treated},
            contacts=contacts,
            susceptibility=risk,
        )
        for source, risk in risks.items()
    ]


def progression(
    ages: Ages, diabetes: Mapping[float, Number] | None = None, *, by_manifestation: bool = False
) -> list[Flow]:
    """From infection to disease: a risk that is high for months and low for life, more so in children.

    People with diabetes are more at risk; `diabetes` is how many of an age have it, by the youngest age it holds for.
    """
    risk = expression(progression_ratio)
    if diabetes:
        risk = risk * (1.0 + (diabetes_risk - 1.0) * ages.numbers(diabetes))
    split = {"manifestation": _shares_of_manifestations()} if by_manifestation else {}
    early, late = (risk * _per_year(rates, ages) for rates in (EARLY_PROGRESSION, LATE_PROGRESSION))
    return [
        Transition("early_progression", "early_latent", "infectious", early, split),
        Transition("stabilisation", "early_latent", "late_latent", _per_year(STABILISATION, ages)),
        Transition("late_progression", "late_latent", "infectious", late, split),
    ]


def _per_year(per_day: Mapping[float, float], ages: Ages) -> Number:
    return ages.numbers({start: DAYS_PER_YEAR * rate for start, rate in per_day.items()})


def untreated_ends(*, by_manifestation: bool = False) -> list[Flow]:
    """Disease ends by itself, or in death.

    Disease outside the lungs, of which no long-term study without treatment is known, ends as smear-negative disease
    does.
    """
    recovery = Parameter("recovery_rate", "per year", lower=0, meaning="of recovering without treatment")
    fatality = Parameter("fatality_rate", "per year", lower=0, meaning="of dying of disease without treatment")
    rates = [_by_smear(rate) if by_manifestation else rate for rate in (recovery, fatality)]
    return [
        Transition("recovery", "infectious", "recovered", rates[0]),
        Exit("death_untreated", "infectious", rates[1]),
    ]


def _by_smear(rate: Parameter) -> Number:
    positive, negative = (
        Parameter(f"{rate.name}_{smear}", rate.unit, lower=0, meaning=f"{rate.meaning}, {smear.replace('_', '-')}")
        for smear in MANIFESTATIONS[:2]
    )
    return by("manifestation", [positive, negative, negative])
