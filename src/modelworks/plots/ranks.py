"""Whether each chain had its share of low, middling and high draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.plots._bands import tooltip
from modelworks.plots._draws import as_draws, chain_colour, chain_names, worth_seeing
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import columns, label, numbers, small_multiples
from modelworks.plots._theme import GREY

MOST_PARAMETERS = 12
BINS = 20

# Two-sided 95% of a normal distribution.
Z_95 = 1.96


def draw(
    draws: Mapping[str, ArrayLike],
    *,
    parameters: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Ranks of the chains",
) -> Figure:
    """Each parameter's draws ranked over all chains, and how many of each chain fall in each twentieth.

    Rank plots of Vehtari et al. 2021 (doi:10.1214/20-BA1221, section 4.2).

    Parameters
    ----------
    draws : mapping of parameter to float array, shape (chain, draw)
    parameters : names to draw, in order; where not given, all, or the twelve that mixed worst
    labels : name of a parameter to its title with unit
    """
    arrays = as_draws(draws)
    names, left_out = worth_seeing(arrays, parameters, MOST_PARAMETERS)
    caption = (
        "Every chain should have its even share of low and high draws: lines that stay near the grey band are good; "
        "one that climbs, falls or bulges shows a chain that was elsewhere. The band is what independent draws would "
        "give 19 times in 20; real chains wander a little more." + left_out
    )
    return small_multiples("ranks", title, caption, [panel(arrays[name], label(name, labels)) for name in names])


def rank_shares(chains: NDArray[np.float64], bins: int = BINS) -> NDArray[np.float64]:
    """The share of each chain's draws in each equal part of all ranks, times the parts: 1 is even. (chain, bin).

    >>> rank_shares(np.array([[1.0, 2.0], [3.0, 4.0]]), bins=2).tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    order = np.empty(chains.size, dtype=np.intp)
    order[np.argsort(chains, axis=None, kind="stable")] = np.arange(chains.size)
    part = (order * bins // chains.size).reshape(chains.shape)
    counts = np.stack([np.bincount(each, minlength=bins) for each in part])
    return np.asarray(counts * bins / chains.shape[1])


def panel(chains: NDArray[np.float64], title: str) -> Spec:
    """One parameter: a step line for each chain around 1."""
    count, length = chains.shape
    shares = rank_shares(chains)
    # Steps end at the right edge of the last part, so its height is drawn twice.
    edges = np.arange(BINS + 1) / BINS * 100
    heights = np.concatenate([shares, shares[:, -1:]], axis=1)
    data = columns(
        rank=numbers(np.tile(edges, count)),
        chain=[name for name in chain_names(count) for _ in edges],
        share=numbers(heights.ravel()),
    )
    half = Z_95 * np.sqrt((BINS - 1) / length)
    x = {
        "field": "rank",
        "type": "quantitative",
        "scale": {"domain": [0, 100], "nice": False},
        "axis": {"title": "Rank among all draws (%)", "tickCount": 5},
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domainMin": 0, "domainMax": float(max(2.0, 1.05 * heights.max()))},
        "axis": {"title": "Share (1 is even)", "tickCount": 4},
    }
    band = {
        "data": {"values": [{"low": max(float(1 - half), 0.0), "high": float(1 + half)}]},
        "mark": {"type": "rect", "color": GREY, "opacity": 0.2},
        "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}},
    }
    line = {
        **data,
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5},
        "encoding": {"x": x, "y": y, "color": chain_colour(count), "tooltip": [tooltip("chain", "Chain")]},
    }
    return {"title": title, "layer": [band, line]}
