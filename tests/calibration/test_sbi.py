"""Simulation-based inference: learnt from simulations, corrected where there is a likelihood."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.conftest import Linear
from tests.calibration.test_abc import SEEN, normal_mean
from tests.calibration.test_recovery import school

from modelworks.calibration import Distance, LogDensity, Prior, Settings, Simulations, Target, calibrate
from modelworks.calibration import _inference as module
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]
ASKED = Settings(sampler="sbi", seed=1, cores=1)


def line(inference: Any = "regression") -> LogDensity:
    """A mean measured five times with error one, with a likelihood: the conjugate posterior of `test_abc`."""
    return LogDensity(
        priors={"mean": Prior.of("normal", {"mean": 0, "sd": 1})},
        simulator=Linear(np.ones((5, 1)), ("mean",)),
        targets=[
            Target(
                name="seen",
                output="level",
                observed=SEEN,
                weights=np.eye(5),
                likelihood="normal",
                arguments={"sd": 1.0},
            )
        ],
        inference=inference,
    )


@pytest.mark.parametrize("density", [normal_mean(SEEN), line()], ids=["by chance", "with a likelihood"])
def test_a_normal_mean_has_its_conjugate_posterior(density: LogDensity) -> None:
    found = calibrate(density, ASKED)
    assert found.draws("mean").shape == (4, 1000)
    assert found.draws("mean").mean() == pytest.approx(SEEN.sum() / 6, abs=0.1 / np.sqrt(6))
    assert found.draws("mean").std() == pytest.approx(1 / np.sqrt(6), rel=0.1)
    assert found.attributes["method"] == "regression"
    assert found.attributes["warnings"] == []
    assert ("k_hat" in found.attributes) != density.is_random


def narrow(simulations: Simulations, number: int, key: np.random.Generator) -> Array:
    """A method that is too sure of itself, and a little off."""
    return 0.5 + 0.25 * key.standard_normal((number, len(simulations.parameters)))


def test_a_method_from_outside_is_corrected_by_the_likelihood() -> None:
    """Half as wide as the posterior, and half a standard deviation off: the weights mend both."""
    found = calibrate(line(narrow), ASKED)
    assert found.attributes["method"] == "narrow"
    assert found.draws("mean").mean() == pytest.approx(SEEN.sum() / 6, abs=0.15 / np.sqrt(6))
    assert found.draws("mean").std() == pytest.approx(1 / np.sqrt(6), rel=0.1)


def test_a_method_that_misses_the_posterior_is_told() -> None:
    def elsewhere(simulations: Simulations, number: int, key: np.random.Generator) -> Array:
        return 6.0 + 0.1 * key.standard_normal((number, 1))

    said = " ".join(calibrate(line(elsewhere), ASKED).attributes["warnings"])
    assert "too far from the posterior to be corrected" in said


def test_an_installed_package_gives_a_method_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("narrow", f"{__name__}:narrow", module.GROUP)
    monkeypatch.setattr(module, "entry_points", lambda group: [entry] if group == module.GROUP else [])
    assert calibrate(line("narrow"), ASKED).attributes["method"] == "narrow"


@pytest.mark.parametrize(
    ("method", "word"),
    [
        ("regresion", "did you mean `regression`?"),
        (lambda simulations, number, key: np.zeros((number, 7)), "not (2000, 1)"),
        (lambda simulations, number, key: np.full((number, 1), np.nan), "not numbers"),
    ],
)
def test_a_method_that_can_not_be_is_a_letter(method: Any, word: str) -> None:
    with pytest.raises(ModelworksError) as raised:
        calibrate(line(method), ASKED)
    assert raised.value.codes == ("C508",)
    assert word in str(raised.value)


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores() -> None:
    one, two = (calibrate(line(), Settings(sampler="sbi", seed=4, draws=50, cores=cores)) for cores in (1, 2))
    np.testing.assert_array_equal(one.draws("mean"), two.draws("mean"))


@pytest.mark.slow
@pytest.mark.needs("references")
def test_the_boarding_school_learnt_from_simulations_is_that_of_quadrature(
    posteriors: dict[str, dict[str, Any]],
) -> None:
    """From priors this wide a linear regression learns roughly where the posterior is; the likelihood does the rest."""
    entry = posteriors["school"]
    given = school(entry["data"]["cases"])
    density = LogDensity(
        priors=given.priors,
        fixed=given.beliefs.fixed,
        simulator=given.simulator,
        targets=[each.target for each in given.observations],
        distance=Distance(summaries=lambda cases: np.log(cases + 1.0)),
    )
    found = calibrate(density, ASKED)
    for ours, theirs in (("contact_rate", "beta"), ("recovery_rate", "gamma")):
        expected = entry["expected_quadrature"][theirs]
        assert found.draws(ours).mean() == pytest.approx(expected["mean"], abs=0.2 * expected["sd"])
        assert found.draws(ours).std() == pytest.approx(expected["sd"], rel=0.2)
