"""The grid of steps of the classical Runge-Kutta method, and how fine it has to be.

Outputs fall on steps, and so do knots of tables and events: between them everything is smooth and
the method has its order. The size of a step follows from the largest total rate at which people
leave a compartment, then the error is measured by halving it (Richardson), never assumed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from modelworks.model._graph import Array

# The method is stable on the negative axis down to -2.785; a little room is left for infection,
# whose rate is not known beforehand.
STABLE_STEP = 2.5


# A pulse is a step of its own, in which the last stage alone looks at a moment when something happens. This size
# makes that stage's weight of a sixth one: the step adds exactly what the pulse moves.
PULSE_STEP = 6.0

# How far behind a pulse its moments lie, as a part of its time (at least of one): nearer than anything else that
# happens, and further than round-off, so that no other step has one of these moments.
BEHIND = 1e-12


def moments_of_pulse(time: float) -> tuple[float, float]:
    """The moment at which all else stands still for a pulse, and the one at which it happens."""
    behind = BEHIND * max(1.0, abs(time))
    return time + behind, time + 2 * behind


@dataclass(frozen=True)
class Grid:
    """Steps from the first output to the last.

    `steps` (step,) are their sizes; `counts` (output,) how many lie before each output; `moments`
    (3 * step + output,) the start, middle and end of each step, and behind them the outputs; `pulses`
    (step,) the time of the pulse that a step is, or not a number.
    """

    outputs: Array
    steps: Array
    counts: NDArray[np.int64]
    starts: Array
    ends: Array
    pulses: Array

    @staticmethod
    def covering(outputs: Array, knots: tuple[float, ...], longest: float, pulses: tuple[float, ...] = ()) -> Grid:
        """The coarsest grid with steps no longer than `longest` that meets all outputs, knots and pulses.

        A pulse at the time of an output comes after it.
        """
        times = np.asarray(outputs, dtype=float)
        placed_pulses = _placed(pulses, times)
        inside = [knot for knot in (*knots, *placed_pulses) if times[0] < knot < times[-1]]
        stops = np.unique(np.concatenate([times, inside]))
        happening: list[float] = []
        sizes: list[float] = []
        starts: list[float] = []
        ends: list[float] = []
        for left, right in itertools.pairwise(stops.tolist()):
            here = placed_pulses.get(left, [])
            starts.extend([left] * len(here))
            ends.extend([left] * len(here))
            sizes.extend([PULSE_STEP] * len(here))
            # The tolerance keeps a gap that is a whole number of steps but for round-off whole.
            number = max(1, int(np.ceil((right - left) / longest - 1e-9)))
            # Made so that the last edge is the stop itself, to the last bit: a table may step there.
            edges = np.linspace(left, right, number + 1)
            starts.extend(edges[:-1])
            ends.extend(edges[1:])
            sizes.extend([(right - left) / number] * number)
            happening.extend([*here, *[np.nan] * number])
        placed = np.searchsorted(np.asarray(ends), times[1:] - 1e-9 * np.maximum(1.0, np.abs(times[1:]))) + 1
        counts = np.diff(np.concatenate([[0, 0], placed])).astype(np.int64)
        return Grid(times, np.asarray(sizes), counts, np.asarray(starts), np.asarray(ends), np.asarray(happening))

    @cached_property
    def addresses(self) -> tuple[int, int]:
        """Where `steps` and `counts` lie in memory, as the kernel takes them."""
        return self.steps.ctypes.data, self.counts.ctypes.data

    @cached_property
    def moments(self) -> Array:
        middle = self.starts + self.steps / 2
        # A table that steps at the end of a step holds its old value until there.
        end = np.nextafter(self.ends, -np.inf)
        moments = np.stack([self.starts, middle, end], axis=1)
        for step in np.flatnonzero(np.isfinite(self.pulses)):
            waiting, happening = moments_of_pulse(float(self.pulses[step]))
            moments[step] = waiting, waiting, happening
        return np.concatenate([moments.ravel(), self.outputs])


def _placed(pulses: tuple[float, ...], outputs: Array) -> dict[float, list[float]]:
    """The pulses at each of the times they happen; one that misses an output by round-off is at the output."""
    found: dict[float, list[float]] = {}
    for pulse in pulses:
        nearest = float(outputs[np.argmin(np.abs(outputs - pulse))])
        place = nearest if abs(nearest - pulse) <= 1e-9 * max(1.0, abs(pulse)) else pulse
        found.setdefault(place, []).append(pulse)
    return found


def stable_step(largest_rate: float) -> float:
    """The longest step that does not blow up, for people who leave at most at this rate."""
    return STABLE_STEP / largest_rate if largest_rate > 0 else np.inf
