"""Which scenario to choose when not everything is known, and what it would be worth to know more.

The value of perfect information is what one would lose less on average by knowing every parameter before choosing;
that of one parameter is taken from a regression of each scenario's number on it, draw by draw (Strong, Oakley and
Brennan 2014, Med Decis Making 34:311, doi:10.1177/0272989X13505910).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.report import words
from modelworks.study.projection._words import chance

if TYPE_CHECKING:
    from modelworks.inputs import Decision, Scenario

Array = NDArray[np.float64]

# Of the regression on a parameter: a cubic bends as often as 200 draws can tell.
DEGREE = 3
ROUND_OFF = 1e-12
# So many parameters are named, those worth most to know.
MOST_NAMED = 5


def best_in_draws(losses: Array) -> Array:
    """The share of draws in which each is best, shape (scenario,), of losses (draw, scenario); ties are shared."""
    best = losses == losses.min(axis=1, keepdims=True)
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))


def value_of_knowing(losses: Array) -> float:
    """What one loses less on average by choosing in each row (row, scenario) instead of once for all."""
    gain = float(losses.mean(axis=0).min() - losses.min(axis=1).mean())
    # The same mean, summed in another order, is no gain.
    return gain if gain > ROUND_OFF * float(np.abs(losses).max()) else 0.0


def value_of_knowing_one(losses: Array, parameter: Array) -> float:
    """The same where only one parameter (draw,) is known: choosing by what is expected with it."""
    from scipy.stats import rankdata

    # On its ranks, so that a far draw does not bend the curve.
    design = np.polynomial.legendre.legvander(2 * rankdata(parameter) / (len(parameter) + 1) - 1, DEGREE)
    # Differences from one of them, in which most of what is common to all goes.
    apart = losses - losses[:, :1]
    expected = design @ np.linalg.lstsq(design, apart, rcond=None)[0]
    return value_of_knowing(expected)


def numbers_of(
    decision: Decision,
    scenarios: Mapping[str, Scenario],
    values: Mapping[str, Array],
    free: Mapping[str, Array],
    unit: str,
) -> dict[str, dict[str, Any]]:
    """A decision as named numbers: the best, how often each is best, and what knowing would be worth.

    `values` are the decision's quantity in each scenario (draw,); `free` the parameters that were calibrated.
    """
    sign = 1.0 if decision.wanted == "least" else -1.0
    losses = np.column_stack([sign * values[name] + decision.cost.get(name, 0.0) for name in decision.among])
    chosen, shares = int(losses.mean(axis=0).argmin()), best_in_draws(losses)
    best = scenarios[decision.among[chosen]].title
    found = {decision.name: _probability(decision.title, float(shares[chosen]), f"{best}, best in ")}
    for name, share in zip(decision.among, shares, strict=True):
        title = f"{decision.title}: is it “{scenarios[name].title}”?"
        found[f"{decision.name}_{name}"] = _probability(title, float(share))
    everything = value_of_knowing(losses)
    worth = {f"{decision.name}_knowing": ("everything", everything)}
    known = {name: min(value_of_knowing_one(losses, draws), everything) for name, draws in free.items()}
    for name in sorted(filter(known.__getitem__, known), key=known.__getitem__, reverse=True)[:MOST_NAMED]:
        worth[f"{decision.name}_knowing_{name}"] = (name, known[name])
    for key, (what, value) in worth.items():
        same = dict.fromkeys(("median", "low", "high", "mean"), value)
        title = f"{decision.title}: what knowing {what} first would be worth"
        found[key] = {"title": title, "unit": unit, **same, "text": words.rounded(value)}
    return found


def _probability(title: str, share: float, before: str = "") -> dict[str, Any]:
    said = chance(title, share)
    return {**said, "text": f"{before}{said['text']}{' of draws' if before else ''}"}
