"""Does a parameter press against a limit it was given?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, listed
from modelworks.diagnostics.checks.prior_overlap import OVERLAP, overlap

# The distance of the nearest 5% of draws from the bound, in standard deviations of the posterior. A density
# that is highest at the bound gives 0.05 (exponential) to 0.10 (half normal); one that is level there 0.17; one that
# has begun to fall towards it 0.25 and more (gamma of shape 2). The line lies between the first two kinds.
# It never stops: a spread of zero or a proportion of one can be the truth.
DISTANCE = Limits(look=0.14, stop=0.0, high_is_good=True)


def at_bounds(
    draws: Mapping[str, NDArray[np.float64]],
    bounds: Mapping[str, tuple[float, float]],
    prior_draws: Mapping[str, NDArray[np.float64]] | None = None,
) -> Check:
    """Which parameters are piled against a bound, as if they would go on were they let.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    bounds : mapping of name to (lower, upper)
        Infinite where there is none.
    prior_draws : mapping of name to float array, shape (draw,), optional
        A parameter that is still where its prior was is left to `prior_overlap`: its pile is an assumption.

    >>> pile = np.random.default_rng(1).exponential(size=(4, 500))
    >>> at_bounds({"rate": pile}, {"rate": (0, np.inf)}).verdict
    'look'
    >>> at_bounds({"rate": pile}, {"rate": (-1, np.inf)}).verdict
    'fine'
    """
    prior_draws = prior_draws or {}
    moved = [n for n in draws if n not in prior_draws or OVERLAP.verdict(overlap(draws[n], prior_draws[n])) == "fine"]
    distances = {
        (name, bound): bound_distance(draws[name], bound)
        for name in moved
        for bound in bounds.get(name, ())
        if np.isfinite(bound)
    }
    piled = sorted((key for key in distances if DISTANCE.verdict(distances[key]) != "fine"), key=lambda k: distances[k])
    least = min(distances.values(), default=np.inf)
    title, threshold = "Room within the limits", f"fine from {DISTANCE.look:g} standard deviations"
    if piled:
        places = listed([f"{name} against {bound:g}" for name, bound in piled])
        reason = f"The data press {places}, the limit that was set, and would perhaps go further."
        names = tuple(dict.fromkeys(name for name, _ in piled))
        return Check("at_bounds", title, "look", reason, least, threshold, names)
    return Check("at_bounds", title, "fine", "No parameter presses against a limit.", least, threshold)


def bound_distance(chains: NDArray[np.float64], bound: float) -> float:
    """How far 95% of the draws keep from a bound, in standard deviations; 0 for draws that do not move."""
    spread = float(chains.std())
    return float(np.quantile(np.abs(chains - bound), 0.05)) / spread if spread > 0 else 0.0
