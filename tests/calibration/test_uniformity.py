"""The test of even ranks keeps its level with few runs, and sees draws that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from modelworks.calibration import uniformity

DRAWS = 99


def test_even_ranks_are_refused_as_often_as_said() -> None:
    """Twenty runs each: five in a hundred by chance."""
    key = np.random.default_rng(5)
    found = [uniformity(key.integers(DRAWS + 1, size=20), DRAWS, key).p_value for _ in range(150)]
    assert 0.0 < np.mean(np.array(found) < 0.05) < 0.11
    assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.4), (0.0, 3.0), (1.5, 1.0)])
def test_draws_that_are_too_narrow_too_wide_or_shifted_are_seen(mean: float, sd: float) -> None:
    """The truth is standard normal, the draws are not."""
    truth = np.random.default_rng(6).normal(size=60)
    ranks = np.floor(stats.norm.cdf(truth, mean, sd) * (DRAWS + 1)).astype(int)
    found = uniformity(ranks, DRAWS, np.random.default_rng(7))
    assert found.p_value < 0.01
    assert ((found.found < found.low) | (found.found > found.high)).any()


def test_the_band_is_about_the_diagonal() -> None:
    found = uniformity(np.arange(100), DRAWS, np.random.default_rng(8))
    assert found.p_value > 0.9
    assert (found.low <= found.at + 0.02).all()
    assert (found.high >= found.at - 0.02).all()
