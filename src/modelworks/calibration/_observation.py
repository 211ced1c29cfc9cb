"""A target laid beside one simulator: from a run's outputs to the log likelihood of each point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._rows import Looks
from modelworks.calibration._target import Target
from modelworks.calibration.likelihoods import Likelihood, Slopes, slopes_below

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Observation:
    """What a log density keeps of a target, worked out once.

    `places` is where the likelihood's arguments that are parameters stand among the study's values, and
    `multipliers` where what each prediction is multiplied by does. `seen` looks at the points that were observed,
    `every` at all points; `columns` are the outputs of those that were observed.
    """

    target: Target
    family: Likelihood
    places: Mapping[str, int]
    multipliers: NDArray[np.intp] | None
    columns: NDArray[np.intp]
    every: Looks
    seen: Looks
    observed: Array
    censored: NDArray[np.bool_] | None
    constants: Mapping[str, Array | float]

    @classmethod
    def of(cls, target: Target, outputs: Sequence[str], names: Sequence[str]) -> Observation:
        """From the simulator's outputs, and the names of all values."""
        present = target.present
        constants = {name: _settled(value) for name, value in target.arguments.items() if not isinstance(value, str)}
        columns = np.array([outputs.index(output) for output in target.outputs])
        multipliers = None if target.multipliers is None else np.array([names.index(n) for n in target.multipliers])
        censored = None if target.censored is None or not target.censored.any() else target.censored[present]
        return cls(
            target=target,
            family=target.family,
            places={argument: names.index(name) for argument, name in target.parameters.items()},
            multipliers=multipliers,
            columns=columns[present],
            every=Looks(target.weights, columns),
            seen=Looks(target.weights[present], columns[present]),
            observed=target.observed[present],
            censored=censored,
            constants={
                name: value[present] if isinstance(value, np.ndarray) else value for name, value in constants.items()
            },
        )

    def predict(self, outputs: Array, values: Array) -> Array:
        """At every point, from outputs (time, output) and all values (parameter,)."""
        found = self.every.predict(outputs)
        return found if self.multipliers is None else found * values[self.multipliers]

    def expected(self, predicted: Array, values: Array) -> Array:
        """The mean of what is observed (…, point), from predictions (…, point) and all values (…, parameter)."""
        if self.family.expected is None:
            return predicted
        return self.family.expected(predicted=predicted, **self._given(values))

    def log_likelihood(self, predicted: Array, values: Array) -> Array:
        """Of each point that was observed, (…, seen point), from predictions there and all values (…, parameter)."""
        if self.censored is not None:
            return self._slopes(predicted, self._arguments(values)).log_likelihood
        found = self.family.log_likelihood(observed=self.observed, predicted=predicted, **self._arguments(values))
        return found if self.target.weight == 1.0 else self.target.weight * found

    def total(self, outputs: Array, values: Array) -> float:
        """The sum over points, from outputs (time, output) and all values (parameter,)."""
        predicted = self.seen.predict(outputs)
        if self.multipliers is not None:
            predicted = predicted * values[self.multipliers[self.target.present]]
        return float(self.log_likelihood(predicted, values).sum())

    def total_and_slopes(self, outputs: Array, values: Array, cotangent: Array, by_value: Array) -> float:
        """The same; adds its derivatives by the outputs and by the values to the two arrays."""
        plain = predicted = self.seen.predict(outputs)
        if self.multipliers is not None:
            places = self.multipliers[self.target.present]
            predicted = plain * values[places]
        slopes = self._slopes(predicted, self._arguments(values))
        by_prediction = slopes.by_prediction
        if self.multipliers is not None:
            np.add.at(by_value, places, by_prediction * plain)
            by_prediction = by_prediction * values[places]
        self.seen.spread(by_prediction, cotangent)
        for name, place in self.places.items():
            if name in slopes.by_argument:
                by_value[place] += slopes.by_argument[name].sum()
        # A sum, never a mean: the mean over n points would widen every interval by the root of n.
        return float(slopes.log_likelihood.sum())

    def _slopes(self, predicted: Array, arguments: Mapping[str, Array | float]) -> Slopes:
        """Of each point that was observed; where only a limit is known, of lying below it."""
        if self.censored is None:
            found = self.family.slopes(observed=self.observed, predicted=predicted, **arguments)
        else:
            found = self._partly_below(predicted, self.censored, arguments)
        weight = self.target.weight
        if weight == 1.0:
            return found
        by_argument = {name: weight * slope for name, slope in found.by_argument.items()}
        return Slopes(weight * found.log_likelihood, weight * found.by_prediction, by_argument)

    def _partly_below(
        self, predicted: Array, censored: NDArray[np.bool_], arguments: Mapping[str, Array | float]
    ) -> Slopes:
        def of(points: NDArray[np.bool_]) -> dict[str, Array | float]:
            """The arguments there; those that have one number for all points have it for these."""
            return {
                name: value[..., points] if isinstance(value, np.ndarray) and value.shape[-1] == points.size else value
                for name, value in arguments.items()
            }

        exact = ~censored
        seen = self.family.slopes(observed=self.observed[exact], predicted=predicted[..., exact], **of(exact))
        below = slopes_below(
            self.family, limits=self.observed[censored], predicted=predicted[..., censored], **of(censored)
        )

        def joined(one: Array, other: Array) -> Array:
            found = np.empty(predicted.shape)
            found[..., exact], found[..., censored] = one, other
            return found

        return Slopes(
            joined(seen.log_likelihood, below.log_likelihood),
            joined(seen.by_prediction, below.by_prediction),
            {name: joined(slope, below.by_argument[name]) for name, slope in seen.by_argument.items()},
        )

    def log_likelihoods(self, predicted: Array, values: Array) -> Array:
        """From predictions (draw, point) and values (draw, parameter); a zero where nothing was observed."""
        present = self.target.present
        full = np.zeros(predicted.shape)
        full[:, present] = self.log_likelihood(predicted[:, present], values)
        return full

    def sample(self, key: np.random.Generator, predicted: Array, values: Array) -> Array:
        """New observations (draw, point) around predictions (draw, point) for values (draw, parameter)."""
        return self.family.sample(key, predicted=predicted, **self._given(values))

    def _given(self, values: Array) -> dict[str, Array | float]:
        """The arguments at every point, seen or not."""
        given = {name: _settled(value) for name, value in self.target.arguments.items() if not isinstance(value, str)}
        return given | {name: values[..., place, np.newaxis] for name, place in self.places.items()}

    def _arguments(self, values: Array) -> dict[str, Array | float]:
        if values.ndim == 1:
            return {**self.constants, **{name: float(values[place]) for name, place in self.places.items()}}
        return {**self.constants, **{name: values[..., place, np.newaxis] for name, place in self.places.items()}}


def _settled(value: float | Array) -> Array | float:
    """A number, or one for each point."""
    array = np.asarray(value, dtype=np.float64)
    return float(array.reshape(())) if array.size == 1 else array
