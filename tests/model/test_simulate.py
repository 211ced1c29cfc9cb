"""Runs as a user asks for them: dates, units, tables that change on a day, data sets, many runs at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from modelworks.dates import Calendar
from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Entry,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Stratification,
    Time,
    Transition,
    by,
    events,
    measure_error,
    people,
    run_many,
    seasonal,
    settle_step,
    simulate,
    smooth_change,
    table,
)
from modelworks.model._batch import RUNS
from modelworks.model.library.sir import sir

VALUES = {"contact_rate": 0.4, "recovery_rate": 0.2, "population": 1000.0, "first_cases": 10.0}


def leaving(rate: Any, **more: Any) -> Model:
    """People who leave at a rate, one of them at the start."""
    outputs = {"here": people("here"), "left": events("leaving"), **more.pop("outputs", {})}
    return Model(
        "leaving", ["here", "gone"], [Transition("leaving", "here", "gone", rate)], {"here": 1.0}, outputs, **more
    )


# -- time --------------------------------------------------------------------------------------------


def test_a_rate_that_starts_on_a_date_starts_on_that_day() -> None:
    """Nobody leaves before its first moment, and an output at that moment sees the new rate."""
    rate = table([date(2021, 3, 1), date(2021, 3, 5)], [0.0, 0.7], "step")
    model = leaving(rate, outputs={"rate": rate})
    result = simulate(model, {}, np.arange(0.0, 9.0), start=date(2021, 3, 1), accuracy=1e-10)
    np.testing.assert_array_equal(result["left"][:5], 0)
    np.testing.assert_array_equal(result["rate"], [0, 0, 0, 0, 0.7, 0.7, 0.7, 0.7, 0.7])
    np.testing.assert_allclose(result["here"][4:], np.exp(-0.7 * np.arange(5)), rtol=1e-9)
    assert result.dates is not None
    assert result.dates[4] == date(2021, 3, 5)


def test_a_change_between_outputs_is_met_by_a_step() -> None:
    """The same run whether the day of the change is an output or not."""
    rate = table([0.0, 3.37], [0.0, 0.2], "step")
    coarse = simulate(leaving(rate), {}, [0.0, 10.0], accuracy=1e-9)
    fine = simulate(leaving(rate), {}, [0.0, 3.37, 10.0], accuracy=1e-9)
    assert coarse["here"][-1] == pytest.approx(np.exp(-0.2 * 6.63), rel=1e-6)
    assert coarse["here"][-1] == pytest.approx(fine["here"][-1], rel=1e-8)


def test_a_change_at_the_start_or_the_end_is_seen_there() -> None:
    """A table changes at its own times, also where the run begins and ends."""
    rate = table([1.0, 4.0], [0.5, 0.9], "step")
    result = simulate(leaving(rate, outputs={"rate": rate}), {}, [1.0, 4.0], accuracy=1e-9)
    np.testing.assert_array_equal(result["rate"], [0.5, 0.9])
    assert result["here"][-1] == pytest.approx(np.exp(-1.5), rel=1e-8)


def test_a_table_is_flat_beyond_its_ends() -> None:
    """Before the first time and after the last one its value is held."""
    for kind in ("linear", "step"):
        rate = table([2.0, 3.0], [0.1, 0.3], kind)
        result = simulate(leaving(rate, outputs={"rate": rate}), {}, [0.0, 1.0, 2.0, 3.0, 9.0])
        np.testing.assert_allclose(result["rate"], [0.1, 0.1, 0.1, 0.3, 0.3], rtol=1e-12)


def test_dates_mean_the_same_in_every_form() -> None:
    """Python's dates, its midnights and NumPy's days."""
    days = [date(2021, 1, 3), date(2021, 1, 6)]
    forms: list[Any] = [
        days,
        [datetime(2021, 1, 3), datetime(2021, 1, 6)],
        np.array(days, dtype="datetime64[D]"),
        np.array(days, dtype="datetime64[ns]"),
    ]
    runs = [
        simulate(leaving(table(form, [0.0, 1.0])), {}, [0.0, 9.0], start=date(2021, 1, 1))["here"] for form in forms
    ]
    for other in runs[1:]:
        np.testing.assert_array_equal(runs[0], other)


def test_years_know_their_dates() -> None:
    """A model in years needs no first day: 2000.5 is 2000.5."""
    rate = table([date(2000, 1, 1), date(2002, 1, 1)], [0.0, 0.2], "step")
    result = simulate(leaving(rate, time="years"), {}, [2000.0, 2002.0, 2005.0], accuracy=1e-9)
    np.testing.assert_allclose(result["here"], [1, 1, np.exp(-0.6)], rtol=1e-8)


def test_time_zero_is_the_start_and_runs_may_begin_elsewhere() -> None:
    """The first output is where people are at the beginning, whatever its time."""
    rate = 0.01 * Time()
    whole = simulate(leaving(rate), {}, [3.0, 5.0], accuracy=1e-10)
    assert whole["here"][0] == 1
    assert whole["here"][1] == pytest.approx(np.exp(-0.01 * (25 - 9) / 2), rel=1e-9)


def test_a_season_is_not_missed_by_outputs_years_apart() -> None:
    """A step of whole years would meet every winter and no summer."""
    model = leaving(0.005 * seasonal(0.9, 0, 1), time="years")
    result = simulate(model, {}, [2000.0, 2004.0, 2008.0])
    np.testing.assert_allclose(result["here"], np.exp([0, -0.02, -0.04]), rtol=1e-6)


def test_a_quick_change_is_not_missed_by_outputs_far_apart() -> None:
    """A change of a day within a year of which only the ends are asked for."""
    rate = 0.001 * smooth_change(0, 1, 180, 2.0) * smooth_change(1, 0, 200, 2.0)
    result = simulate(leaving(rate), {}, [0.0, 365.0])
    assert result["left"][-1] == pytest.approx(1 - np.exp(-0.001 * 20), rel=1e-3)


# -- the error ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [1e-3, 1e-6, 1e-9])
def test_the_error_that_is_told_is_the_one_that_is_made(wanted: float) -> None:
    """Against the closed form, and never above what was asked for."""
    result = simulate(leaving(3.0), {}, np.linspace(0, 2, 5), accuracy=wanted)
    made = np.abs(result["here"] - np.exp(-3.0 * result.times)).max()
    assert result.error <= wanted
    assert made <= 1.2 * result.error + 1e-14


def test_halving_the_step_divides_the_error_by_sixteen() -> None:
    """The method has order four, tables and events included."""
    rate = table([0.0, 1.3, 2.9], [0.5, 2.0, 0.1])
    compiled = CompiledModel(leaving(rate), [0.0, 2.0, 4.0])
    exact = compiled.with_step(0.002).run(np.empty(0))
    errors = [np.abs(compiled.with_step(step).run(np.empty(0)) - exact).max() for step in (0.4, 0.2, 0.1)]
    assert 10 < errors[0] / errors[1] < 24
    assert 10 < errors[1] / errors[2] < 24


def test_the_error_can_be_measured_at_other_values() -> None:
    """A step that suits slow people is too long for fast ones, and that is told."""
    compiled = CompiledModel(leaving(Parameter("rate", "per day")), [0.0, 1.0, 2.0])
    slow = settle_step(compiled, np.array([0.1]), 1e-6)
    assert measure_error(compiled, np.array([0.1])) == pytest.approx(slow.error, rel=1e-6)
    told = measure_error(compiled, np.array([5.0]))
    made = np.abs(compiled.run(np.array([5.0]))[:, 0] - np.exp([0.0, -5.0, -10.0])).max()
    assert told > 10 * slow.error
    assert told == pytest.approx(made, rel=0.2)
    assert compiled.step == slow.step


def test_fast_people_are_followed_without_being_told() -> None:
    """The step follows the rate: an hour's stay among outputs a month apart."""
    result = simulate(leaving(24.0), {}, [0.0, 30.0], accuracy=1e-6)
    assert result["left"][-1] == pytest.approx(1.0, rel=1e-9)
    assert result["here"][-1] >= -1e-12


# -- what comes out ----------------------------------------------------------------------------------


def test_a_data_set_has_names_dates_and_units() -> None:
    """What a plot or a table needs to label itself."""
    age = Stratification("age", ["young", "old"], split=[0.5, 0.5])
    model = sir().extended(
        stratifications=[age],
        outputs={"share": Output(people("infectious", by=["age"]) / people(by=["age"]), "proportion", ["age"])},
    )
    data = simulate(model, VALUES, [0.0, 1.0], start=date(2021, 5, 1)).to_dataset()
    assert data["share"].dims == ("time", "age")
    assert data["share"].attrs == {"unit": "proportion"}
    assert data["prevalence"].dims == ("time",)
    assert str(data["time"].to_numpy()[1])[:10] == "2021-05-02"
    assert list(data["age"].to_numpy()) == ["young", "old"]


def test_events_are_those_since_the_output_before() -> None:
    """They add up to all of them, however often one looks."""
    daily = simulate(sir(), VALUES, np.arange(0.0, 41.0), accuracy=1e-8)
    weekly = simulate(sir(), VALUES, np.arange(0.0, 41.0, 8.0), accuracy=1e-8)
    assert daily["incidence"][0] == 0
    np.testing.assert_allclose(daily["incidence"][1:].reshape(5, 8).sum(axis=1), weekly["incidence"][1:], rtol=1e-6)
    np.testing.assert_allclose(daily["prevalence"][::8], weekly["prevalence"], rtol=1e-6)


def test_an_empty_place_stays_empty() -> None:
    """Nobody there, nobody infectious: zero over zero people is no infection, not a missing number."""
    place = Stratification("place", ["here", "nowhere"], split="here")
    model = Model(
        "empty",
        ["s", "i"],
        [Infection("infection", "s", "i", 0.5, "i"), Move("out", "place", "here", "nowhere", 0.0)],
        {"s": 99.0, "i": 1.0},
        {"i": Output(people("i", by=["place"]), by=["place"])},
        [place],
    )
    np.testing.assert_array_equal(simulate(model, {}, [0.0, 5.0])["i"][:, 1], 0)


def test_a_model_may_begin_with_nobody() -> None:
    """Everybody arrives: no number of people is below zero by round-off."""
    model = Model(
        "new",
        ["s", "i"],
        [
            Entry("arrival", "s", 2.0),
            Entry("case", "i", table([0, 5], [0.0, 0.1])),
            Infection("infection", "s", "i", 0.5, "i"),
            Transition("recovery", "i", "s", 0.3),
        ],
        {},
        {"everybody": people(), "i": people("i")},
    )
    result = simulate(model, {}, [0.0, 5.0, 10.0])
    np.testing.assert_allclose(result["everybody"], [0, 10.25, 20.75], rtol=1e-9)


# -- many runs ---------------------------------------------------------------------------------------


def test_many_runs_are_one_run_many_times() -> None:
    """Whatever the number of threads, to the last bit, and in order."""
    compiled = CompiledModel(sir(), np.arange(0.0, 21.0, 5.0), step=0.5)
    together = compiled.runs_at_once
    rates = np.linspace(0.1, 1.0, together + 4)
    draws = np.array([compiled.vector({**VALUES, "contact_rate": rate}) for rate in rates])
    told: list[int] = []
    one, four = run_many(compiled, draws, cores=1), run_many(compiled, draws, cores=4, progress=told.append)
    np.testing.assert_array_equal(one, four)
    np.testing.assert_allclose(one[7], compiled.run(draws[7]), rtol=1e-13)
    # In blocks so short that no core waits long for the last of them.
    assert told == [*range(RUNS, together + 1, RUNS), together + 4]


def test_gradients_may_be_taken_in_several_threads() -> None:
    """A kernel keeps nothing between runs."""
    compiled = CompiledModel(sir(), np.arange(0.0, 21.0, 5.0), step=0.5)
    draws = [compiled.vector({**VALUES, "contact_rate": rate}) for rate in np.linspace(0.1, 1.0, 16)]

    def gradient(at: Any) -> Any:
        outputs, pullback = compiled.run_with_pullback(at)
        return pullback(np.ones_like(outputs))

    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(gradient, draws)), [gradient(at) for at in draws])


def test_a_wrong_draw_among_many_is_told() -> None:
    """It does not come back as a row of numbers that mean nothing."""
    compiled = CompiledModel(sir(), np.arange(0.0, 21.0, 5.0), step=0.5)
    draws = np.tile(compiled.vector(VALUES), (3, 1))
    for wrong, code in ((np.nan, "S102"), (-0.5, "S103")):
        draws[1, 0] = wrong
        with pytest.raises(ModelworksError) as caught:
            run_many(compiled, draws)
        assert caught.value.codes == (code,)
    with pytest.raises(ModelworksError) as caught:
        run_many(compiled, draws[:, :2])
    assert caught.value.codes == ("S111",)


def test_derived_numbers_have_the_shape_of_the_draws() -> None:
    """One for each draw of each chain."""
    compiled = CompiledModel(sir(), [0.0, 1.0])
    draws = {name: np.full((2, 3), value) for name, value in VALUES.items()}
    (number,) = compiled.derived(draws).values()
    np.testing.assert_allclose(number, np.full((2, 3), 2.0))


def test_a_compiled_model_in_days_needs_a_calendar_for_dates() -> None:
    """With one, the days are counted from its origin."""
    model = leaving(table([date(2021, 1, 4)], [0.5]))
    compiled = CompiledModel(model, [0.0, 2.0], calendar=Calendar("days", date(2021, 1, 1)))
    settle_step(compiled, np.empty(0), 1e-9)
    assert compiled.run(np.empty(0))[-1, 0] == pytest.approx(np.exp(-1.0), rel=1e-8)


def test_rates_by_stratum_and_time_are_a_table_for_each(interpreted: Any) -> None:
    """A number by stratum, each of which is a table."""
    age = Stratification("age", ["young", "old"], split=[0.5, 0.5])
    rate = by("age", {"young": table([1.0, 2.0], [0.0, 1.0], "step"), "old": table([3.0, 4.0], [0.0, 2.0], "step")})
    model = leaving(rate, stratifications=[age], outputs={"by": Output(people("here", by=["age"]), by=["age"])})
    compiled = CompiledModel(model, [0.0, 5.0])
    settle_step(compiled, np.empty(0), 1e-9)
    found = compiled.run(np.empty(0))
    np.testing.assert_allclose(found[-1, -2:], [0.5 * np.exp(-3), 0.5 * np.exp(-2)], rtol=1e-8)
    np.testing.assert_allclose(found, interpreted(compiled.program, compiled.grid, np.empty(0)), rtol=1e-12)
