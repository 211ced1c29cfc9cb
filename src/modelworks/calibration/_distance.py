"""How far simulated data lie from those that were seen, for methods that do without a likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.errors import fail

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    r"""The root of the mean square of what summaries differ by, each in parts of its scale.

    $$d = \sqrt{\tfrac{1}{n} \sum_k \left((s_k - s_k^{\text{seen}}) / c_k\right)^2}$$

    Parameters
    ----------
    summaries : callable, optional
        From the observations of all targets (point,), one target after the other and only those that were observed, to
        the summaries (summary,) that are compared. Without it every observation is one.
    scales : float array, shape (summary,), optional
        The $c$, in the units of the summaries. Without it the median absolute deviation of each summary in simulations
        from the priors, times 1.4826, or their standard deviation where that is zero.
    tolerance : float, optional
        The distance that is near enough; without it draws come as near as is worth the work.
    """

    summaries: Callable[[Array], ArrayLike] | None = None
    scales: Sequence[float] | Array | None = None
    tolerance: float | None = None

    def of(self, observed: Array) -> Array:
        """The summaries (summary,) of observations (point,)."""
        if self.summaries is None:
            return observed
        found = np.asarray(self.summaries(observed), dtype=np.float64)
        if found.ndim != 1 or not found.size:
            fail("C506", f"the summaries have the shape {found.shape}", hint="give one number for each: (summary,)")
        return found

    def settled(self, simulated: Array, seen: Array, names: Sequence[str]) -> Settled:
        """With the scales of summaries that were simulated from the priors (simulation, summary).

        Raises
        ------
        ModelworksError
            C506: a summary that is the same in every simulation, and was seen otherwise; scales that do not fit.
        """
        constant = simulated.std(axis=0) == 0
        never = np.flatnonzero(constant & (simulated[0] != seen))
        if never.size:
            k = int(never[0])
            fail(
                "C506",
                f"{names[k]} is {simulated[0, k]:g} in every simulation, but {seen[k]:g} was seen",
                hint="the model can not make it; leave it out, or let the model vary there",
            )
        if constant.all():
            fail("C506", "every simulation from the priors is the same", hint="does the model use its parameters?")
        if self.scales is None:
            scales = 1.4826 * np.median(np.abs(simulated - np.median(simulated, axis=0)), axis=0)
            scales = np.where(scales > 0, scales, simulated.std(axis=0))
        else:
            scales = np.asarray(self.scales, dtype=np.float64)
            if scales.shape != seen.shape or not (scales > 0).all():
                fail(
                    "C506",
                    f"there are scales of shape {scales.shape} for {seen.size} summaries",
                    hint="give one above 0 for each",
                )
        # What never varies says nothing, and what was seen is the same.
        return Settled(seen[~constant], scales[~constant], ~constant)


@dataclass(frozen=True, slots=True)
class Settled:
    """A distance with its scales: what was seen, the scales, and which of all summaries are looked at."""

    seen: Array
    scales: Array
    used: NDArray[np.bool_]

    def scaled(self, simulated: Array) -> Array:
        """What simulations (simulation, summary) differ by, each in parts of its scale (simulation, used summary)."""
        return np.asarray((simulated[:, self.used] - self.seen) / self.scales)

    def to(self, simulated: Array) -> Array:
        """The distance of each simulation (simulation,); infinite where a run failed."""
        found = np.sqrt(np.square(self.scaled(simulated)).mean(axis=1))
        return np.where(np.isnan(found), np.inf, found)
