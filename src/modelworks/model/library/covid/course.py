"""From infection to recovery or death: how long each part takes, and how ill people of each age become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean

import numpy as np

from modelworks.errors import fail
from modelworks.model._declaration import Exit, Flow, Stratification, Transition
from modelworks.model._expression import Expression, Number, Parameter, by, expression, maximum, minimum

COMPARTMENTS = ("susceptible", "incubating", "presymptomatic", "early_active", "late_active", "recovered")
INFECTED = COMPARTMENTS[1:5]
ILL = ("early_active", "late_active")
CLINICAL = ("not_symptomatic", "undetected", "isolated", "hospital", "intensive_care")
FOUND = CLINICAL[2:]
IN_CARE = CLINICAL[3:]

# Of each ten years of age from 0-9 on. Davies et al. 2020, Nature Medicine 26: 1205, doi:10.1038/s41591-020-0962-9:
# susceptibility relative to others, and the part of the infected who have symptoms; the last of 70 and over.
SUSCEPTIBILITY = (0.40, 0.38, 0.79, 0.86, 0.80, 0.82, 0.88, 0.74)
SYMPTOMATIC = (0.29, 0.21, 0.27, 0.33, 0.40, 0.49, 0.63, 0.69)
# Verity et al. 2020, Lancet Infectious Diseases 20: 669, doi:10.1016/S1473-3099(20)30243-7: of the infected, those who
# need a hospital, and those who die; the last of 80 and over. None of 0-9 was seen in hospital: taken as at 10-19.
HOSPITALISED = (0.000408, 0.000408, 0.0104, 0.0343, 0.0425, 0.0816, 0.118, 0.166, 0.184)
FATALITY = (1.61e-5, 6.95e-5, 3.09e-4, 8.44e-4, 1.61e-3, 5.95e-3, 0.0193, 0.0428, 0.0780)
# Ferguson et al. 2020, Imperial College Report 9, doi:10.25561/77482: of those in hospital, who need intensive care.
INTENSIVE_CARE = (0.05, 0.05, 0.05, 0.05, 0.063, 0.122, 0.274, 0.432, 0.709)

days_incubating = Parameter("days_incubating", "days", lower=0.1, meaning="from infection until infectious")
days_presymptomatic = Parameter("days_presymptomatic", "days", lower=0.1, meaning="infectious before symptoms")
days_early = Parameter("days_early", "days", lower=0.1, meaning="from symptoms to isolation or admission of the found")
days_late = Parameter("days_late", "days", lower=0.1, meaning="infectious after that, outside hospital")
days_hospital = Parameter("days_hospital", "days", lower=0.1, meaning="of a stay in hospital outside intensive care")
days_intensive_care = Parameter("days_intensive_care", "days", lower=0.1, meaning="of a stay in intensive care")
infectiousness_not_symptomatic = Parameter(
    "infectiousness_not_symptomatic", "ratio", lower=0, meaning="without symptoms, over that with"
)
infectiousness_isolated = Parameter(
    "infectiousness_isolated", "ratio", lower=0, meaning="in isolation or hospital, over that at large"
)
infectiousness_quarantined = Parameter(
    "infectiousness_quarantined", "ratio", lower=0, meaning="of traced contacts, over that at large"
)
hospitalisation_multiplier = Parameter(
    "hospitalisation_multiplier", "ratio", lower=0, meaning="admissions per infection, over the source's"
)
fatality_multiplier = Parameter(
    "fatality_multiplier", "ratio", lower=0, meaning="deaths per admission, over the source's"
)
fatality_intensive_care = Parameter(
    "fatality_intensive_care", "ratio", lower=0, meaning="deaths per stay in intensive care, over those in wards"
)


def by_decade(values: Sequence[float], youngest: Sequence[int]) -> list[float]:
    """Values of ten-year bands for other bands, by the youngest age in each; the last of either is open.

    Each is the mean over the years of age in it, as many people of each; of the last over ten years.

    >>> by_decade((0.1, 0.2, 0.6), (0, 5, 10, 15))
    [0.1, 0.1, 0.2, 0.4]
    """
    by_year = [each for each in values[:-1] for _ in range(10)]
    ends = [*youngest[1:], youngest[-1] + 10]
    by_year += [values[-1]] * max(ends[-1] - len(by_year), 0)
    return [fmean(by_year[start:end]) for start, end in zip(youngest, ends, strict=True)]


@dataclass(frozen=True)
class Risks:
    """What infection does at each age, one number a band.

    Parameters
    ----------
    susceptibility
        Relative to others.
    symptomatic, hospitalised, fatality
        Proportion of the infected who have symptoms, who are admitted (with intensive care), and who die.
    intensive_care
        Proportion of the admitted who need intensive care.

    Raises
    ------
    ModelworksError
        M150 for what is no proportion, and for deaths at an age of which nobody is admitted.
    """

    susceptibility: Sequence[float]
    symptomatic: Sequence[float]
    hospitalised: Sequence[float]
    intensive_care: Sequence[float]
    fatality: Sequence[float]

    def __post_init__(self) -> None:
        for each in fields(self)[1:]:
            values = np.asarray(getattr(self, each.name))
            if np.any(values < 0) or np.any(values > 1):
                fail(
                    "M150",
                    f"the risks `{each.name}` reach from {values.min():g} to {values.max():g}",
                    hint="give proportions from 0 to 1; divide percentages by 100",
                )
        if np.any((np.asarray(self.hospitalised) == 0) & (np.asarray(self.fatality) > 0)):
            fail(
                "M150",
                "people die at an age of which nobody is admitted",
                hint="deaths are in hospital; give `hospitalised` at least the size of `fatality`",
            )

    @staticmethod
    def published(youngest: Sequence[int]) -> Risks:
        """Those of the first strain and nobody vaccinated, for bands by the youngest age in each; sources above."""
        tables = (SUSCEPTIBILITY, SYMPTOMATIC, HOSPITALISED, INTENSIVE_CARE, FATALITY)
        return Risks(*(by_decade(each, youngest) for each in tables))

    @property
    def deaths_per_ward_stay(self) -> Expression:
        r"""Of those in wards, who die, so that deaths of wards and intensive care are the fatality.

        $d = f / (h\,(1 - c + c\rho))$ with fatality $f$, admissions $h$, the part $c$ of these in intensive care and
        $\rho$ deaths there over those in wards.
        """
        pairs = zip(self.fatality, self.hospitalised, strict=True)
        in_care = by("age", [died / admitted if admitted else 0.0 for died, admitted in pairs])
        intensive = by("age", self.intensive_care)
        return fatality_multiplier * in_care / (1.0 - intensive + intensive * fatality_intensive_care)


def clinical(risks: Risks) -> Stratification:
    """How ill people are, and whether they are found; of those ill at the start nobody is."""
    symptomatic = by("age", risks.symptomatic)
    return Stratification(
        "clinical", CLINICAL, ILL, split={"not_symptomatic": 1.0 - symptomatic, "undetected": symptomatic}
    )


def clinical_shares(risks: Risks, severity: Number, detection: Number, *, tracing: bool) -> dict[str, Number]:
    r"""Who of those whose presymptomatic time ends becomes what.

    Everybody who needs a hospital is found. Of all who have symptoms $\sigma$ the part found is the `detection` $d$, or
    those $h$ who need a hospital where they are more: isolated are $\max(d\sigma - h, 0)$. Of the traced all with
    symptoms are found.

    Parameters
    ----------
    severity
        Ratio of admissions per infection, by strain, vaccination and history.
    """
    symptomatic = by("age", risks.symptomatic)
    hospital = minimum(by("age", risks.hospitalised) * hospitalisation_multiplier * severity, symptomatic)
    found: Number = by("tracing", {"untraced": detection, "traced": 1.0}) if tracing else detection
    isolated = maximum(symptomatic * found - hospital, 0.0)
    intensive = by("age", risks.intensive_care)
    return {
        "not_symptomatic": 1.0 - symptomatic,
        "undetected": symptomatic - hospital - isolated,
        "isolated": isolated,
        "hospital": hospital * (1.0 - intensive),
        "intensive_care": hospital * intensive,
    }


def infected_by_stage(number: Number) -> dict[str, Number]:
    """People infected, over the compartments of the infected by how long each part lasts outside hospital."""
    days = dict(zip(INFECTED, (days_incubating, days_presymptomatic, days_early, days_late), strict=True))
    whole = sum(days.values(), expression(0.0))
    return {compartment: number * each / whole for compartment, each in days.items()}


def infectiousness_of_ill() -> dict[str, dict[str, Number]]:
    """By compartment of the ill and clinical stratum; the found are isolated in the later part."""
    at_large: dict[str, Number] = dict.fromkeys(CLINICAL, 1.0)
    at_large["not_symptomatic"] = infectiousness_not_symptomatic
    return {"early_active": at_large, "late_active": {**at_large, **dict.fromkeys(FOUND, infectiousness_isolated)}}


def infectiousness(risks: Risks, onward: Number, *, tracing: bool) -> dict[str, Number]:
    """How infectious people are in each compartment; before symptoms as those with and without will be.

    `onward` is what vaccination leaves of it.
    """
    symptomatic = by("age", risks.symptomatic)
    before = symptomatic + (1.0 - symptomatic) * infectiousness_not_symptomatic
    found: dict[str, Number] = {
        name: by("clinical", weights) * onward for name, weights in infectiousness_of_ill().items()
    }
    found = {"presymptomatic": before * onward, **found}
    if tracing:
        quarantine = by("tracing", {"untraced": 1.0, "traced": infectiousness_quarantined})
        found |= {name: found[name] * quarantine for name in ("presymptomatic", "early_active")}
    return found


def course(risks: Risks, shares: Mapping[str, Number]) -> list[Flow]:
    """Incubation, symptoms, isolation or admission, and how it ends; who recovers is a flow apart.

    Durations are exponentially distributed each. Deaths are in hospital and intensive care.
    """
    died, ends = deaths(risks), 1.0 / duration_late()
    return [
        Transition("becoming_infectious", "incubating", "presymptomatic", 1.0 / days_incubating),
        Transition("onset", "presymptomatic", "early_active", 1.0 / days_presymptomatic, split={"clinical": shares}),
        Transition("progression", "early_active", "late_active", 1.0 / days_early),
        Exit("death", "late_active", ends * died, where={"clinical": IN_CARE}),
    ]


def recovery_rate(risks: Risks) -> Expression:
    """The rate of recovering in the last part of the disease, of those who do not die."""
    return (1.0 - deaths(risks)) / duration_late()


def duration_late() -> Expression:
    """Of the last part of the disease: a stay in hospital or intensive care, or the rest of infectiousness."""
    outside = dict.fromkeys(CLINICAL[:3], days_late)
    return by("clinical", {**outside, "hospital": days_hospital, "intensive_care": days_intensive_care})


def deaths(risks: Risks) -> Expression:
    """The probability of dying, by clinical stratum and age; never above one."""
    ward = risks.deaths_per_ward_stay
    outside: dict[str, Number] = dict.fromkeys(CLINICAL[:3], 0.0)
    in_care = {"hospital": minimum(ward, 1.0), "intensive_care": minimum(ward * fatality_intensive_care, 1.0)}
    return expression(by("clinical", {**outside, **in_care}))
