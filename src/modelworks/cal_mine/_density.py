"""The log density of a study: priors times likelihood, with its exact gradient, on the whole line."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.cal_mine._simulator import Simulator
from modelworks.cal_mine.likelihoods import likelihood
from modelworks.cal_mine.priors import Prior
from modelworks.errors import Letter, ModelworksError, fail, near

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Target:
    """Observations of one series and how they scatter around the model.

    `weights` (point, time) says which rows of the output make up each observation: one row, or the
    sum over a week. `arguments` of the likelihood are numbers or names of parameters. A missing
    observation is NaN, and counts for nothing.
    """

    name: str
    output: str
    observed: Array
    weights: Array
    likelihood: str
    arguments: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Point:
    """The density at one place: in all, its gradient on the line, and the values there."""

    value: float
    gradient: Array
    values: Array


class LogDensity:
    """Log posterior density of the free parameters, moved to the whole line.

    `names` are the parameters of the simulator; those in `priors` are free, those in `fixed` are not.
    The log likelihood is the sum over all points of all targets. A run that leaves what is possible
    has no probability; how many did, and the letter of the first, is kept.
    """

    def __init__(
        self,
        *,
        priors: Mapping[str, Prior],
        fixed: Mapping[str, float],
        simulator: Simulator,
        targets: Sequence[Target],
    ) -> None:
        self.priors = dict(priors)
        self.simulator = simulator
        self.targets = tuple(targets)
        self.names = tuple(priors)
        self.failed_runs = 0
        self.first_failure: Letter | None = None
        self._lock = threading.Lock()
        self._order = [*priors.values()]
        self._places = np.array([_place(simulator.parameters, name) for name in priors], dtype=int)
        self._base = np.zeros(len(simulator.parameters))
        for name, value in fixed.items():
            self._base[_place(simulator.parameters, name)] = value
        self._terms = [_Term(target, simulator) for target in self.targets]

    @property
    def dimension(self) -> int:
        return len(self.names)

    # -- places on the line ----------------------------------------------------------------------

    def to_line(self, values: Mapping[str, float]) -> Array:
        return np.array([prior.to_line(float(values[name])) for name, prior in self.priors.items()])

    def from_line(self, u: Array) -> Array:
        """Values of the free parameters, shape (..., parameter) as `u`."""
        flat = np.reshape(u, (-1, self.dimension))
        columns = [
            [prior.from_line(float(x))[0] for x in flat[:, k]] for k, prior in enumerate(self._order)
        ]
        return np.array(columns).T.reshape(np.shape(u))

    def prior_sample(self, key: np.random.Generator, number: int) -> Array:
        """Draws of the prior on the line, shape (number, parameter)."""
        found = np.empty((number, self.dimension))
        for k, prior in enumerate(self._order):
            low, high = prior.support
            # A draw on the very edge of the support has no place on the line.
            inside = np.clip(prior.sample(key, number), np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
            found[:, k] = [prior.to_line(float(x)) for x in inside]
        return found

    def full(self, values: Array) -> Array:
        """Values of all of the simulator's parameters from those of the free ones."""
        vector = self._base.copy()
        vector[self._places] = values
        return vector

    # -- density ---------------------------------------------------------------------------------

    def value(self, u: Array) -> float:
        """The log density at `u`, without the gradient."""
        prior, _, values, _ = self._prior(u)
        try:
            outputs = self.simulator.run(self.full(values))
        except ModelworksError as error:
            return self._failed(error)
        full = self.full(values)
        return prior + sum(term.value(outputs, full) for term in self._terms)

    def value_and_gradient(self, u: Array) -> tuple[float, Array]:
        """The log density at `u` (parameter,) and its gradient."""
        prior, slope, values, scale = self._prior(u)
        full = self.full(values)
        try:
            outputs, pullback = self.simulator.run_with_pullback(full)
        except ModelworksError as error:
            return self._failed(error), np.zeros(self.dimension)
        cotangent = np.zeros_like(outputs)
        by_value = np.zeros(full.size)
        total = prior
        for term in self._terms:
            total += term.add(outputs, full, cotangent, by_value)
        if not np.isfinite(total):
            return -np.inf, np.zeros(self.dimension)
        by_value += pullback(cotangent)
        return total, slope + by_value[self._places] * scale

    def points(self, values: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Of each target: what is predicted for every point, and the log likelihood of every point."""
        full = self.full(values)
        outputs = self.simulator.run(full)
        predicted = {term.target.name: term.predicted(outputs) for term in self._terms}
        log_likelihood = {term.target.name: term.point_values(outputs, full) for term in self._terms}
        return predicted, log_likelihood

    def observe(self, key: np.random.Generator, predicted: Mapping[str, Array], values: Array) -> dict[str, Array]:
        """New observations of every target around what is predicted."""
        full = self.full(values)
        return {t.target.name: t.sample(key, predicted[t.target.name], full) for t in self._terms}

    def _prior(self, u: Array) -> tuple[float, Array, Array, Array]:
        total = 0.0
        slope, values, scale = np.empty(u.size), np.empty(u.size), np.empty(u.size)
        for k, prior in enumerate(self._order):
            value, change, log_change, log_slope = prior.from_line(float(u[k]))
            density, derivative = prior.log_density_and_slope(value) if _inside(value, prior) else (-np.inf, 0.0)
            total += density + log_change
            values[k], scale[k] = value, change
            slope[k] = derivative * change + log_slope
        return total, slope, values, scale

    def _failed(self, error: ModelworksError) -> float:
        with self._lock:
            self.failed_runs += 1
            if self.first_failure is None:
                self.first_failure = error.letters[0]
        return -np.inf


class _Term:
    """One target made ready: its column, its points without the missing ones, its arguments."""

    def __init__(self, target: Target, simulator: Simulator) -> None:
        self.target = target
        self.column = _place(simulator.outputs, target.output)
        self.family = likelihood(target.likelihood)
        self.present = np.isfinite(target.observed)
        self.observed = np.asarray(target.observed, dtype=float)[self.present]
        self.weights = np.ascontiguousarray(target.weights[self.present])
        unknown = [name for name in target.arguments if name not in self.family.ARGUMENTS]
        if unknown or len(target.arguments) != len(self.family.ARGUMENTS):
            fail(
                "C104",
                f"the likelihood `{target.likelihood}` of `{target.name}` takes "
                f"{', '.join(self.family.ARGUMENTS) or 'no arguments'}, not {', '.join(target.arguments) or 'none'}",
                hint=near(unknown[0], self.family.ARGUMENTS) if unknown else "give each of them a number or a name",
            )
        self.places = {
            name: _place(simulator.parameters, given) for name, given in target.arguments.items() if isinstance(given, str)
        }
        self.numbers = {name: float(given) for name, given in target.arguments.items() if not isinstance(given, str)}

    def predicted(self, outputs: Array) -> Array:
        # Round-off of the solver can leave a hair less than nobody.
        return np.maximum(self.target.weights @ outputs[:, self.column], 0.0)

    def point_values(self, outputs: Array, full: Array) -> Array:
        values = np.full(self.target.observed.size, np.nan)
        values[self.present] = self._evaluate(outputs, full)[0]
        return values

    def value(self, outputs: Array, full: Array) -> float:
        return float(self._evaluate(outputs, full)[0].sum())

    def add(self, outputs: Array, full: Array, cotangent: Array, by_value: Array) -> float:
        """Add this target's derivatives to those of the outputs and the parameters; the log likelihood, summed."""
        values, slope, by_argument = self._evaluate(outputs, full)
        cotangent[:, self.column] += slope @ self.weights
        for name, place in self.places.items():
            by_value[place] += by_argument[name].sum()
        return float(values.sum())

    def sample(self, key: np.random.Generator, predicted: Array, full: Array) -> Array:
        return np.asarray(self.family.sample(key, predicted, **self._arguments(full)))

    def _evaluate(self, outputs: Array, full: Array) -> tuple[Array, Array, dict[str, Array]]:
        predicted = np.maximum(self.weights @ outputs[:, self.column], 0.0)
        result: tuple[Array, Array, dict[str, Array]] = self.family.log_likelihood(
            self.observed, predicted, **self._arguments(full)
        )
        if np.isnan(result[0]).any():
            point = int(np.flatnonzero(np.isnan(result[0]))[0])
            fail(
                "C105",
                f"the likelihood of `{self.target.name}` is not a number at its point {point + 1}, "
                f"where {self.observed[point]:g} was observed and {predicted[point]:g} predicted",
                hint="an observation may be outside what the likelihood allows: a count below zero, more than the trials",
            )
        return result

    def _arguments(self, full: Array) -> dict[str, Any]:
        return {**self.numbers, **{name: float(full[place]) for name, place in self.places.items()}}


def _inside(value: float, prior: Prior) -> bool:
    """Strictly inside, where every family's density is finite; round-off can land on the edge itself."""
    return prior.support[0] < value < prior.support[1]


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        fail("C106", f"the model has nothing named `{name}`", hint=near(name, names))
    return list(names).index(name)


