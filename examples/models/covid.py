"""COVID-19 in Malaysia through 2021: the library's national model with this country's data.

What the library does not know is here: when transmission changed beyond what mobility shows, how the part of infections
that are found changed, when Delta came, and the deaths at each age that were published for other countries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks import Model, Output, Parameter, events, exp, log, people, table
from modelworks.model.library.covid import Country, Risks, RollOut, Strain, covid

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.model import Expression

Array = NDArray[np.float64]

# The new strain came with travellers while borders were nearly closed: its first case in Malaysia was found on
# 2 May 2021, and a few weeks of arrivals started what then spread by itself.
STRAINS = (Strain("earlier"), Strain("delta", (date(2021, 4, 12), date(2021, 5, 24))))

schools_open = Parameter(
    "schools_open", "ratio", lower=0, upper=1, meaning="of the schooling there was; 0 closes schools"
)

# What mobility does not show (masks, ventilation, whom one still meets, the other strains of spring) is found
# from the epidemic itself: by which factor transmission per contact changes up to each of these days since the day
# before it in the list, in equal proportions from day to day. The growth of an epidemic then answers to each
# number nearly in a straight line, which the sampler's work depends on. Before the first it is level, for no
# data of those weeks could tell a change of transmission from more infected at the start.
LEVEL_UNTIL = date(2021, 1, 11)
CHANGES = (
    date(2021, 2, 8),
    date(2021, 3, 15),
    date(2021, 4, 19),
    date(2021, 5, 17),
    date(2021, 6, 14),
    date(2021, 7, 26),
    date(2021, 9, 6),
    date(2021, 10, 18),
    date(2021, 11, 29),
)
transmission = Parameter.group("transmission", CHANGES, "ratio", lower=0)
# Part of infections that are found and reported, straight lines between.
SURVEYED = (date(2021, 3, 22), date(2021, 5, 10), date(2021, 7, 12), date(2021, 8, 16), date(2021, 10, 11))
detection = Parameter.group("detection", SURVEYED, "proportion", lower=0, upper=1)


def build(data: Mapping[str, pd.DataFrame]) -> Model:
    """The model of a country: its people, contacts, mobility, schools, vaccination and fatality by age."""
    ages = tuple(data["population"]["age"])
    settings = {setting: _matrix(each, ages) for setting, each in data["contacts"].groupby("setting")}
    country = Country(data["population"]["people"].tolist(), settings)
    beyond_mobility = _transmission()
    model = covid(
        country,
        risks=replace(Risks.published(country.youngest), fatality=_by_age(data["fatality"], "fatality", ages)),
        # People without symptoms were tested as well, in dormitories and around cases, and beds are not asked for.
        symptoms=False,
        intensive_care=False,
        scales=scales(data["mobility"], data["schools"]),
        transmission=beyond_mobility,
        detection=table(SURVEYED, list(detection.values())),
        strains=STRAINS,
        vaccination=roll_out(data["vaccination"], ages),
    )
    return model.extended(
        outputs={
            "deaths_over_60": Output(
                events("death", age=list(ages[12:])), "people", title="Deaths of people aged 60 and more"
            ),
            "ever_infected": Output(
                1.0 - people("susceptible") / people(), "proportion", title="People infected so far"
            ),
            "transmission": Output(
                beyond_mobility, "ratio", title="Transmission per contact, beyond what mobility shows"
            ),
        },
    )


def scales(visits: pd.DataFrame, schools: pd.DataFrame) -> dict[str, Expression]:
    """How much of each setting there was: by the calendar of schools, and by visits week by week."""
    elsewhere = visits[["retail_and_recreation", "grocery_and_pharmacy", "transit_stations"]].mean(axis=1)
    weeks = [day.date() for day in visits["week_start"]]
    in_class = table([day.date() for day in schools["from"]], schools["share_in_class"].tolist(), "step")
    return {
        "school": schools_open * in_class,
        "work": table(weeks, _visits_squared(visits["workplaces"]), "step"),
        "community": table(weeks, _visits_squared(elsewhere), "step"),
    }


def roll_out(coverage: pd.DataFrame, ages: tuple[str, ...]) -> RollOut:
    """Two doses by age as the table has them."""
    days = [day.date() for day in coverage["date"].drop_duplicates()]
    return RollOut(days, _wide(coverage, "first_dose", ages), _wide(coverage, "fully", ages))


def _transmission() -> Expression:
    return exp(table([LEVEL_UNTIL, *CHANGES], [*accumulate(map(log, transmission.values()), initial=0.0)]))


def _visits_squared(change: pd.Series) -> list[float]:
    """From a change of visits in percent to the square of visits over the usual: half as many meet half as many."""
    return ((1.0 + change / 100.0) ** 2).tolist()


def _matrix(contacts: pd.DataFrame, ages: tuple[str, ...]) -> Array:
    """Contacts per person and day in a setting; row = who reports, column = whom they met."""
    return contacts.pivot(index="reports", columns="met", values="contacts").loc[list(ages), list(ages)].to_numpy()


def _wide(long: pd.DataFrame, column: str, ages: tuple[str, ...]) -> Array:
    """A column by date and age as an array (date, age)."""
    return long.pivot(index="date", columns="age", values=column)[list(ages)].to_numpy()


def _by_age(long: pd.DataFrame, column: str, ages: tuple[str, ...]) -> list[float]:
    return long.set_index("age")[column].loc[list(ages)].tolist()
