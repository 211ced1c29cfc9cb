"""One study whose posterior is beyond reproach, for tests that then spoil it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from modelworks.diagnostics import Diagnosis, diagnose

CHAINS, DRAWS, POINTS, SAMPLES, LATER = 4, 500, 30, 400, 6


@dataclass
class Evidence:
    """The arguments of `diagnose`, to be spoiled one at a time."""

    draws: dict[str, Any]
    prior_draws: dict[str, Any]
    sample_stats: dict[str, Any]
    predictive: dict[str, Any]
    observed: dict[str, Any]
    bounds: dict[str, tuple[float, float]]
    log_likelihood: dict[str, Any] = field(default_factory=dict)
    held_out_predictive: dict[str, Any] = field(default_factory=dict)
    held_out_observed: dict[str, Any] = field(default_factory=dict)

    def diagnose(self) -> Diagnosis:
        return diagnose(**vars(self))


def sound(key: int) -> Evidence:
    """Independent draws that learned from their data, and data that the model itself made."""
    random = np.random.default_rng(key)
    peak = 300 * np.exp(-(((np.arange(POINTS) - 14) / 6) ** 2)) + 5
    level = random.normal(1, 0.05, size=(SAMPLES, 1))
    return Evidence(
        draws={
            "contact_rate": random.normal(1.7, 0.05, size=(CHAINS, DRAWS)),
            "recovery_rate": random.normal(0.54, 0.05, size=(CHAINS, DRAWS)),
        },
        prior_draws={
            "contact_rate": random.normal(2, 0.5, size=1000),
            "recovery_rate": np.abs(random.normal(0.4, 0.5, size=1000)),
        },
        sample_stats={
            "diverging": np.zeros((CHAINS, DRAWS), dtype=bool),
            "lp": -random.chisquare(2, size=(CHAINS, DRAWS)) / 2,
        },
        predictive={"in_bed": random.poisson(peak * level).astype(float)},
        observed={"in_bed": random.poisson(peak).astype(float)},
        bounds={"contact_rate": (0.0, np.inf), "recovery_rate": (0.0, 10.0)},
        log_likelihood={"in_bed": -random.gamma(4, 0.1, size=(SAMPLES, POINTS))},
        held_out_predictive={"in_bed": random.poisson(60 * level, size=(SAMPLES, LATER)).astype(float)},
        held_out_observed={"in_bed": random.poisson(60, size=LATER).astype(float)},
    )


@pytest.fixture
def evidence() -> Evidence:
    return sound(20)
