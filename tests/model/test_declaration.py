"""What a declaration means: worked examples small enough to check by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelworks.model import (
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Setting,
    Stratification,
    Time,
    Transition,
    by,
    events,
    people,
    simulate,
)
from modelworks.model.library.seir import seir
from modelworks.model.library.sir import sir

AGE = Stratification("age", ["young", "old"], split=[0.25, 0.75])
DOSE = Stratification("dose", ["none", "one", "two"], split={"none": 0.5, "one": 0.5})
# Either becomes the lanes when it has the most strata, and rows when SPARE is there as well.
SPARE = Stratification("spare", ["a", "b", "c", "d"], split="b")


def run(
    flows: Sequence[Any],
    initial: Mapping[str, Any],
    outputs: Mapping[str, Any],
    stratifications: Sequence[Stratification] = (),
    times: Any = (0.0, 1.0, 2.0),
    **values: float,
) -> Any:
    found: dict[str, None] = dict.fromkeys(initial)
    for flow in flows:
        for end in (getattr(flow, "source", None), getattr(flow, "destination", None)):
            found.update(dict.fromkeys([end] if isinstance(end, str) else end or []))
    return simulate(Model("hand", list(found), flows, initial, outputs, stratifications), values, times, accuracy=1e-9)


@pytest.fixture(params=[[], [SPARE]], ids=["lanes", "rows"])
def spare(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_people_are_shared_over_strata_by_their_splits(spare: Any) -> None:
    """A number is for everybody; a number by stratum is for each."""
    result = run(
        [Transition("t", "a", "b", 0.1)],
        {"a": 800.0, "b": by("age", {"young": 10.0, "old": 30.0})},
        {
            "a": Output(people("a", by=["age", "dose"]), by=["age", "dose"]),
            "b": Output(people("b", by=["dose", "age"]), by=["dose", "age"]),
        },
        [AGE, DOSE, *spare],
    )
    np.testing.assert_allclose(result["a"][0], [[100, 100, 0], [300, 300, 0]])
    np.testing.assert_allclose(result["b"][0], [[5, 15], [5, 15], [0, 0]])


def test_the_axes_of_an_output_are_in_the_order_it_asks_for(spare: Any) -> None:
    """Whichever stratification the compiler makes its lanes, and in the names of the columns too."""
    outputs = {
        name: Output(people("a", by=names), by=names)
        for name, names in (("one", ["age", "dose"]), ("other", ["dose", "age"]))
    }
    result = run([Transition("t", "a", "b", 0.1)], {"a": 80.0}, outputs, [AGE, DOSE, *spare])
    assert result["one"].shape == (3, 2, 3)
    np.testing.assert_array_equal(result["one"], np.swapaxes(result["other"], 1, 2))
    assert [c.name for c in result.columns if c.output == "one"][:1] == ["one[young, none]"]
    data = result.to_dataset()["one"]
    assert data.dims == ("time", "age", "dose")
    np.testing.assert_array_equal(data.sel(age="old", dose="one").to_numpy(), result["one"][:, 1, 1])


def test_a_move_is_counted_where_it_leads(spare: Any) -> None:
    """Of 400 with no dose a share 1 - exp(-rate) has one a day later."""
    result = run(
        [Move("first", "dose", "none", "one", 0.5), Transition("t", "a", "b", 0.0)],
        {"a": 800.0},
        {
            "by": Output(events("first", by=["dose"]), by=["dose"]),
            "one": events("first", dose="one"),
            "all": events("first"),
            "weighted": events("first", times=by("dose", [100.0, 2.0, 100.0])),
        },
        [DOSE, *spare],
        times=[0.0, 1.0],
    )
    doses = 400 * (1 - np.exp(-0.5))
    np.testing.assert_allclose(result["by"][1], [0, doses, 0], rtol=1e-7)
    for name, expected in (("one", doses), ("all", doses), ("weighted", 2 * doses)):
        assert result[name][1] == pytest.approx(expected, rel=1e-7)


def test_people_age_out_of_each_band_at_one_over_its_width(spare: Any) -> None:
    """The last band is open, and growing older is counted in the band one comes to."""
    bands = Stratification("age", ["0", "5", "15"], split="0", widths=[5, 10])
    result = run(
        [Transition("t", "a", "b", 0.0)],
        {"a": 100.0},
        {
            "a": Output(people("a", by=["age"]), by=["age"]),
            "older": Output(events("ageing by age", by=["age"]), by=["age"]),
        },
        [bands, *spare],
        times=[0.0, 3.0],
    )
    young = 100 * np.exp(-3 / 5)
    middle = 100 * (np.exp(-3 / 10) - np.exp(-3 / 5)) * (1 / 5) / (1 / 5 - 1 / 10)
    np.testing.assert_allclose(result["a"][1], [young, middle, 100 - young - middle], rtol=1e-7)
    np.testing.assert_allclose(result["older"][1], [0, 100 - young, 100 - young - middle], rtol=1e-7)


def test_where_chooses_whom_a_flow_takes(spare: Any) -> None:
    """The others stay; strata named together are those that are in all of them."""
    result = run(
        [
            Transition("t", "a", "b", 0.5, where={"age": "old", "dose": ["one", "two"]}),
            Exit("x", "a", 0.2, where={"age": "young"}),
        ],
        {"a": 800.0},
        {"a": Output(people("a", by=["age", "dose"]), by=["age", "dose"]), "x": events("x"), "t": events("t")},
        [AGE, DOSE, *spare],
        times=[0.0, 1.0],
    )
    gone, moved = np.exp(-0.2), np.exp(-0.5)
    np.testing.assert_allclose(result["a"][1], [[100 * gone, 100 * gone, 0], [300, 300 * moved, 0]], rtol=1e-7)
    assert result["x"][1] == pytest.approx(200 * (1 - gone), rel=1e-7)
    assert result["t"][1] == pytest.approx(300 * (1 - moved), rel=1e-7)


def test_by_and_where_together_count_those_in_both(spare: Any) -> None:
    """Strata that `where` leaves out count nobody; they do not count everybody."""
    result = run(
        [Transition("t", "a", "b", 0.5)],
        {"a": 800.0},
        {
            "a": Output(people("a", by=["dose"], dose=["none", "two"]), by=["dose"]),
            "t": Output(events("t", by=["dose"], dose="none"), by=["dose"]),
        },
        [DOSE, *spare],
        times=[0.0, 1.0],
    )
    np.testing.assert_allclose(result["a"][0], [400, 0, 0])
    np.testing.assert_allclose(result["t"][1], [400 * (1 - np.exp(-0.5)), 0, 0], rtol=1e-7)


def test_rows_of_contacts_report_and_columns_are_met(spare: Any) -> None:
    """Only the old are infectious, and only the young meet them: the young alone are infected, at 3 * 6 / 75."""
    result = run(
        [Infection("infection", "s", "i", 2.0, "i", Contacts({"age": [[0.0, 3.0], [0.0, 0.0]]}))],
        {"s": by("age", [25.0, 69.0]), "i": by("age", [0.0, 6.0])},
        {"s": Output(people("s", by=["age"]), by=["age"])},
        [AGE, *spare],
        times=[0.0, 0.001],
    )
    np.testing.assert_allclose(result["s"][1], [25 * np.exp(-0.001 * 2 * 3 * 6 / 75), 69], rtol=1e-8)


def test_a_list_of_infectious_compartments_infects_alike() -> None:
    """As a mapping in which each counts one; and one name is itself, not its letters."""
    flows = [
        [Infection("infection", "s", "i", 2.0, each), Transition("t", "i", "ill", 0.5)]
        for each in (["i", "ill"], {"i": 1.0, "ill": 1.0})
    ]
    runs = [run(each, {"s": 90.0, "i": 10.0}, {"s": people("s")}, times=[0.0, 1.0])["s"] for each in flows]
    np.testing.assert_array_equal(*runs)
    alone = run(
        [Infection("infection", "s", "ill", 2.0, "ill")], {"s": 90.0, "ill": 10.0}, {"s": people("s")}, times=[0.0, 1.0]
    )
    assert alone["s"][1] < 90


def test_tables_of_pandas_go_by_their_labels(spare: Any) -> None:
    """A matrix or a series sorted otherwise than the strata means the same; labels that only count are no labels."""
    young, old = AGE.strata
    matrix = np.array([[5.0, 3.0], [1.0, 0.5]])

    def infected(contacts: Any, start: Any, split: Any) -> Any:
        result = run(
            [Infection("infection", "s", "i", by("age", start), "i", Contacts({"age": contacts}))],
            {"s": 90.0, "i": 10.0},
            {"s": Output(people("s", by=["age"]), by=["age"])},
            [Stratification("age", AGE.strata, split=split), *spare],
            times=[0.0, 1.0],
        )
        return result["s"][1]

    by_position = infected(matrix, [0.2, 0.4], [0.3, 0.7])
    turned = pd.DataFrame(matrix[::-1, ::-1], index=[old, young], columns=[old, young])
    series = pd.Series([0.4, 0.2], [old, young])
    assert np.array_equal(infected(turned, series, pd.Series([0.7, 0.3], [old, young])), by_position)
    named = turned.stack().rename_axis(["reports", "met"]).to_xarray().sel(reports=[old, young], met=[old, young])
    assert np.array_equal(infected(named, series.rename_axis("age").to_xarray(), [0.3, 0.7]), by_position)
    counted = pd.DataFrame(matrix)
    assert np.array_equal(infected(counted, pd.Series([0.2, 0.4]), pd.Series([0.3, 0.7])), by_position)


def test_settings_add_and_stratifications_multiply(spare: Any) -> None:
    """Contacts by age in two settings, a share of them in each place."""
    place = Stratification("place", ["north", "south"], split=[0.5, 0.5])
    home, school = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 0.0], [0.0, 0.0]])
    stays = np.array([[0.9, 0.1], [0.2, 0.8]])
    infectious = np.array([[4.0, 0.0], [0.0, 8.0]])  # age, place
    result = run(
        [
            Infection(
                "infection",
                "s",
                "i",
                0.01,
                "i",
                Contacts({"age": [Setting("home", home), Setting("school", school, scale=0.5)], "place": stays}),
            )
        ],
        {
            "s": by("place", [by("age", [96.0, 100.0]), by("age", [100.0, 92.0])]),
            "i": by("place", [by("age", [4.0, 0.0]), by("age", [0.0, 8.0])]),
        },
        {"new": Output(events("infection", by=["age", "place"]), by=["age", "place"])},
        [AGE, place, *spare],
        times=[0.0, 1e-5],
    )
    force = 0.01 * np.einsum("ab,pq,bq->ap", home + 0.5 * school, stays, infectious / 100)
    expected = 1e-5 * force * np.array([[96.0, 100.0], [100.0, 92.0]])
    np.testing.assert_allclose(result["new"][1], expected, rtol=1e-5)


def test_without_contacts_everybody_meets_everybody(spare: Any) -> None:
    """A stratification that contacts do not name changes nothing about who meets whom."""
    flows = [Infection("infection", "s", "i", 0.4, "i"), Transition("recovery", "i", "r", 0.2)]
    plain = run(flows, {"s": 900.0, "i": 100.0}, {"i": people("i")}, times=range(0, 30, 5))
    split = run(flows, {"s": 900.0, "i": 100.0}, {"i": people("i")}, [AGE, DOSE, *spare], times=range(0, 30, 5))
    np.testing.assert_allclose(plain["i"], split["i"], rtol=1e-8)


def test_a_strain_may_split_everybody() -> None:
    """Then people carry the strain of their last infection, and never are lanes by it."""
    strain = Stratification("strain", ["old", "new"], split="old")
    rate = by("strain", {"old": 0.2, "new": 0.4})
    result = run(
        [Infection("infection", "s", "i", rate, "i", strain="strain"), Transition("recovery", "i", "s", 0.1)],
        {"s": 990.0, "i": by("strain", {"old": 5.0, "new": 5.0})},
        {"i": Output(people("i", by=["strain"]), by=["strain"]), "everybody": people()},
        [strain],
        times=[0.0, 0.001],
    )
    # Per case 0.99 * rate - 0.1 at first.
    np.testing.assert_allclose(np.log(result["i"][1] / 5) / 0.001, [0.099 - 0.001, 0.297 - 0.001], rtol=1e-2)
    np.testing.assert_allclose(result["everybody"], 1000, rtol=1e-12)


def test_each_strain_infects_on_its_own() -> None:
    """The newly infected carry the strain of who infected them, and its rate counts."""
    strain = Stratification("strain", ["old", "new"], compartments=["i"], split="old")
    result = run(
        [
            Infection("infection", "s", "i", by("strain", {"old": 0.2, "new": 0.4}), "i", strain="strain"),
            Transition("recovery", "i", "r", 0.1),
        ],
        {"s": 980.0, "i": by("strain", {"old": 15.0, "new": 5.0})},
        {"new": Output(events("infection", by=["strain"]), by=["strain"])},
        [strain, AGE],
        times=[0.0, 1e-4],
    )
    np.testing.assert_allclose(result["new"][1], 1e-4 * 0.98 * np.array([0.2 * 15, 0.4 * 5]), rtol=1e-3)


def test_entries_are_shared_and_exits_are_for_good(spare: Any) -> None:
    """Ten a day to the young for two days, of whom a tenth a day leave."""
    result = run(
        [Entry("birth", "a", 10.0, {"age": "young"}), Exit("death", None, 0.1)],
        {"a": 0.0},
        {"a": Output(people("a", by=["age"]), by=["age"]), "birth": events("birth"), "death": events("death")},
        [AGE, *spare],
    )
    there = 100 * (1 - np.exp(-0.2))
    np.testing.assert_allclose(result["a"][2], [there, 0], rtol=1e-7)
    np.testing.assert_allclose(result["birth"], [0, 10, 10], rtol=1e-12)
    assert result["death"].sum() == pytest.approx(20 - there, rel=1e-7)


def test_events_are_weighed_at_the_moment_they_happen() -> None:
    """Five a day, each counting the time it happens at: the integral of 5 t, not five times the last."""
    result = run(
        [Entry("arrival", "a", 5.0)],
        {"a": 0.0},
        {
            "when": Output(events("arrival", times=Time()), "dimensionless"),
            "share": Output(events("arrival") / people("a"), "ratio"),
        },
        times=[0.0, 2.0, 6.0],
    )
    np.testing.assert_allclose(result["when"], [0, 5 * 4 / 2, 5 * (36 - 4) / 2], rtol=1e-10)
    np.testing.assert_allclose(result["share"][1:], [1, 20 / 30], rtol=1e-10)


def test_one_flow_between_two_compartments_is_counted_once() -> None:
    """A transition taken twice would be two flows; both are told apart by their names."""
    result = run(
        [Transition("slow", "a", "b", 0.1), Transition("fast", "a", "b", 0.3)],
        {"a": 100.0},
        {"slow": events("slow"), "fast": events("fast"), "b": people("b")},
    )
    np.testing.assert_allclose(result["fast"], 3 * result["slow"], rtol=1e-9)
    np.testing.assert_allclose(np.cumsum(result["slow"] + result["fast"]), result["b"], rtol=1e-9)


def test_a_model_is_extended_without_being_changed() -> None:
    """The first model stays as it was; the second has more."""
    first = sir()
    second = first.extended(
        name="more",
        flows=[Exit("death", "infectious", Parameter("fatality", "per day"))],
        outputs={"deaths": events("death")},
        derived={"duration": 1.0 / Parameter("recovery_rate", "per day", lower=0)},
    )
    assert "deaths" not in first.outputs
    assert [flow.name for flow in second.flows] == ["infection", "recovery", "death"]
    assert set(second.parameters) - set(first.parameters) == {"fatality"}
    assert not second.check()


@pytest.mark.parametrize("build", [sir, seir])
def test_the_models_of_the_library_are_sound(build: Any) -> None:
    """Nothing to tell, a meaning for each parameter, and a derived reproduction number."""
    model = build()
    assert model.check() == ()
    assert all(each.meaning and each.unit for each in model.parameters.values())
    assert "basic_reproduction_number" in model.derived


def test_numbers_of_numpy_are_numbers() -> None:
    """On either side of an expression, as data brings them."""
    rate = np.float64(2) * Parameter("k") + np.int64(1)
    result = run([Transition("t", "a", "b", rate)], {"a": np.float32(8)}, {"a": people("a")}, k=0.0)
    np.testing.assert_allclose(result["a"], 8 * np.exp([0, -1, -2]), rtol=1e-7)
