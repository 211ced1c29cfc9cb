"""Where a calibration begins when the posterior of one like it is known: among its draws, and not all over the priors.

A sampler asks its density where to begin to look, and its draws are of the posterior wherever it began. So searches
start at known draws, chains too, and what is learnt of widths and directions is learnt from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._log_density import LogDensity
from modelworks.calibration._memory import Memory, Remembered

Array = NDArray[np.float64]

# Known draws that are kept, evenly thinned: more than any sampler asks for.
MOST_KNOWN = 4000
# One beginning in so many is still a draw of the priors: the posterior may have moved, or have come to another mode.
ONE_OF_THE_PRIORS_IN = 10


class Informed(Remembered):
    """A remembered density in which one begins to look among known positions (draw, coordinate)."""

    def __init__(
        self, density: LogDensity, begins: Array, memory: Memory | None, time_is_up: Callable[[], bool] | None
    ) -> None:
        super().__init__(density, memory, time_is_up)
        self._begins = begins

    def prior_positions(self, key: np.random.Generator, number: int, /) -> Array:
        found = super().prior_positions(key, number)
        places = np.flatnonzero(np.arange(number) % ONE_OF_THE_PRIORS_IN)
        # No position twice while there are others: differences between equal ones lead nowhere.
        rounds = -(-places.size // len(self._begins))
        chosen = np.concatenate([key.permutation(len(self._begins)) for _ in range(rounds)])[: places.size]
        found[places] = self._begins[chosen]
        return found


def known_positions(density: LogDensity, known: Mapping[str, Array], key: np.random.Generator) -> Array:
    """Positions (draw, coordinate) of known values (draw,), by name; a parameter of no name there is as its prior says.

    Draws that the priors exclude are left out.
    """
    total = min((each.size for each in known.values()), default=0)
    places = np.unique(np.linspace(0, total - 1, min(total, MOST_KNOWN)).round().astype(np.intp))
    values = density.prior_values(key, places.size)
    for k, name in enumerate(density.free):
        if name in known:
            values[:, k] = known[name][places]
    supports = [prior.support for prior in density.beliefs.priors.values()]
    supports += [group.support for group in density.beliefs.groups for _ in group.members]
    low, high = np.array(supports).T
    positions = density.unconstrain(values[((values > low) & (values < high)).all(axis=1)])
    return positions[np.isfinite(positions).all(axis=1)]
