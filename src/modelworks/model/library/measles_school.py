"""Measles in one city: children meet at school, are born, and are vaccinated at birth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from modelworks.model._declaration import Entry, Exit, Infection, Output, Transition
from modelworks.model._expression import Expression, Number, Parameter, events, expression, people, table
from modelworks.model._model import Model
from modelworks.model.library._example import Example

# First day of holidays and first day back of English state schools, as in Keeling and Rohani 2008, program 5.2: days
# 100 to 115, 200 to 251, 300 to 307 and 356 to 6 of the year.
HOLIDAYS = (("04-10", "04-26"), ("07-19", "09-09"), ("10-27", "11-04"), ("12-22", "01-07"))

EXAMPLE = Example(
    {
        "contact_rate": 3.4,
        "school_effect": 0.25,
        "latency_rate": 1 / 8,
        "recovery_rate": 1 / 5,
        "birth_rate": 5e-5,
        "death_rate": 5e-5,
        "coverage": 0.2,
        "efficacy": 0.95,
        "imported_cases": 0.1,
        "population": 3.3e6,
        "first_susceptible": 0.06,
        "first_infected": 3e-4,
    },
    until=300,
    start=date(1944, 1, 1),
)


def measles_school(
    years: tuple[int, int] = (1944, 1964),
    *,
    holidays: Sequence[tuple[str, str]] = HOLIDAYS,
    births: Number | None = None,
    coverage: Number | None = None,
) -> Model:
    r"""An SEIR with births and deaths whose contacts are those of term-time or of the holidays.

    $$\beta(t) = \beta \frac{1 + a}{m} \text{ in term}, \quad \beta \frac{1 - a}{m} \text{ in holidays},$$
    with $m$ such that the mean over a year is $\beta$. Everybody mixes with everybody: age is in the calendar alone
    (Earn et al. 2000, doi:10.1126/science.287.5453.667; Keeling, Rohani and Grenfell 2001,
    doi:10.1016/S0167-2789(00)00187-1). Vaccination at birth protects for life, or not at all.

    Parameters of the model: `contact_rate`, `latency_rate`, `recovery_rate`, `birth_rate`, `death_rate` (per day),
    `school_effect` $a$, `coverage`, `efficacy`, `first_susceptible` and `first_infected` (proportions),
    `imported_cases` (people per day), `population` (people). A start by date has to be given.

    Parameters
    ----------
    years
        The first and the last year of the school calendar; after them it is term.
    holidays
        First day without school and first day back, as month and day, in order of the year.
    births
        People born per day, such as a table of the registrar's; `birth_rate` times everybody when left out.
    coverage
        Proportion of the newborn who are vaccinated, such as a table; the parameter `coverage` when left out.
    """
    contact_rate = Parameter("contact_rate", "per day", lower=0, meaning="people infected by one case a day at first")
    effect = Parameter("school_effect", "proportion", lower=0, upper=1, meaning="how much more contacts in term")
    latency_rate = Parameter("latency_rate", "per day", lower=0, meaning="one over the latent period")
    recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the duration of infectiousness")
    birth_rate = Parameter("birth_rate", "per day", lower=0, meaning="births per person")
    death_rate = Parameter("death_rate", "per day", lower=0, meaning="deaths per person, of other causes")
    vaccinated = Parameter("coverage", "proportion", lower=0, upper=1, meaning="vaccinated of the newborn")
    efficacy = Parameter("efficacy", "proportion", lower=0, upper=1, meaning="protected of the vaccinated")
    imported_cases = Parameter("imported_cases", "people per day", lower=0, meaning="people infected elsewhere")
    population = Parameter("population", "people", lower=0, meaning="everybody")
    susceptible = Parameter("first_susceptible", "proportion", lower=0, upper=1, meaning="susceptible at the start")
    infected = Parameter("first_infected", "proportion", lower=0, upper=1, meaning="infectious at the start")
    born = birth_rate * people() if births is None else expression(births)
    immune = (vaccinated if coverage is None else expression(coverage)) * efficacy
    rate = contact_rate * _school_contacts(effect, years, holidays)
    return Model(
        name="measles_school",
        description="Measles with births, vaccination at birth and a school calendar.",
        compartments=["susceptible", "exposed", "infectious", "recovered"],
        flows=[
            Entry("birth", "susceptible", born * (1 - immune)),
            Entry("protected birth", "recovered", born * immune),
            Infection("infection", "susceptible", "exposed", rate=rate, infectious="infectious"),
            Transition("importation", "susceptible", "exposed", rate=imported_cases / people()),
            Transition("onset", "exposed", "infectious", rate=latency_rate),
            Transition("recovery", "infectious", "recovered", rate=recovery_rate),
            Exit("death", None, rate=death_rate),
        ],
        initial={
            "susceptible": population * susceptible,
            "infectious": population * infected,
            "recovered": population * (1 - susceptible - infected),
        },
        outputs={
            "prevalence": Output(people("infectious"), title="People infectious"),
            "incidence": Output(events("onset"), title="New infectious people"),
            "susceptible_share": Output(people("susceptible") / people(), "proportion", title="Still susceptible"),
        },
    )


def _school_contacts(effect: Expression, years: tuple[int, int], holidays: Sequence[tuple[str, str]]) -> Expression:
    """Contacts relative to their mean over a year, in steps at each end of term."""
    # The year before, for the holidays in which the first one begins.
    free = [_holiday(year, *each) for year in range(years[0] - 1, years[1] + 1) for each in holidays]
    changes = [date(years[0] - 1, 1, 1), *(day for each in free for day in each)]
    in_school = table(changes, [1.0, *(0.0, 1.0) * len(free)], kind="step")
    lost = sum((back - first).days for first, back in free[: len(holidays)]) / 365.25
    return (1 + effect * (2 * in_school - 1)) / (1 + effect * (1 - 2 * lost))


def _holiday(year: int, first: str, back: str) -> tuple[date, date]:
    """The first day without school and the first day back, in the next year where that comes earlier in the year."""
    return date.fromisoformat(f"{year}-{first}"), date.fromisoformat(f"{year + (back < first)}-{back}")
