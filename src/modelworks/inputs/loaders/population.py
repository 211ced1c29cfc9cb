"""People by age and sex, as the United Nations publish them (World Population Prospects)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelworks.errors import fail
from modelworks.inputs.loaders._ages import band_names
from modelworks.inputs.loaders._source import Source

if TYPE_CHECKING:
    import pandas as pd

# The files of the World Population Prospects count in thousands.
THOUSANDS = 1000.0
_SEXES = {"F": "female", "M": "male", "female": "female", "male": "male", "Female": "female", "Male": "male"}


def un_population(
    path: Path, country: str, *, years: tuple[int, int] | None = None, bands: Sequence[int] = (), variant: str = ""
) -> pd.DataFrame:
    """People of a country by year, sex and age: columns `year`, `sex`, `age`, `youngest`, `people`.

    Parameters
    ----------
    path : Path
        `WPP2024_PopulationByAge5GroupSex_Medium.csv` or another edition of it (`PopMale`, `PopFemale` in thousands),
        or a tidy file with `iso3`, `year`, `sex`, `age_start` and `population` in people.
    country : str
        ISO 3166 code of three letters.
    years : (int, int)
        First and last year that are wanted; all when left out.
    bands : sequence of int
        Where the age groups begin that are wanted, as in `(0, 5, 15, 65)`; the file's own when left out. The last one
        is open. A band that would cut a group of the file is an error, never an interpolation.
    variant : str
        Where the file has several (estimates and projections), the one that is wanted; all when left out.

    Raises
    ------
    ModelworksError
        D105, D106, D160 and D161 about the file, D165 for bands that cut its age groups.
    """
    import pandas as pd

    source = Source.read(path).where("iso3", "ISO3_code", equals=country)
    if variant:
        source = source.where("variant", "Variant", equals=variant)
    if years is not None:
        first = source.numbers("year", "Time")
        source = source.only(list((first >= years[0]) & (first <= years[1])))
        if not len(source):
            fail(
                "D160",
                f"`{source.cells.file}` has no year from {years[0]} to {years[1]} of `{country}`",
                hint="see `years`",
            )
    year = source.numbers("year", "Time", missing=False)
    youngest = source.numbers("age_start", "AgeGrpStart", least=0, missing=False)
    keys = {"year": year.tolist(), "age": youngest.tolist()}
    if source.has("PopMale"):
        source.once(keys)
        counts = {
            sex: source.numbers(f"Pop{sex.title()}", least=0, missing=False) * THOUSANDS for sex in ("female", "male")
        }
        parts = [
            pd.DataFrame({"year": year, "sex": sex, "youngest": youngest, "people": n}) for sex, n in counts.items()
        ]
        table = pd.concat(parts)
    else:
        sexes = source.texts("sex") if source.has("sex") else ["both"] * len(source)
        source.once({**keys, "sex": sexes})
        people = source.numbers("population", least=0, missing=False)
        named = [_SEXES.get(sex, sex) for sex in sexes]
        table = pd.DataFrame({"year": year, "sex": named, "youngest": youngest, "people": people})
    source.done()
    return _in_bands(table.astype({"year": int, "youngest": int}), bands, source.cells.file)


def _in_bands(table: pd.DataFrame, bands: Sequence[int], file: str) -> pd.DataFrame:
    """The table with its people added up in bands, named as `5-9` and `65+`."""
    starts = sorted(set(bands)) or sorted(set(table["youngest"].tolist()))
    cut = [start for start in starts if start not in set(table["youngest"])]
    if cut or starts[0] > table["youngest"].min():
        known = ", ".join(map(str, sorted(table["youngest"].unique())))
        what = (
            f"would cut an age group of `{file}` at {cut[0]}"
            if cut
            else f"begin at {starts[0]} and leave the young out"
        )
        fail("D165", f"the bands {what}", hint=f"its age groups begin at {known}")
    band = np.searchsorted(starts, table["youngest"].to_numpy(), side="right") - 1
    table = table.assign(youngest=np.array(starts)[band], age=np.array(band_names(starts))[band])
    keys = ["year", "sex", "age", "youngest"]
    added = table.groupby(keys, sort=False)["people"].sum().reset_index()
    return added.sort_values(["year", "sex", "youngest"], ignore_index=True)
