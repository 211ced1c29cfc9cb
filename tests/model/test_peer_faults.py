"""Faults that were found in other packages, each as a test that this one has not got it.

Those of likelihoods are in the calibration's tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Infection,
    Model,
    Output,
    Stratification,
    Transition,
    events,
    people,
    run_many,
    simulate,
    simulate_stochastic,
)
from modelworks.model.library.seir import seir
from modelworks.model.library.seir_age import seir_age

VALUES = {"contact_rate": 0.5, "latency_rate": 0.3, "recovery_rate": 0.2, "population": 1e5, "first_cases": 10.0}
FLOWS = [
    Infection("infection", "well", "ill", 0.3, "ill"),
    Transition("recovery", "ill", "well", 0.1),
]


def small(**changes: Any) -> Model:
    """People who fall ill and recover, with anything changed."""
    given: dict[str, Any] = {
        "compartments": ["well", "ill"],
        "flows": FLOWS,
        "initial": {"well": 99.0, "ill": 1.0},
        "outputs": {"ill": people("ill")},
    }
    return Model("small", **{**given, **changes})


# -- the step ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("solver", "order"), [("rk4", 4), ("euler", 1)])
def test_a_step_is_as_long_as_it_was_asked_for(solver: str, order: int) -> None:
    """A fixed-step solver that ignored its step: halving it divides the error by two to the order of the method."""
    times = np.arange(0.0, 161.0, 8.0)

    def run(step: float) -> Any:
        compiled = CompiledModel(seir(), times, step=step, solver=solver)
        assert compiled.grid.steps.max() == pytest.approx(step)
        assert compiled.grid.steps.sum() == pytest.approx(160.0)
        return compiled.run(compiled.vector(VALUES))[:, 0]

    truth = simulate(seir(), VALUES, times, accuracy=1e-10)["prevalence"]
    coarse, fine = (np.abs(run(step) - truth).max() for step in (0.5, 0.25))
    assert coarse / fine == pytest.approx(2**order, rel=0.15)


def test_the_peak_is_on_its_day() -> None:
    """The same fault moved a peak from day 83 to day 8: here it is where an integration by SciPy has it."""
    from scipy.integrate import solve_ivp

    def slope(_: float, y: Any) -> Any:
        s, e, i, _r = y
        new = 0.5 * s * i / 1e5
        return [-new, new - 0.3 * e, 0.3 * e - 0.2 * i, 0.2 * i]

    days = np.arange(0.0, 200.0)
    truth = solve_ivp(slope, (0, 199), [1e5 - 10, 0, 10, 0], t_eval=days, rtol=1e-10, atol=1e-8).y[2]
    for spacing in (1, 4):
        found = simulate(seir(), VALUES, days[::spacing])["prevalence"]
        np.testing.assert_allclose(found, truth[::spacing], atol=1e-4 * truth.max())


# -- counting ----------------------------------------------------------------------------------------


def test_events_do_not_depend_on_how_often_they_are_asked_for() -> None:
    """Cumulative outputs were off by one over the step: all onsets are those who have left for good, at any spacing."""
    model = seir().extended(outputs={"ever": people("infectious", "recovered")})
    for spacing, step in ((0.25, 0.25), (1.0, 0.5), (7.0, 0.5), (210.0, 0.5)):
        compiled = CompiledModel(model, np.arange(0.0, 211.0, spacing), step=step)
        result = dict(zip(compiled.outputs, compiled.run(compiled.vector(VALUES)).T, strict=True))
        assert result["incidence"].sum() == pytest.approx(result["ever"][-1] - 10.0, rel=1e-12)


def test_a_transition_is_counted_once() -> None:
    """Transitions were counted twice where strata or several outputs asked for them."""
    ages = Stratification("age", ["young", "old"], split=[0.3, 0.7])
    clinical = Stratification("clinical", ["mild", "severe"], compartments=["ill"], split=[0.8, 0.2])
    new = Transition("infection", "well", "ill", 0.3, split={"clinical": {"mild": 0.8, "severe": 0.2}})
    outputs = {
        "all": events("infection"),
        "again": Output(events("infection")),
        "by_age": Output(events("infection", by=["age"]), by=["age"]),
        "severe": events("infection", clinical="severe"),
    }
    model = small(flows=[new], initial={"well": 100.0}, outputs=outputs, stratifications=[ages, clinical])
    result = simulate(model, {}, [0.0, 100.0], accuracy=1e-10)
    assert result["all"][-1] == pytest.approx(100.0, rel=1e-9)
    assert result["again"][-1] == result["all"][-1]
    np.testing.assert_allclose(result["by_age"][-1], [30.0, 70.0], rtol=1e-9)
    assert result["severe"][-1] == pytest.approx(20.0, rel=1e-9)


# -- what was accepted -------------------------------------------------------------------------------

WRONG_VALUES: list[tuple[Mapping[str, float], str]] = [
    ({**VALUES, "contact_rat": 0.4}, "contact_rat"),
    ({name: value for name, value in VALUES.items() if name != "contact_rate"}, "contact_rate"),
    ({**VALUES, "recovery_rate": -0.2}, "recovery_rate"),
    ({**VALUES, "recovery_rate": np.nan}, "recovery_rate"),
    ({**VALUES, "recovery_rate": np.inf}, "recovery_rate"),
]


@pytest.mark.parametrize(("values", "name"), WRONG_VALUES)
def test_misspelt_negative_and_nan_values_are_refused(values: Mapping[str, float], name: str) -> None:
    """All three were accepted: a misspelt parameter left the default in place, a negative rate ran backwards."""
    with pytest.raises(ModelworksError, match=name):
        simulate(seir(), values, range(5))
    with pytest.raises(ModelworksError, match=name):
        simulate_stochastic(seir(), values, range(5), seed=1)


def test_a_nan_among_draws_is_refused() -> None:
    """One bad draw of a thousand spoiled a mean in silence."""
    compiled = CompiledModel(seir(), range(5))
    draws = np.tile(compiled.vector(VALUES), (40, 1))
    draws[17, 1] = np.nan
    with pytest.raises(ModelworksError, match="latency_rate"):
        run_many(compiled, draws)


def test_a_rate_that_becomes_negative_on_the_way_is_refused() -> None:
    """Values may be fine and what is made of them is not."""
    from modelworks.model import Time

    with pytest.raises(ModelworksError, match="recovery"):
        simulate(small(flows=[FLOWS[0], Transition("recovery", "ill", "well", 0.5 - 0.1 * Time())]), {}, range(10))


@pytest.mark.parametrize(
    "changes",
    [
        {"flows": [*FLOWS, Transition("death", "il", "well", 0.1)]},
        {"flows": [*FLOWS, Transition("death", "ill", "wel", 0.1)]},
        {"flows": [Infection("infection", "well", "ill", 0.3, "il"), FLOWS[1]]},
        {"flows": [Infection("infection", "well", "ill", 0.3, {"ill": 1.0, "wel": 0.5}), FLOWS[1]]},
        {"initial": {"well": 99.0, "ill": 1.0, "il": 1.0}},
        {"outputs": {"ill": people("il")}},
        {"outputs": {"ill": people("ill", "wel")}},
        {"stratifications": [Stratification("age", ["a", "b"], compartments=["il"], split=[0.5, 0.5])]},
    ],
)
def test_misspelt_compartments_are_refused_wherever_they_stand(changes: Any) -> None:
    """They were ignored, and with them the flow, the infectious people or the output."""
    with pytest.raises(ModelworksError, match=r"did you mean `(ill|well)`"):
        small(**changes).checked()


# -- digits and chance -------------------------------------------------------------------------------


def test_numbers_keep_all_their_digits() -> None:
    """A resolver fell back to 32 bits in silence: one case among a billion is then nobody."""
    values = {**VALUES, "population": 1e9, "first_cases": 1.0}
    single = {name: np.float32(value) for name, value in values.items()}
    model = seir().extended(outputs={"susceptible": people("susceptible"), "everybody": people()})
    for given in (values, single):
        result = simulate(model, given, range(0, 300, 10))
        assert all(result[name].dtype == np.float64 for name in ("susceptible", "prevalence"))
        assert result["susceptible"][0] == 1e9 - 1
        np.testing.assert_allclose(result["everybody"], 1e9, rtol=1e-14)


def test_chance_is_seeded() -> None:
    """Runs by chance had no seed: here one has to be given, and gives the same people on any number of cores."""
    with pytest.raises(TypeError, match="seed"):
        simulate_stochastic(seir(), VALUES, range(30))  # type: ignore[call-arg]

    def prevalence(seed: int, cores: int) -> Any:
        np.random.seed(cores)
        return simulate_stochastic(seir(), VALUES, range(30), draws=8, seed=seed, cores=cores)["prevalence"]

    first = prevalence(1, cores=1)
    np.testing.assert_array_equal(first, prevalence(1, cores=2))
    assert not np.array_equal(first, prevalence(2, cores=1))
    # Draws of one seed differ from each other as well.
    assert len(np.unique(first[:, -1])) > 1


def test_people_age_in_the_time_of_the_model() -> None:
    """Ageing was one over years whatever the model's time: of ten years, a tenth leaves a band in a year of days."""

    def young(time: Any, year: float) -> float:
        ages = Stratification("age", ["young", "old"], split="young", widths=[10 * year])
        model = small(
            flows=[Transition("illness", "well", "ill", 0.0)],
            stratifications=[ages],
            time=time,
            outputs={"young": people(age="young")},
        )
        return float(simulate(model, {}, [0.0, year], accuracy=1e-10)["young"][-1])

    assert young("years", 1.0) == pytest.approx(100 * np.exp(-0.1), rel=1e-9)
    assert young("days", 365.25) == pytest.approx(100 * np.exp(-0.1), rel=1e-9)


def test_the_library_ages_in_days() -> None:
    """The same fault in a model of days whose bands are given in years: a child of fifteen years takes 5,479 days."""
    values = {
        "transmission_probability": 0.0,
        "latency_rate": 0.25,
        "recovery_rate": 0.2,
        "population": 1000.0,
        "first_cases": 0.0,
    }
    model = seir_age(shares=[1.0, 0.0, 0.0], demography=True).extended(
        outputs={"people": Output(people(by=["age"]), by=["age"])}
    )
    # In a year few have grown old enough to die, and nobody else is born.
    children = simulate(model, values, [0.0, 365.25], accuracy=1e-10)["people"][-1, 0]
    assert children == pytest.approx(1000 * np.exp(-1 / 15), rel=2e-4)
