"""What a sampler takes and gives. To add one, copy the file of the nearest member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._distance import Settled
from modelworks.calibration._estimate import Estimates
from modelworks.calibration._imitate import Imitations
from modelworks.calibration._inference import Inference
from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._enough import Enough

Array = NDArray[np.float64]


class Density(Protocol):
    """A log density on the real line in every direction; `LogDensity` is one.

    It may be evaluated from several threads at once. Minus infinity is impossible; it is never a NaN.
    """

    @property
    def parameters(self) -> tuple[str, ...]: ...

    @property
    def dimension(self) -> int: ...

    @property
    def has_gradient(self) -> bool: ...

    def value(self, position: Array, /) -> float:
        """The log density at a position (parameter,)."""
        ...

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        """The log density and its gradient (parameter,)."""
        ...

    def prior_positions(self, key: np.random.Generator, number: int, /) -> Array:
        """Where to begin to look: positions (number, parameter) that are plausible before the data."""
        ...


class EstimatedDensity(Density, Protocol):
    """A density of a model that runs by chance, which can only be estimated."""

    def estimate(self, positions: Array, particles: int, seed: int, /) -> Estimates:
        """The log densities (row,) of positions (row, parameter), each by so many particles."""
        ...

    def observation_in_words(self, k: int, target: int, /) -> str:
        """What was observed by a target at a time of the simulator."""
        ...


def can_be_estimated(density: Density) -> TypeGuard[EstimatedDensity]:
    """Whether `estimate` can be asked of a density."""
    return bool(getattr(density, "can_be_estimated", False))


class SimulatedDensity(Density, Protocol):
    """A density of a model from which new data can be simulated, and compared with those that were seen."""

    @property
    def is_random(self) -> bool:
        """Whether the model runs by chance, so that there is no likelihood to correct by."""
        ...

    @property
    def inference(self) -> str | Inference:
        """The method that learns from simulations, or its name."""
        ...

    @property
    def tolerance(self) -> float | None:
        """The distance that is near enough, where somebody says so."""
        ...

    def log_prior(self, positions: Array, /) -> Array:
        """The log density (row,) of what is believed before the data, at positions (row, parameter)."""
        ...

    def imitate(self, positions: Array, key: np.random.Generator, cores: int, /) -> Imitations:
        """New data at each of positions (row, parameter)."""
        ...

    def distance_of(self, simulated: Array, /) -> Settled:
        """The distance to what was seen, with scales from summaries that were simulated from the priors."""
        ...


def can_be_imitated(density: Density) -> TypeGuard[SimulatedDensity]:
    """Whether new data can be simulated from a density."""
    return callable(getattr(density, "imitate", None))


class TimeIsUp(Exception):  # noqa: N818 - nothing went wrong
    """Raised by a density that is asked once more after the time of a calibration was up.

    A sampler that has draws by then gives those, with `cut_short` among its notes; the others let it pass.
    """


@dataclass(frozen=True, slots=True)
class Draws:
    """What a sampler found: positions (chain, draw, parameter), its statistics (chain, draw), and what it says.

    `stats` has at least `lp`, the log density of each draw; `optimum` is the best position (parameter,) of a
    search, if there was one; `predicted` has for each target what was predicted in the run of each draw (chain, draw,
    point), where a model runs by chance; `notes` are plain values for the record and `warnings` sentences for people.
    """

    positions: Array
    stats: Mapping[str, NDArray[Any]]
    optimum: Array | None = None
    predicted: tuple[Array, ...] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Sampler(Protocol):
    """Draws from a density; the same key gives the same draws, bit for bit, on any number of cores.

    With `enough`, `draws` is the most of each chain: it ends at the first look at which they are enough, with
    the first of the draws that it would make without, and says so in `notes["stopped"]`. A sampler whose draws do
    not come one after the other makes them all.
    """

    def __call__(
        self,
        density: Density,
        *,
        chains: int,
        draws: int,
        warmup: int,
        key: np.random.SeedSequence,
        cores: int,
        progress: Progress,
        enough: Enough | None = None,
    ) -> Draws: ...
