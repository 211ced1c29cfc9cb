"""A log density that is not worked out again where it was before, so that a calibration goes on after a kill.

A sampler is a function of its key and of the densities it is told. So its whole state is in these: one that begins
again and is told what it was told before makes the same steps, to the last bit, in the time that the sampler itself
takes, which is a small part of the model's. No sampler needs to know of it, nor can one that is changed be told
anything wrong.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._estimate import Estimates
from modelworks.calibration.samplers import Density
from modelworks.calibration.samplers._sampler import EstimatedDensity

Array = NDArray[np.float64]

VALUE, GRADIENT, ESTIMATE = b"value", b"gradient", b"estimate"


class Memory(Protocol):
    """Keeps values under keys from one process to the next; `runs.Ledger` is one. Several threads use it."""

    def recall(self, key: bytes, /) -> bytes | None:
        """What an earlier process kept under a key, or None."""
        ...

    def keep(self, key: bytes, value: bytes, /) -> None:
        """Keep a value under a key."""
        ...


class Remembered:
    """A density with its memory, and as a density otherwise.

    Positions at which it is impossible are not kept: the model says again why they are, and is counted again.
    """

    def __init__(self, density: Density, memory: Memory) -> None:
        self.afresh = density
        self._memory = memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self.afresh, name)

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.afresh.parameters

    @property
    def dimension(self) -> int:
        return self.afresh.dimension

    @property
    def has_gradient(self) -> bool:
        return self.afresh.has_gradient

    def prior_positions(self, key: np.random.Generator, number: int, /) -> Array:
        return self.afresh.prior_positions(key, number)

    def value(self, position: Array, /) -> float:
        key = _key(VALUE, position)
        known = self._memory.recall(key)
        if known is not None:
            return float(np.frombuffer(known)[0])
        value = self.afresh.value(position)
        if value > -np.inf:
            self._memory.keep(key, np.float64(value).tobytes())
        return value

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        # Under another key than the value alone, whose last digits may differ.
        key = _key(GRADIENT, position)
        known = self._memory.recall(key)
        if known is not None:
            both = np.frombuffer(known)
            return float(both[0]), both[1:].copy()
        value, gradient = self.afresh.value_and_gradient(position)
        if value > -np.inf:
            self._memory.keep(key, np.float64(value).tobytes() + gradient.tobytes())
        return value, gradient

    def estimate(self, positions: Array, particles: int, seed: int, /) -> Estimates:
        """Of a model that runs by chance: its randomness is of the seed, so an estimate can be remembered too."""
        key = _key(ESTIMATE, np.append(positions, [particles]), seed)
        known = self._memory.recall(key)
        if known is not None:
            return _unpacked(np.frombuffer(known), len(positions))
        found = cast(EstimatedDensity, self.afresh).estimate(positions, particles, seed)
        if np.isfinite(found.log_densities).all():
            self._memory.keep(key, _packed(found).tobytes())
        return found


def _key(kind: bytes, position: Array, seed: int = 0) -> bytes:
    """Two positions share a key by accident once in 2^128 pairs."""
    salt = seed.to_bytes(16, "little")
    return hashlib.blake2b(position.tobytes(), digest_size=16, person=kind, salt=salt).digest()


def _packed(found: Estimates) -> Array:
    """Estimates that are all possible as one array: how many points each target has, and what is said of each row."""
    sizes = [each.shape[1] for each in found.predicted]
    rows = np.hstack([found.log_densities[:, np.newaxis], *found.predicted])
    return np.concatenate([[len(sizes), *sizes], rows.ravel()])


def _unpacked(packed: Array, number: int) -> Estimates:
    sizes = packed[1 : 1 + int(packed[0])].astype(int)
    rows = packed[1 + len(sizes) :].reshape(number, -1)
    predicted = tuple(each.copy() for each in np.split(rows[:, 1:], np.cumsum(sizes)[:-1], axis=1))
    return Estimates(rows[:, 0].copy(), predicted, np.full((number, 2), -1, dtype=np.intp))
