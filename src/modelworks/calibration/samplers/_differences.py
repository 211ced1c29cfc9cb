"""Steps along the differences of earlier draws, which have the posterior's own shape and size.

ter Braak and Vrugt 2008, doi:10.1007/s11222-008-9104-9.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The paper's choices: a snooker's length between 1.2 and 2.2; one in ten of the others at full length, which
# carries a chain from mode to mode.
SNOOKER_LENGTHS = (1.2, 2.2)
FULL_LENGTH_SHARE = 0.1
# Scatter of a step's length, and of its end in standard deviations of the archive: enough to reach every
# point, too little to matter.
LENGTH_SCATTER = 0.05
END_SCATTER = 1e-3


class Archive:
    """Past positions (draw, parameter), in an array with room for all that will be added."""

    def __init__(self, positions: Array, room: int = 0) -> None:
        self._all = np.empty((len(positions) + room, positions.shape[1]))
        self._all[: len(positions)] = positions
        self._first, self._end = 0, len(positions)
        self.scale = positions.std(axis=0)

    @property
    def positions(self) -> Array:
        return self._all[self._first : self._end]

    def add(self, positions: Array) -> None:
        self._all[self._end : self._end + len(positions)] = positions
        self._end += len(positions)

    def forget_half(self, keep: int) -> None:
        """Drop the older half, but never to fewer than `keep`."""
        self._first = max(self._first, min((self._first + self._end) // 2, self._end - keep))
        self.scale = self.positions.std(axis=0)


class Proposal(NamedTuple):
    """Positions (chain, parameter), and the log of each step's chance over that of the step back (chain,)."""

    positions: Array
    log_factor: Array


def difference(positions: Array, archive: Archive, random: np.random.Generator) -> Proposal:
    """A step along the difference of two past draws."""
    chains, size = positions.shape
    one, other, _ = _three(archive.positions, chains, random)
    # 2.38/√(2d) is the best length for a normal posterior.
    length = np.where(random.random(chains) < FULL_LENGTH_SHARE, 1.0, 2.38 / math.sqrt(2 * size))
    length *= 1.0 + LENGTH_SCATTER * (2.0 * random.random(chains) - 1.0)
    scatter = END_SCATTER * archive.scale * random.standard_normal((chains, size))
    return Proposal(positions + length[:, np.newaxis] * (one - other) + scatter, np.zeros(chains))


def snooker(positions: Array, archive: Archive, random: np.random.Generator) -> Proposal:
    """A step along the line to one past draw, as long as two others are apart in that direction."""
    chains, size = positions.shape
    anchor, one, other = _three(archive.positions, chains, random)
    line = positions - anchor
    squared = np.einsum("cp,cp->c", line, line)
    # A chain that stands on its anchor has no line; it stays where it is.
    stands = squared == 0.0
    along = np.einsum("cp,cp->c", one - other, line) / np.where(stands, 1.0, squared)
    length = random.uniform(*SNOOKER_LENGTHS, chains) * along
    moved = positions + length[:, np.newaxis] * line
    with np.errstate(divide="ignore"):
        log_factor = (size - 1) * np.log(np.abs(1.0 + length))
    return Proposal(moved, np.where(stands, 0.0, log_factor))


def _three(archive: Array, chains: int, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Three past draws for each chain, no two of them the same entry."""
    total = len(archive)
    first = random.integers(total, size=chains)
    second = random.integers(total - 1, size=chains)
    second += second >= first
    third = random.integers(total - 2, size=chains)
    third += third >= np.minimum(first, second)
    third += third >= np.maximum(first, second)
    return archive[first], archive[second], archive[third]
