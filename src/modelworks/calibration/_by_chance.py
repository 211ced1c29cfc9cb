"""Models that run by chance, as a calibration takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.calibration._simulator import Simulator
from modelworks.errors import fail
from modelworks.model import Particles, StochasticModel

Array = NDArray[np.float64]


class RandomSimulator(Simulator, Protocol):
    """A simulator that runs by chance; its `is_random` is True.

    `run` still gives the same outputs for the same values, and unrelated ones for any others: what a run throws
    follows from its values. So a calibration is repeatable on any number of cores, and no run needs a key.
    """

    @property
    def is_random(self) -> bool: ...


class FilteredSimulator(RandomSimulator, Protocol):
    """A random simulator that can be looked at on its way, so that its likelihood can be estimated."""

    @property
    def has_particles(self) -> bool:
        """Whether this one can: a model whose outputs are known only at the end of a run can not."""
        ...

    def particles(self, rows: Array, number: int, seed: int, /) -> Particles:
        """So many runs for each row of values (row, parameter), at their start."""
        ...

    def moment(self, k: int, /) -> str:
        """The time of row `k` in words, as in " on 3 March 2020"."""
        ...


def is_random(simulator: Simulator) -> bool:
    """Whether a simulator runs by chance."""
    return bool(getattr(simulator, "is_random", False))


def can_be_filtered(simulator: Simulator) -> TypeGuard[FilteredSimulator]:
    """Whether the likelihood of a simulator that runs by chance can be estimated by particles."""
    return is_random(simulator) and bool(getattr(simulator, "has_particles", False))


def seed_of(values: Array, seed: int) -> np.random.SeedSequence:
    """Randomness that follows from values (parameter,) and a seed."""
    words = np.ascontiguousarray(values, dtype=np.float64).view(np.uint32)
    return np.random.SeedSequence([seed, *words.tolist()])


class ChanceModel:
    """A compiled stochastic model as a simulator: whole people, who move by chance."""

    is_random = True

    def __init__(self, compiled: StochasticModel, *, seed: int = 0) -> None:
        self.compiled = compiled
        self.parameters = compiled.parameters
        self.outputs = compiled.outputs
        self.times = compiled.times
        self._seed = seed

    @property
    def has_particles(self) -> bool:
        """Whether runs can be looked at on their way."""
        return not self.compiled.is_delayed

    def run(self, values: Array) -> Array:
        """Outputs (time, column)."""
        seed = int(seed_of(values, self._seed).generate_state(1, np.uint64)[0])
        return np.asarray(self.compiled.run(self._rows(np.atleast_2d(values)), 1, seed)[0])

    def particles(self, rows: Array, number: int, seed: int) -> Particles:
        return Particles(self.compiled, self._rows(rows), number, seed)

    def moment(self, k: int) -> str:
        return self.compiled.moment(k)

    def _rows(self, rows: Array) -> Array:
        return self.compiled.rows(dict(zip(self.parameters, np.asarray(rows, dtype=float).T, strict=True)))


class ChanceFunction:
    """A function of one's own that runs by chance, an agent-based model say, as a simulator.

    Parameters
    ----------
    function : callable
        Called with the values by name and a NumPy generator, for all its randomness; gives the outputs, shape (time,)
        of a single one or (time, output).
    parameters, outputs : sequences of str
        What it takes, and the names of its columns.
    times : float array, shape (time,)
        Of its rows.

    Examples
    --------
    >>> def throws(values, key):
    ...     return key.binomial(10, values["chance"], size=3)
    >>> coin = ChanceFunction(throws, parameters=["chance"], outputs=["heads"], times=range(3))
    >>> coin.run(np.array([1.0])).ravel().tolist()
    [10.0, 10.0, 10.0]
    """

    is_random = True

    def __init__(
        self,
        function: Callable[[dict[str, float], np.random.Generator], ArrayLike],
        *,
        parameters: Sequence[str],
        outputs: Sequence[str],
        times: ArrayLike,
        seed: int = 0,
    ) -> None:
        self.parameters = tuple(parameters)
        self.outputs = tuple(outputs)
        self.times = np.asarray(times, dtype=np.float64)
        self._function = function
        self._seed = seed

    def run(self, values: Array) -> Array:
        """Outputs (time, output)."""
        given = dict(zip(self.parameters, np.asarray(values).tolist(), strict=True))
        found = np.asarray(self._function(given, np.random.default_rng(seed_of(values, self._seed))), dtype=np.float64)
        wanted = (self.times.size, len(self.outputs))
        if found.ndim == 1 and wanted[1] == 1:
            found = found[:, np.newaxis]
        if found.shape != wanted:
            fail(
                "C308",
                f"the function gave outputs of shape {found.shape}, but there are {wanted[0]} times and "
                f"{wanted[1]} outputs",
                hint="give an array (time, output), or (time,) where there is one output",
            )
        return found
