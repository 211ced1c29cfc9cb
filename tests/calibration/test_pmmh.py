"""Particle MCMC against a posterior computed over every state there is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import comb
from tests.calibration.conftest import boarding_school

from modelworks.calibration import ChanceModel, LogDensity, Posterior, Prior, Settings, Simulator, Target, calibrate
from modelworks.errors import ModelworksError
from modelworks.model import Infection, Model, Output, Parameter, StochasticModel, Transition, events, people

Array = NDArray[np.float64]
PEOPLE, STEP = 20, 0.5
PRIORS = {
    "transmission": Prior.of("log_normal", {"median": 1.5, "sigma": 0.5}),
    "recovery": Prior.of("log_normal", {"median": 0.5, "sigma": 0.5}),
}


def twenty() -> Model:
    """The chain-binomial of the reference; three in five are reported, and one in two days was not of this."""
    return Model(
        "twenty",
        ["s", "i", "r"],
        [
            Infection("infection", "s", "i", Parameter("transmission", "per day", lower=0), "i"),
            Transition("recovery", "i", "r", Parameter("recovery", "per day", lower=0)),
        ],
        {"s": PEOPLE - 1, "i": 1},
        {"i": people("i"), "reports": Output(0.6 * events("infection") + 0.5)},
    )


def chance_model(days: int, *, cores: int = 1) -> ChanceModel:
    return ChanceModel(StochasticModel(twenty(), np.arange(days + 1.0), step=STEP, cores=cores))


def density(observed: list[float], *, cores: int = 1, simulator: Simulator | None = None) -> LogDensity:
    return LogDensity(
        priors=PRIORS,
        simulator=simulator or chance_model(len(observed), cores=cores),
        targets=[
            Target(
                name="reports",
                output="reports",
                observed=np.array(observed),
                weights=np.eye(len(observed) + 1)[1:],
                likelihood="poisson",
            )
        ],
    )


def exact_log_likelihood(observed: list[float], transmission: float, recovery: float) -> float:
    """Forward over all numbers of susceptible and infectious: two steps of half a day for each report."""
    states = [(s, i) for s in range(PEOPLE) for i in range(PEOPLE - s + 1)]
    place = {state: k for k, state in enumerate(states)}
    step = np.zeros((len(states), len(states)))
    recovers = 1 - np.exp(-recovery * STEP)
    for (s, i), row in zip(states, step, strict=True):
        caught = 1 - np.exp(-transmission * i / PEOPLE * STEP)
        infected, recovered = np.arange(s + 1), np.arange(i + 1)
        one = comb(s, infected) * caught**infected * (1 - caught) ** (s - infected)
        other = comb(i, recovered) * recovers**recovered * (1 - recovers) ** (i - recovered)
        for k in infected:
            for r in recovered:
                row[place[(s - k, i + k - r)]] += one[k] * other[r]
    day = step @ step
    left = np.array([s for s, _ in states])
    new = np.maximum(left[:, None] - left[None, :], 0)
    here = np.zeros(len(states))
    here[place[(PEOPLE - 1, 1)]] = 1.0
    total = 0.0
    for seen in observed:
        here = here @ (day * stats.poisson.pmf(seen, 0.6 * new + 0.5))
        total += np.log(here.sum())
        here /= here.sum()
    return float(total)


@pytest.fixture
def case(references: Path) -> Any:
    return json.loads((references / "particle_filter_exact.json").read_text())


@pytest.mark.needs("references")
def test_the_likelihood_is_estimated_without_bias_side_by_side_at_several_places(case: Any) -> None:
    """Each row as if it were alone: means of estimates, not of their logarithms, over the exact likelihood."""
    asked = density(case["observations"])
    places = [(1.5, 0.5), (0.8, 0.3)]
    exact = np.array([exact_log_likelihood(case["observations"], *each) for each in places])
    assert exact[0] == pytest.approx(case["exact_loglik"], abs=1e-9)
    at = asked.unconstrain(np.array(places))
    prior = np.array([each.log_prior for each in map(asked.beliefs.place, at) if each is not None])
    found = asked.estimate(np.repeat(at, 400, axis=0), 100, 5).log_densities.reshape(2, 400)
    ratios = np.exp(found - (exact + prior)[:, np.newaxis])
    assert (ratios.std(axis=1) > 0.05).all()
    assert (np.abs(ratios.mean(axis=1) - 1) < 4 * ratios.std(axis=1) / np.sqrt(400)).all()


@pytest.mark.needs("references")
def test_a_report_of_several_rows_goes_with_the_particles_that_made_it(case: Any) -> None:
    """What a particle has counted so far is dropped and doubled with it; the likelihood is that of whole days."""
    observed = case["observations"]
    halves = np.arange(2 * len(observed) + 1) / 2
    model = twenty()
    counted = Model(
        model.name,
        model.compartments,
        model.flows,
        model.initial,
        {"reports": Output(0.6 * events("infection") + 0.25)},
    )
    asked = LogDensity(
        priors=PRIORS,
        simulator=ChanceModel(StochasticModel(counted, halves, step=STEP, cores=1)),
        targets=[
            Target(
                name="reports",
                output="reports",
                observed=np.array(observed, dtype=float),
                weights=np.kron(np.eye(len(observed)), [1.0, 1.0]) @ np.eye(halves.size)[1:],
                likelihood="poisson",
            )
        ],
    )
    at = asked.unconstrain([1.5, 0.5])
    believed = asked.beliefs.place(at)
    assert believed is not None
    found = asked.estimate(np.tile(at, (400, 1)), 100, 3)
    ratios = np.exp(found.log_densities - believed.log_prior - case["exact_loglik"])
    assert ratios.mean() == pytest.approx(1.0, abs=4 * ratios.std() / 20)
    # The history of each is a draw of what happened, given all that was seen; its last day is that of the filter.
    _, susceptible = np.array(case["exact_filter_mean_I_S"]).T
    infected = (found.predicted[0].sum(axis=1) - 0.5 * len(observed)) / 0.6
    assert infected.mean() == pytest.approx(19 - susceptible[-1], abs=4 * infected.std() / 20)


def grid_posterior(observed: list[float]) -> tuple[Array, Array]:
    """Means and standard deviations of both parameters, by quadrature on the logarithms."""
    axes = [np.log(median) + np.linspace(-1.9, 1.9, 15) for median in (1.5, 0.5)]
    one, other = np.meshgrid(*axes, indexing="ij")
    prior = -0.5 * (((one - np.log(1.5)) / 0.5) ** 2 + ((other - np.log(0.5)) / 0.5) ** 2)
    logs = prior + np.array([[exact_log_likelihood(observed, np.exp(u), np.exp(v)) for v in axes[1]] for u in axes[0]])
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    values = np.exp(np.stack([one, other]))
    means = (values * weights).sum(axis=(1, 2))
    return means, np.sqrt((np.square(values) * weights).sum(axis=(1, 2)) - means**2)


@pytest.mark.slow
@pytest.mark.needs("references")
def test_its_draws_are_of_the_exact_posterior(case: Any) -> None:
    """Although no likelihood was ever computed, only estimated by a few particles."""
    means, sds = grid_posterior(case["observations"])
    found = calibrate(density(case["observations"]), Settings(seed=1, draws=600, warmup=150, cores=1))
    assert found.attributes["sampler"] == "pmmh"
    assert found.attributes["warnings"] == []
    for name, mean, sd in zip(PRIORS, means, sds, strict=True):
        draws = found.draws(name)
        assert draws.mean() == pytest.approx(mean, abs=0.15 * sd), name
        assert draws.std() == pytest.approx(sd, rel=0.15), name


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores(case_of_few: list[float]) -> None:
    found = [
        calibrate(density(case_of_few, cores=cores), Settings(seed=seed, draws=10, warmup=10, chains=2, cores=cores))
        for seed, cores in ((1, 1), (1, 2), (2, 1))
    ]
    arrays = [each.draws("transmission") for each in found]
    np.testing.assert_array_equal(arrays[0], arrays[1])
    assert not np.isin(arrays[0], arrays[2]).any()
    for each in found[:2]:
        assert isinstance(each, Posterior)
    np.testing.assert_array_equal(found[0].predictive()["reports"], found[1].predictive()["reports"])


@pytest.fixture
def case_of_few() -> list[float]:
    return [0.0, 1.0, 3.0, 2.0]


@pytest.mark.slow
def test_particles_are_as_many_as_the_scatter_of_the_likelihood_asks_for(case_of_few: list[float]) -> None:
    """A sharp observation makes few of them agree; the number is said, and the scatter it leaves."""
    given = density(3 * case_of_few)
    found = {}
    for sd in (0.1, 2.0):
        sharp = replace(
            given.observations[0].target,
            observed=np.array([0.5, 1.1, 1.7, 1.1, 2.3, 1.7, 1.1, 1.1, 0.5, 0.5, 1.1, 0.5]),
            likelihood="normal",
            arguments={"sd": sd},
        )
        asked = LogDensity(priors=PRIORS, simulator=given.simulator, targets=[sharp])
        found[sd] = calibrate(asked, Settings(seed=1, draws=10, warmup=20, cores=1)).attributes
    assert found[0.1]["particles"] > found[2.0]["particles"]
    assert found[0.1]["log_likelihood_sd"] < 1.6
    assert found[2.0]["particles"] == 20


def test_what_no_run_can_have_made_is_named(case_of_few: list[float]) -> None:
    """Everybody recovers on the first day, and somebody is found ill on the third: which target, and when."""
    given = density(case_of_few)
    ill = replace(given.observations[0].target, name="ill", output="i", observed=np.array([0.0, 0.0, 2.0, 0.0]))
    priors = {"recovery": Prior.of("log_normal", {"median": 200, "sigma": 0.1})}
    priors["transmission"] = Prior.of("log_normal", {"median": 1e-9, "sigma": 0.1})
    with pytest.raises(ModelworksError) as raised:
        calibrate(LogDensity(priors=priors, simulator=given.simulator, targets=[ill]), Settings(cores=1))
    assert raised.value.codes == ("C505",)
    assert "the 2 of the target `ill` at 3 days" in str(raised.value)


def test_samplers_that_compute_a_likelihood_are_refused_and_the_other_way_round(case_of_few: list[float]) -> None:
    for asked, name in ((density(case_of_few), "nuts"), (boarding_school([3, 8, 26] + [5] * 11), "pmmh")):
        with pytest.raises(ModelworksError) as raised:
            calibrate(asked, Settings(sampler=name))
        assert raised.value.codes == ("C504",)
