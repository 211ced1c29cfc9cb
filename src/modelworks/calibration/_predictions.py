"""What the model says for many draws of its parameters, at every observation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
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


def predictions(
    density: LogDensity,
    values: Array,
    cores: int,
    progress: Progress,
    elsewhere: Callable[[Array], Array] | None = None,
) -> Predictions:
    """Run the model for values (sample, parameter) of the free parameters.

    `elsewhere` gives what `rows_predicted` does, where others make the runs.
    """
    # A chain that refuses a step repeats its draw; each different one is run once.
    distinct, places = np.unique(values, axis=0, return_inverse=True)
    everything = density.all_values(distinct)
    progress.start("predict", total=len(everything))
    found = rows_predicted(density, everything, cores, progress) if elsewhere is None else elsewhere(everything)
    progress.finish()
    ran = found[places.reshape(-1), 0] == 1
    kept = places.reshape(-1)[ran]
    edges = np.cumsum([1, *(each.target.observed.size for each in density.observations)])
    by_target = tuple(found[kept, first:last] for first, last in itertools.pairwise(edges))
    return Predictions(density, everything[kept], by_target, int((~ran).sum()))


def rows_predicted(density: LogDensity, rows: Array, cores: int = 1, progress: Progress | None = None) -> Array:
    """Whether the model ran with each of some rows of values (row, parameter), and its predictions, (row, 1 + point).

    1 or 0, and then those of all targets, one behind the other; what is not a number where it did not run.
    """
    found = np.full((len(rows), 1 + sum(each.target.observed.size for each in density.observations)), np.nan)
    parts, done = np.array_split(rows, max(1, len(rows) // RUNS_AT_ONCE)), 0
    for part in in_order(lambda some: [density.predict(row) for row in some], parts, cores):
        for each in part:
            found[done, 0] = each is not None
            if each is not None:
                found[done, 1:] = np.concatenate(each)
            done += 1
        if progress is not None:
            progress.update(done)
    return found
