"""A log density that is not worked out again where it was before, so that a calibration goes on after a kill.

A sampler is a function of its key and of the densities it is told. So its whole state is in these: one that begins
again and is told what it was told before makes the same steps, to the last bit, in the time that the sampler itself
takes, which is a small part of the model's. No sampler needs to know of it, nor can one that is changed be told
anything wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._estimate import Estimates
from modelworks.calibration._imitate import Imitations
from modelworks.calibration.samplers import Density
from modelworks.calibration.samplers._sampler import EstimatedDensity, TimeIsUp
from modelworks.errors import Letter, ModelworksError

if TYPE_CHECKING:
    from modelworks.calibration._log_density import LogDensity

Array = NDArray[np.float64]

VALUE, GRADIENT, ESTIMATE, PREDICTED = b"value", b"gradient", b"estimate", b"predicted"


class Memory(Protocol):
    """Keeps values under keys from one process to the next; `runs.Ledger` is one. Several threads use it."""

    def recall(self, key: bytes, /) -> bytes | None:
        """What an earlier process kept under a key, or None."""
        ...

    def keep(self, key: bytes, value: bytes, /) -> None:
        """Keep a value under a key."""
        ...


class Forgetful:
    """Remembers nothing."""

    def recall(self, _key: bytes, /) -> bytes | None:
        return None

    def keep(self, key: bytes, value: bytes, /) -> None:
        pass


class Remembered:
    """A density with its memory, and as a density otherwise.

    A run that failed is remembered with its letter, and counted again. When the time is up it still remembers, but
    works out nothing new and raises `TimeIsUp`.
    """

    def __init__(
        self, density: Density, memory: Memory | None = None, time_is_up: Callable[[], bool] | None = None
    ) -> None:
        self.afresh = density
        # An empty memory is one, too.
        self._memory = Forgetful() if memory is None else memory
        self.time_is_up = time_is_up or (lambda: False)
        # A quick model's gradient takes not much longer than the key it would be kept under.
        self._is_transparent = memory is None and time_is_up is None

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
        return float(self._known(_key(VALUE, position), lambda: np.array([self.afresh.value(position)]))[0])

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        if self._is_transparent:
            return self.afresh.value_and_gradient(position)

        def work_out() -> Array:
            value, gradient = self.afresh.value_and_gradient(position)
            return np.concatenate([[value], gradient])

        # Under another key than the value alone, whose last digits may differ.
        both = self._known(_key(GRADIENT, position), work_out)
        return float(both[0]), both[1:]

    def estimate(self, positions: Array, particles: int, seed: int, /) -> Estimates:
        """Of a model that runs by chance: its randomness is of the seed, so an estimate can be remembered too."""
        density = cast(EstimatedDensity, self.afresh)
        key = _key(ESTIMATE, np.append(positions, [particles]), seed)
        return _unpacked(
            self._known(key, lambda: _packed(density.estimate(positions, particles, seed))), len(positions)
        )

    def imitate(self, positions: Array, key: np.random.Generator, cores: int, /) -> Imitations:
        """Each run by itself: of a slow model, a kill then undoes no more than one."""
        density = cast("LogDensity", self.afresh)
        ends = np.cumsum([each.target.observed.size for each in density.observations])[:-1]

        def predict(values: Array) -> list[Array] | None:
            def work_out() -> Array:
                found = density.predict(values)
                return np.zeros(0) if found is None else np.concatenate(found)

            known = self._known(_key(PREDICTED, values), work_out)
            return np.split(known, ends) if known.size else None

        return density.imitate(positions, key, cores, predict)

    def _known(self, key: bytes, work_out: Callable[[], Array]) -> Array:
        """Numbers from the memory, or worked out and put there."""
        failed = getattr(self.afresh, "failed_runs", None)
        kept = self._memory.recall(key)
        if kept is not None:
            letters, _, numbers = kept.partition(b"\n")
            if letters and failed is not None:
                for each in json.loads(letters):
                    failed.add(ModelworksError([Letter(**each)]))
            return np.frombuffer(numbers).copy()
        if self.time_is_up():
            raise TimeIsUp
        if failed is not None:
            failed.latest()  # what failed before in this thread is none of ours
        found = work_out()
        said = [] if failed is None else [asdict(each) for each in failed.latest()]
        self._memory.keep(key, (json.dumps(said).encode() if said else b"") + b"\n" + found.tobytes())
        return found


def _key(kind: bytes, position: Array, seed: int = 0) -> bytes:
    """Two positions share a key by accident once in 2^128 pairs."""
    salt = seed.to_bytes(16, "little")
    return hashlib.blake2b(position.tobytes(), digest_size=16, person=kind, salt=salt).digest()


def _packed(found: Estimates) -> Array:
    """Estimates as one array: how many points each target has, and what is said of each row."""
    sizes = [each.shape[1] for each in found.predicted]
    rows = np.hstack([found.log_densities[:, np.newaxis], found.lost, *found.predicted])
    return np.concatenate([[len(sizes), *sizes], rows.ravel()])


def _unpacked(packed: Array, number: int) -> Estimates:
    sizes = packed[1 : 1 + int(packed[0])].astype(int)
    rows = packed[1 + len(sizes) :].reshape(number, -1)
    predicted = tuple(each.copy() for each in np.split(rows[:, 3:], np.cumsum(sizes)[:-1], axis=1))
    return Estimates(rows[:, 0].copy(), predicted, rows[:, 1:3].astype(np.intp))
