"""Which rows of a model's outputs make up each observation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Rows:
    """A matrix (point, time) of mostly zeros, applied to one output and, transposed, to its gradient.

    Every point needs at least one weight that is not zero. A year of weekly sums of daily output has
    365 weights out of 19,000; kept as in a compressed matrix, both products cost a few microseconds.
    """

    def __init__(self, weights: ArrayLike) -> None:
        matrix = np.asarray(weights, dtype=np.float64)
        self.shape: tuple[int, int] = (matrix.shape[0], matrix.shape[1])
        points, self._times = np.nonzero(matrix)
        self._weights = matrix[points, self._times]
        counts = np.bincount(points, minlength=matrix.shape[0])
        if not counts.all():
            raise ValueError("a point without any weight")
        self._counts = counts
        self._begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._single = bool((counts == 1).all())

    def predict(self, output: Array) -> Array:
        """The weighted sums (point,) of one output (time,).

        >>> Rows([[1, 1, 0], [0, 0, 2]]).predict(np.array([1.0, 2.0, 3.0])).tolist()
        [3.0, 6.0]
        """
        weighted = self._weights * output[self._times]
        return weighted if self._single else np.asarray(np.add.reduceat(weighted, self._begins))

    def spread(self, slopes: Array) -> Array:
        """The transpose: derivatives by each point (point,) as derivatives by each row (time,).

        >>> Rows([[1, 1, 0], [0, 0, 2]]).spread(np.array([1.0, 10.0])).tolist()
        [1.0, 1.0, 20.0]
        """
        by_weight = self._weights * (slopes if self._single else np.repeat(slopes, self._counts))
        return np.bincount(self._times, by_weight, minlength=self.shape[1]).astype(np.float64, copy=False)


class Looks:
    """Rows of several outputs: each point looks at one column of a model's outputs."""

    def __init__(self, weights: ArrayLike, columns: ArrayLike) -> None:
        matrix, places = np.asarray(weights, dtype=np.float64), np.asarray(columns, dtype=np.intp)
        self._size = places.size
        self._parts = [
            (int(column), np.flatnonzero(places == column), Rows(matrix[places == column]))
            for column in np.unique(places)
        ]

    def predict(self, outputs: Array) -> Array:
        """The weighted sums (point,) of outputs (time, output)."""
        if len(self._parts) == 1:
            column, _, rows = self._parts[0]
            return rows.predict(outputs[:, column])
        found = np.empty(self._size)
        for column, points, rows in self._parts:
            found[points] = rows.predict(outputs[:, column])
        return found

    def spread(self, slopes: Array, cotangent: Array) -> None:
        """Add derivatives by each point (point,) to those by the outputs (time, output)."""
        for column, points, rows in self._parts:
            cotangent[:, column] += rows.spread(slopes if len(self._parts) == 1 else slopes[points])
