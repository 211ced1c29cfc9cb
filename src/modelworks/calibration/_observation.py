"""A target laid beside one simulator: from a run's outputs to the log likelihood of each point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._rows import Rows
from modelworks.calibration._target import Target
from modelworks.calibration.likelihoods import Likelihood

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a log density keeps of a target, worked out once.

    `column` is the output's place in the simulator's; `places` where the likelihood's arguments that are
    parameters stand among the study's values. `seen` has the rows of the points that were observed,
    `every` those of all points.
    """

    target: Target
    family: Likelihood
    column: int
    places: Mapping[str, int]
    every: Rows
    seen: Rows
    observed: Array
    constants: Mapping[str, Array | float]

    @classmethod
    def of(cls, target: Target, column: int, places: Mapping[str, int]) -> Observation:
        present = target.present
        constants = {name: _settled(value) for name, value in target.arguments.items() if not isinstance(value, str)}
        return cls(
            target=target,
            family=target.family,
            column=column,
            places=dict(places),
            every=Rows(target.weights),
            seen=Rows(target.weights[present]),
            observed=target.observed[present],
            constants={
                name: value[present] if isinstance(value, np.ndarray) else value for name, value in constants.items()
            },
        )

    def log_likelihood(self, predicted: Array, values: Array) -> Array:
        """Of each point that was observed, (…, seen point), from predictions there and all values (…, parameter)."""
        return self.family.log_likelihood(observed=self.observed, predicted=predicted, **self._arguments(values))

    def total(self, outputs: Array, values: Array) -> float:
        """The sum over points, from outputs (time, output) and all values (parameter,)."""
        return float(self.log_likelihood(self.seen.predict(outputs[:, self.column]), values).sum())

    def total_and_slopes(self, outputs: Array, values: Array, cotangent: Array, by_value: Array) -> float:
        """The same; adds its derivatives by the outputs and by the values to the two arrays."""
        predicted = self.seen.predict(outputs[:, self.column])
        slopes = self.family.slopes(observed=self.observed, predicted=predicted, **self._arguments(values))
        cotangent[:, self.column] += self.seen.spread(slopes.by_prediction)
        for name, place in self.places.items():
            if name in slopes.by_argument:
                by_value[place] += slopes.by_argument[name].sum()
        # A sum, never a mean: the mean over n points would widen every interval by the root of n.
        return float(slopes.log_likelihood.sum())

    def log_likelihoods(self, predicted: Array, values: Array) -> Array:
        """From predictions (draw, point) and values (draw, parameter); a zero where nothing was observed."""
        present = self.target.present
        full = np.zeros(predicted.shape)
        full[:, present] = self.log_likelihood(predicted[:, present], values)
        return full

    def sample(self, key: np.random.Generator, predicted: Array, values: Array) -> Array:
        """New observations (draw, point) around predictions (draw, point) for values (draw, parameter)."""
        given = {name: _settled(value) for name, value in self.target.arguments.items() if not isinstance(value, str)}
        given |= {name: values[:, place, np.newaxis] for name, place in self.places.items()}
        return self.family.sample(key, predicted=predicted, **given)

    def _arguments(self, values: Array) -> dict[str, Array | float]:
        if values.ndim == 1:
            return {**self.constants, **{name: float(values[place]) for name, place in self.places.items()}}
        return {**self.constants, **{name: values[..., place, np.newaxis] for name, place in self.places.items()}}


def _settled(value: float | Array) -> Array | float:
    """A number, or one for each point."""
    array = np.asarray(value, dtype=np.float64)
    return float(array.reshape(())) if array.size == 1 else array
