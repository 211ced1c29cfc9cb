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

days_incubating = Parameter("days_incubating", "days", lower=0, meaning="from infection until infectious")
days_presymptomatic = Parameter("days_presymptomatic", "days", lower=0, meaning="infectious before symptoms")
days_early = Parameter("days_early", "days", lower=0, meaning="from symptoms to isolation or admission of the found")
days_late = Parameter("days_late", "days", lower=0, meaning="infectious after that, outside hospital")
days_hospital = Parameter("days_hospital", "days", lower=0, meaning="of a stay in hospital outside intensive care")
days_intensive_care = Parameter("days_intensive_care", "days", lower=0, meaning="of a stay in intensive care")
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


@dataclass(frozen=True)
class Course:
    """What becomes of the infected, told apart as far as is asked for.

    Parameters
    ----------
    risks
        By age.
    symptoms
        Who has symptoms is told apart, and nobody else is found. Otherwise each is as infectious as the mean of their
        age, and the found are of all the infected.
    intensive_care
        Who needs it is told apart. Otherwise all who are admitted are alike.
    tracing
        The infected are told apart by whether they were traced.
    """

    risks: Risks
    symptoms: bool = True
    intensive_care: bool = True
    tracing: bool = False

    @property
    def strata(self) -> tuple[str, ...]:
        """The clinical strata there are."""
        without = {CLINICAL[0]: not self.symptoms, CLINICAL[-1]: not self.intensive_care}
        return tuple(each for each in CLINICAL if not without.get(each))

    @property
    def found(self) -> tuple[str, ...]:
        return tuple(each for each in self.strata if each in FOUND)

    @property
    def can_be_found(self) -> str:
        """Those a detection is a proportion of, in a title."""
        return "Symptomatic" if self.symptoms else "Infected"

    @property
    def in_care(self) -> tuple[str, ...]:
        return tuple(each for each in self.strata if each in IN_CARE)

    @property
    def told_apart_in(self) -> tuple[str, ...]:
        """The compartments that clinical strata split: until the found are isolated nothing but symptoms differs.

        Tracing asks early which of the ill will be found.
        """
        return ILL if self.symptoms or self.tracing else ILL[1:]

    def stratification(self) -> Stratification:
        """How ill people are, and whether they are found; of those ill at the start nobody is."""
        split = {"not_symptomatic": 1.0 - self._symptomatic, "undetected": self._symptomatic}
        return Stratification("clinical", self.strata, self.told_apart_in, split=self._there(split))

    def shares(self, severity: Number, detection: Number) -> dict[str, Number]:
        r"""Who of those whose presymptomatic time ends becomes what.

        Everybody who needs a hospital is found. Of all who have symptoms $\sigma$ the part found is the `detection`
        $d$, or those $h$ who need a hospital where they are more: isolated are $\max(d\sigma - h, 0)$. Of the traced
        all with symptoms are found. Where symptoms are not told apart $\sigma = 1$.

        Parameters
        ----------
        severity
            Ratio of admissions per infection, by strain, vaccination and history.
        """
        symptomatic = self._symptomatic
        admitted = minimum(by("age", self.risks.hospitalised) * hospitalisation_multiplier * severity, symptomatic)
        found: Number = by("tracing", {"untraced": detection, "traced": 1.0}) if self.tracing else detection
        isolated = maximum(symptomatic * found - admitted, 0.0)
        intensive: Number = by("age", self.risks.intensive_care) if self.intensive_care else 0.0
        shares: dict[str, Number] = {
            "not_symptomatic": 1.0 - symptomatic,
            "undetected": symptomatic - admitted - isolated,
            "isolated": isolated,
            "hospital": admitted * (1.0 - intensive),
            "intensive_care": admitted * intensive,
        }
        return self._there(shares)

    def infectiousness_of_ill(self) -> dict[str, dict[str, Number]]:
        """By compartment of the ill and clinical stratum; the found are isolated in the later part."""
        at_large: dict[str, Number] = dict.fromkeys(self.strata, 1.0)
        if self.symptoms:
            at_large["not_symptomatic"] = infectiousness_not_symptomatic
        return {
            "early_active": at_large,
            "late_active": {**at_large, **dict.fromkeys(self.found, infectiousness_isolated)},
        }

    def infectiousness(self, onward: Number) -> dict[str, Number]:
        """How infectious people are in each compartment; as those with and without symptoms where it is not known.

        `onward` is what vaccination leaves of it.
        """
        symptomatic = by("age", self.risks.symptomatic)
        mean = symptomatic + (1.0 - symptomatic) * infectiousness_not_symptomatic
        each_ill = onward if self.symptoms else mean * onward
        found: dict[str, Number] = {
            name: by("clinical", weights) * each_ill if name in self.told_apart_in else each_ill
            for name, weights in self.infectiousness_of_ill().items()
        }
        found = {"presymptomatic": mean * onward, **found}
        if self.tracing:
            quarantine = by("tracing", {"untraced": 1.0, "traced": infectiousness_quarantined})
            found |= {name: found[name] * quarantine for name in ("presymptomatic", "early_active")}
        return found

    def flows(self, shares: Mapping[str, Number]) -> list[Flow]:
        """Incubation, symptoms, isolation or admission, and death; who recovers is a flow apart.

        Durations are exponentially distributed each. Deaths are in hospital and intensive care.
        """
        ends = self._deaths / self._duration_late
        drawn = {"onset" if ILL[0] in self.told_apart_in else "progression": {"clinical": shares}}
        return [
            Transition("becoming_infectious", "incubating", "presymptomatic", 1.0 / days_incubating),
            Transition(
                "onset", "presymptomatic", "early_active", 1.0 / days_presymptomatic, split=drawn.get("onset", {})
            ),
            Transition(
                "progression", "early_active", "late_active", 1.0 / days_early, split=drawn.get("progression", {})
            ),
            Exit("death", "late_active", ends, where={"clinical": self.in_care}),
        ]

    @property
    def recovery_rate(self) -> Expression:
        """The rate of recovering in the last part of the disease, of those who do not die."""
        return (1.0 - self._deaths) / self._duration_late

    @property
    def _symptomatic(self) -> Expression:
        return expression(by("age", self.risks.symptomatic) if self.symptoms else 1.0)

    @property
    def _duration_late(self) -> Expression:
        """Of the last part of the disease: a stay in hospital or intensive care, or the rest of infectiousness."""
        outside = dict.fromkeys(CLINICAL[:3], days_late)
        days = {**outside, "hospital": days_hospital, "intensive_care": days_intensive_care}
        return by("clinical", self._there(days))

    @property
    def _deaths(self) -> Expression:
        """The probability of dying, by clinical stratum and age; never above one."""
        ward = self._deaths_per_ward_stay
        outside: dict[str, Number] = dict.fromkeys(CLINICAL[:3], 0.0)
        in_care = {"hospital": minimum(ward, 1.0), "intensive_care": minimum(ward * fatality_intensive_care, 1.0)}
        return by("clinical", self._there({**outside, **in_care}))

    @property
    def _deaths_per_ward_stay(self) -> Expression:
        r"""Of those in wards, who die, so that deaths of wards and intensive care are the fatality.

        $d = f / (h\,(1 - c + c\rho))$ with fatality $f$, admissions $h$, the part $c$ of these in intensive care and
        $\rho$ deaths there over those in wards.
        """
        pairs = zip(self.risks.fatality, self.risks.hospitalised, strict=True)
        in_care = by("age", [died / admitted if admitted else 0.0 for died, admitted in pairs])
        deaths = fatality_multiplier * in_care
        if not self.intensive_care:
            return deaths
        intensive = by("age", self.risks.intensive_care)
        return deaths / (1.0 - intensive + intensive * fatality_intensive_care)

    def _there(self, of_strata: Mapping[str, Number]) -> dict[str, Number]:
        return {name: each for name, each in of_strata.items() if name in self.strata}


def infected_by_stage(number: Number) -> dict[str, Number]:
    """People infected, over the compartments of the infected by how long each part lasts outside hospital."""
    days = dict(zip(INFECTED, (days_incubating, days_presymptomatic, days_early, days_late), strict=True))
    whole = sum(days.values(), expression(0.0))
    return {compartment: number * each / whole for compartment, each in days.items()}
