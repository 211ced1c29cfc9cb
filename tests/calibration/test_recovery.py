"""What went in comes out: other people's posteriors, and ranks that must be uniform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from tests.calibration.conftest import boarding_school, day_by_day

from modelworks.calibration import LogDensity, Posterior, Prior, Settings, Target, calibrate
from modelworks.calibration._progress import Silence
from modelworks.calibration.samplers import AUTO, BY_CHANCE, SAMPLERS, sampler
from modelworks.model import CompiledModel, Entry, Exit, Model, Output, Parameter, people, settle_step
from modelworks.model.library.sir import sir

Array = NDArray[np.float64]
# Those that compute a likelihood; the others have their own tests.
WITH_LIKELIHOOD = [name for name in SAMPLERS if name not in BY_CHANCE]


def school(cases: list[float]) -> LogDensity:
    """The boarding school on the native model, with the priors of Grinsztajn et al. 2021."""
    model = CompiledModel(sir(), np.arange(15.0))
    known = {"population": 763.0, "first_cases": 1.0}
    settle_step(model, model.vector({"contact_rate": 2.0, "recovery_rate": 0.5, **known}), 1e-8)
    return LogDensity(
        priors=boarding_school(cases).priors,
        fixed=known,
        simulator=model,
        targets=[
            Target(
                name="in_bed",
                output="prevalence",
                observed=np.array(cases, dtype=float),
                weights=day_by_day(range(1, 15), 15),
                likelihood="negative_binomial",
                arguments={"overdispersion": "overdispersion"},
            )
        ],
    )


@pytest.fixture(scope="module")
def entry(posteriors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return posteriors["school"]


def test_the_boarding_school_s_log_likelihood_is_stan_s(entry: dict[str, Any]) -> None:
    """At three points, constants included, to 1e-6."""
    density = school(entry["data"]["cases"])
    for point in entry["loglik_points"]:
        values = np.array([point["beta"], point["gamma"], point["phi_inv"]])
        predicted = density.predict(density.all_values(values))
        assert predicted is not None
        np.testing.assert_allclose(predicted[0], point["I"], rtol=1e-6)
        found = density.observations[0].log_likelihoods(
            predicted[0][np.newaxis], density.all_values(values[np.newaxis])
        )
        assert found.sum() == pytest.approx(point["loglik"], abs=1e-6)


def moments(posterior: Posterior, name: str) -> tuple[float, float]:
    draws = posterior.draws(name)
    return float(draws.mean()), float(draws.std())


@pytest.mark.slow
@pytest.mark.parametrize("name", [AUTO, *WITH_LIKELIHOOD])
def test_the_boarding_school_s_posterior_is_that_of_quadrature(name: str, entry: dict[str, Any]) -> None:
    """Means to a tenth of a standard deviation, standard deviations to a tenth, by every sampler."""
    found = calibrate(school(entry["data"]["cases"]), Settings(sampler=name, seed=1978, draws=1500))
    expected = entry["expected_quadrature"]
    for ours, theirs in (("contact_rate", "beta"), ("recovery_rate", "gamma"), ("overdispersion", "phi_inv")):
        mean, sd = moments(found, ours)
        assert abs(mean - expected[theirs]["mean"]) < 0.1 * expected[theirs]["sd"], ours
        assert sd == pytest.approx(expected[theirs]["sd"], rel=0.1), ours
        low, high = np.quantile(found.draws(ours), [0.025, 0.975])
        assert abs(low - expected[theirs]["q2.5"]) < 0.2 * expected[theirs]["sd"], ours
        assert abs(high - expected[theirs]["q97.5"]) < 0.3 * expected[theirs]["sd"], ours
    number = found.draws("contact_rate") / found.draws("recovery_rate")
    assert abs(number.mean() - expected["R0"]["mean"]) < 0.1 * expected["R0"]["sd"]
    assert found.attributes["warnings"] == []


@pytest.mark.slow
def test_the_boarding_school_s_evidence_is_that_of_quadrature(entry: dict[str, Any]) -> None:
    """Priors normalised after their cuts; within 0.2."""
    found = calibrate(school(entry["data"]["cases"]), Settings(sampler="smc", seed=1978, draws=256))
    truth = entry["expected_quadrature"]["log_evidence_truncated_priors"]
    assert found.attributes["log_evidence"] == pytest.approx(truth, abs=0.2)


def predators_and_prey() -> Model:
    """Lotka and Volterra's equations, as entries and exits of hares and lynxes."""
    theta = [Parameter(f"theta{k}", "per day", lower=0) for k in (1, 2, 3, 4)]
    begin = [Parameter(f"z{k}", "people", lower=0) for k in (1, 2)]
    hares, lynxes = people("hares"), people("lynxes")
    return Model(
        name="lynx",
        compartments=["hares", "lynxes"],
        flows=[
            Entry("births", "hares", number=theta[0] * hares),
            Exit("eaten", "hares", rate=theta[1] * lynxes),
            Exit("starved", "lynxes", rate=theta[2]),
            Entry("raised", "lynxes", number=theta[3] * hares * lynxes),
        ],
        initial={"hares": begin[0], "lynxes": begin[1]},
        outputs={"hares": Output(hares), "lynxes": Output(lynxes)},
    )


def lynx_and_hare(data: dict[str, Any]) -> LogDensity:
    """Twenty-one years of pelts, with the priors of posteriordb."""
    model = CompiledModel(predators_and_prey(), np.arange(21.0))
    known = {"theta1": 0.55, "theta2": 0.028, "theta3": 0.8, "theta4": 0.024, "z1": 34.0, "z2": 5.9}
    settle_step(model, model.vector(known), 1e-6)
    rate = Prior.of("normal", {"mean": 1, "sd": 0.5}, bounds=(0, None))
    contact = Prior.of("normal", {"mean": 0.05, "sd": 0.05}, bounds=(0, None))
    start = Prior.of("log_normal", {"median": 10, "sigma": 1})
    error = Prior.of("log_normal", {"median": float(np.exp(-1)), "sigma": 1})
    seen = np.vstack([data["y_init"], data["y"]])
    return LogDensity(
        priors={
            "theta1": rate,
            "theta2": contact,
            "theta3": rate,
            "theta4": contact,
            "z1": start,
            "z2": start,
            "sigma1": error,
            "sigma2": error,
        },
        simulator=model,
        targets=[
            Target(
                name=name,
                output=name,
                observed=seen[:, k],
                weights=np.eye(21),
                likelihood="log_normal",
                arguments={"sigma": f"sigma{k + 1}"},
            )
            for k, name in enumerate(("hares", "lynxes"))
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [AUTO, *WITH_LIKELIHOOD])
def test_lynx_and_hare_have_stan_s_posterior(name: str, posteriors: dict[str, dict[str, Any]]) -> None:
    """Eight parameters, correlated to 0.94, from priors alone (posteriordb's reference draws), by every sampler.

    Means to a tenth of a standard deviation, these to a tenth, quantiles to 0.15: what the reference asks for.
    """
    entry = posteriors["lynx"]
    found = calibrate(lynx_and_hare(entry["data"]), Settings(sampler=name, seed=1900, draws=1500))
    names = {f"theta{k}": f"theta[{k}]" for k in (1, 2, 3, 4)}
    names |= {f"{ours}{k}": f"{theirs}[{k}]" for ours, theirs in (("z", "z_init"), ("sigma", "sigma")) for k in (1, 2)}
    for ours, theirs in names.items():
        mean, sd = moments(found, ours)
        expected = entry["expected"][theirs]
        assert abs(mean - expected["mean"]) < 0.1 * expected["sd"], ours
        assert sd == pytest.approx(expected["sd"], rel=0.1), ours
        low, high = np.quantile(found.draws(ours), [0.05, 0.95])
        assert abs(low - expected["q5"]) < 0.15 * expected["sd"], ours
        assert abs(high - expected["q95"]) < 0.15 * expected["sd"], ours
    assert found.attributes["warnings"] == []


class Conjugate:
    """A normal mean with a normal prior: five measurements with error 1 and their exact posterior."""

    parameters = ("mean",)
    dimension = 1
    has_gradient = True

    def __init__(self, seen: Array) -> None:
        self.seen = seen

    def value(self, position: Array, /) -> float:
        return float(-0.5 * position @ position - 0.5 * np.square(self.seen - position).sum())

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        return self.value(position), -position + (self.seen - position).sum(keepdims=True)

    def prior_positions(self, key: np.random.Generator, number: int, /) -> Array:
        return key.standard_normal((number, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_LIKELIHOOD)
def test_the_truth_ranks_evenly_among_the_draws(name: str) -> None:
    """Simulation-based calibration (Talts and others 2018, arXiv:1804.06788).

    If parameters come from the prior and data from the model, the truth is equally likely to take any
    place among independent draws of the posterior. Too wide, too narrow or shifted draws bend the ranks.
    """
    random = np.random.default_rng(2026)
    ranks = []
    for number in range(160):
        truth = random.standard_normal()
        density = Conjugate(truth + random.standard_normal(5))
        drawn = sampler(name)(
            density,
            chains=2,
            draws=100,
            warmup=100,
            key=np.random.SeedSequence([number, 7]),
            cores=1,
            progress=Silence(),
        )
        # Every tenth draw of each chain: nearly independent, 20 in all, 21 places for the truth.
        ranks.append(int((drawn.positions[:, ::10, 0] < truth).sum()))
    counts = np.bincount(np.array(ranks) // 3, minlength=7)
    assert stats.chisquare(counts).pvalue > 0.005
