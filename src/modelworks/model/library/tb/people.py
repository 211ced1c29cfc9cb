"""Who is born, grows older, dies of other causes, comes and leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from modelworks.errors import fail
from modelworks.model._declaration import Entry, Exit, Flow, Stratification
from modelworks.model._expression import Expression, Number, Parameter, by, expression, leaving, table
from modelworks.model.library._bands import age_bands
from modelworks.model.library.tb._check import check_deaths

# The age whose numbers stand for everybody where ages are not told apart.
ADULT = 15.0

# Years that people are taken to live in the last, open band, where its middle is asked for.
OPEN_WIDTH = 10.0

life_expectancy = Parameter("life_expectancy", "years", lower=1, meaning="life without tuberculosis")
people_at_start = Parameter("people_at_start", "people", lower=1, meaning="people when the model begins")
latent_at_start = Parameter("latent_at_start", "proportion", lower=0, upper=1, meaning="latently infected at the start")
ill_at_start = Parameter("ill_at_start", "proportion", lower=0, upper=1, meaning="ill at the start")


@dataclass(frozen=True)
class Ages:
    """Age bands by the youngest age in each, in years; none where ages are not told apart."""

    youngest: tuple[float, ...] = ()

    def numbers(self, since: Mapping[float, Number]) -> Number:
        """A number for each band: the one that holds from the oldest age on that is not above its youngest.

        Zero in bands below the first age; an adult's where ages are not told apart.
        """
        if not self.youngest:
            return _held(since, ADULT)
        return by("age", [_held(since, age) for age in self.youngest])

    @property
    def middles(self) -> list[float]:
        """The age in the middle of each band."""
        return [(a + b) / 2 for a, b in pairwise([*self.youngest, self.youngest[-1] + OPEN_WIDTH])]


def _held(since: Mapping[float, Number], age: float) -> Number:
    known = [start for start in since if start <= age]
    return since[max(known)] if known else 0.0


@dataclass(frozen=True, eq=False)
class Demography:
    """Births, deaths by age and journeys of a country, as numbers or as they vary in time.

    Parameters
    ----------
    births
        People born per year: a number, a table, or a part of everybody (`0.03 * people()`).
    deaths
        Deaths per person and year of causes other than tuberculosis, by the youngest age of a band. These ages are
        the bands of the model; let some begin at 5 and 15, where the risks of infected people change.
    shares
        Proportion of the people in each band at the start.
    arrivals
        People who come per year, never infected, shared over ages and places as everybody is at the start.
    departures
        Rate per year at which anybody leaves.
    """

    births: Number
    deaths: Mapping[float, Number]
    shares: Sequence[float]
    arrivals: Number = 0.0
    departures: Number = 0.0

    @staticmethod
    def from_tables(births: Mapping[float, float], deaths: Mapping[float, Mapping[float, float]]) -> Demography:
        """The demography of births by year, and of death rates by youngest age and then by year.

        A series and a table of pandas will do: `births[year]`, and `deaths` with a row for each year and a column for
        each band. Between the years numbers lie on straight lines; before the first and after the last they stay,
        so that a run may begin generations earlier. At the start people are as many in each age as they come to
        be under the first births and deaths.
        """
        rates = {float(age): dict(rows.items()) for age, rows in deaths.items()}
        return Demography(
            births=_over_time(dict(births.items())),
            deaths={age: _over_time(rows) for age, rows in rates.items()},
            shares=stationary_shares({age: rows[min(rows)] for age, rows in rates.items()}),
        )

    @property
    def ages(self) -> Ages:
        return Ages(tuple(float(age) for age in self.deaths))

    @property
    def mortality(self) -> Expression:
        """Deaths per person and year of other causes, for each age."""
        return by("age", list(self.deaths.values()))

    def stratification(self) -> Stratification:
        """Age bands that people grow through, each in the mean time that it is wide."""
        youngest = self.ages.youngest
        if youngest[0] != 0 or any(b <= a for a, b in pairwise(youngest)):
            fail(
                "M150",
                f"the ages of the demography are {', '.join(f'{age:g}' for age in youngest)}",
                hint="give the youngest age of each band, from 0 upwards",
            )
        widths = [b - a for a, b in pairwise(youngest)]
        return Stratification("age", age_bands(youngest), split=list(self.shares), widths=widths)

    def flows(self) -> list[Flow]:
        """Births into the youngest band, deaths of other causes, and journeys where there are any."""
        first = age_bands(self.ages.youngest)[0]
        found: list[Flow] = [Entry("birth", "susceptible", self.births, split={"age": first})]
        if self.arrivals != 0.0:
            found.append(Entry("arrival", "susceptible", self.arrivals))
        if self.departures != 0.0:
            found.append(Exit("emigration", None, self.departures))
        return [*found, Exit("natural_death", None, self.mortality)]


def _over_time(rows: Mapping[float, float]) -> Expression:
    years = sorted(rows)
    return table([float(year) for year in years], [float(rows[year]) for year in years])


def stationary_shares(deaths: Mapping[float, float]) -> list[float]:
    r"""Proportion of people in each band where births and deaths have long been the same and nobody travels.

    People leave a band of width $w$ by ageing at the rate $1/w$, as they do in the model, so that
    $n_i (1/w_i + \mu_i) = n_{i-1} / w_{i-1}$; `deaths` are $\mu$ per year by the youngest age of each band.

    >>> stationary_shares({0: 0.0, 20: 0.05})
    [0.5, 0.5]
    """
    check_deaths(deaths)
    reached, people = 1.0, []
    for ageing, rate in zip([*(1 / (b - a) for a, b in pairwise(deaths)), 0.0], deaths.values(), strict=True):
        people.append(reached / (ageing + rate))
        reached = people[-1] * ageing
    return [each / sum(people) for each in people]


def deaths_in_bands(deaths: Mapping[float, float], youngest: Sequence[float]) -> dict[float, float]:
    r"""Death rates of wide bands from those of narrow ages, which are constant within each and open at the last.

    A band's rate is its deaths over the years lived in it by people of a life table, $\sum_i \mu_i L_i / \sum_i L_i$
    with $L_i$ the person-years of age $i$ (Preston, Heuveline and Guillot 2001, Demography, chapter 3).

    Parameters
    ----------
    deaths
        Per person and year, by the youngest age each holds for.
    youngest
        The youngest age of each band; all are among those of `deaths`.

    Raises
    ------
    ModelworksError
        M150 for a band that begins within an age, and for rates of which nobody would die at the end.
    """
    rates = {float(age): float(rate) for age, rate in deaths.items()}
    check_deaths(rates)
    between = [age for age in youngest if age not in rates]
    if between:
        fail(
            "M150",
            f"a band begins at {between[0]:g}, but death rates are known from {', '.join(f'{a:g}' for a in rates)} on",
            hint="let bands begin where an age of the table does",
        )
    alive, died, lived = 1.0, dict.fromkeys(youngest, 0.0), dict.fromkeys(youngest, 0.0)
    for (age, rate), end in zip(rates.items(), [*list(rates)[1:], math.inf], strict=True):
        band = max(start for start in youngest if start <= age)
        dying = -alive * math.expm1(-rate * (end - age))
        died[band] += dying
        lived[band] += dying / rate if rate > 0 else alive * (end - age)
        alive -= dying
    return {band: died[band] / lived[band] for band in youngest}


def births_that_replace(deaths: Sequence[str]) -> list[Flow]:
    """As many births as deaths, without ages: everybody stay as many."""
    return [
        Entry("birth", "susceptible", leaving("natural_death", *deaths)),
        Exit("natural_death", None, 1.0 / life_expectancy),
    ]


def start() -> dict[str, Expression]:
    """People in each compartment at the start; all that is known of it is soon forgotten."""
    return {
        "susceptible": people_at_start * (1.0 - latent_at_start - ill_at_start),
        "late_latent": people_at_start * latent_at_start,
        "infectious": people_at_start * ill_at_start,
    }


def mortality_of(demography: Demography | None) -> Expression:
    """Deaths of other causes per person and year."""
    return demography.mortality if demography else expression(1.0 / life_expectancy)
