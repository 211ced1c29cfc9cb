"""Tempered SMC: the evidence, and modes that are far apart with their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.conftest import Gaussian

from modelworks.calibration._progress import Silence
from modelworks.calibration.samplers import Draws, sampler

Array = NDArray[np.float64]


def draw(density: Any, seed: int = 1) -> Draws:
    key = np.random.SeedSequence(seed)
    return sampler("smc")(density, chains=4, draws=256, warmup=1, key=key, cores=1, progress=Silence())


class FarPeaks(Gaussian):
    """Two narrow modes, eight apart; the upper one has 80% of all."""

    def value(self, position: Array, /) -> float:
        return float(np.logaddexp(*(self._peak(position, *each) for each in ((-4.0, 0.2, 0.2), (4.0, 0.1, 0.8)))))

    def _peak(self, position: Array, middle: float, sd: float, share: float) -> float:
        return float(np.log(share) - 0.5 * np.square((position - middle) / sd).sum() - np.log(2 * np.pi * sd**2))


@pytest.mark.slow
def test_two_modes_have_their_weights() -> None:
    """No chain can cross between them; particles that were there from the beginning are."""
    density = FarPeaks(np.zeros(2), np.eye(2), prior_sd=4.0)
    shares, evidences = [], []
    for seed in range(6):
        found = draw(density, seed)
        shares.append((found.positions[..., 0] > 0).mean())
        evidences.append(found.notes["log_evidence"])
    assert np.mean(shares) == pytest.approx(0.8, abs=0.05)
    # The two shares are normalised densities and add up to one.
    assert np.mean(evidences) == pytest.approx(0.0, abs=0.2)


def test_the_evidence_of_a_normal_is_its_closed_form_within_the_error_it_claims() -> None:
    """Of an unnormalised normal it is half the logarithm of the determinant of 2π times the covariance."""
    covariance = np.array([[1e-2, 0.04], [0.04, 0.25]])
    truth = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    found = draw(Gaussian(np.array([1.0, -2.0]), covariance)).notes
    assert 0.02 < found["log_evidence_error"] < 0.15
    assert abs(found["log_evidence"] - truth) < 3.5 * found["log_evidence_error"]
