"""Several runs of one model at once, where the model has no strata that would fill the processor's registers."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from modelworks.model._graph import Array
from modelworks.model._program import Program
from modelworks.model.backends.native import Kernel
from modelworks.model.solvers._grid import Grid
from modelworks.model.solvers._method import FixedStep

# Runs side by side: two of the widest registers, so that one addition need not wait for the last.
RUNS = 16


class Batches:
    """Runs sixteen draws in about the time of one; compiled when first asked for, and shared by copies of a model."""

    def __init__(self, lowered: Callable[[], Program], method: FixedStep) -> None:
        self._lowered = lowered
        self._method = method
        self._lock = threading.Lock()
        self._kernel: Kernel | None = None
        self._data: tuple[Grid, Array] | None = None

    def run(self, grid: Grid, draws: Array, columns: int) -> Array | None:
        """Outputs (draw, time, column) of draws (draw, parameter); None where one is not possible."""
        kernel, data = self._ready(grid)
        groups = -(-len(draws) // RUNS)
        # Lanes left over run the last draw again.
        filled = np.concatenate([draws, np.repeat(draws[-1:], groups * RUNS - len(draws), axis=0)])
        lanes = np.ascontiguousarray(filled.reshape(groups, RUNS, -1).transpose(0, 2, 1))
        outputs = kernel.forward_several(grid, data, lanes)
        if outputs is None:
            return None
        found = np.empty((groups, RUNS, grid.outputs.size, columns))
        graph, offsets = kernel.program.graph, kernel.layout.output_offsets
        for column, (node, offset) in enumerate(zip(kernel.program.observed[:columns], offsets, strict=False)):
            # What depends on time alone is one number for all runs.
            width = RUNS if graph.nodes[node].wide else 1
            found[..., column] = outputs[..., offset : offset + width].transpose(0, 2, 1)
        return found.reshape(-1, *found.shape[2:])[: len(draws)]

    def _ready(self, grid: Grid) -> tuple[Kernel, Array]:
        """The kernel, and what depends on time alone on this grid."""
        with self._lock:
            if self._kernel is None:
                self._kernel = Kernel(self._lowered().side_by_side(RUNS), self._method)
            if self._data is None or self._data[0] is not grid:
                self._data = (grid, self._kernel.data(grid))
            return self._kernel, self._data[1]
