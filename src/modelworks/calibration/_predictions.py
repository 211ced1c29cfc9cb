"""What the model says for many draws of its parameters, at every observation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._log_density import LogDensity
from modelworks.calibration._progress import Progress
from modelworks.calibration._threads import in_order

Array = NDArray[np.float64]

# How many runs a thread is handed at once: enough that handing over costs nothing, few enough to see them go.
RUNS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions of each target (sample, point) for all values (sample, parameter); runs that failed are left out."""

    density: LogDensity
    values: Array
    predicted: tuple[Array, ...]
    failed: int

    def log_likelihoods(self) -> list[Array]:
        """Of each target, (sample, point); zero where nothing was observed."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return [
                each.log_likelihoods(predicted, self.values)
                for each, predicted in zip(self.density.observations, self.predicted, strict=True)
            ]

    def expected(self) -> list[Array]:
        """The mean of what is observed of each target, (sample, point): of a proportion of trials a count."""
        return [
            each.expected(predicted, self.values)
            for each, predicted in zip(self.density.observations, self.predicted, strict=True)
        ]

    def observations(self, key: np.random.Generator) -> list[Array]:
        """New observations of each target around its predictions, (sample, point)."""
        return [
            each.sample(key, predicted, self.values)
            for each, predicted in zip(self.density.observations, self.predicted, strict=True)
        ]


def predictions(density: LogDensity, values: Array, cores: int, progress: Progress) -> Predictions:
    """Run the model for values (sample, parameter) of the free parameters."""
    # A chain that refuses a step repeats its draw; each different one is run once.
    distinct, places = np.unique(values, axis=0, return_inverse=True)
    everything = density.all_values(distinct)
    parts = np.array_split(everything, max(1, len(everything) // RUNS_AT_ONCE))
    progress.start("predict", total=len(everything))
    found: list[list[Array] | None] = []
    for part in in_order(lambda rows: [density.predict(row) for row in rows], parts, cores):
        found.extend(part)
        progress.update(len(found))
    progress.finish()
    ran = np.array([each is not None for each in found])[places.reshape(-1)]
    # Where a run failed there is nothing to stack; a row of what is not a number holds its place until it is dropped.
    sizes = [each.target.observed.size for each in density.observations]
    stacked = [
        np.array([np.full(size, np.nan) if each is None else each[target] for each in found])
        for target, size in enumerate(sizes)
    ]
    kept = places.reshape(-1)[ran]
    return Predictions(density, everything[kept], tuple(each[kept] for each in stacked), int((~ran).sum()))
