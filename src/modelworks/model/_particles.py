"""Particles of a bootstrap filter: stochastic runs side by side, of which those that agree with what was seen go on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelworks.model._graph import Array
from modelworks.model._stochastic import StochasticModel


class Particles:
    """So many runs for each row of parameters, on their way from time to time together.

    At each time, in turn: `advance` to it; `weigh` them where something was observed; `renew` those of a row in which
    few are left that count. Rows do not touch each other, and are computed side by side.

    `weights` (row, particle) sum to one in each row; a row none of whose particles agrees keeps those it had.
    """

    def __init__(self, compiled: StochasticModel, rows: Array, number: int, seed: int) -> None:
        """`rows` as of `StochasticModel.rows`, one for each filter."""
        self.weights = np.full((len(rows), number), 1.0 / number)
        self._compiled = compiled
        self._rows = rows if len(rows) == 1 else np.repeat(rows, number, axis=0)
        self._flock = compiled.begin(self._rows, len(rows) * number, seed)
        # Apart from the streams of the particles, which have the seed's own key.
        self._dice = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))

    def advance(self, k: int) -> Array:
        """The outputs (row, particle, column) at the time `k`, which is the one after that of the last call."""
        found = self._compiled.advance(self._flock, self._rows, k, k + 1)[:, 0]
        return found.reshape(*self.weights.shape, -1)

    def weigh(self, logs: Array) -> Array:
        """The log likelihood (row,) of what was seen given all before, from that of each particle (row, particle)."""
        highest = logs.max(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            products = np.where(highest > -np.inf, self.weights * np.exp(logs - highest), 0.0)
            total = products.sum(axis=1, keepdims=True)
            # A particle of no weight may be the only one that agrees.
            self.weights = np.where(total > 0, products / total, self.weights)
            return np.asarray((highest + np.log(total))[:, 0])

    @property
    def effective(self) -> Array:
        """How many equally weighted particles would say as much, in each row (row,)."""
        return np.asarray(1.0 / np.sum(self.weights**2, axis=1))

    def renew(self) -> NDArray[np.int64] | None:
        """Drop and double particles in rows where fewer than half are effective.

        Which go on (row, particle), each the place of one among all particles laid out flat; None where all do.
        """
        rows, number = self.weights.shape
        few = np.flatnonzero(self.effective < number / 2)
        if not few.size:
            return None
        chosen = np.arange(rows * number).reshape(rows, number)
        for row, offset in zip(few.tolist(), self._dice.random(few.size).tolist(), strict=True):
            chosen[row] = row * number + systematic(self.weights[row], offset)
        self._flock.states = self._flock.states[chosen.reshape(-1)]
        self.weights[few] = 1.0 / number
        return chosen

    def one_of_each(self) -> NDArray[np.int64]:
        """A particle of each row drawn by its weight (row,), its place among all laid out flat."""
        rows, number = self.weights.shape
        ends = np.cumsum(self.weights, axis=1)
        points = self._dice.random((rows, 1)) * ends[:, -1:]
        return np.asarray(np.arange(rows) * number + np.minimum((ends <= points).sum(axis=1), number - 1))


def systematic(weights: Array, offset: float) -> NDArray[np.int64]:
    """Which particles go on: each as often as its weight says, but for one more or less (particle,).

    Equally spaced points are laid over the weights end to end, all moved by one random `offset` in [0, 1).
    """
    points = (np.arange(weights.size) + offset) / weights.size
    ends = np.cumsum(weights)
    return np.searchsorted(ends / ends[-1], points, side="right").astype(np.int64)
