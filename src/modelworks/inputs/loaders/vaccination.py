"""How vaccination was rolled out: totals so far, by day and perhaps by age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modelworks.errors import counted
from modelworks.inputs._cells import MISSING
from modelworks.inputs._written import ISO
from modelworks.inputs.loaders._source import SHOWN, Source

if TYPE_CHECKING:
    import pandas as pd

Corrections = Literal["refused", "lower earlier", "hold"]
# Of Our World in Data, each a total of people or of doses so far.
MEASURES = ("people_vaccinated", "people_fully_vaccinated")


def roll_out(
    path: Path,
    *,
    total: str,
    day: str = "date",
    by: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    layout: str = ISO,
    written: str = "plain",
    corrections: Corrections = "refused",
) -> pd.DataFrame:
    """Totals so far and what was new since the report before: columns `date`, those of `by`, `total`, `new`.

    Parameters
    ----------
    total : str
        The column of totals so far. A day without one is left out, for nothing was reported.
    by : sequence of str
        Columns within whose values the totals grow apart, as age and dose.
    where : mapping
        Values that the wanted rows have, as in `{"dose": "1"}`.
    layout : str
        How days are written: `year-month-day`, `day/month/year` or `month/day/year`.
    written : str
        `thousands` where a comma stands between thousands.
    corrections : str
        What becomes of a total that falls: `refused` is a letter; `lower earlier` takes the correction for true and
        lowers the totals before it; `hold` keeps the highest until it is passed.

    Raises
    ------
    ModelworksError
        D105, D106, D108, D160, D161 about the file, D162 for a total that falls.
    """
    import pandas as pd

    source = Source.read(path)
    for column, value in (where or {}).items():
        source = source.where(column, equals=value)
    source = source.only([text not in MISSING for text in source.texts(total)])
    days = source.days(day, layout=layout, missing=False)
    strata = {name: source.texts(name) for name in by}
    source.once({day: days, **strata})
    values = source.numbers(total, written=written, least=0)
    source.done()
    table = pd.DataFrame(
        {"date": pd.to_datetime(pd.Series(days)), **strata, "total": values, "line": source.cells.lines}
    )
    table = table.sort_values([*by, "date"], ignore_index=True)
    groups = [rows.index for _, rows in table.groupby(list(by), sort=False)] if by else [table.index]
    if corrections == "refused":
        _check_growth(table, groups, total, source)
    for rows in groups:
        totals = table.loc[rows, "total"]
        if corrections != "refused":
            totals = totals.cummax() if corrections == "hold" else totals[::-1].cummin()[::-1]
        table.loc[rows, "total"] = totals
        table.loc[rows, "new"] = totals.diff().fillna(totals)
    return table.drop(columns="line")


def _check_growth(table: pd.DataFrame, groups: Sequence[pd.Index[Any]], total: str, source: Source) -> None:
    """A letter where a total falls (D162)."""
    falls = [row for rows in groups for row in rows[(table.loc[rows, "total"].diff() < 0).to_numpy()]]
    if not falls:
        return
    totals = table["total"]
    # The rows of a group follow one another.
    named = "; ".join(
        f"{table['date'][k]:%Y-%m-%d} from {totals[k - 1]:,.10g} to {totals[k]:,.10g}" for k in falls[:SHOWN]
    )
    message = f"`{total}` falls {counted(len(falls), 'time')}: {named}"
    hint = '`corrections="lower earlier"` takes the later number for true, `corrections="hold"` the earlier one'
    source.letters.add("D162", message, hint=hint, file=source.cells.file, line=int(table["line"][falls[0]]))
    source.done()


def owid_vaccination(
    path: Path, country: str, *, measures: Sequence[str] = MEASURES, corrections: Corrections = "refused"
) -> pd.DataFrame:
    """People vaccinated so far, as Our World in Data has them: `date` and a column for each of the `measures`.

    A day on which a measure was not reported is empty (NaN); none is filled.

    Parameters
    ----------
    country : str
        `iso_code` (or `iso3`), or the name in a file that has `location` alone.
    measures : sequence of str
        Columns of totals so far.
    corrections : str
        As of `roll_out`.

    Raises
    ------
    ModelworksError
        As of `roll_out`.
    """
    import functools

    import pandas as pd

    header = Source.read(path)
    place = header.name("iso_code", "iso3", "location")
    parts = [
        roll_out(path, total=each, where={place: country}, corrections=corrections)[["date", "total"]].rename(
            columns={"total": each}
        )
        for each in measures
    ]
    return functools.reduce(lambda one, other: pd.merge(one, other, how="outer", on="date"), parts)
