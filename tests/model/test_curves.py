"""What varies in time along smooth curves, held against other people's implementations and closed forms."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Model,
    Output,
    Parameter,
    Stratification,
    Transition,
    by,
    people,
    seasonal,
    simulate,
    smooth_step,
    table,
)

KNOTS = [0.0, 1.0, 4.0, 4.5, 9.0, 11.0]
SHAPES = {
    "rising": [0.0, 1.0, 1.5, 4.0, 4.1, 9.0],
    "peak and trough": [3.0, 1.0, 4.0, 2.0, 2.0, 0.5],
    "level": [2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
    "steep ends": [5.0, 4.9, 0.1, 0.1, 0.2, 7.0],
    "turns after the first": [1.0, 1.01, 0.0, 1.0, 0.99, 3.0],
    "below zero": [-1.0, -3.0, 2.0, -2.0, -2.5, -2.4],
}


def showing(value: Any, time: Any = "days", by_age: bool = False) -> Model:
    """A model in which nothing much happens, with the value as an output."""
    ages = [Stratification("age", ["young", "old"], split=[0.5, 0.5])] if by_age else []
    return Model("curve", ["a", "b"], [Transition("t", "a", "b", 0.1)], {"a": 1.0}, {"it": value}, ages, time=time)


def read(value: Any, times: Any, **more: Any) -> NDArray[np.float64]:
    time = more.pop("time", "days")
    start = more.pop("start", None)
    found: NDArray[np.float64] = simulate(showing(value, time), more, times, start=start)["it"]
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("held", [False, True], ids=["numbers", "parameters"])
def test_a_monotone_table_is_the_curve_of_pchip(shape: str, held: bool) -> None:
    values = SHAPES[shape]
    given: list[Any] = [Parameter(f"v{k}") for k in range(len(values))] if held else list(values)
    named = {f"v{k}": v for k, v in enumerate(values)} if held else {}
    times = np.linspace(0, 11, 111)
    found = read(table(KNOTS, given, "monotone"), times, **named)
    np.testing.assert_allclose(found, PchipInterpolator(KNOTS, values)(times), rtol=1e-12, atol=1e-12)


def test_a_monotone_table_is_flat_beyond_its_ends_and_straight_between_two() -> None:
    np.testing.assert_allclose(read(table([2, 4], [1.0, 3.0], "monotone"), [0, 2, 2.5, 3, 4, 5]), [1, 1, 1.5, 2, 3, 3])
    np.testing.assert_allclose(read(table([2], [7.0], "monotone"), [0, 2, 5]), [7, 7, 7])


@pytest.mark.parametrize("shape", ["rising", "steep ends", "turns after the first", "below zero"])
def test_the_gradient_of_a_monotone_table_is_exact(shape: str) -> None:
    values = np.array(SHAPES[shape]) + np.array([0.0, 0.01, 0.02, -0.03, 0.04, 0.05])
    model = showing(table(KNOTS, [Parameter(f"v{k}") for k in range(6)], "monotone"))
    compiled = CompiledModel(model, np.linspace(-1, 12, 14), step=0.5)
    point = compiled.vector({f"v{k}": v for k, v in enumerate(values)})
    _, pullback = compiled.run_with_pullback(point)
    weights = np.random.default_rng(3).normal(size=(14, 1))

    def slope(k: int, h: float = 1e-5) -> float:
        ends = [np.sum(weights * compiled.run(point + sign * h * np.eye(6)[k])) for sign in (1, -1)]
        return float((ends[0] - ends[1]) / (2 * h))

    np.testing.assert_allclose(pullback(weights), [slope(k) for k in range(6)], rtol=1e-6, atol=1e-8)


def test_a_smooth_step_is_a_cubic_between_two_dates() -> None:
    """Nothing has happened at the start, half in the middle, all at the end, and it begins and ends level."""
    step = smooth_step(date(2021, 1, 11), date(2021, 1, 31), 4.0, Parameter("after"))
    times = np.array([0, 9, 10, 15, 20, 25, 30, 50.0])
    u = np.clip((times - 10) / 20, 0, 1)
    found = read(step, times, start=date(2021, 1, 1), after=1.0)
    np.testing.assert_allclose(found, 4 - 3 * (3 * u**2 - 2 * u**3), rtol=1e-14)
    near = read(smooth_step(10, 30, 0.0, 1.0), [10, 10.001, 29.999, 30])
    assert np.abs(np.diff(near)[[0, 2]]).max() < 1e-7


def test_a_smooth_step_may_end_apart_in_each_stratum() -> None:
    share = smooth_step(0, 10, 0.0, by("age", {"young": 0.2, "old": 0.6}))
    model = showing(Output(share * people(by=["age"]), by=["age"]), by_age=True)
    np.testing.assert_allclose(simulate(model, {}, [0, 5, 10])["it"], [[0, 0], [0.05, 0.15], [0.1, 0.3]])


def test_a_season_peaks_at_its_date_every_year() -> None:
    times = np.array([0, 14, 14 + 365.25 / 4, 14 + 365.25 / 2, 14 + 365.25])
    for peak in (14, date(2021, 1, 15), date(2021, 1, 15)):
        found = read(seasonal(0.3, peak), times, start=date(2021, 1, 1))
        np.testing.assert_allclose(found[1:], [1.3, 1, 0.7, 1.3], atol=1e-12)
    by_day = read(seasonal(0.3, "01-15"), times, start=date(2021, 1, 1))
    np.testing.assert_allclose(by_day[1:], [1.3, 1, 0.7, 1.3], atol=0.005)


def test_the_period_of_a_season_is_a_year_in_the_time_of_the_model() -> None:
    found = read(seasonal(0.5, "07-02"), [2000.5, 2000.75, 2001.0, 2001.5], time="years")
    np.testing.assert_allclose(found, [1.5, 1, 0.5, 1.5], atol=1e-12)
    np.testing.assert_allclose(read(seasonal(0.5, 1.0, 4.0), [1.0, 3.0, 5.0]), [1.5, 0.5, 1.5])


def test_the_equations_of_curves_are_written() -> None:
    value = seasonal(0.2, date(2021, 7, 2)) * smooth_step(3, 8, 1.0, 2.0) * table([0, 1], [1, 3], "monotone")
    model = replace(showing(1.0), flows=[Transition("t", "a", "b", value)])
    tex = model.equations()
    for part in ("2021-07-02", "365.25", "a cubic, level at its ends, through", "monotone curve through"):
        assert part in tex


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda: table([0, 1], [1, 2], "cubic"), "M119"),
        (lambda: seasonal(0.1, "15 January"), "M119"),
        (lambda: smooth_step(5, 5, 0, 1), "M119"),
        (lambda: smooth_step(date(2021, 1, 1), 5, 0, 1), "M119"),
    ],
)
def test_what_can_not_be_a_curve_is_told(wrong: Any, code: str) -> None:
    with pytest.raises(ModelworksError, match=code):
        wrong()


def test_a_day_of_the_year_needs_the_day_the_model_starts_on() -> None:
    with pytest.raises(ModelworksError, match="M114"):
        read(seasonal(0.1, "01-15"), [0, 1])
