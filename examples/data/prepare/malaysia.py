"""Malaysia's people, contacts and vaccination by age, made from a data package and from files under `raw/`.

People and contacts are read from the HDF5 files of the installed package `starsim_data`, which is
not imported: it would bring a plotting library along, and we want two arrays.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

AGES = (*(f"{start}-{start + 4}" for start in range(0, 75, 5)), "75+")
SETTINGS = ("home", "school", "work", "community")

# Shares of our five-year bands that are 12 to 17, and 18 or more, were people spread evenly within a band.
ADOLESCENT = np.array([0.0, 0.0, 0.6, 0.6, *[0.0] * 12])
ADULT = np.array([0.0, 0.0, 0.0, 0.4, *[1.0] * 12])

# From which day on an adult of 18-39, of 40-59 and of 60 or more was how many times as likely as others to be
# next, among those not yet vaccinated. The programme came in phases: front-line workers from 24 February; people
# over 60 or ill from 19 April; all adults from 21 June, when the capital region's centres were enlarged. The
# phases are the programme's, the numbers are ours, set so that of those over 60 a first dose had reached 1.0 million
# of 3.5 by 6 June (Malay Mail, 6 June 2021) and 2.1 million by 29 June (Malay Mail, 30 June 2021).
PRIORITY: Mapping[date, tuple[float, float, float]] = {
    date(2021, 2, 24): (1.0, 1.0, 0.2),
    date(2021, 4, 19): (0.4, 1.0, 6.0),
    date(2021, 6, 21): (1.0, 1.2, 2.0),
}
# How far vaccination went: of those over 60, 96% had all doses in February 2022 (Ministry of Health, 17 February
# 2022); of younger adults we assume a little more, as the national total asks for.
HIGHEST_COVERAGE = np.array([*[0.985] * 12, *[0.96] * 4])


def population() -> pd.DataFrame:
    """People in each age group in the middle of 2020."""
    return pd.DataFrame({"age": AGES, "people": _population()})


def contacts() -> pd.DataFrame:
    """Contacts per person and day in each setting, made reciprocal.

    A row of the source's matrix is the person who reports and a column whom they met. That is how its
    authors describe it, and the numbers agree: over all settings, total contacts of group i with j and of
    j with i (row times people of the row) differ by 15% of all contacts; read the other way round, by 52%.

    What is left of the difference is averaged away, so that both sides count the same meetings. It matters
    most at school, where the source gives teachers almost no contacts but gives pupils contacts with adults.
    """
    people = _population()
    parts = []
    for setting in SETTINGS:
        matrix = _reciprocal(_package("prem2021.h5", f"Malaysia/{setting}"), people)
        parts.append(
            pd.DataFrame(
                {
                    "setting": setting,
                    "reports": np.repeat(AGES, len(AGES)),
                    "met": np.tile(AGES, len(AGES)),
                    "contacts": matrix.ravel().round(6),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def fatality(by_age: Path) -> pd.DataFrame:
    """Deaths per infection in each age group, those of 75-79 and of 80 and more weighted by people."""
    rates = pd.read_csv(by_age)["fatality_percent"].to_numpy() / 100
    oldest = _people_by_five_years()[15:]
    last = np.average([rates[15], rates[16]], weights=[oldest[0], oldest[1:].sum()])
    return pd.DataFrame({"age": AGES, "fatality": np.append(rates[:15], last).round(8)})


def vaccination(doses: Path) -> pd.DataFrame:
    """Share of each age group with a first dose, and with all doses, at the end of each Sunday."""
    given = pd.read_csv(doses, parse_dates=["date"])
    first = _shared_out(given, "first_dose")
    # A second dose goes to those who had a first, in the order in which they had it.
    fully = np.minimum(_shared_out(given, "fully"), first)
    days = given["date"].dt.strftime("%Y-%m-%d").to_numpy()
    return pd.DataFrame(
        {
            "date": np.repeat(days, len(AGES)),
            "age": np.tile(AGES, len(days)),
            "first_dose": first.ravel().round(8),
            "fully": fully.ravel().round(8),
        }
    )


def vaccination_two_months_earlier(doses: Path) -> pd.DataFrame:
    """The same roll-out with every dose nine weeks earlier."""
    table = vaccination(doses)
    earlier = pd.to_datetime(table["date"]) - pd.Timedelta(weeks=9)
    return table.assign(date=earlier.dt.strftime("%Y-%m-%d"))


def _reciprocal(matrix: Array, people: Array) -> Array:
    """The matrix nearest to both reports of every pair of groups: their mean, in meetings a day."""
    meetings = matrix * people[:, None]
    return (meetings + meetings.T) / (2 * people[:, None])


def _shared_out(given: pd.DataFrame, column: str) -> Array:
    """Coverage (week, age) of a national series of people, shared out by age."""
    people = _population()
    young = np.outer(given[f"{column}_12_17"], ADOLESCENT * people / (ADOLESCENT @ people))
    adults = given[column].to_numpy() - given[f"{column}_12_17"].to_numpy()
    able = HIGHEST_COVERAGE * ADULT * people
    reached = np.zeros_like(people)
    rows = []
    for day, new in zip(given["date"], np.diff(adults, prepend=0.0), strict=True):
        reached = reached + _by_priority(new, able - reached, _weights(day.date()))
        rows.append(reached)
    return (young + np.array(rows)) / people


def _by_priority(number: float, open_: Array, weights: Array) -> Array:
    """A number of people taken from groups in proportion to weight times people still open, none beyond its all."""
    taken = np.zeros_like(open_)
    # Each round fills at least one group to its end, or shares out all that is left.
    for _ in open_:
        left = open_ - taken
        pull = weights * left
        if number - taken.sum() <= 0 or pull.sum() <= 0:
            break
        taken = taken + np.minimum((number - taken.sum()) * pull / pull.sum(), left)
    return taken


def _weights(day: date) -> Array:
    """The priority of each age group on a day."""
    young, middle, old = next(PRIORITY[start] for start in sorted(PRIORITY, reverse=True) if start <= day)
    return np.array([*[young] * 8, *[middle] * 4, *[old] * 4])


def _population() -> Array:
    """People in our sixteen age groups."""
    people = _people_by_five_years()
    return np.append(people[:15], people[15:].sum())


def _people_by_five_years() -> Array:
    """People in five-year age groups up to 100 and more, both sexes; the years are 1950, 1960, ..., 2020, ..."""
    by_year_sex_and_age = _package("demographics-2024.h5", "population/Malaysia")
    people: Array = by_year_sex_and_age[7].sum(axis=0)
    return people


def _package(file: str, name: str) -> Array:
    """An array of the installed data package."""
    import h5py

    found = importlib.util.find_spec("starsim_data")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package `starsim-data` is not installed; `pip install starsim-data` brings it")
    folder = Path(next(iter(found.submodule_search_locations)))
    with h5py.File(folder / "data" / file) as store:
        return np.asarray(store[name], dtype=float)
