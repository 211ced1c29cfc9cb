"""Synthetic contact matrices by setting, as Prem and others publish them.

Prem, Cook and Jit 2017 (doi:10.1371/journal.pcbi.1005697): workbooks `MUestimates_home_1.xlsx` and so on, a sheet for
each country, sixteen rows and columns of five-year ages, the last one 75 and more.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail
from modelworks.inputs._cells import read_cells
from modelworks.inputs._raw import raw_bytes
from modelworks.inputs._written import number_of
from modelworks.inputs.loaders._ages import age_limits
from modelworks.inputs.loaders._source import Source

if TYPE_CHECKING:
    import pandas as pd

AGES = (*(f"{start}-{start + 4}" for start in range(0, 75, 5)), "75+")


def contact_matrices(
    path: Path, country: str, *, settings: tuple[str, ...] = ("home", "school", "work", "other")
) -> pd.DataFrame:
    """Contacts per person and day of a country: columns `setting`, `reports`, `met`, `contacts`.

    Row = the age group of the person who reports (`reports`), column = that of whom they met (`met`).

    Parameters
    ----------
    path : Path
        A tidy file with `iso3`, `setting`, `age_contactor`, `age_contactee` and `contacts_per_day`.
    country : str
        ISO 3166 code of three letters.
    settings : tuple of str
        Those that are wanted, in this order. `all` is the sum of the others, and is not to be added to them.

    Raises
    ------
    ModelworksError
        D105, D106, D160, D161 about the file; D164 for a number below 0, or where not every pair of ages is there.
    """
    import pandas as pd

    found = Source.read(path).where("iso3", "country", equals=country)
    return pd.concat([_of_setting(found, setting) for setting in settings], ignore_index=True)


def _of_setting(found: Source, setting: str) -> pd.DataFrame:
    import pandas as pd

    source = found.where("setting", "location_contact", equals=setting)
    pairs = {
        "reports": source.texts("age_contactor", "age_contactor_group"),
        "met": source.texts("age_contactee", "age_cotactee"),
    }
    source.once(pairs)
    contacts = source.numbers("contacts_per_day", "mean_number_of_contacts", least=0, missing=False)
    source.done()
    ages = _in_order({*pairs["reports"], *pairs["met"]}, source.cells.file)
    known = dict(zip(zip(*pairs.values(), strict=True), contacts, strict=True))
    missing = [pair for pair in itertools.product(ages, ages) if pair not in known]
    if missing:
        message = f"`{setting}` has no contacts of {missing[0][0]} with {missing[0][1]}"
        hint = f"a matrix has every pair of its {len(ages)} ages; {len(missing)} are not there"
        fail("D164", message, hint=hint, file=source.cells.file)
    rows = [(setting, *pair, known[pair]) for pair in itertools.product(ages, ages)]
    return pd.DataFrame(rows, columns=["setting", "reports", "met", "contacts"])


def _in_order(ages: set[str], file: str) -> list[str]:
    """Age groups from the youngest on; a letter for a label that names none."""
    limits = {age: age_limits(age) for age in ages}
    unknown = [age for age, found in limits.items() if found is None]
    if unknown:
        fail("D165", f"`{sorted(unknown)[0]}` is no age group", hint="write it as in 5-9 or 75+", file=file)
    return sorted(ages, key=lambda age: limits[age] or (0, 0.0))


def contact_matrix(path: Path, country: str, setting: str) -> pd.DataFrame:
    """One setting's contacts per person and day, from a workbook of Prem 2017; columns as of `contact_matrices`.

    Row = the person who reports, column = whom they met. The workbooks with `_1` in their names have a line `X1, X2, …`
    above the numbers, those with `_2` have none; both are read.

    Parameters
    ----------
    path : Path
        `MUestimates_home_1.xlsx`, `MUestimates_school_2.xlsx` and so on.
    country : str
        The sheet: the country's name in English, as in `Malaysia`.
    setting : str
        What to call it, as in `home`.

    Raises
    ------
    ModelworksError
        D112 and D119 about the workbook, D164 where the sheet is not sixteen rows of sixteen numbers from 0 on.
    """
    import pandas as pd

    matrix = _sixteen(raw_bytes(path, path.parent), path.name, country)
    reports, met = np.repeat(AGES, len(AGES)), np.tile(AGES, len(AGES))
    return pd.DataFrame({"setting": setting, "reports": reports, "met": met, "contacts": matrix.ravel()})


def _sixteen(found: bytes, file: str, country: str) -> NDArray[np.float64]:
    cells = read_cells(found, file, sheet=country, may_repeat=True)
    lines = [cells.header, *cells.rows] if all(number_of(text) is not None for text in cells.header) else cells.rows
    numbers = [[number_of(text) for text in line] for line in lines]
    size = len(AGES)
    if len(numbers) != size or any(len(row) != size for row in numbers):
        width = max(map(len, numbers), default=0)
        message = (
            f"the sheet `{country}` of `{file}` has {len(numbers)} rows and {width} columns of numbers, not {size}"
        )
        fail("D164", message, hint="is it one of the matrices?", file=file)
    matrix = np.array(numbers, dtype=float)
    if not (matrix >= 0).all():
        fail(
            "D164",
            f"the sheet `{country}` of `{file}` has a cell that is no number from 0 on",
            hint="look at it",
            file=file,
        )
    return matrix
