"""Simulation-based calibration of every sampler on models of the library (Talts and others 2018, arXiv:1804.06788).

Parameters are drawn from the priors and data from the model; the truth then takes any place among independent
draws of the posterior, and lies in their 90% interval nine times in ten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from modelworks.calibration import ChanceModel, LogDensity, Prior, Target, uniformity
from modelworks.calibration._progress import Silence
from modelworks.calibration.samplers import SAMPLERS, sampler
from modelworks.model import CompiledModel, StochasticModel, settle_step
from modelworks.model.library import library_model

Array = NDArray[np.float64]
RANKED = 19
TIMES = np.arange(0.0, 41.0, 5.0)
KNOWN = {"population": 500.0, "first_cases": 5.0}
PRIORS = {
    "contact_rate": Prior.of("log_normal", {"median": 0.5, "sigma": 0.25}),
    "recovery_rate": Prior.of("log_normal", {"median": 0.2, "sigma": 0.25}),
}
MORE = {"sir": {}, "seir": {"latency_rate": 0.5}, "sirs": {"waning_rate": 0.02}}
# ABC is of data within a tolerance, and not the posterior itself.
EXACT = [name for name in SAMPLERS if name != "abc"]
# How many studies of each model take some seconds in all; `modelworks sbc` asks for many more.
STUDIES = {"nuts": 6, "demcz": 10, "laplace_is": 8, "smc": 3, "pmmh": 2, "sbi": 8}


def density(model: str, *, by_chance: bool = False) -> LogDensity:
    """Five-day counts of new infections, whose data are yet to be simulated."""
    declared = library_model(model)()
    known = {**KNOWN, **MORE[model]}
    if by_chance:
        simulator: ChanceModel | CompiledModel = ChanceModel(StochasticModel(declared, TIMES, step=0.5, cores=1))
    else:
        simulator = CompiledModel(declared, TIMES)
        settle_step(simulator, simulator.vector({"contact_rate": 0.8, "recovery_rate": 0.2, **known}), 1e-4)
    return LogDensity(
        priors=PRIORS,
        fixed=known,
        simulator=simulator,
        targets=[
            Target(
                name="cases",
                output="incidence",
                observed=np.zeros(TIMES.size - 1),
                weights=0.5 * np.eye(TIMES.size)[1:],
                likelihood="negative_binomial",
                arguments={"overdispersion": 0.05},
            )
        ],
    )


def simulated(asked: LogDensity, key: np.random.Generator) -> tuple[Array, LogDensity]:
    """Parameters from the priors, and the density given data of these."""
    truth = asked.prior_values(key, 1)
    everything = asked.all_values(truth)
    predicted = asked.predict(everything[0])
    assert predicted is not None
    observation = asked.observations[0]
    seen = observation.sample(key, predicted[0][np.newaxis], everything)[0]
    again = LogDensity(
        priors=asked.priors,
        fixed=asked.beliefs.fixed,
        simulator=asked.simulator,
        targets=[replace(observation.target, observed=seen)],
    )
    return truth[0], again


def ranks(name: str, asked: LogDensity, number: int, draw: Callable[..., Array], model: int = 0) -> NDArray[np.int_]:
    """Of each simulated study the rank of both parameters among draws far apart, shape (study, parameter)."""
    found = []
    for study in range(number):
        key = np.random.default_rng([study, 11, model])
        truth, given = simulated(asked, key)
        values = draw(name, given, study).reshape(-1, truth.size)
        chosen = values[np.linspace(0, len(values) - 1, RANKED).round().astype(int)]
        found.append((chosen < truth).sum(axis=0))
    return np.array(found)


def drawn(name: str, given: LogDensity, study: int) -> Array:
    key = np.random.SeedSequence([study, 7])
    asked = {"chains": 2, "draws": 95, "warmup": 100}
    return given.constrain(sampler(name)(given, key=key, cores=1, progress=Silence(), **asked).positions)


def p_value(found: NDArray[np.int_]) -> float:
    return float(uniformity(found, RANKED, np.random.default_rng(1)).p_value)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_the_truth_ranks_evenly_and_is_covered(name: str) -> None:
    """By every sampler on every model: even ranks, and truths within intervals as often as these say.

    Ranks of all models are even together where they are of each, and together they show more.
    """
    models = [density(model, by_chance=name == "pmmh") for model in MORE]
    found = np.concatenate([ranks(name, asked, STUDIES[name], drawn, k) for k, asked in enumerate(models)])
    for place, parameter in enumerate(PRIORS):
        assert p_value(found[:, place]) > 1e-3, parameter
        # The ranks from 1 to 18 of 0 … 19 are an interval of 90%; those from 5 to 14 one of 50%.
        for low, high, share in ((1, 18, 0.9), (5, 14, 0.5)):
            inside = int(((found[:, place] >= low) & (found[:, place] <= high)).sum())
            assert stats.binomtest(inside, len(found), share).pvalue > 1e-3, (parameter, share)


@pytest.mark.slow
def test_draws_that_are_too_sure_rank_unevenly() -> None:
    """The same test finds what is wrong: a posterior half as wide as it should be."""

    def too_sure(name: str, given: LogDensity, study: int) -> Array:
        values = drawn(name, given, study).reshape(-1, len(PRIORS))
        return values.mean(axis=0) + 0.4 * (values - values.mean(axis=0))

    found = ranks("laplace_is", density("sir"), 25, too_sure)
    assert min(p_value(found[:, place]) for place in range(2)) < 1e-3
