"""A smooth curve of how densely draws lie, that does not run over the edge of what is possible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 300
# Every third bin is drawn: a curve of a hundred points is smooth at the size of a panel.
STRIDE = 3
# Neighbouring draws of a chain resemble each other, so thousands do not earn a kernel as narrow as their number says.
MOST_INDEPENDENT = 500
# A normal kernel is nothing beyond three of its widths.
KERNEL_REACH = 3.0


def density(
    sample: NDArray[np.float64], low: float = -np.inf, high: float = np.inf
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places between `low` and `high`, and the density of the draws there; two arrays of shape (place,).

    A kernel density with Silverman's width (1986, equation 3.31). What the kernel would carry over the outermost
    draws is folded back, so that a uniform or an exponential keeps its edge.

    >>> places, heights = density(np.linspace(0, 1, 1001))
    >>> bool(abs(heights - 1).max() < 0.02), bool(places.min() >= 0)
    (True, True)
    """
    start, end = max(low, float(sample.min())), min(high, float(sample.max()))
    if not end > start:
        return np.array([start]), np.array([1.0])
    edges = np.linspace(start, end, BINS + 1)
    step = float(edges[1] - edges[0])
    heights = np.histogram(sample, edges)[0] / (sample.size * step)
    width = bandwidth(sample) / step
    reach = int(np.ceil(min(KERNEL_REACH * width, BINS)))
    if reach:
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
        heights = np.convolve(np.pad(heights, reach, mode="symmetric"), kernel / kernel.sum(), mode="valid")
    drawn = np.arange(0, BINS, STRIDE)
    drawn[-1] = BINS - 1
    return (edges[:-1] + step / 2)[drawn], heights[drawn]


def bandwidth(sample: NDArray[np.float64]) -> float:
    """Silverman's rule with the lesser of two spreads, so that a heavy tail does not blur the middle."""
    low, high = np.quantile(sample, [0.25, 0.75])
    spreads = [spread for spread in (float(sample.std()), float(high - low) / 1.34) if spread > 0]
    return 0.9 * min(spreads, default=0.0) / float(min(sample.size, MOST_INDEPENDENT) ** 0.2)
