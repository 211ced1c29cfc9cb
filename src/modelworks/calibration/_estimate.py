"""The likelihood of a model that runs by chance, estimated by particles (Andrieu, Doucet and Holenstein 2010,
doi:10.1111/j.1467-9868.2009.00736.x)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._by_chance import FilteredSimulator
from modelworks.calibration._observation import Observation
from modelworks.calibration._target import Target
from modelworks.errors import fail
from modelworks.model import Particles

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimates:
    """Of rows of values: the log of an unbiased estimate of each one's density (row,), and one history of each.

    `predicted` has for each target the predictions (row, point) of a run drawn from those that agree with all that was
    seen. Where none does, the log density is minus infinity, and `lost` (row, 2) says at which time of the simulator
    the last one was lost, and to which target; elsewhere it is minus one.
    """

    log_densities: Array
    predicted: tuple[Array, ...]
    lost: NDArray[np.intp]

    @classmethod
    def impossible(cls, rows: int, points: Sequence[int]) -> Estimates:
        """Of rows that can not be, for targets of so many points."""
        predicted = tuple(np.full((rows, number), np.nan) for number in points)
        return cls(np.full(rows, -np.inf), predicted, np.full((rows, 2), -1, dtype=np.intp))

    def taken(self, places: NDArray[np.intp]) -> Estimates:
        """The rows at some places."""
        return Estimates(self.log_densities[places], tuple(each[places] for each in self.predicted), self.lost[places])

    def put(self, places: NDArray[np.intp], found: Estimates) -> None:
        """Write other rows over those at some places."""
        self.log_densities[places], self.lost[places] = found.log_densities, found.lost
        for mine, theirs in zip(self.predicted, found.predicted, strict=True):
            mine[places] = theirs


class ParticleLikelihood:
    """Targets laid beside the rows of one simulator, so that particles can be weighed time by time."""

    def __init__(self, simulator: FilteredSimulator, targets: Sequence[Target], names: Sequence[str]) -> None:
        self._simulator = simulator
        self._number = simulator.times.size
        columns = [np.array([simulator.outputs.index(name) for name in each.outputs]) for each in targets]
        sizes = [each.observed.size for each in targets]
        begins = np.cumsum([0, *sizes])
        self._of_targets = [slice(begins[k], begins[k + 1]) for k in range(len(targets))]
        weights = np.concatenate([each.weights for each in targets])
        column = np.concatenate(columns)
        # What each time adds to which points: from which columns, how many times.
        self._added = []
        for k in range(self._number):
            points = np.flatnonzero(weights[:, k])
            self._added.append((points, column[points], weights[points, k]))
        self._due = [
            [
                _Due(t, begins[t], Observation.of(replace(target, observed=seen), simulator.outputs, names))
                for t, target in enumerate(targets)
                for seen in [np.where(_last_time(target.weights) == k, target.observed, np.nan)]
                if np.isfinite(seen).any()
            ]
            for k in range(self._number)
        ]
        self._multipliers = [
            None if each.multipliers is None else np.array([names.index(name) for name in each.multipliers])
            for each in targets
        ]

    def estimate(self, given: Array, values: Array, number: int, seed: int) -> Estimates:
        """From what the simulator takes (row, parameter) and all values (row, name), by so many particles each."""
        particles = self._simulator.particles(given, number, seed)
        rows = len(values)
        each = np.repeat(values, number, axis=0)
        predicted = np.zeros((rows * number, self._of_targets[-1].stop))
        total, lost = np.zeros(rows), np.full((rows, 2), -1, dtype=np.intp)
        for k in range(self._number):
            outputs = particles.advance(k).reshape(rows * number, -1)
            points, columns, factors = self._added[k]
            if points.size:
                predicted[:, points] += factors * outputs[:, columns]
            if self._due[k]:
                total += self._weighed(particles, predicted, each, k, lost)
            if not np.isfinite(total).any():
                break
            chosen = particles.renew() if k < self._number - 1 else None
            if chosen is not None:
                predicted = predicted[chosen.reshape(-1)]
        histories = predicted[particles.one_of_each()]
        return Estimates(total, self._multiplied(histories, values), lost)

    def in_words(self, k: int, target: int) -> str:
        """What was observed by a target at a time of the simulator."""
        due = next(each for each in self._due[k] if each.target == target)
        seen = ", ".join(f"{value:g}" for value in due.observation.observed)
        return f"the {seen} of the target `{due.observation.target.name}`{self._simulator.moment(k)}"

    def _weighed(self, particles: Particles, predicted: Array, values: Array, k: int, lost: NDArray[np.intp]) -> Array:
        """The log likelihood (row,) of all that is known at one time; writes down where nobody agrees."""
        logs = np.zeros(particles.weights.shape)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            for due in self._due[k]:
                logs += due.log_likelihood(predicted, values).reshape(logs.shape)
                nobody = ~np.isfinite(np.where(particles.weights > 0, logs, -np.inf)).any(axis=1) & (lost[:, 0] < 0)
                lost[nobody] = (k, due.target)
        return particles.weigh(logs)

    def _multiplied(self, predicted: Array, values: Array) -> tuple[Array, ...]:
        found = [predicted[:, part] for part in self._of_targets]
        return tuple(
            each if places is None else each * values[:, places]
            for each, places in zip(found, self._multipliers, strict=True)
        )


@dataclass(frozen=True, slots=True)
class _Due:
    """The points of one target that are complete at one time: which target, and where its points begin."""

    target: int
    begin: int
    observation: Observation

    def log_likelihood(self, predicted: Array, values: Array) -> Array:
        """Of all of them together (particle,), from predictions (particle, point of every target)."""
        target = self.observation.target
        points = np.flatnonzero(target.present)
        found = predicted[:, self.begin + points]
        if self.observation.multipliers is not None:
            found = found * values[:, self.observation.multipliers[points]]
        total = np.asarray(self.observation.log_likelihood(found, values).sum(axis=1))
        if np.isnan(total).any():
            fail(
                "C402",
                f"the log likelihood of the target `{target.name}` is not a number for some of the runs",
                hint="an argument of its likelihood may be impossible; please report it if it is not",
            )
        return total


def _last_time(weights: Array) -> NDArray[np.intp]:
    """The row of the simulator at which each point (point,) of weights (point, time) is complete."""
    return np.asarray(weights.shape[1] - 1 - np.argmax(weights[:, ::-1] != 0, axis=1))
