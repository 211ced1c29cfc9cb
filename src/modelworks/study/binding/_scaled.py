"""A compiled model in the units of a study's own files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import ChanceFunction, ChanceModel
from modelworks.model import (
    Accuracy,
    CompiledModel,
    FunctionRuns,
    NativeRun,
    Particles,
    StochasticModel,
    run_in_blocks,
    runs_in_block,
)

Array = NDArray[np.float64]
# What the outputs of a study's runs are labelled by, whichever way it runs.
Compiled: TypeAlias = CompiledModel | StochasticModel | FunctionRuns


class _InStudysUnits(ABC):
    """Takes parameters as a study's files give them, and hands them to the model in its own units.

    `parameters` are the names in the study's order; what the model does not use (an overdispersion) is no part of it.
    `factors` turn the file's unit into the model's.
    """

    def __init__(self, compiled: Compiled, names: Sequence[str], factors: Mapping[str, float]) -> None:
        self.parameters = tuple(names)
        self.outputs = compiled.outputs
        self.times = compiled.times
        self._places = np.array([self.parameters.index(name) for name in compiled.parameters], dtype=int)
        self._factors = np.array([factors[name] for name in compiled.parameters], dtype=float)

    def given(self, values: Array) -> Array:
        """Values (…, parameter) in the model's own order and units."""
        given: Array = np.asarray(values, dtype=float)[..., self._places] * self._factors
        return given

    def together(self, number: int) -> int:
        """How many of so many draws stay together, however these are parted."""
        return 1

    @abstractmethod
    def blocks(self, rows: Array, *, cores: int | None, first: int = 0, of: int | None = None) -> Iterator[Array]:
        """Outputs (draw, time, column) of values in the model's own order and units (draw, parameter), in order.

        The rows may be a part: the draws from `first` on, of so many. To the last bit they are those of all at once,
        where each part but the last is a multiple of `together(of)`.
        """


class ScaledModel(_InStudysUnits):
    """A compiled model in a study's units. `accuracy` says how well the solver's step was settled, once it was."""

    def __init__(self, compiled: CompiledModel, names: Sequence[str], factors: Mapping[str, float]) -> None:
        super().__init__(compiled, names, factors)
        self.compiled = compiled
        self.accuracy: Accuracy | None = None

    @property
    def has_gradient(self) -> bool:
        """Whether the study's solver knows the gradient of a run."""
        return self.compiled.has_gradient

    def run(self, values: Array) -> Array:
        """Outputs (time, column)."""
        return self.compiled.run(self.given(values))

    def run_with_pullback(self, values: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Outputs, and the gradient by the values as they are given here."""
        outputs, pullback = self.compiled.run_with_pullback(self.given(values))

        def scaled(cotangent: Array) -> Array:
            gradient = np.zeros(len(self.parameters))
            gradient[self._places] = pullback(cotangent) * self._factors
            return gradient

        return outputs, scaled

    def native_run(self) -> NativeRun | None:
        """The same for kernels of one's own; None where Python has a part in it."""
        found = self.compiled.native_run()
        return None if found is None else replace(found, places=self._places, factors=self._factors)

    def together(self, number: int) -> int:
        """Runs side by side are those alone but for round-off."""
        return runs_in_block(self.compiled, number)

    def blocks(self, rows: Array, *, cores: int | None, first: int = 0, of: int | None = None) -> Iterator[Array]:
        """Some draws at a time, in threads."""
        return run_in_blocks(self.compiled, rows, cores=cores, of=of)


class ScaledByChance(_InStudysUnits):
    """The same of a model that runs by chance: a `FilteredSimulator` in the units of a study's own files.

    Draw *k* of any scenario throws the same dice, so that scenarios differ by what they change and as little else as
    chance allows.
    """

    is_random = True

    def __init__(
        self, compiled: StochasticModel, names: Sequence[str], factors: Mapping[str, float], seed: int
    ) -> None:
        super().__init__(compiled, names, factors)
        self.compiled = compiled
        self._simulator = ChanceModel(compiled, seed=seed)
        self._seed = seed

    @property
    def has_particles(self) -> bool:
        """Whether runs can be looked at on their way."""
        return self._simulator.has_particles

    def run(self, values: Array) -> Array:
        """Outputs (time, column)."""
        return self._simulator.run(self.given(values))

    def particles(self, rows: Array, number: int, seed: int) -> Particles:
        """So many runs for each row of values (row, parameter)."""
        return self._simulator.particles(self.given(rows), number, seed)

    def moment(self, k: int) -> str:
        """The time of row `k` in words."""
        return self._simulator.moment(k)

    def blocks(self, rows: Array, *, cores: int | None, first: int = 0, of: int | None = None) -> Iterator[Array]:
        """In one block: a draw's dice follow from its number among all."""
        checked = self.compiled.rows(dict(zip(self.compiled.parameters, rows.T, strict=True)))
        yield self.compiled.run(checked, len(rows), self._seed, first=first, cores=cores)


class ScaledFunction(_InStudysUnits):
    """A function of the team's own in a study's units, by chance or not.

    What a run throws follows from its values; in scenarios draw *k* has the same key in each.
    """

    has_particles = False

    def __init__(self, compiled: FunctionRuns, names: Sequence[str], factors: Mapping[str, float], seed: int) -> None:
        super().__init__(compiled, names, factors)
        self.compiled = compiled
        self.is_random = compiled.model.is_random
        self._seed = seed
        self._simulator = ChanceFunction(
            compiled.run, parameters=compiled.parameters, outputs=compiled.outputs, times=compiled.times, seed=seed
        )

    def run(self, values: Array) -> Array:
        """Outputs (time, column)."""
        return self._simulator.run(self.given(values))

    def blocks(self, rows: Array, *, cores: int | None, first: int = 0, of: int | None = None) -> Iterator[Array]:
        """One draw at a time: its key follows from its number among all."""
        for draw, row in enumerate(rows, first):
            given = dict(zip(self.compiled.parameters, row.tolist(), strict=True))
            yield self.compiled.run(given, np.random.default_rng([self._seed, draw]))[np.newaxis]


# A study's model for some output times, whichever way it runs.
Scaled: TypeAlias = ScaledModel | ScaledByChance | ScaledFunction


def gathered(blocks: Iterable[Array], number: int, progress: Callable[[int], None] | None = None) -> Array:
    """Blocks (draw, …) as one array of so many draws; `progress` hears of each block how many it has."""
    found, done = np.empty(0), 0
    for block in blocks:
        if done == 0:
            # At once in its whole size, for to join them at the end would hold everything twice.
            found = np.empty((number, *block.shape[1:]))
        found[done : done + len(block)] = block
        done += len(block)
        if progress is not None:
            progress(len(block))
    return found
