"""Contact matrices: what other people computed from the same diaries, closed forms, and what must stay as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelworks.errors import ModelworksError, explain
from modelworks.model import (
    Contacts,
    Expression,
    Infection,
    Model,
    Setting,
    Stratification,
    adapted_contacts,
    closures,
    diary_contacts,
    micro_distancing,
    mobility,
    people,
    place_contacts,
    rebanded_contacts,
    reciprocal_contacts,
    simulate,
    table,
)

FIVES = list(range(0, 80, 5))
PEOPLE = np.array([100.0, 250.0, 150.0])
# As many contacts either way: 400, 300 and 450 between the groups.
FITTING = np.array([[5.0, 4.0, 3.0], [1.6, 6.0, 1.8], [2.0, 3.0, 2.0]])
BETWEEN = st.integers(2, 6).flatmap(
    lambda size: st.tuples(
        arrays(float, (size, size), elements=st.floats(0.01, 20)),
        arrays(float, size, elements=st.floats(1, 1e6)),
        arrays(float, size, elements=st.floats(1, 1e6)),
    )
)


def between(matrix: Any, population: Any) -> np.ndarray[Any, Any]:
    """All contacts from each group to each other."""
    return np.asarray(matrix) * np.asarray(population)[:, None]


def survey() -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Three diaries of two children and an adult; one contact with an age that was guessed."""
    participants = {"part_id": [7, 3, 5], "part_age_exact": [4, 8, 40]}
    met = {
        "part_id": [3, 3, 7, 5, 5],
        "cnt_age_exact": [9, np.nan, 35, 38, 2],
        "cnt_age_est_min": [np.nan, 30, np.nan, np.nan, np.nan],
        "cnt_age_est_max": [np.nan, 50, np.nan, np.nan, np.nan],
    }
    return participants, met


# -- from diaries ------------------------------------------------------------------------------------


def test_contacts_are_averaged_over_diaries() -> None:
    """Two children met one child and two adults; the adult one of each."""
    np.testing.assert_array_equal(diary_contacts(*survey(), ages=[0, 18]), [[0.5, 1.0], [1.0, 1.0]])
    weighted = diary_contacts(*survey(), ages=[0, 18], weights=[3.0, 1.0, 1.0])
    np.testing.assert_allclose(weighted, [[0.25, 1.0], [1.0, 1.0]])


@pytest.mark.needs("references")
def test_the_diaries_of_polymod_give_the_matrix_of_socialmixr(references: Path) -> None:
    """Contacts at home in the United Kingdom (Mossong et al. 2008)."""
    expected = json.loads((references / "polymod_uk_socialmixr.json").read_text())
    data = references.parent / "data"
    participants = pd.read_csv(data / "polymod_participants_uk.csv")
    met = pd.read_csv(data / "polymod_contacts_uk.csv")
    home = met[met["cnt_home"] == 1]
    found = diary_contacts(participants, home, FIVES)
    np.testing.assert_allclose(found, expected["home"], rtol=0, atol=expected["tolerance"])

    # Joining bands afterwards is the same as asking in wider ones, of the same people.
    asked = dict(zip(FIVES, expected["participants_per_group"], strict=True))
    wide = [0, 5, 20, 65]
    np.testing.assert_allclose(
        rebanded_contacts(found, FIVES, wide, asked), diary_contacts(participants, home, wide), rtol=1e-12
    )


# -- another population ------------------------------------------------------------------------------


@given(BETWEEN)
def test_reciprocal_contacts_are_as_many_either_way(each: tuple[Any, Any, Any]) -> None:
    """And all together as many as before; twice is once."""
    matrix, population, _ = each
    found = reciprocal_contacts(matrix, population)
    total = between(found, population)
    np.testing.assert_allclose(total, total.T, rtol=1e-9)
    assert total.sum() == pytest.approx(between(matrix, population).sum())
    np.testing.assert_allclose(reciprocal_contacts(found, population), found, rtol=1e-9)


@given(BETWEEN)
def test_adapted_contacts_are_reciprocal_and_as_many(each: tuple[Any, Any, Any]) -> None:
    """In the new population, on average; in the old one nothing changes."""
    matrix, population, to = each
    found = adapted_contacts(matrix, population, to)
    total = between(found, to)
    np.testing.assert_allclose(total, total.T, rtol=1e-9)
    assert total.sum() / to.sum() == pytest.approx(between(matrix, population).sum() / population.sum())
    np.testing.assert_allclose(
        adapted_contacts(matrix, population, 3 * population), reciprocal_contacts(matrix, population), rtol=1e-9
    )


def test_twice_as_many_children_are_met_twice_as_often() -> None:
    """Before contacts are scaled to the old mean: 1/3 of the people become 1/2, by a factor of 3/2; others by 3/4."""
    found = adapted_contacts([[3, 6], [3, 4]], [1, 2], [1, 1], keep_mean=False)
    np.testing.assert_allclose(found, [[4.5, 4.5], [4.5, 3.0]])


# -- other age bands ---------------------------------------------------------------------------------


def test_where_everybody_meets_everybody_bands_make_no_difference() -> None:
    """Contacts in proportion to the people there are, in bands that are joined and divided."""
    population = {0: 500.0, 5: 400.0, 10: 900.0, 20: 2000.0, 60: 700.0}
    coarse = 10 * np.tile([1800.0, 2700.0], (2, 1)) / 4500
    found = rebanded_contacts(coarse, [0, 20], [0, 5, 15, 60], population)
    np.testing.assert_allclose(found, 10 * np.tile([500, 850, 2450, 700], (4, 1)) / 4500)


@given(BETWEEN)
def test_bands_that_are_divided_and_joined_again_are_as_before(each: tuple[Any, Any, Any]) -> None:
    """Whatever the people in the halves."""
    matrix, population, _ = each
    ages = [10.0 * k for k in range(len(matrix))]
    halves = [5.0 * k for k in range(2 * len(matrix))]
    known = dict(zip(halves, np.repeat(population, 2) * np.tile([0.3, 0.7], len(matrix)), strict=True))
    fine = rebanded_contacts(matrix, ages, halves, known)
    np.testing.assert_allclose(rebanded_contacts(fine, halves, ages, known), matrix, rtol=1e-9)


# -- places ------------------------------------------------------------------------------------------


@given(BETWEEN)
def test_residents_meet_wherever_they_are(each: tuple[Any, Any, Any]) -> None:
    """Contacts with the infectious, place by place: of all who are there now the share who are infectious."""
    spent, residents, infectious = each
    spent = spent / spent.sum(axis=1, keepdims=True)
    share_there = (spent.T @ infectious) / (spent.T @ residents)
    found = place_contacts(spent, residents)
    np.testing.assert_allclose(found @ (infectious / residents), spent @ share_there, rtol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-9)


# -- claimed to be reciprocal ------------------------------------------------------------------------


def model(contacts: Contacts) -> Model:
    return Model(
        "sir",
        ["s", "i"],
        [Infection("infection", "s", "i", 0.1, "i", contacts=contacts)],
        {"s": 490, "i": 10},
        {"i": people("i")},
        [Stratification("age", ["child", "adult", "old"], split=list(PEOPLE / 500))],
    )


def test_contacts_that_fit_their_population_are_taken() -> None:
    """Rounded to two digits as well; a population by name in any order."""
    named = pd.Series(PEOPLE[::-1], ["old", "adult", "child"])
    for matrix in (FITTING, np.round(FITTING * 1.0037, 2)):
        assert not model(Contacts({"age": matrix}, population={"age": PEOPLE.tolist()})).check()
        assert not model(Contacts({"age": [Setting("home", matrix)]}, population={"age": named})).check()


def test_a_transposed_matrix_is_told_as_one() -> None:
    """With the two strata that are furthest apart."""
    (letter,) = model(Contacts({"age": FITTING.T}, population={"age": PEOPLE.tolist()})).check()
    assert letter.code == "M145"
    assert "`child` have 160 contacts with `adult`, but these have 1000 with `child`" in letter.message
    assert "transpose" in letter.hint


def test_contacts_of_another_population_are_told_as_such() -> None:
    """Here the transpose would not help; made reciprocal they pass."""
    wrong = FITTING * [[1, 2, 1], [1, 1, 1], [1, 1, 1]]
    (letter,) = model(Contacts({"age": wrong}, population={"age": PEOPLE.tolist()})).check()
    assert letter.code == "M145"
    assert "`child` have 800 contacts with `adult`" in letter.message
    assert "reciprocal_contacts" in letter.hint
    mended = reciprocal_contacts(wrong, PEOPLE)
    assert not model(Contacts({"age": mended}, population={"age": PEOPLE.tolist()})).check()


# -- settings over time ------------------------------------------------------------------------------


def over_time(scale: Expression | float, start: date | None = None) -> Any:
    """An expression on days 0 to 40."""
    nobody = Model("x", ["a"], [], {"a": 1.0}, {"scale": scale})
    return simulate(nobody, {}, range(41), start=start)["scale"]


def test_mobility_counts_for_both_of_a_contact() -> None:
    """40% fewer visitors, 36% of the contacts; straight lines of mobility between."""
    scale = over_time(mobility([10, 20], [0.0, -40.0]))
    np.testing.assert_allclose(scale[[0, 10, 15, 20, 40]], [1.0, 1.0, 0.64, 0.36, 0.36])
    assert over_time(mobility([10, 20], [0.0, -40.0], squared=False))[40] == pytest.approx(0.6)


def test_schools_are_closed_from_the_first_day_to_the_day_they_open() -> None:
    """In any order of the periods; one may follow on another."""
    periods = [(date(2021, 1, 25), date(2021, 2, 1)), (date(2021, 1, 4), date(2021, 1, 11))]
    scale = over_time(closures(periods, during=0.2), start=date(2021, 1, 1))
    closed = [*range(3, 10), *range(24, 31)]
    np.testing.assert_array_equal(scale, [0.2 if day in closed else 1.0 for day in range(41)])
    np.testing.assert_array_equal(over_time(closures([(0, 5), (5, 9)])), [float(day >= 9) for day in range(41)])
    np.testing.assert_array_equal(over_time(closures([])), 1.0)


def test_distancing_protects_both_of_a_contact() -> None:
    """Half of the people lower the chance by 40%: what is left is 0.8 squared."""
    scale = over_time(micro_distancing(0.4, table([0, 10], [0.0, 0.5])))
    np.testing.assert_allclose(scale[[0, 5, 10, 40]], [1.0, 0.81, 0.64, 0.64])


# -- mistakes ----------------------------------------------------------------------------------------

LABELS = ["child", "adult", "old"]

MISTAKES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a population of other bands": (lambda: reciprocal_contacts(FITTING, [1, 2]), "M146", "each of its rows"),
    "a population in another order": (
        lambda: reciprocal_contacts(pd.DataFrame(FITTING, LABELS, LABELS), pd.Series(PEOPLE, LABELS[::-1])),
        "M146",
        "matrix.index",
    ),
    "a group of nobody": (lambda: adapted_contacts(FITTING, PEOPLE, [1, 0, 1]), "M146", "each group has someone"),
    "ages out of order": (lambda: rebanded_contacts(FITTING, [0, 5, 10], [0, 10, 5], {0: 1}), "M146", "in order"),
    "an open band to divide": (
        lambda: rebanded_contacts(FITTING, [0, 5, 10], [0, 65], {0: 1, 5: 1, 10: 1}),
        "M146",
        "reach as far",
    ),
    "time that does not sum to one": (lambda: place_contacts(FITTING, PEOPLE), "M146", "by its sum"),
    "a population of what is not met": (
        lambda: Contacts({"age": FITTING}, population={"agge": [1.0]}),
        "M146",
        'population={"age": people}',
    ),
    "a population that is only a list": (
        lambda: Contacts({"age": FITTING}, population=[1.0, 2.0, 3.0]),  # type: ignore[arg-type]
        "M146",
        'population={"age": people}',
    ),
    "a population of a misspelt age": (
        lambda: model(Contacts({"age": FITTING}, population={"age": {"chilld": 1.0}})).checked(),
        "M146",
        "did you mean `child`?",
    ),
    "a survey with other columns": (lambda: diary_contacts({"id": [1]}, {}, [0]), "M147", "socialcontactdata.org"),
    "a contact of nobody": (
        lambda: diary_contacts({"part_id": [1], "part_age_exact": [3]}, survey()[1], [0]),
        "M147",
        "one survey",
    ),
    "a band that nobody was asked in": (lambda: diary_contacts(*survey(), ages=[0, 18, 65]), "M147", "neighbour"),
    "a contact without an age": (
        lambda: diary_contacts(
            survey()[0],
            {
                "part_id": [7],
                "cnt_age_exact": [np.nan],
                "cnt_age_est_min": [np.nan],
                "cnt_age_est_max": [np.nan],
            },
            [0],
        ),
        "M147",
        "an assumption of its own",
    ),
    "mobility as a proportion of all": (lambda: mobility([0], [-120.0]), "M119", "in percent"),
    "closures that overlap": (lambda: closures([(1, 5), (4, 9)]), "M119", "join the two"),
    "a closure that ends before it begins": (lambda: closures([(5, 1)]), "M119", "first day open"),
    "closures by date and by number": (lambda: closures([(5, 9), (date(2021, 1, 1), date(2021, 1, 2))]), "M119", "one"),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_a_mistake_with_contacts_is_told(mistake: str) -> None:
    """With a code that explains it and a way out."""
    make, code, way_out = MISTAKES[mistake]
    with pytest.raises(ModelworksError) as caught:
        make()
    assert caught.value.codes == (code,), caught.value
    assert way_out in str(caught.value)
    assert explain(code).remedy
