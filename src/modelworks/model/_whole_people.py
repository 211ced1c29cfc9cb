"""Initial numbers as whole people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelworks.errors import fail
from modelworks.model._graph import Array

# A number that a sum of floating-point numbers misses by less than this is that number.
ROUND_OFF = 1e-9


def whole_people(numbers: Array, compartments: Sequence[str]) -> Array:
    """Numbers (draw, row, lane) as whole ones; `compartments` names the one each row belongs to.

    Rounded apart, a hundred people in sixteen equal strata would become ninety-six. So everybody is rounded to the
    nearest whole number, and handed out to compartments, then within each to strata, by the largest remainders.
    """
    names = tuple(dict.fromkeys(compartments))
    inside = [np.array([name == each for each in compartments]) for name in names]
    sums = np.stack([numbers[:, rows].sum(axis=(1, 2)) for rows in inside], axis=1)
    totals = by_largest_remainder(sums, np.round(sums.sum(axis=1)))
    _check_somebody(sums, totals, names)
    found = np.empty_like(numbers)
    for k, rows in enumerate(inside):
        part = numbers[:, rows]
        found[:, rows] = by_largest_remainder(part.reshape(len(part), -1), totals[:, k]).reshape(part.shape)
    return found


def by_largest_remainder(shares: Array, totals: Array) -> Array:
    """Whole numbers next to `shares` (draw, share) that sum to `totals` (draw,); the first of equals goes first."""
    floors = np.floor(shares + ROUND_OFF)
    remainders = shares - floors
    order = np.argsort(-np.round(remainders, 9), axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable")
    return np.asarray(np.maximum(floors, 0.0) + (ranks < (totals - floors.sum(axis=1))[:, None]))


def _check_somebody(sums: Array, totals: Array, names: Sequence[str]) -> None:
    lost = (sums > ROUND_OFF) & (totals == 0)
    if lost.any():
        draw, k = (int(each) for each in np.argwhere(lost)[0])
        fail(
            "S113",
            f"the initial number of `{names[k]}` is {sums[draw, k]:.6g} people, which rounds to nobody",
            hint="a stochastic run moves whole people: begin with at least one, or leave the compartment empty",
        )
