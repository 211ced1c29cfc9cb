"""The tail of importance weights."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from modelworks.diagnostics.pareto import generalised_pareto, pareto_k, smoothed


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9])
def test_the_shape_of_a_pareto_distribution_is_found(k: float) -> None:
    """From its own draws, with its scale."""
    from scipy.stats import genpareto

    excess = np.sort(genpareto.rvs(k, scale=2.0, size=4000, random_state=7))
    fit = generalised_pareto(excess)
    assert fit.k == pytest.approx(k, abs=0.08)
    assert fit.scale == pytest.approx(2.0, rel=0.1)
    assert fit.quantile(np.array([0.5, 0.9])) == pytest.approx(genpareto.ppf([0.5, 0.9], fit.k, scale=fit.scale))


def test_smoothing_tames_the_largest_weight_and_leaves_the_small_ones() -> None:
    """The rest keep their proportions; the largest comes down to what its tail foresees."""
    logs = np.random.default_rng(3).standard_cauchy(2000).clip(-5, 5)
    logs[7] = 9.0
    weights = smoothed(logs)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[7] < 0.5 * np.exp(9.0) / np.exp(logs).sum()
    small = np.argsort(logs)[:1000]
    raw = np.exp(logs[small])
    np.testing.assert_allclose(weights[small] / weights[small].sum(), raw / raw.sum(), rtol=1e-10)


@pytest.mark.needs("arviz")
def test_smoothed_weights_are_those_of_arviz() -> None:
    """Another implementation of the same paper."""
    arviz: Any = importlib.import_module("arviz")
    logs = np.random.default_rng(4).normal(0, 1.5, 2000)
    theirs, k = arviz.psislw(logs.copy())
    assert pareto_k(logs) == pytest.approx(float(k), abs=1e-6)
    np.testing.assert_allclose(smoothed(logs), np.exp(theirs), rtol=1e-6)


def test_weights_that_differ_by_round_off_are_alike() -> None:
    """A distribution fitted to round-off is one of nothing."""
    noise = np.random.default_rng(3).integers(0, 25, 1000) * np.finfo(np.float64).eps
    assert pareto_k(noise) == -np.inf
