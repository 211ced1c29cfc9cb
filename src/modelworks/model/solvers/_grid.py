"""The grid of steps from the first output to the last.

Outputs fall on steps, and so do knots of tables and events: between them everything is smooth and
a method has its order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail
from modelworks.model._graph import Array
from modelworks.model.solvers._method import ChosenStep, Method
from modelworks.model.solvers.rk4 import RK4

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
    (step,) the time of the pulse that a step is, or not a number. `resets` (output,) is one where events are
    counted anew after an output, and zero at those nobody asked for, which lie between.
    """

    outputs: Array
    steps: Array
    counts: NDArray[np.int64]
    starts: Array
    ends: Array
    pulses: Array
    resets: NDArray[np.int64]
    method: Method = RK4
    longest: float = np.nan
    tolerance: float = np.nan

    @staticmethod
    def covering(
        outputs: Array,
        knots: tuple[float, ...],
        longest: float,
        pulses: tuple[float, ...] = (),
        method: Method = RK4,
        between: tuple[float, ...] = (),
        tolerance: float = np.nan,
    ) -> Grid:
        """The coarsest grid with steps no longer than `longest` that meets all outputs, knots and pulses.

        A pulse at the time of an output comes after it. Where the step is part of the model, all steps are of exactly
        this length, and tables are read where they begin, whether or not a knot lies between. A solver that chooses its
        own steps, by a tolerance, takes what lies between two stops as one. There are outputs `between` those asked for
        as well: at every multiple of these lengths from the start.
        """
        times, resets = _with_those_between(np.asarray(outputs, dtype=float), between)
        placed_pulses = _placed(pulses, times)
        met = (*(knots if method.order is not None else ()), *placed_pulses)
        inside = [stop for stop in met if times[0] < stop < times[-1]]
        stops = np.unique(np.concatenate([times, inside]))
        happening: list[float] = []
        sizes: list[float] = []
        starts: list[float] = []
        ends: list[float] = []
        for left, right in itertools.pairwise(stops.tolist()):
            here = placed_pulses.get(left, [])
            starts.extend([left] * len(here))
            ends.extend([left] * len(here))
            sizes.extend([method.pulse_step] * len(here))
            number = _steps_between(left, right, longest, method)
            # Made so that the last edge is the stop itself, to the last bit: a table may step there.
            edges = np.linspace(left, right, number + 1)
            starts.extend(edges[:-1])
            ends.extend(edges[1:])
            sizes.extend([(right - left) / number] * number)
            happening.extend([*here, *[np.nan] * number])
        placed = np.searchsorted(np.asarray(ends), times[1:] - 1e-9 * np.maximum(1.0, np.abs(times[1:]))) + 1
        counts = np.diff(np.concatenate([[0, 0], placed])).astype(np.int64)
        steps = np.asarray(sizes), counts, np.asarray(starts), np.asarray(ends), np.asarray(happening)
        return Grid(times, *steps, resets, method, longest, tolerance)

    @cached_property
    def steps_before(self) -> NDArray[np.int64]:
        """How many steps lie before each output, from the start."""
        return np.cumsum(self.counts)

    def begun_at(self, first: int) -> Grid:
        """What is left of it at an output, with which it begins."""
        done = int(self.steps_before[first])
        return replace(
            self,
            outputs=self.outputs[first:],
            steps=self.steps[done:],
            counts=np.concatenate([[0], self.counts[first + 1 :]]),
            starts=self.starts[done:],
            ends=self.ends[done:],
            pulses=self.pulses[done:],
            resets=self.resets[first:],
        )

    @cached_property
    def addresses(self) -> tuple[int, int, int]:
        """Where `steps`, `counts` and `resets` lie in memory, as the kernel takes them."""
        return self.steps.ctypes.data, self.counts.ctypes.data, self.resets.ctypes.data

    @cached_property
    def asked(self) -> NDArray[np.intp]:
        """The positions of the outputs that were asked for."""
        return np.flatnonzero(self.resets)

    @cached_property
    def moments(self) -> Array:
        middle = self.starts + self.steps / 2
        # A table that steps at the end of a step holds its old value until there.
        end = np.nextafter(self.ends, -np.inf)
        moments = np.stack([self.starts, middle, end], axis=1)
        for step in np.flatnonzero(np.isfinite(self.pulses)):
            moments[step], moments[step, self.method.pulse_moment] = moments_of_pulse(float(self.pulses[step]))
        return np.concatenate([moments.ravel(), self.outputs])


def _with_those_between(asked: Array, lengths: tuple[float, ...]) -> tuple[Array, NDArray[np.int64]]:
    """All times at which outputs are written, and which of them were asked for."""
    near = 1e-9 * max(1.0, float(np.abs(asked).max()))
    times = asked
    for length in lengths:
        more = asked[0] + length * np.arange(1, np.floor((asked[-1] - asked[0]) / length) + 1)
        gaps = np.abs(more - times[np.clip(np.searchsorted(times, more - near), 0, times.size - 1)])
        times = np.sort(np.concatenate([times, more[gaps > near]]))
    return times, np.isin(times, asked).astype(np.int64)


def _steps_between(left: float, right: float, longest: float, method: Method) -> int:
    """How many steps lie between two stops."""
    if isinstance(method, ChosenStep):
        return 1
    exactly = (right - left) / longest
    if method.order is not None:
        # The tolerance keeps a gap that is a whole number of steps but for round-off whole.
        return max(1, int(np.ceil(exactly - 1e-9)))
    if round(exactly) < 1 or abs(exactly - round(exactly)) > 1e-6:
        fail(
            "S120",
            f"from {left:g} to {right:g} there are {exactly:.6g} steps of {longest:g}, which is not a whole number",
            hint=f"with `{method.name}` the step is part of the model: let outputs and pulses fall on steps",
        )
    return round(exactly)


def _placed(pulses: tuple[float, ...], outputs: Array) -> dict[float, list[float]]:
    """The pulses at each of the times they happen; one that misses an output by round-off is at the output."""
    found: dict[float, list[float]] = {}
    for pulse in pulses:
        nearest = float(outputs[np.argmin(np.abs(outputs - pulse))])
        place = nearest if abs(nearest - pulse) <= 1e-9 * max(1.0, abs(pulse)) else pulse
        found.setdefault(place, []).append(pulse)
    return found
