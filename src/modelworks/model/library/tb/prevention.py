"""What keeps people from infection and disease, or finds it early: BCG, campaigns, preventive treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from modelworks.dates import decimal_year
from modelworks.errors import fail
from modelworks.model._declaration import Flow, Transition
from modelworks.model._expression import Expression, Number, Parameter, by, exp, expression, log, table
from modelworks.model.library.tb.people import Ages

# Where many are found within weeks the solver needs shorter steps than over decades.
STEPS_IN_CAMPAIGN = 4

bcg_efficacy = Parameter(
    "bcg_efficacy", "proportion", lower=0, upper=1, meaning="infections averted in the newly vaccinated"
)
bcg_duration = Parameter("bcg_duration", "years", lower=0.1, meaning="mean duration of the protection by BCG")
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
    meaning="that preventive treatment cures the latent infection of somebody it is offered to",
)


def bcg_protection(coverage: Mapping[float, Number], ages: Ages) -> Expression:
    r"""The risk of infection of each age over that without BCG, $1 - c(t - a)\, \epsilon\, e^{-a / D}$.

    $a$ is the age in the middle of a band, $c$ the coverage of newborns in their year of birth, $\epsilon$ the
    efficacy in the newly vaccinated and $D$ its mean duration. Protection is the mean of the vaccinated and the others
    of an age, not followed for each. That it ends within ten to fifteen years is what Abubakar et al. 2013 found in
    most studies (Health Technology Assessment 17(37), doi:10.3310/hta17370).

    Parameters
    ----------
    coverage
        Proportion of the newborn who are vaccinated, by year; as the first one before it, so begin with a zero.
    """
    years = sorted(coverage)
    values = [coverage[year] for year in years]
    return by(
        "age",
        [
            1.0 - bcg_efficacy * exp(-age / bcg_duration) * table([float(year) + age for year in years], values)
            for age in ages.middles
        ],
    )


@dataclass(frozen=True, eq=False)
class Campaign:
    """Screening of a part of the people from an age on, in one place or (with none named) everywhere.

    `start` and `end` are dates, or numbers in years; `screened` is the proportion of people reached, all of whom may
    be found by it, and whose latent infection is treated where it `treats_latent`. `held` says how much of it happens:
    a parameter that scenarios set to 0 or 1.
    """

    start: date | float
    end: date | float
    screened: float
    place: str | None = None
    youngest: float = 0.0
    treats_latent: bool = False
    held: Number = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.screened < 1 or self._years <= 0:
            fail(
                "M150",
                f"a campaign screens {self.screened:g} of the people in {self._years:g} years",
                hint="give a proportion below 1, and an end after the start",
            )

    @property
    def _years(self) -> float:
        start, end = (decimal_year(day) if isinstance(day, date) else day for day in (self.start, self.end))
        return end - start

    def rate(self, success: Number, ages: Ages) -> Number:
        r"""The rate by age at which people leave a compartment; steady in the campaign and zero otherwise.

        $$-\ln(1 - p) / d$$ takes out exactly the part $p$, screened with `success`, in the $d$ years of a campaign.
        """
        steady = -log(1.0 - self.screened * self.held * expression(success)) / self._years
        # The solver stops at every time of a table: short steps during a campaign, long ones otherwise. Before its
        # first time a table holds its first value.
        part: Any = (self.end - self.start) / STEPS_IN_CAMPAIGN  # type: ignore[operator]
        first: Any = self.start
        stops = [first + k * part for k in range(-1, STEPS_IN_CAMPAIGN)]
        pulse = table([*stops, self.end], [0.0, *[steady] * STEPS_IN_CAMPAIGN, 0.0], "step")
        return pulse * ages.numbers({self.youngest: 1.0})


def early_finding(
    campaigns: Sequence[Campaign],
    ages: Ages,
    places: Mapping[str, float] | None = None,
    preventive_treatment: Number | None = None,
) -> list[Flow]:
    """Campaigns find disease, and cure latent infection where they treat it, as does preventive treatment otherwise.

    `preventive_treatment` is the rate per year at which the recently infected are offered it, outside campaigns.
    """
    treating = [each for each in campaigns if each.treats_latent]
    cured = _everywhere(treating, preventive_cure, ages, places)
    recent = cured if preventive_treatment is None else cured + preventive_treatment * preventive_cure
    found: list[Flow] = []
    if campaigns:
        rate = _everywhere(campaigns, screening_sensitivity, ages, places)
        found.append(Transition("screening", "infectious", "treated", rate))
    if treating or preventive_treatment is not None:
        found.append(Transition("preventive_cure_of_early", "early_latent", "recovered", recent))
    if treating:
        found.append(Transition("preventive_cure_of_late", "late_latent", "recovered", cured))
    return found


def _everywhere(
    campaigns: Sequence[Campaign], success: Parameter, ages: Ages, places: Mapping[str, float] | None
) -> Expression:
    """The rates of all campaigns together, in each place."""
    if not places:
        return expression(sum((each.rate(success, ages) for each in campaigns), expression(0.0)))
    found: dict[str, Number] = dict.fromkeys(places, 0.0)
    for each in campaigns:
        rate = each.rate(success, ages)
        for place in places if each.place is None else (each.place,):
            found[place] += rate
    return by("place", found)
