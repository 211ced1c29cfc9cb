"""Calibrations that begin among the draws of a posterior like theirs find their own, with less to do."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.test_abc import SEEN, normal_mean
from tests.calibration.test_recovery import WITH_LIKELIHOOD, school
from tests.calibration.test_sbi import line

from modelworks.calibration import LogDensity, Settings, calibrate
from modelworks.calibration._informed import ONE_OF_THE_PRIORS_IN, Informed, known_positions
from modelworks.calibration.samplers import AUTO, FROM_THE_PRIORS

Array = NDArray[np.float64]

OURS = {"contact_rate": "beta", "recovery_rate": "gamma", "overdispersion": "phi_inv"}


@pytest.fixture(scope="module")
def entry(posteriors: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return posteriors["school"]


def elsewhere(entry: dict[str, Any]) -> dict[str, Array]:
    """Draws of a posterior that lies two standard deviations off in each parameter, and is half as wide."""
    random, expected = np.random.default_rng(7), entry["expected_quadrature"]
    return {
        name: np.abs(random.normal(expected[its]["mean"] + 2 * expected[its]["sd"], 0.5 * expected[its]["sd"], 2000))
        for name, its in OURS.items()
    }


def counted(density: LogDensity) -> itertools.count[int]:
    """Counts the log densities that are asked for."""
    number = itertools.count()
    value, both = density.value, density.value_and_gradient

    def of_value(position: Array) -> float:
        next(number)
        return value(position)

    def of_both(position: Array) -> tuple[float, Array]:
        next(number)
        return both(position)

    density.value, density.value_and_gradient = of_value, of_both  # type: ignore[method-assign]
    return number


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [AUTO, *WITH_LIKELIHOOD])
def test_the_posterior_is_found_from_one_that_lies_elsewhere(sampler: str, entry: dict[str, Any]) -> None:
    """That of quadrature, to the tolerance of a calibration that begins with the priors."""
    settings = Settings(sampler=sampler, seed=1978, draws=1500)
    found = calibrate(school(entry["data"]["cases"]), settings, known=elsewhere(entry))
    for name, its in OURS.items():
        draws, expected = found.draws(name), entry["expected_quadrature"][its]
        assert abs(draws.mean() - expected["mean"]) < 0.1 * expected["sd"], name
        assert draws.std() == pytest.approx(expected["sd"], rel=0.1), name
    assert found.attributes["warnings"] == []
    assert "begun among" in found.attributes["why"]
    if sampler == "smc":
        evidence = entry["expected_quadrature"]["log_evidence_truncated_priors"]
        assert found.attributes["log_evidence"] == pytest.approx(evidence, abs=0.2)


def test_there_is_less_to_do_before_the_draws() -> None:
    """A third of the warm-up suffices for chains that begin where the posterior is."""
    runs = []
    for known in (None, {"mean": np.random.default_rng(1).normal(0.5, 0.3, 500)}):
        density = line()
        number = counted(density)
        calibrate(density, Settings(sampler="demcz", chains=2, draws=20, cores=1), known=known)
        runs.append(next(number))
    assert runs[1] < 0.5 * runs[0]


def test_known_draws_are_laid_on_the_line_of_the_new_priors(entry: dict[str, Any]) -> None:
    """What the new priors exclude is left out, and a parameter that nobody knew is as its prior says."""
    density = school(entry["data"]["cases"])
    known = elsewhere(entry) | {"unheard": np.zeros(2000)}
    known["recovery_rate"][:500] = -1.0
    del known["overdispersion"]
    positions = known_positions(density, known, np.random.default_rng(1))
    assert positions.shape == (1500, 3)
    values = density.constrain(positions)
    np.testing.assert_allclose(values[:, 0], known["contact_rate"][500:])
    prior = density.priors["overdispersion"]
    assert values[:, 2].mean() == pytest.approx(float(prior.quantile(0.5)) / np.log(2), rel=0.15)


def test_some_beginnings_are_still_of_the_priors(entry: dict[str, Any]) -> None:
    """The new posterior may have a mode of which the old one knew nothing."""
    density = school(entry["data"]["cases"])
    known = known_positions(density, elsewhere(entry), np.random.default_rng(1))
    begins = Informed(density, known, None, None).prior_positions(np.random.default_rng(2), 1000)
    are_known = (begins[:, np.newaxis] == known).all(axis=2).any(axis=1)
    assert are_known.sum() == 1000 - 1000 // ONE_OF_THE_PRIORS_IN
    assert len(np.unique(begins, axis=0)) == 1000


@pytest.mark.slow
@pytest.mark.parametrize("sampler", FROM_THE_PRIORS)
def test_who_learns_from_the_priors_begins_with_them(sampler: str) -> None:
    """Approximate Bayesian computation weighs draws by the priors they came from."""
    settings = Settings(sampler, chains=1, draws=20, seed=3, cores=1)
    without, informed = (
        calibrate(normal_mean(SEEN), settings, known=known) for known in (None, {"mean": np.full(100, 9.0)})
    )
    for name in without.parameters:
        np.testing.assert_array_equal(without.draws(name), informed.draws(name))
    assert "begun among" not in informed.attributes["why"]
