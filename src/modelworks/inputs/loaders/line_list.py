"""Cases one by one, counted by day or week and by who they are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from modelworks.inputs._written import ISO
from modelworks.inputs.loaders._ages import band_names
from modelworks.inputs.loaders._source import Source

if TYPE_CHECKING:
    import pandas as pd

DAYS_A_WEEK = 7
# What a stratum is called of whose members nobody wrote which they are.
UNKNOWN = "unknown"


def line_list(
    path: Path,
    *,
    day: str | Sequence[str],
    every: Literal["day", "week"] = "day",
    by: Sequence[str] = (),
    age: str = "",
    bands: Sequence[int] = (),
    identity: str = "",
    layout: str = ISO,
    undated: Literal["refused", "left out"] = "refused",
) -> pd.DataFrame:
    """Cases by day or week: `date`, `age` where bands are wanted, the columns of `by`, `cases`.

    Every day (or week) from the first case to the last is there with every stratum, with 0 where there was no case.

    Parameters
    ----------
    day : str, or several
        The column of the day that counts. Of several the first that is filled: `("onset", "report")` takes the day of
        report where nobody knows that of onset, which moves those cases to a later day.
    every : str
        `week` gives the Monday that the week begins with.
    by : sequence of str
        Columns that say who or where; an empty cell becomes `unknown`.
    age, bands : str, sequence of int
        A column of ages in years, and where the bands begin, as in `(0, 5, 15)`; the last one is open.
    identity : str
        A column that says who a case is; the same one twice is an error.
    layout : str
        How days are written: `year-month-day`, `day/month/year` or `month/day/year`.
    undated : str
        `left out` drops cases without any day, and makes the series too low by them.

    Raises
    ------
    ModelworksError
        D105, D106, D108, D161 about the file, D163 for cases without a day, D165 for an age outside the bands.
    """
    import pandas as pd

    source, bands = Source.read(path), sorted(set(bands))
    if identity:
        source.once({identity: source.texts(identity)})
    columns = (day,) if isinstance(day, str) else tuple(day)
    known = [source.days(name, layout=layout) for name in columns]
    days = [next((each for each in several if each is not None), None) for several in zip(*known, strict=True)]
    missing = [k for k, each in enumerate(days) if each is None]
    if missing and undated == "refused" and not source.letters.collected:
        hint = 'name a second column of days, or leave those cases out with `undated="left out"`, and say so'
        source.tell(
            "D163", f"{len(missing)} of {len(days)} cases have no day in {' or '.join(columns)}", hint, missing[0]
        )
    strata = {name: [text or UNKNOWN for text in source.texts(name)] for name in by}
    if bands:
        strata = {"age": _in_bands(source, age, bands), **strata}
    source.done()
    begins = [_beginning(each, every) for each in days if each is not None]
    rows = pd.DataFrame(
        {"date": begins} | {n: [t for t, d in zip(v, days, strict=True) if d] for n, v in strata.items()}
    )
    counted = rows.value_counts(sort=False)
    step = DAYS_A_WEEK if every == "week" else 1
    span = [min(begins) + timedelta(days=k) for k in range(0, (max(begins) - min(begins)).days + 1, step)]
    kinds = [
        _kinds(values, bands) if name == "age" and bands else sorted(set(values)) for name, values in strata.items()
    ]
    grid = list(itertools.product(span, *kinds))
    table = pd.DataFrame(grid, columns=["date", *strata])
    table["cases"] = [float(counted.get(key, 0)) for key in grid]
    return table.assign(date=pd.to_datetime(table["date"]))


def _beginning(day: date, every: str) -> date:
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _kinds(values: Sequence[str], bands: Sequence[int]) -> list[str]:
    """Every band, from the youngest on, whether anybody is in it or not."""
    return [*band_names(bands), *([UNKNOWN] if UNKNOWN in values else [])]


def _in_bands(source: Source, age: str, bands: Sequence[int]) -> list[str]:
    """The band of each case; `unknown` where nobody wrote the age."""
    ages = source.numbers(age, least=0)
    young = np.flatnonzero(ages < bands[0]).tolist()
    source.say(
        "D165", age, young, lambda k: f"is {ages[k]:g}, younger than every band", "let the first band begin at 0"
    )
    names = band_names(bands)
    return [UNKNOWN if np.isnan(a) else names[max(int(np.searchsorted(bands, a, side="right")) - 1, 0)] for a in ages]
