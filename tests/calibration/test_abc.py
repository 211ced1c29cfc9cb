"""Approximate Bayesian computation on problems whose posterior is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import comb
from tests.calibration.conftest import boarding_school
from tests.calibration.test_recovery import school

from modelworks.calibration import ChanceFunction, Distance, LogDensity, Prior, Settings, Target, calibrate
from modelworks.diagnostics import diagnose
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]


def measured(values: dict[str, float], key: np.random.Generator) -> Array:
    """Five measurements of a mean, each with error one."""
    return values["mean"] + key.standard_normal(5)


def normal_mean(seen: Array, distance: Distance | None = None) -> LogDensity:
    """A standard normal prior: the posterior is normal, with mean sum/6 and variance 1/6."""
    return LogDensity(
        priors={"mean": Prior.of("normal", {"mean": 0, "sd": 1})},
        simulator=ChanceFunction(measured, parameters=["mean"], outputs=["seen"], times=range(5)),
        targets=[Target(name="seen", output="seen", observed=seen, weights=np.eye(5), likelihood="exact")],
        distance=distance or Distance(summaries=lambda x: [x.mean()]),
    )


SEEN = np.array([0.3, 1.2, 0.8, 1.9, 0.1])


@pytest.mark.slow
def test_a_normal_mean_has_its_conjugate_posterior() -> None:
    """The mean is sufficient, so that a small tolerance leaves the exact posterior."""
    found = calibrate(normal_mean(SEEN), Settings(seed=1, cores=1))
    assert found.attributes["sampler"] == "abc"
    assert found.draws("mean").mean() == pytest.approx(SEEN.sum() / 6, abs=0.15 / np.sqrt(6))
    assert found.draws("mean").std() == pytest.approx(1 / np.sqrt(6), rel=0.1)
    assert found.attributes["tolerance"] < 0.1
    # The runs of the draws are kept: they are what the posterior predicts.
    assert abs(found.predictive()["seen"].mean(axis=1) - SEEN.mean()).max() < 0.2


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores() -> None:
    wide = normal_mean(SEEN, Distance(summaries=lambda x: [x.mean()], tolerance=0.5))
    one, two, other = (calibrate(wide, Settings(seed=s, cores=c, draws=50)) for s, c in ((1, 1), (1, 2), (2, 1)))
    np.testing.assert_array_equal(one.draws("mean"), two.draws("mean"))
    assert not np.isin(one.draws("mean"), other.draws("mean")).any()


@pytest.mark.slow
def test_a_verdict_says_that_the_draws_are_an_approximation() -> None:
    """Within a wide tolerance the posterior is far too wide, and the nearer half of the draws tells."""
    observed = SEEN + 2.0
    verdicts = {}
    for tolerance in (0.02, 2.0):
        density = normal_mean(observed, Distance(summaries=lambda x: [x.mean()], tolerance=tolerance))
        found = calibrate(density, Settings(seed=1, cores=1))
        said = diagnose(
            {"mean": found.draws("mean")},
            prior_draws={"mean": found.prior("mean")},
            sample_stats=found.sample_stats_arrays(),
            predictive=found.predictive(),
            observed=found.observed(),
            bounds={},
        )
        verdicts[tolerance] = next(check for check in said.checks if check.name == "approximation")
    assert [verdicts[each].verdict for each in (0.02, 2.0)] == ["look", "stop"]
    assert all("approximation" in each.reason for each in verdicts.values())


@pytest.mark.slow
def test_a_tolerance_that_is_not_reached_is_told() -> None:
    """Five measurements one by one are never met to the third digit."""
    density = normal_mean(SEEN, Distance(tolerance=1e-3))
    found = calibrate(density, Settings(seed=1, cores=1, draws=50))
    assert found.attributes["tolerance"] > 1e-3
    assert "The tolerance of 0.001 was not reached" in " ".join(found.attributes["warnings"])


def escaped(size: int, community: float, household: float) -> Array:
    """Longini and Koopman's chance of 0 … `size` infected in a household of that size, by their recursion."""
    chances = np.zeros((size + 1, size + 1))
    for k in range(size + 1):
        for j in range(k):
            chances[j, k] = comb(k, j) * chances[j, j] * community ** (k - j) * household ** (j * (k - j))
        chances[k, k] = 1 - chances[:k, k].sum()
    return chances[:, size]


def tecumseh(fit: dict[str, Any]) -> LogDensity:
    """Households in which everybody throws for himself: of each size, how many had 0, 1, … infected."""
    seen = {int(size): np.array(counts) for size, counts in fit["households"].items()}

    def season(values: dict[str, float], key: np.random.Generator) -> Array:
        counts = []
        for size, houses in seen.items():
            healthy = np.full(houses.sum(), size)
            infectious = key.binomial(size, 1 - values["community"], size=houses.sum())
            healthy -= infectious
            while infectious.any():
                infectious = key.binomial(healthy, 1 - values["household"] ** infectious)
                healthy -= infectious
            counts.append(np.bincount(size - healthy, minlength=size + 1))
        return np.concatenate(counts).astype(float)

    observed = np.concatenate(list(seen.values())).astype(float)
    uniform = Prior.of("uniform", {"lower": 0, "upper": 1})
    return LogDensity(
        priors={"community": uniform, "household": uniform},
        simulator=ChanceFunction(
            season, parameters=["community", "household"], outputs=["houses"], times=range(observed.size)
        ),
        targets=[
            Target(
                name="houses",
                output="houses",
                observed=observed,
                weights=np.eye(observed.size),
                likelihood="exact",
            )
        ],
    )


def exact_households(fit: dict[str, Any]) -> tuple[Array, Array]:
    """Means and standard deviations of both chances of escape, under uniform priors, by quadrature."""
    axes = np.linspace(0.3, 0.999, 81)
    logs = np.zeros((81, 81))
    for a, community in enumerate(axes):
        for b, household in enumerate(axes):
            for size, counts in fit["households"].items():
                logs[a, b] += counts @ np.log(escaped(int(size), community, household))
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    values = np.stack(np.meshgrid(axes, axes, indexing="ij"))
    means = (values * weights).sum(axis=(1, 2))
    return means, np.sqrt((values**2 * weights).sum(axis=(1, 2)) - means**2)


@pytest.fixture
def fit(references: Path) -> Any:
    return json.loads((references / "household_final_size.json").read_text())["fits"][0]


@pytest.mark.slow
@pytest.mark.needs("references")
def test_households_of_two_have_the_posterior_of_longini_and_koopman(fit: dict[str, Any]) -> None:
    """Two chances of escape from how many of 106 pairs had nobody, one or both infected in a season."""
    pairs = {"households": {"2": fit["households"]["2"]}}
    means, sds = exact_households(pairs)
    found = calibrate(tecumseh(pairs), Settings(seed=1, cores=1))
    for name, mean, sd in zip(("community", "household"), means, sds, strict=True):
        assert found.draws(name).mean() == pytest.approx(mean, abs=0.2 * sd), name
        assert found.draws(name).std() == pytest.approx(sd, rel=0.15), name


@pytest.mark.slow
@pytest.mark.needs("references")
def test_the_boarding_school_comes_out_near_its_posterior(posteriors: dict[str, dict[str, Any]]) -> None:
    """From fourteen counts as they are: the answer is wider, and lies where it should."""
    entry = posteriors["school"]
    found = calibrate(school(entry["data"]["cases"]), Settings(sampler="abc", seed=1, cores=1))
    for ours, theirs in (("contact_rate", "beta"), ("recovery_rate", "gamma")):
        expected = entry["expected_quadrature"][theirs]
        assert found.draws(ours).mean() == pytest.approx(expected["mean"], abs=0.6 * expected["sd"])
        assert 0.9 * expected["sd"] < found.draws(ours).std() < 2 * expected["sd"]


def refused(density: LogDensity) -> ModelworksError:
    with pytest.raises(ModelworksError) as raised:
        calibrate(density, Settings(sampler="abc", draws=10, cores=1))
    return raised.value


def test_what_the_model_never_makes_is_named() -> None:
    """A summary that never varies can not be met, and has no scale."""

    def flat(values: dict[str, float], key: np.random.Generator) -> Array:
        return np.array([values["mean"] + key.standard_normal(), 0.0])

    density = LogDensity(
        priors={"mean": Prior.of("normal", {"mean": 0, "sd": 1})},
        simulator=ChanceFunction(flat, parameters=["mean"], outputs=["x"], times=[0, 1]),
        targets=[Target(name="x", output="x", observed=np.array([0.1, 7.0]), weights=np.eye(2), likelihood="exact")],
    )
    error = refused(density)
    assert error.codes == ("C506",)
    assert "observation 2 of the target `x` is 0 in every simulation, but 7 was seen" in str(error)


@pytest.mark.parametrize(
    ("distance", "code"),
    [
        (Distance(scales=[1.0]), "C506"),
        (Distance(scales=[1.0, 1.0, 1.0, 1.0, 0.0]), "C506"),
        (Distance(summaries=lambda x: np.zeros((2, 2))), "C506"),
    ],
)
def test_a_distance_that_can_not_be_is_a_letter(distance: Distance, code: str) -> None:
    assert refused(normal_mean(SEEN, distance)).codes == (code,)


@pytest.mark.slow
def test_a_weighted_target_has_no_data_to_compare() -> None:
    given = boarding_school([3, 8, 26] + [5] * 11)
    weighted = replace(given.observations[0].target, weight=0.5)
    density = LogDensity(priors=given.priors, simulator=given.simulator, targets=[weighted])
    assert refused(density).codes == ("C507",)


def test_a_function_of_the_wrong_shape_is_told_so() -> None:
    wrong = ChanceFunction(lambda values, key: np.zeros(3), parameters=["mean"], outputs=["seen"], times=range(5))
    with pytest.raises(ModelworksError) as raised:
        wrong.run(np.array([1.0]))
    assert raised.value.codes == ("C308",)
