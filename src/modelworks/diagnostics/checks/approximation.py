"""How much hangs on simulated data being near the observed ones, and not the same?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Limits, Verdict

# How far the mean of the nearer half of the draws may lie from that of all, in standard deviations. Our own lines:
# what halving the draws moves by half its width, a tolerance of nothing may move as far again.
MOVED = Limits(look=0.15, stop=0.5)

TITLE = "Data that were only nearly met"


def approximation(draws: Mapping[str, NDArray[np.float64]], distance: ArrayLike) -> Check:
    """Whether draws whose simulated data came nearer to the observed ones say the same.

    Where no likelihood was computed, draws are of the posterior given data within a tolerance. An expert must always
    look at that, but where simulated and observed data are the same.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    distance : float array, shape (chain, draw)
        Of the data of each draw to those that were observed.

    >>> key = np.random.default_rng(1)
    >>> rate, distance = key.normal(size=(4, 500)), key.uniform(size=(4, 500))
    >>> approximation({"rate": rate}, distance).verdict, approximation({"rate": rate + 3 * distance}, distance).verdict
    ('look', 'stop')
    """
    far = np.ravel(np.asarray(distance, dtype=np.float64))
    nearer = far <= np.median(far)
    flat = {name: np.ravel(values) for name, values in draws.items()}
    moved = {name: abs(each[nearer].mean() - each.mean()) / (each.std() or 1.0) for name, each in flat.items()}
    worst = max(moved, key=lambda name: moved[name])
    tolerance, value = float(far.max()), float(moved[worst])
    if tolerance == 0:
        return _answer("fine", "The data simulated with the draws are those that were observed.", value)
    said = f"The draws are an approximation: their data lie within a distance of {tolerance:.2g} of the observed ones"
    if value < MOVED.look:
        return _answer("look", f"{said}; the nearer half of them says the same.", value)
    reason = f"{said}, and the nearer half of them has {worst} elsewhere (by {value:.2g} standard deviations)."
    return _answer("stop" if value >= MOVED.stop else "look", reason, value, (worst,))


def _answer(verdict: Verdict, reason: str, value: float, about: tuple[str, ...] = ()) -> Check:
    return Check("approximation", TITLE, verdict, reason, value, f"{MOVED.words} deviations", about)
