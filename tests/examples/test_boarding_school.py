"""The boarding school's study against the posterior that others found with Stan and by quadrature."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from modelworks.calibration import Posterior
from modelworks.study import run_study
from modelworks.study.binding._binding import bind

ROOT = Path(__file__).parents[2]
NAMES = {"contact_rate": "beta", "recovery_rate": "gamma", "overdispersion": "phi_inv"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples without runs and finished stages."""
    root = tmp_path_factory.mktemp("team") / "examples"
    shutil.copytree(ROOT / "examples", root, ignore=shutil.ignore_patterns("runs", ".modelworks", "site"))
    return root


@pytest.fixture(scope="module")
def reference(references: Path) -> dict[str, object]:
    cases = json.loads((references / "posteriors.json").read_text(encoding="utf-8"))
    return next(case for case in cases if "boarding school" in case["name"])


def test_the_log_likelihood_is_that_of_stan(
    repository: Path, reference: dict[str, list[dict[str, float]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum over points, in the same parameterisation, at three places; with a step as fine as theirs."""
    from modelworks.study.binding import _binding
    from modelworks.study.stages import log_density

    monkeypatch.setattr(_binding, "ACCURACY", 1e-9)
    density = log_density(bind(repository / "studies" / "boarding-school"))
    for point in reference["loglik_points"]:
        values = np.array([point[NAMES[name]] for name in density.parameters])
        position = density.unconstrain(values)
        # What the density holds beside the likelihood: the priors, moved to the whole line.
        moved = [prior.bijection.from_line(u) for prior, u in zip(density.priors.values(), position, strict=True)]
        believed = [prior.log_density(image.value) for prior, image in zip(density.priors.values(), moved, strict=True)]
        likelihood = density.value(position) - sum(image.log_jacobian for image in moved) - float(np.sum(believed))
        assert likelihood == pytest.approx(point["loglik"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["nuts", "demcz"])
def test_the_posterior_is_the_reference_posterior(
    repository: Path, reference: dict[str, dict[str, dict[str, float]]], sampler: str
) -> None:
    """Means within a tenth of a standard deviation, widths within a tenth, tails within 0.15."""
    study = repository / "studies" / "boarding-school"
    text = (study / "study.yaml").read_text(encoding="utf-8")
    for known in ("nuts", "demcz"):
        text = text.replace(f"sampler: {known}", f"sampler: {sampler}")
    assert "draws: 400" in text
    (study / "study.yaml").write_text(text.replace("draws: 400", "draws: 2000", 1), encoding="utf-8")
    result = run_study(study, until="calibrate", quiet=True)
    assert result.run is not None
    posterior = Posterior.read(result.run.path / "calibrate" / "posterior.nc")
    for name, theirs in NAMES.items():
        expected = reference["expected_quadrature"][theirs]
        draws = posterior.draws(name)
        assert abs(draws.mean() - expected["mean"]) < 0.1 * expected["sd"]
        assert draws.std() == pytest.approx(expected["sd"], rel=0.1)
        for level, key in ((0.05, "q5"), (0.95, "q95")):
            assert abs(np.quantile(draws, level) - expected[key]) < 0.15 * expected["sd"]
