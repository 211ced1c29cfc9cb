"""The particle filter against a likelihood computed over every state there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from modelworks.errors import ModelworksError
from modelworks.model import (
    Filtered,
    Infection,
    Model,
    Output,
    StochasticModel,
    Stratification,
    Transition,
    events,
    filter_particles,
    particle_filter,
    people,
)
from modelworks.model._particles import systematic

Array = NDArray[np.float64]
Observation = Callable[[Mapping[str, Array], int], Array]


def household(initial: float = 1) -> Model:
    """Twenty people, the chain-binomial of the reference."""
    return Model(
        "twenty",
        ["s", "i", "r"],
        [Infection("infection", "s", "i", 1.5, "i"), Transition("recovery", "i", "r", 0.5)],
        {"s": 20 - initial, "i": initial},
        {"s": people("s"), "i": people("i"), "new": events("infection")},
    )


def poisson(observed: list[int]) -> Observation:
    """Reports of three in five, and one in two days that were not of this."""
    return lambda outputs, k: np.asarray(stats.poisson.logpmf(observed[k - 1], 0.6 * outputs["new"] + 0.5))


@pytest.fixture
def case(references: Path) -> Any:
    return json.loads((references / "particle_filter_exact.json").read_text())


def filtered(case: Any, particles: int, seed: int) -> Filtered:
    times = np.arange(len(case["observations"]) + 1.0)
    return particle_filter(
        household(), {}, times, poisson(case["observations"]), particles=particles, seed=seed, step=0.5
    )


@pytest.mark.needs("references")
def test_the_likelihood_is_estimated_without_bias(case: Any) -> None:
    """The mean of the estimates, not of their logarithms, is the likelihood: what exact inference rests on."""
    times = np.arange(len(case["observations"]) + 1.0)
    compiled = StochasticModel(household(), times, step=0.5)
    see = poisson(case["observations"])
    logs = [filter_particles(compiled, {}, see, particles=1000, seed=seed).log_likelihood for seed in range(200)]
    ratios = np.exp(np.array(logs) - case["exact_loglik"])
    assert ratios.std() > 0.01
    assert ratios.mean() == pytest.approx(1.0, abs=4 * ratios.std() / np.sqrt(ratios.size))


@pytest.mark.slow
@pytest.mark.needs("references")
def test_few_particles_are_noisier_but_not_biased(case: Any) -> None:
    """Unbiased for any number, thirty included: dropping and doubling particles favours none."""
    times = np.arange(len(case["observations"]) + 1.0)
    compiled = StochasticModel(household(), times, step=0.5)
    see = poisson(case["observations"])
    logs = [filter_particles(compiled, {}, see, particles=30, seed=seed).log_likelihood for seed in range(600)]
    ratios = np.exp(np.array(logs) - case["exact_loglik"])
    assert ratios.mean() == pytest.approx(1.0, abs=4 * ratios.std() / np.sqrt(ratios.size))
    assert np.mean(logs) < case["exact_loglik"]


@pytest.mark.needs("references")
def test_many_particles_come_near_the_exact_filter(case: Any) -> None:
    """Its likelihood observation by observation, and the people it infers."""
    found = filtered(case, 4000, 1)
    assert found.log_likelihood == pytest.approx(case["exact_loglik"], abs=0.25)
    np.testing.assert_allclose(np.cumsum(found.increments)[1:], case["cumulative_loglik"], atol=0.12)
    infectious, susceptible = np.array(case["exact_filter_mean_I_S"]).T
    np.testing.assert_allclose(found.outputs["i"][1:], infectious, rtol=0.06)
    np.testing.assert_allclose(found.outputs["s"][1:], susceptible, rtol=0.06)


def test_a_filter_is_the_same_on_any_number_of_cores_and_differs_by_seed() -> None:
    see = poisson([1, 2, 4, 3])
    found = [
        particle_filter(household(2), {}, range(5), see, particles=3000, seed=seed, step=0.1, cores=cores)
        for seed, cores in [(4, 1), (4, 2), (5, 2)]
    ]
    assert np.array_equal(found[0].increments, found[1].increments)
    assert np.array_equal(found[0].outputs.values, found[1].outputs.values)
    assert not np.array_equal(found[0].increments[1:], found[2].increments[1:])


def test_what_says_nothing_changes_nothing() -> None:
    """An observation as likely whatever happened: the likelihood is its own, and no particle is dropped."""
    found = particle_filter(household(), {}, range(4), lambda outputs, k: np.full(200, -0.5 * k), particles=200, seed=1)
    assert found.log_likelihood == pytest.approx(-3.0, rel=1e-12)
    np.testing.assert_allclose(found.effective_particles, 200)


def test_what_can_not_be_has_no_likelihood() -> None:
    """More people than there are: minus infinity, not an error, so that a sampler goes elsewhere."""

    def exactly(outputs: Mapping[str, Array], k: int) -> Array:
        return np.where(outputs["new"] == 21 * (k == 2), 0.0, -np.inf)

    found = particle_filter(household(), {}, range(5), exactly, particles=500, seed=1)
    assert found.log_likelihood == -np.inf
    assert np.all(np.isfinite(found.increments[:2]))
    assert np.all(np.isnan(found.outputs["i"][2:]))


def test_outputs_by_stratum_have_particles_first() -> None:
    model = Model(
        "two",
        ["s", "i"],
        [Infection("infection", "s", "i", 0.5, "i")],
        {"s": 100, "i": 10},
        {"new": Output(events("infection", by=["age"]), by=["age"])},
        [Stratification("age", ["young", "old"], split=[0.5, 0.5])],
    )
    shapes = []

    def see(outputs: Mapping[str, Array], k: int) -> Array:
        shapes.append(outputs["new"].shape)
        return np.asarray(stats.poisson.logpmf([5, 3], outputs["new"] + 0.1).sum(axis=1))

    assert np.isfinite(particle_filter(model, {}, [0, 1, 3], see, particles=64, seed=2).log_likelihood)
    assert shapes == [(64, 2)] * 2


def test_a_log_likelihood_of_the_wrong_shape_or_that_is_none_is_told() -> None:
    for wrong, words in [
        (lambda outputs, k: 0.0, "has the shape ()"),
        (lambda outputs, k: np.full(10, np.nan), "not a number"),
        (lambda outputs, k: np.full(10, np.inf), "infinite"),
    ]:
        with pytest.raises(ModelworksError, match="S115") as caught:
            particle_filter(household(), {}, range(3), wrong, particles=10, seed=1)  # type: ignore[arg-type]
        assert words in str(caught.value)
        assert "at 1 days" in str(caught.value)


def test_an_output_the_model_does_not_have_is_told() -> None:
    with pytest.raises(ModelworksError, match=r"(?s)S110.*did you mean `new`"):
        particle_filter(household(), {}, range(3), lambda outputs, k: outputs["news"], particles=10, seed=1)
    seen: list[dict[str, Array]] = []

    def all_of_them(outputs: Mapping[str, Array], k: int) -> Array:
        seen.append(dict(outputs))
        return np.zeros(10)

    particle_filter(household(), {}, range(3), all_of_them, particles=10, seed=1)
    assert [set(each) for each in seen] == [{"s", "i", "new"}] * 2


def test_particles_go_on_as_often_as_their_weight_says() -> None:
    weights = np.array([0.5, 0.0, 0.3, 0.2])
    for offset in (0.0, 0.3, 0.999999):
        times = np.bincount(systematic(np.repeat(weights / 25, 25), offset) // 25, minlength=4)
        assert np.all(np.abs(times - 100 * weights) <= 1)
        assert times[1] == 0
