"""The path of each chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.plots._bands import tooltip
from modelworks.plots._draws import as_draws, chain_colour, chain_names, worth_seeing
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import columns, label, numbers, small_multiples, thin, value_axis

# Twelve panels of a thousand points: what a phone still draws without waiting.
MOST_PARAMETERS = 12
MOST_POINTS = 1000


def draw(
    draws: Mapping[str, ArrayLike],
    *,
    parameters: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Traces of the chains",
) -> Figure:
    """Each parameter's draws in the order they were made, a line for each chain.

    Parameters
    ----------
    draws : mapping of parameter to float array, shape (chain, draw)
    parameters : names to draw, in order; where not given, all, or the twelve that mixed worst
    labels : name of a parameter to its title with unit
    """
    arrays = as_draws(draws)
    names, left_out = worth_seeing(arrays, parameters, MOST_PARAMETERS)
    caption = (
        "Chains should overlap like blades of grass: no colour apart from the others, no slope, no flat stretch."
        + left_out
        + thinning(max(arrays[name].size for name in names))
    )
    return small_multiples("traces", title, caption, [panel(arrays[name], label(name, labels)) for name in names])


def thinning(size: int) -> str:
    """The sentence that owns up to what is not drawn."""
    return "" if size <= MOST_POINTS else f" Thinned from {size:,} draws to about {MOST_POINTS:,}."


def panel(chains: NDArray[np.float64], title: str) -> Spec:
    """One parameter: all chains over the number of the draw."""
    count, length = chains.shape
    kept = thin(length, max(MOST_POINTS // count, 2))
    names = chain_names(count)
    data = columns(
        draw=np.tile(kept + 1, count).tolist(),
        chain=[name for name in names for _ in kept],
        value=numbers(chains[:, kept].ravel()),
    )
    return {
        "title": title,
        **data,
        "mark": {"type": "line", "strokeWidth": 0.8, "opacity": 0.75, "clip": True},
        "encoding": {
            "x": {
                "field": "draw",
                "type": "quantitative",
                "scale": {"domain": [1, length], "nice": False},
                "axis": {"title": "Draw", "tickCount": 4},
            },
            "y": value_axis("value", chains, from_zero=False),
            "color": chain_colour(count),
            "tooltip": [tooltip("chain", "Chain")],
        },
    }
