"""Mortality of the Marshall Islands in the age bands of the model, from five-year ages of the United Nations."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Where the bands begin. Narrow while the risk of disease after infection changes fast, wide afterwards.
BANDS = (0, 5, 10, 15, 25, 35, 50, 65)

# Births trebled between 1950 and 1985, about 3.5% a year, and stood still afterwards: the young outnumber the old by
# more than mortality alone would have it. Half of that growth stands for the hundred years as a whole.
GROWTH = 0.0175


def mortality(by_five_years: Path) -> pd.DataFrame:
    """Deaths per person and year in each band: year, age, youngest, deaths.

    Within a band every five-year age counts by its people, who are taken to be the survivors of births
    that grew by a constant rate.
    """
    raw = pd.read_csv(by_five_years)
    parts = []
    for year, rows in raw.groupby("year"):
        starts = rows["age_start"].to_numpy(dtype=float)
        rates = rows["deaths_per_person_year"].to_numpy(dtype=float)
        people = survivors(starts, rates) * np.exp(-GROWTH * starts)
        band = np.searchsorted(BANDS, starts, side="right") - 1
        deaths = np.bincount(band, weights=people * rates) / np.bincount(band, weights=people)
        parts.append(pd.DataFrame({"year": year, "age": labels(), "youngest": BANDS, "deaths": deaths.round(6)}))
    return pd.concat(parts, ignore_index=True)


def survivors(starts: Array, rates: Array) -> Array:
    """Person-years lived in each age by one newborn, under constant rates within an age; the last age is open."""
    widths = np.append(np.diff(starts), np.inf)
    alive = np.exp(-np.cumsum(np.append(0.0, rates[:-1] * widths[:-1])))
    lived: Array = alive * -np.expm1(-rates * widths) / rates
    return lived


def labels() -> list[str]:
    """`0-4`, ..., `65+`."""
    return [*(f"{low}-{high - 1}" for low, high in itertools.pairwise(BANDS)), f"{BANDS[-1]}+"]
