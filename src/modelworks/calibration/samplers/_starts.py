"""Where to begin: the better ones among many draws of the priors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._threads import in_order
from modelworks.calibration.samplers._sampler import Density
from modelworks.errors import fail

Array = NDArray[np.float64]

# Draws of the priors looked at in one go, and in all before we say that none is possible.
BATCH = 40
MOST = 1000


def candidates(density: Density, key: np.random.Generator, number: int, cores: int) -> tuple[Array, Array]:
    """Possible positions (candidate, parameter) from the priors and their log densities, best first.

    At least `number` of them where the priors hold so many. C401 where not one of a thousand draws of
    the priors is possible: no sampler can begin there.
    """
    positions: list[Array] = []
    values: list[float] = []
    tried = 0
    while len(positions) < number and tried < MOST:
        batch = density.prior_positions(key, max(BATCH, number))
        tried += len(batch)
        inside = batch[np.isfinite(batch).all(axis=1)]
        for position, value in zip(inside, in_order(density.value, inside, cores), strict=True):
            if value > -np.inf:
                positions.append(position)
                values.append(value)
    if not positions:
        tell_of_nowhere(density, tried)
    order = np.argsort(-np.array(values), kind="stable")
    return np.array(positions)[order], np.array(values)[order]


def prior_scale(positions: Array) -> Array:
    """The width (parameter,) of what is plausible along each coordinate; one where a single draw says nothing.

    From quartiles, as the far draws of a prior with a long tail say little about its body.
    """
    if len(positions) < 4:
        return np.ones(positions.shape[1])
    low, high = np.quantile(positions, [0.25, 0.75], axis=0)
    # A normal's quartiles are 1.349 standard deviations apart.
    width = (high - low) / 1.349
    return np.where(width > 0, width, 1.0)


def far_apart(positions: Array, scale: Array, number: int) -> Array:
    """So many of the positions (candidate, parameter), the first of them and then always the farthest from those.

    Starts that are near each other find the same optimum, and their agreement proves nothing.

    >>> far_apart(np.array([[0.0], [0.1], [3.0], [2.9]]), np.array([1.0]), 2).tolist()
    [[0.0], [3.0]]
    """
    chosen = [0]
    while len(chosen) < min(number, len(positions)):
        gaps = (positions[:, np.newaxis] - positions[chosen]) / scale
        chosen.append(int(np.argmax(np.square(gaps).sum(axis=2).min(axis=1))))
    return positions[chosen]


def tell_of_nowhere(density: Density, tried: int) -> None:
    explain = getattr(density, "why_impossible", None)
    reason = f" For instance: {explain()}" if callable(explain) else ""
    fail(
        "C401",
        f"not one of {tried:,} draws of the priors is possible under the model and the data.{reason}",
        hint="look at a run with values you believe in: a prediction of nothing where something was observed, "
        "a unit, or a prior far from them is the usual cause",
    )
