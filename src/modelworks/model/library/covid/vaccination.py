"""A roll-out from a table of coverage, and what protection it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from modelworks.errors import fail
from modelworks.model._declaration import Move, Stratification
from modelworks.model._expression import Expression, Parameter, by, table
from modelworks.model._graph import Array

NONE, WANED = "none", "waned"

# A table holds its first value before its first time: this long before the first dose nobody has one.
LONG_BEFORE = timedelta(days=3650)

# A rate found by halving a range of one per day so often is known to a ten-thousandth of a millionth.
HALVINGS = 50

days_of_vaccine_protection = Parameter(
    "days_of_vaccine_protection", "days", lower=0, meaning="from the last dose's protection to what remains of it"
)


@dataclass(frozen=True, eq=False)
class RollOut:
    """Who was vaccinated when, by age, with one or two doses.

    Parameters
    ----------
    dates
        Days at whose end coverage is known, in order; two or more.
    first, second
        Proportion of each age that has had at least the first dose, and the second; shape (date, age). It never
        falls. Nobody had a dose one interval before the first date, and nobody gets one after the last.
    days_to_protection
        From a dose to the day it counts from. In two weeks protection has built up (Polack et al. 2020,
        doi:10.1056/NEJMoa2034577).
    wanes
        The last dose's protection goes over to a weaker one, on average after `days_of_vaccine_protection`.

    Raises
    ------
    ModelworksError
        M150 for fewer than two dates, another shape, what is no proportion, or coverage that falls.
    """

    dates: Sequence[date]
    first: ArrayLike
    second: ArrayLike | None = None
    days_to_protection: int = 14
    wanes: bool = False

    def __post_init__(self) -> None:
        if len(self.dates) < 2:
            fail("M150", "a roll-out has fewer than two dates", hint="give coverage on two dates or more")
        for what, coverage in zip(("first", "second"), self._coverage, strict=False):
            if coverage.ndim != 2 or len(coverage) != len(self.dates):
                wrong = f"is of shape {coverage.shape}, for {len(self.dates)} dates"
            elif not (np.all(coverage >= 0) and np.all(coverage < 1)):
                wrong = "has numbers that are not from 0 to below 1"
            elif np.any(np.diff(coverage, axis=0) < 0):
                wrong = "falls in time"
            else:
                continue
            fail(
                "M150",
                f"the coverage of the {what} dose {wrong}",
                hint="give the proportion of each age that ever had it, date by date, shape (date, age)",
            )

    @property
    def strata(self) -> tuple[str, ...]:
        """Nobody's dose, each dose, and what remains of the last where it wanes."""
        doses = [f"dose_{k + 1}" for k in range(len(self._coverage))]
        return (NONE, *doses, *([WANED] if self.wanes else []))

    @property
    def _coverage(self) -> list[Array]:
        return [np.asarray(each, dtype=float) for each in (self.first, self.second) if each is not None]

    def stratification(self, compartments: Sequence[str] | None = None) -> Stratification:
        """Whom the doses divide; all start without one."""
        return Stratification("vaccination", self.strata, compartments, split=NONE)

    def moves(self, compartments: Sequence[str] | None = None) -> list[Move]:
        """Doses, whatever state people are in, and the waning of the last."""
        steps = list(pairwise(self.strata))
        rates = [*self.rates(), *([1.0 / days_of_vaccine_protection] if self.wanes else [])]
        return [
            Move("waning_of_vaccine" if after == WANED else after, "vaccination", before, after, rate, compartments)
            for (before, after), rate in zip(steps, rates, strict=True)
        ]

    def rates(self) -> list[Expression]:
        r"""The rate per day of each dose by age under which coverage in the model is that of the table.

        Between two dates a rate $h_1$ takes people without a dose, $u$, to the next date's, $u e^{-h_1 \Delta}$; of
        those with one dose, whom $h_1$ brings and a rate $h_2$ takes on, the next date's number follows too, and is
        solved for $h_2$. Doses count once they protect.
        """
        # Coverage is that of the end of a day, which is the beginning of the next.
        wait = timedelta(days=1 + self.days_to_protection)
        days = [day + wait for day in self.dates]
        before = days[0] - (days[1] - days[0])
        spans = np.diff([day.toordinal() for day in (before, *days)]).astype(float)[:, None]
        first, *second = (np.vstack([np.zeros(each.shape[1]), each]) for each in self._coverage)
        rates = [-np.diff(np.log1p(-first), axis=0) / spans]
        rates += [_second_dose_rates(first, each, rates[0], spans) for each in second]
        times = [before - LONG_BEFORE, before, *days]
        return [_steps_by_age(times, each) for each in rates]


def _second_dose_rates(first: Array, second: Array, first_rates: Array, spans: Array) -> Array:
    """The rate (date, age) that leaves as many with just one dose as the table has, by bisection."""
    without, one_dose = 1.0 - first[:-1], (first - second)[:-1]
    wanted = (first - second)[1:]
    low, high = np.zeros_like(wanted), np.ones_like(wanted)
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        # What came in and was not yet taken on: h1 u (exp(-h1 t) - exp(-h2 t)) / (h2 - h1), steady where they meet.
        apart = (rate - first_rates) * spans
        apart = np.where(np.abs(apart) < 1e-9, 1e-9, apart)
        came = first_rates * without * np.exp(-first_rates * spans) * spans * -np.expm1(-apart) / apart
        too_many = one_dose * np.exp(-rate * spans) + came > wanted
        low, high = np.where(too_many, rate, low), np.where(too_many, high, rate)
    return (low + high) / 2


def _steps_by_age(times: Sequence[date], rates: Array) -> Expression:
    """A rate for each age that holds from one date to the next, and is zero before and after."""
    nothing = np.zeros(rates.shape[1])
    steps = np.vstack([nothing, rates, nothing])
    return by("age", [table(times, column.tolist(), "step") for column in steps.T])


def remaining(against: str, meaning: str, strata: Sequence[str]) -> Expression:
    """What vaccination leaves of a risk: one without a dose, otherwise one less a parameter for each stratum."""
    left: Mapping[str, Expression] = {
        stratum: 1.0
        - Parameter(
            f"protection_{against}_{stratum}",
            "proportion",
            lower=0,
            upper=1,
            meaning=f"{meaning} prevented, {stratum.replace('_', ' ')}",
        )
        for stratum in strata
        if stratum != NONE
    }
    return by("vaccination", {NONE: 1.0, **left})
