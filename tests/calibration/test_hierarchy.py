"""Groups whose spread is not known: the funnel of data that say little, and the tight valley of data that say much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from tests.calibration.conftest import Linear

from modelworks.calibration import LogDensity, Posterior, Prior, Settings, Target, calibrate
from modelworks.calibration.groups import group

Array = NDArray[np.float64]

# Effects of coaching in eight schools, and their standard errors (Rubin 1981, doi:10.3102/10769986006004377).
EFFECTS = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERRORS = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
SCHOOLS = [str(k) for k in range(8)]
MEAN, SPREAD = stats.norm(0, 5), stats.halfcauchy(scale=5)


def schools(errors: Array) -> LogDensity:
    """Priors as in posteriordb's `eight_schools`."""
    members = tuple(f"effect[{k}]" for k in SCHOOLS)
    return LogDensity(
        priors={
            "typical": Prior.of("normal", {"mean": 0, "sd": 5}),
            "spread": Prior.of("half_cauchy", {"scale": 5}),
        },
        groups=[group("normal", "effect", SCHOOLS, {"mean": "typical", "sd": "spread"})],
        simulator=Linear(np.eye(8), members),
        targets=[
            Target(
                name=f"school {k}",
                output="level",
                observed=EFFECTS[[k]],
                weights=np.eye(8)[[k]],
                likelihood="normal",
                arguments={"sd": float(errors[k])},
            )
            for k in range(8)
        ],
    )


@dataclass(frozen=True)
class Truth:
    mean: Array
    sd: Array


def by_quadrature(errors: Array) -> Truth:
    """Of typical, log spread and the effects: the effects are normal given the other two, which are summed over."""
    typical = np.linspace(-25, 30, 551)[:, None]
    log_spread = np.linspace(-9, 5.5, 800)[None, :]
    spread = np.exp(log_spread)
    logs = MEAN.logpdf(typical) + SPREAD.logpdf(spread) + log_spread
    for effect, error in zip(EFFECTS, errors, strict=True):
        logs = logs + stats.norm.logpdf(effect, typical, np.hypot(spread, error))
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    firsts = [np.broadcast_to(typical, weight.shape), np.broadcast_to(log_spread, weight.shape)]
    seconds = [np.square(each) for each in firsts]
    for effect, error in zip(EFFECTS, errors, strict=True):
        variance = 1 / (1 / spread**2 + 1 / error**2)
        middle = variance * (typical / spread**2 + effect / error**2)
        firsts.append(middle)
        seconds.append(middle**2 + variance)
    mean = np.array([(weight * each).sum() for each in firsts])
    return Truth(mean, np.sqrt(np.array([(weight * each).sum() for each in seconds]) - mean**2))


def moments(found: Posterior) -> tuple[Array, Array]:
    draws = [found.draws(name).ravel() for name in found.parameters]
    draws[1] = np.log(draws[1])
    return np.array([each.mean() for each in draws]), np.array([each.std() for each in draws])


@pytest.mark.slow
@pytest.mark.parametrize("precision", [1, 10], ids=["little is known of each", "much is known of each"])
def test_the_spread_is_that_of_quadrature(precision: int) -> None:
    """To a tenth of a standard deviation: in coordinates that do not widen with it NUTS comes into the narrow part.

    Where much is known of each school these coordinates are the less suitable ones, and NUTS learns their shape.
    """
    errors = ERRORS / precision
    truth = by_quadrature(errors)
    found = calibrate(schools(errors), Settings(seed=5, draws=700, cores=1))
    mean, sd = moments(found)
    np.testing.assert_array_less(np.abs(mean - truth.mean), 0.1 * truth.sd)
    np.testing.assert_allclose(sd, truth.sd, rtol=0.1)
    assert not found.sample_stats_arrays()["diverging"].any()
