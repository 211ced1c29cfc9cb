"""Many runs: draws and scenarios, the outputs that were asked for, a memory that does not grow."""

from __future__ import annotations

import threading
from datetime import date
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Model,
    Output,
    Parameter,
    events,
    people,
    run_in_blocks,
    run_many,
    simulate,
    simulate_many,
)
from modelworks.model.library.seir_age import seir_age
from modelworks.model.library.sir import sir

VALUES = {"contact_rate": 0.4, "recovery_rate": 0.2, "population": 1000.0, "first_cases": 10.0}
RATES = np.linspace(0.1, 0.6, 40)
DAYS = np.arange(0.0, 31.0)


def test_draws_in_scenarios_are_each_a_run_of_its_own() -> None:
    """To within the error that is stated, and with a name for every dimension."""
    draws = {**VALUES, "contact_rate": RATES}
    told: list[int] = []
    found = simulate_many(
        sir(),
        draws,
        DAYS,
        scenarios={"as now": {}, "half": {"contact_rate": RATES / 2}, "longer": {"recovery_rate": 0.1}},
        start=date(2021, 3, 1),
        progress=told.append,
    )
    assert told[-1] == 120
    labelled = found.to_dataset()["prevalence"]
    assert labelled.dims == ("scenario", "draw", "time")
    for scenario, changed in {"half": {"contact_rate": RATES[20] / 2}, "longer": {"contact_rate": RATES[20]}}.items():
        alone = simulate(
            sir(), {**VALUES, **changed, "recovery_rate": 0.1 if scenario == "longer" else 0.2}, DAYS, accuracy=1e-9
        )["prevalence"]
        here = labelled.sel(scenario=scenario, draw=20)
        assert str(here["time"].values[3])[:10] == "2021-03-04"
        np.testing.assert_allclose(here, alone, rtol=0, atol=2e-5 * alone.max())


def test_the_result_does_not_depend_on_the_cores() -> None:
    """To the last bit; without scenarios the first dimension is the draw, then come the strata."""
    draws = {
        "transmission_probability": np.linspace(0.02, 0.05, 7),
        "latency_rate": 0.25,
        "recovery_rate": 0.2,
        "population": 1e6,
        "first_cases": 100,
    }
    one, three = (simulate_many(seir_age(), draws, DAYS, cores=cores) for cores in (1, 3))
    np.testing.assert_array_equal(one.values, three.values)
    assert one.to_dataset()["incidence"].dims == ("draw", "time", "age")


def test_an_output_not_asked_for_is_not_computed() -> None:
    """Neither its column nor what it alone needs: here fifty accumulators and a parameter."""
    fitness = Parameter("fitness", "dimensionless")
    more = {f"n{k}": Output(events("infection", times=fitness * k), "people") for k in range(50)}
    model = sir().extended(outputs=more)
    some = simulate_many(model, {**VALUES, "fitness": [1.0, 2.0]}, DAYS, outputs=["prevalence"])
    assert [column.name for column in some.columns] == ["prevalence"]
    everything, pruned = (CompiledModel(each, DAYS).program for each in (model, model.reporting("prevalence")))
    assert len(everything.rows) - len(pruned.rows) >= 50
    assert len(pruned.graph.nodes) < len(everything.graph.nodes) - 50
    np.testing.assert_array_equal(some["prevalence"][0], some["prevalence"][1])


def test_blocks_wait_until_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many draws there are: a few blocks for each core are under way, no more."""
    compiled = CompiledModel(sir(), DAYS, step=0.5)
    draws = np.tile(compiled.vector(VALUES), (1000, 1))
    draws[:, 0] = np.linspace(0.1, 0.6, 1000)
    ran: list[int] = []
    lock, run_batch = threading.Lock(), compiled.run_batch

    def counted(rows: Any) -> Any:
        with lock:
            ran.append(len(rows))
        return run_batch(rows)

    monkeypatch.setattr(compiled, "run_batch", counted)
    blocks = run_in_blocks(compiled, draws, cores=2)
    first = next(blocks)
    assert sum(ran) <= 8 * compiled.runs_at_once
    np.testing.assert_array_equal(np.concatenate([first, *blocks]), run_many(compiled, draws))


def test_mistakes_in_draws_are_told_before_anything_runs() -> None:
    """A wrong name, a wrong length, a draw out of bounds, an output that is not there."""
    for changed, code in (
        ({"contact_rat": 1.0}, "S104"),
        ({"contact_rate": RATES, "recovery_rate": RATES[:3]}, "S111"),
        ({"contact_rate": RATES - 0.2}, "S107"),
        ({"contact_rate": np.where(RATES > 0.3, np.nan, RATES)}, "S107"),
    ):
        with pytest.raises(ModelworksError) as caught:
            simulate_many(sir(), {**VALUES, **changed}, DAYS)
        assert caught.value.codes == (code,)
    with pytest.raises(ModelworksError) as caught:
        simulate_many(sir(), VALUES, DAYS, outputs=["prevalance"])
    assert "did you mean `prevalence`?" in str(caught.value)


def test_a_model_without_parameters_runs_once() -> None:
    """A single draw of nothing."""
    nobody = Model("x", ["a"], [], {"a": 3.0}, {"a": people("a"), "two": 2.0 * people("a")})
    assert simulate_many(nobody, {}, DAYS)["two"].shape == (1, 31)


def test_draws_done_in_one_call_are_the_runs_one_by_one() -> None:
    """To the last bit where strata fill the registers, however many calls it takes."""
    compiled = CompiledModel(seir_age(), DAYS, step=0.5)
    at = np.array([0.03, 0.25, 0.2, 1e6, 100.0])
    assert compiled.parameters[0] == "transmission_probability"
    draws = at * np.linspace(0.9, 1.1, compiled.runs_at_once + 5)[:, None]
    found = compiled.run_batch(draws)
    np.testing.assert_array_equal(found, np.stack([compiled.run(draw) for draw in draws]))
    assert compiled.run_batch(draws[:0]).shape == (0, *found.shape[1:])


@pytest.mark.parametrize("model", [sir, seir_age], ids=["runs side by side", "runs one after another"])
def test_one_of_many_draws_that_can_not_be_is_told(model: Any) -> None:
    """With the letter it gets when it runs alone: people leave faster than a step can follow."""
    known = {**VALUES, "transmission_probability": 0.03, "latency_rate": 0.25}
    compiled = CompiledModel(model(), DAYS, step=1.0)
    draws = np.tile([known[name] for name in compiled.parameters], (40, 1))
    draws[23, compiled.parameters.index("recovery_rate")] = 9.0
    with pytest.raises(ModelworksError) as alone:
        compiled.run(draws[23])
    with pytest.raises(ModelworksError) as among_others:
        run_many(compiled, draws, cores=2)
    assert str(among_others.value) == str(alone.value)
