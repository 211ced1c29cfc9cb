"""Log densities of many positions, on several cores where that is worth it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.samplers._sampler import Density

Array = NDArray[np.float64]

# Below this, handing an evaluation to a thread costs more than it saves.
WORTH_A_THREAD_SECONDS = 5e-4


class Evaluate:
    """Log densities of positions, on several cores where one evaluation is worth it."""

    def __init__(self, density: Density, pool: ThreadPoolExecutor | None) -> None:
        self._density = density
        self._pool = pool
        self._seconds = 0.0

    def __call__(self, positions: Array) -> Array:
        if self._pool is not None and self._seconds > WORTH_A_THREAD_SECONDS:
            return np.array(list(self._pool.map(self._density.value, positions)))
        began = time.perf_counter()
        values = np.array([self._density.value(position) for position in positions])
        # The time decides only where the work is done; the numbers are the same.
        self._seconds = (time.perf_counter() - began) / len(positions)
        return values


@contextmanager
def evaluator(density: Density, cores: int) -> Iterator[Evaluate]:
    if cores <= 1:
        yield Evaluate(density, None)
        return
    with ThreadPoolExecutor(cores) as pool:
        yield Evaluate(density, pool)
