"""The parts put together: tuberculosis in a country, over generations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from modelworks.errors import fail, near
from modelworks.model._declaration import Flow, Stratification
from modelworks.model._expression import Number
from modelworks.model._model import Model
from modelworks.model.library.tb import care, disease, people, prevention
from modelworks.model.library.tb._check import check_proportions
from modelworks.model.library.tb.people import Ages, Demography
from modelworks.model.library.tb.prevention import Campaign
from modelworks.model.library.tb.reporting import outputs

COMPARTMENTS = ("susceptible", "early_latent", "late_latent", "infectious", "treated", "recovered")


def tb(
    demography: Demography | None = None,
    *,
    places: Mapping[str, float] | None = None,
    contacts: ArrayLike | None = None,
    transmission: Number = 1.0,
    manifestations: bool = False,
    detection: Number | None = None,
    treatment_success: Number | None = None,
    treatment_death: Number | None = None,
    bcg: Mapping[float, Number] | None = None,
    diabetes: Mapping[float, Number] | None = None,
    campaigns: Sequence[Campaign] = (),
    preventive_treatment: Number | None = None,
) -> Model:
    """Tuberculosis over generations: infection, early and late latency, disease, treatment, recovery, reinfection.

    Time is in years of the calendar. Whatever is left out is not in the model, nor are its parameters; without a
    demography people have no age, all are adults, and births replace deaths. The mean time people spend in a
    compartment is exponentially distributed, as are the years in an age band.

    Parameters
    ----------
    demography
        Births, deaths by age, and journeys.
    places
        Proportion of the people in each place, who meet those of their own place and `mixing_elsewhere` anybody.
    contacts
        Relative contacts by age, shape (age, age): row who reports, column whom they met, of a mean of about one.
        Everybody meets everybody alike when left out.
    transmission
        What `transmission_rate` is multiplied by, in each place and at each time.
    manifestations
        Disease is smear-positive, smear-negative or extrapulmonary, and differs in how it infects, ends and is found.
    detection
        Rate per year at which disease is found and treated; a curve with `detection_rate` that rises when left out.
    treatment_success, treatment_death
        Proportions of the treated, such as tables of cohorts by year; parameters when left out.
    bcg
        Proportion of the newborn who are vaccinated, by year.
    diabetes
        Proportion of people who have diabetes, by the youngest age it holds for; each may be a table in time.
    campaigns
        Screening of places, with preventive treatment or without.
    preventive_treatment
        Rate per year at which the recently infected are offered preventive treatment outside campaigns.

    Raises
    ------
    ModelworksError
        M150 for options that do not fit each other or are no proportions, and what each part says of its own.

    Examples
    --------
    >>> tb().compartments
    ('susceptible', 'early_latent', 'late_latent', 'infectious', 'treated', 'recovered')
    """
    _check_options(demography, places, contacts, bcg, campaigns)
    check_proportions("the coverage of BCG in", bcg or {})
    check_proportions("the part of people with diabetes from age", diabetes or {})
    ages = demography.ages if demography else Ages()
    rate = care.rising_detection() if detection is None else detection
    finding = prevention.early_finding(campaigns, ages, places, preventive_treatment)
    flows = [
        *(demography.flows() if demography else people.births_that_replace(["death_untreated", "death_treated"])),
        *disease.infections(
            ages,
            disease.mixing(places, contacts),
            transmission=transmission,
            protected=prevention.bcg_protection(bcg, ages) if bcg is not None else 1.0,
            by_manifestation=manifestations,
        ),
        *disease.progression(ages, diabetes, by_manifestation=manifestations),
        *disease.untreated_ends(by_manifestation=manifestations),
        *care.detection(rate, by_manifestation=manifestations),
        *care.treatment(people.mortality_of(demography), treatment_success, treatment_death),
        *finding,
    ]
    return Model(
        name="tb",
        description="Tuberculosis: early and late latency, disease, treatment, over generations.",
        time="years",
        compartments=COMPARTMENTS,
        stratifications=_stratifications(demography, places, manifestations=manifestations),
        flows=flows,
        initial=people.start(),
        outputs=outputs(_notifying(finding), places or (), by_manifestation=manifestations),
    )


def _stratifications(
    demography: Demography | None, places: Mapping[str, float] | None, *, manifestations: bool
) -> list[Stratification]:
    found = [demography.stratification()] if demography else []
    if places:
        found.append(Stratification("place", tuple(places), split=list(places.values())))
    return [*found, disease.manifestations()] if manifestations else found


def _notifying(finding: Sequence[Flow]) -> list[str]:
    """The flows by which people come to be treated."""
    return ["detection", *(flow.name for flow in finding if flow.name == "screening")]


def _check_options(
    demography: Demography | None,
    places: Mapping[str, float] | None,
    contacts: ArrayLike | None,
    bcg: Mapping[float, Number] | None,
    campaigns: Sequence[Campaign],
) -> None:
    for what, given in {"contacts by age": contacts, "BCG": bcg}.items():
        if given is not None and demography is None:
            fail("M150", f"the model has {what}, but no ages", hint="give a demography; its bands are the ages")
    for each in campaigns:
        if each.place is not None and each.place not in (places or ()):
            fail(
                "M150", f"a campaign is held in `{each.place}`, which is no place", hint=near(each.place, places or ())
            )
