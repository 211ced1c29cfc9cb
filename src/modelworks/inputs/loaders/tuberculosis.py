"""Tuberculosis, as the World Health Organization publishes it every year."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelworks.inputs.loaders._source import Array, Source

if TYPE_CHECKING:
    import pandas as pd

# The words of the files, and ours. Each estimate has `_lo` and `_hi` beside it where the edition gives them.
ESTIMATES: Mapping[str, str] = {
    "e_inc_100k": "incidence_per_100k",
    "e_inc_num": "incidence",
    "e_mort_100k": "mortality_per_100k",
    "e_mort_num": "deaths",
    "c_cdr": "case_detection_percent",
}
NOTIFICATIONS: Mapping[str, str] = {
    "new_labconf": "new_bacteriologically_confirmed",
    "new_clindx": "new_clinically_diagnosed",
    "new_ep": "new_extrapulmonary",
    "ret_rel": "relapse",
}


def who_tb_burden(path: Path, country: str) -> pd.DataFrame:
    """Estimates by year: `year`, `people`, and of each estimate its best value, `…_low` and `…_high`.

    Parameters
    ----------
    path : Path
        `TB_burden_countries_….csv`; columns that the edition does not have are not in the table.
    country : str
        ISO 3166 code of three letters.

    Raises
    ------
    ModelworksError
        D105, D106, D160, D161 about the file; D164 where an estimate lies outside its own interval.
    """
    import pandas as pd

    source = Source.read(path).where("iso3", equals=country)
    year = source.numbers("year", missing=False)
    source.once({"year": year.tolist()})
    table = {"year": year, "people": source.numbers("e_pop_num", least=0)}
    source.name(*ESTIMATES)
    for theirs, ours in ESTIMATES.items():
        for ending, word in (("", ""), ("_lo", "_low"), ("_hi", "_high")):
            if source.has(theirs + ending):
                table[ours + word] = source.numbers(theirs + ending, least=0)
        if f"{ours}_low" in table and f"{ours}_high" in table:
            _check_interval(source, theirs, *(table[ours + word] for word in ("", "_low", "_high")))
    source.done()
    return pd.DataFrame(table).astype({"year": int}).sort_values("year", ignore_index=True)


def _check_interval(source: Source, column: str, best: Array, low: Array, high: Array) -> None:
    outside = np.flatnonzero((best < low) | (best > high)).tolist()
    hint = "have two columns been exchanged?"
    source.say("D164", column, outside, lambda k: f"is {best[k]:g}, outside {low[k]:g} to {high[k]:g}", hint)


def who_tb_notifications(path: Path, country: str) -> pd.DataFrame:
    """People notified by year: `year`, `notifications` (new and relapse), and those of the kinds the file has.

    An empty cell is a year of which nothing was reported, not one without tuberculosis; it stays empty (NaN).

    Parameters
    ----------
    path : Path
        `TB_notifications_….csv` (`c_newinc`), or a file with `new_and_relapse_notifications`.
    country : str
        ISO 3166 code of three letters.

    Raises
    ------
    ModelworksError
        D105, D106, D160, D161 about the file; D164 for a number below 0.
    """
    import pandas as pd

    source = Source.read(path).where("iso3", equals=country)
    year = source.numbers("year", missing=False)
    source.once({"year": year.tolist()})
    table = {"year": year, "notifications": source.numbers("c_newinc", "new_and_relapse_notifications", least=0)}
    table |= {ours: source.numbers(theirs, least=0) for theirs, ours in NOTIFICATIONS.items() if source.has(theirs)}
    source.done()
    return pd.DataFrame(table).astype({"year": int}).sort_values("year", ignore_index=True)
