"""Contact matrices: from diaries, made reciprocal, adapted to another population, in other age bands, between places.

Everywhere a row is who reports and a column whom they met, in contacts per person and time, and `population` is the
number of people in each stratum, in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.errors import fail
from modelworks.model._graph import Array

# By so much of the larger may the contacts of two groups with each other differ: published matrices are rounded.
ROUNDING = 0.01


def reciprocal_contacts(contacts: ArrayLike, population: ArrayLike) -> Array:
    r"""Contacts of which there are as many from one group to another as back, in a population.

    $$C'_{ij} = \frac{C_{ij} N_i + C_{ji} N_j}{2 N_i}$$

    The number of contacts between two groups is the mean of what the two report, so that all contacts together stay
    as many (Wallinga, Teunis and Kretzschmar 2006, doi:10.1093/aje/kwj317; method M1 of Arregui et al. 2018).

    Parameters
    ----------
    contacts
        $C$, shape (group, group), per person and time. Row = who reports, column = whom they met.
    population
        $N$, people in each group, shape (group,).

    >>> reciprocal_contacts([[1, 4], [1, 2]], [100, 200]).tolist()
    [[1.0, 3.0], [1.5, 2.0]]

    Raises
    ------
    ModelworksError
        M146 for a matrix or a population of another shape, or without people.
    """
    matrix, people = _matrix_of(contacts, population)
    total = matrix * people[:, None]
    return (total + total.T) / 2 / people[:, None]


def adapted_contacts(contacts: ArrayLike, population: ArrayLike, to: ArrayLike, *, keep_mean: bool = True) -> Array:
    r"""Contacts measured in one population, as they would be in a population of other ages.

    $$C'_{ij} \propto C_{ij} \frac{N'_j / N'}{N_j / N}$$

    How readily two groups meet is kept, and how many there are to be met is the new population's: methods M2 and M3
    of Arregui, Aleta, Sanz and Moreno 2018 (doi:10.1371/journal.pcbi.1006638). Contacts that are reciprocal in the
    old population are so in the new one; others are made reciprocal in the old one first.

    Parameters
    ----------
    contacts
        $C$, shape (group, group), per person and time. Row = who reports, column = whom they met.
    population
        $N$, people in each group where the contacts were measured.
    to
        $N'$, people in each group where they are wanted. Only proportions matter.
    keep_mean
        People have as many contacts on average as before (M3). Otherwise a younger population has more of them where
        the young have more (M2).

    Raises
    ------
    ModelworksError
        M146 for a matrix or a population of another shape, or without people.
    """
    matrix = reciprocal_contacts(contacts, population)
    _, old = _matrix_of(matrix, population)
    _, new = _matrix_of(matrix, to)
    old, new = old / old.sum(), new / new.sum()
    found: Array = matrix * (new / old)
    if keep_mean:
        found *= (old @ matrix.sum(axis=1)) / (new @ found.sum(axis=1))
    return found


def rebanded_contacts(
    contacts: ArrayLike, ages: Sequence[float], to: Sequence[float], population: Mapping[float, float]
) -> Array:
    r"""Contacts between other age bands than those they were measured in.

    Bands that are joined have the mean contacts of their people. Where a band is divided, the people in it are taken
    to have the contacts of the band, with the people of another in proportion to how many they are. Both leave the
    number of contacts between any two ages, and with it reciprocity, as they were.

    Parameters
    ----------
    contacts
        Shape (band, band), per person and time. Row = who reports, column = whom they met.
    ages
        The youngest age of each band of `contacts`; the last is open.
    to
        The youngest age of each band that is wanted; the last is open.
    population
        People by the youngest age of their own band, such as `{0: 4900, 5: 5100, …}`, in bands of any width; within
        one of them there are as many of each age. The last is open, and can not be divided.

    Returns
    -------
    array
        Shape (band of `to`, band of `to`).

    Raises
    ------
    ModelworksError
        M146 for a matrix of another shape than `ages`, ages that do not increase from the same youngest, or a
        population whose open band would have to be divided.
    """
    known = {float(age): float(number) for age, number in dict(population).items()}
    lists = {"`ages`": ages, "`to`": to, "the population": sorted(known)}
    for name, each in lists.items():
        if len(each) == 0 or np.any(np.diff(each) <= 0) or each[0] != ages[0]:
            fail(
                "M146",
                f"the ages of {name} are {', '.join(f'{age:g}' for age in each)}",
                hint="give the youngest age of each band, in order, all from the same first age on",
            )
    finest = np.array(sorted({float(age) for each in lists.values() for age in each}))
    if finest[-1] > max(known):
        fail(
            "M146",
            f"nothing is known of how many people from {max(known):g} on are above {finest[-1]:g}",
            hint="give the population in bands that reach as far as those of the contacts",
        )
    people = _people_at(finest, known)
    old, new = (_members(finest, each) for each in (ages, to))
    matrix, in_old = _matrix_of(contacts, people @ old)
    total = old @ (matrix * in_old[:, None] / np.outer(in_old, in_old)) @ old.T * np.outer(people, people)
    return np.asarray(new.T @ total @ new / (people @ new)[:, None])


def diary_contacts(
    participants: Any, contacts: Any, ages: Sequence[float], *, weights: ArrayLike | None = None
) -> Array:
    """Contacts per participant and day between age bands, from the diaries of a survey.

    Contacts are averaged over the participants of a band, as `contact_matrix` of the R package socialmixr does. A
    setting is a choice of contacts: `contacts[contacts["cnt_home"] == 1]`.

    Parameters
    ----------
    participants
        A row for each diary of one day: a table (of pandas, or a dict of columns) with `part_id` and
        `part_age_exact`. Whose age is not known are left out, with their contacts.
    contacts
        A row for each person met: `part_id`, and `cnt_age_exact` or else the mean of `cnt_age_est_min` and
        `cnt_age_est_max`. The columns are named as in the surveys of socialcontactdata.org.
    ages
        The youngest age of each band; the last is open.
    weights
        What each participant counts, in their order, such as for the day of the week; all alike when left out.

    Returns
    -------
    array
        Shape (band, band): row = who reports, column = whom they met. Not yet reciprocal.

    Raises
    ------
    ModelworksError
        M147 for a column that is not there, a contact of a person who is no participant or without an age, or an age
        band without participants.
    """
    ids, own = _column(participants, "part_id"), _column(participants, "part_age_exact").astype(float)
    counts = np.ones(len(ids)) if weights is None else np.asarray(weights, dtype=float)
    of, met = _column(contacts, "part_id"), _ages_met(contacts)
    order = np.argsort(ids)
    place = order[np.clip(np.searchsorted(ids[order], of), 0, len(ids) - 1)]
    if np.any(ids[place] != of):
        stranger = of[np.argmax(ids[place] != of)]
        fail("M147", f"a contact is of participant {stranger}, who is not there", hint="join the files of one survey")
    edges = np.asarray(ages, dtype=float)
    asked = _in_bands(own, edges)
    people = np.bincount(asked[asked >= 0], counts[asked >= 0], len(edges))
    if np.any(people == 0):
        band = edges[np.argmin(people)]
        fail("M147", f"no participant is in the age band from {band:g} on", hint="join it with its neighbour")
    row, column = asked[place], _in_bands(met, edges)
    used = (row >= 0) & (column >= 0)
    found = np.zeros((len(edges), len(edges)))
    np.add.at(found, (row[used], column[used]), counts[place][used])
    return found / people[:, None]


def place_contacts(time_spent: ArrayLike, population: ArrayLike) -> Array:
    r"""Contacts between the residents of places who meet wherever they spend their time.

    $$C_{ij} = \sum_k P_{ik} \frac{P_{jk} N_j}{\sum_l P_{lk} N_l}$$

    Whoever is in place $k$ meets whoever else is there. Each row sums to one, so that multiplied with contacts by age
    these are shared out over places; they are reciprocal (Keeling and Rohani 2008, Modeling Infectious Diseases,
    section 7.2).

    Parameters
    ----------
    time_spent
        $P$, shape (place of residence, place): the proportion of their time that residents spend in each place.
    population
        $N$, residents of each place.

    >>> place_contacts([[0.9, 0.1], [0.0, 1.0]], [100, 100]).round(3).tolist()
    [[0.909, 0.091], [0.091, 0.909]]

    Raises
    ------
    ModelworksError
        M146 for a matrix or a population of another shape, or rows that do not sum to one.
    """
    spent, residents = _matrix_of(time_spent, population)
    if not np.allclose(spent.sum(axis=1), 1.0, rtol=0, atol=1e-6):
        row = int(np.argmax(np.abs(spent.sum(axis=1) - 1)))
        fail(
            "M146",
            f"residents of place {row + 1} spend {spent[row].sum():g} of their time in all places together",
            hint="divide each row (the place people live in) by its sum",
        )
    there = spent * residents[:, None]
    return np.asarray(spent @ (there / np.maximum(there.sum(axis=0), 1e-300)).T)


def check_reciprocal(contacts: Array, population: Array, strata: Sequence[str], what: str) -> None:
    """Refuse contacts of which more lead from one group to another than back; say whether the transpose would do."""
    matrix, people = _matrix_of(contacts, population)
    if _worst_gap(matrix, people)[0] <= ROUNDING:
        return
    _, (i, j) = _worst_gap(matrix, people)
    total = matrix * people[:, None]
    turned = _asymmetry(matrix.T, people) < _asymmetry(matrix, people) / 2
    hint = (
        "the transpose fits better: a row is who reports, a column whom they met"
        if turned
        else "`reciprocal_contacts(matrix, population)` makes them so; or check which population the matrix is of"
    )
    fail(
        "M145",
        f"{what} are not reciprocal in this population: `{strata[i]}` have {total[i, j]:.4g} contacts with "
        f"`{strata[j]}`, but these have {total[j, i]:.4g} with `{strata[i]}`",
        hint=hint,
    )


def _worst_gap(matrix: Array, people: Array) -> tuple[float, tuple[int, int]]:
    """By how much of the larger the contacts of two groups differ, and which two these are: the most contacts."""
    total = matrix * people[:, None]
    gap = np.abs(total - total.T)
    # Pairs that hardly meet are rounded to few digits.
    larger = np.maximum(np.maximum(total, total.T), 1e-3 * total.max(initial=0.0))
    i, j = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return float(np.max(gap / np.maximum(larger, 1e-300))), (int(i), int(j))


def _asymmetry(matrix: Array, people: Array) -> float:
    total = matrix * people[:, None]
    return float(np.abs(total - total.T).sum())


def _matrix_of(contacts: Any, population: Any) -> tuple[Array, Array]:
    """A square matrix and the people of its rows; labels of the two, where they have them, agree."""
    told = [[str(label) for label in each.index] for each in (contacts, population) if hasattr(each, "iloc")]
    matrix, people = np.asarray(contacts, dtype=float), np.asarray(population, dtype=float)
    size = len(matrix)
    if matrix.shape != (size, size) or people.shape != (size,):
        fail(
            "M146",
            f"a matrix of shape {matrix.shape} does not go with a population of shape {people.shape}",
            hint="give a square matrix and the number of people in each of its rows",
        )
    if len(told) == 2 and told[0] != told[1]:
        fail(
            "M146",
            f"the rows of the matrix are {', '.join(told[0][:4])} …, but the population is of "
            f"{', '.join(told[1][:4])} …",
            hint="put the population in the order of the rows: population.loc[matrix.index]",
        )
    if not np.all(np.isfinite(matrix)) or np.any(matrix < 0) or not np.all(np.isfinite(people)) or np.any(people <= 0):
        fail(
            "M146",
            "a matrix or its population holds a negative number or none, or a group has no people",
            hint="contacts are zero or more, and each group has someone who has them",
        )
    return matrix, people


def _members(finest: Array, bands: Sequence[float]) -> Array:
    """Which band each of the finest bands is in, as ones and zeros, shape (finest band, band)."""
    return np.eye(len(bands))[_in_bands(finest, np.asarray(bands, dtype=float))]


def _in_bands(ages: Array, youngest: Array) -> NDArray[np.intp]:
    """The band of each age; -1 where that is not known, or below the first."""
    return np.where(np.isnan(ages), -1, np.searchsorted(youngest, ages, side="right") - 1)


def _people_at(finest: Array, known: Mapping[float, float]) -> Array:
    """People in each of the finest bands, evenly over the ages within one that is known."""
    bands = np.array(sorted(known))
    numbers = np.array([known[age] for age in bands])
    if len(bands) == 1:
        return numbers
    below = np.concatenate([[0.0], np.cumsum(numbers)])
    return np.diff(np.append(np.interp(finest, bands, below[:-1]), below[-1]))


def _ages_met(contacts: Any) -> Array:
    exact: Array = _column(contacts, "cnt_age_exact").astype(float)
    unknown = np.isnan(exact)
    if np.any(unknown):
        low, high = (_column(contacts, f"cnt_age_est_{end}").astype(float) for end in ("min", "max"))
        exact = np.where(unknown, (low + high) / 2, exact)
    if np.any(np.isnan(exact)):
        fail(
            "M147",
            f"{np.isnan(exact).sum()} of {len(exact)} contacts have no age",
            hint="leave them out, or their participants, or draw an age for them: each is an assumption of its own",
        )
    return exact


def _column(table: Any, name: str) -> Any:
    try:
        return np.asarray(table[name])
    except KeyError:
        fail(
            "M147", f"the survey has no column `{name}`", hint="rename it: the names are those of socialcontactdata.org"
        )
