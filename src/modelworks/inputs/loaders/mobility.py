"""How much people moved, as Google published it (COVID-19 Community Mobility Reports)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelworks.inputs.loaders._source import Source

if TYPE_CHECKING:
    import pandas as pd

PLACES = ("retail_and_recreation", "grocery_and_pharmacy", "parks", "transit_stations", "workplaces", "residential")
_LONG = "_percent_change_from_baseline"


def google_mobility(path: Path, country: str, region: str = "") -> pd.DataFrame:
    """Change of visits from the baseline of early 2020, in percent: `date` and a column for each kind of place.

    A day on which Google had too few people to say is empty (NaN), as in the file; none is filled.

    Parameters
    ----------
    path : Path
        `2020_MY_Region_Mobility_Report.csv`, `Global_Mobility_Report.csv`, or a tidy file with `iso3` and `date`.
    country : str
        `country_region_code` of Google (two letters), or the three letters of a file with `iso3`.
    region : str
        `sub_region_1`, the whole country when left out; or `region` of a tidy file, where the whole has a name too.

    Raises
    ------
    ModelworksError
        D105, D106, D108, D160, D161 about the file; D164 for a change below -100 percent.
    """
    import pandas as pd

    source = Source.read(path).where("country_region_code", "iso3", equals=country)
    if source.has("sub_region_1"):
        source = source.where("sub_region_1", equals=region)
        for finer in ("sub_region_2", "metro_area"):
            if source.has(finer):
                source = source.where(finer, equals="")
    elif source.has("region"):
        source = source.where("region", equals=region)
    days = source.days("date", missing=False)
    source.once({"date": days})
    changes = {place: source.numbers(place + _LONG, place, least=-100) for place in PLACES}
    source.done()
    return pd.DataFrame({"date": pd.to_datetime(pd.Series(days)), **changes}).sort_values("date", ignore_index=True)
