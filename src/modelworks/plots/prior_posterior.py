"""What was assumed about each parameter, and what the data made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.errors import fail
from modelworks.plots._bands import tooltip
from modelworks.plots._density import density
from modelworks.plots._draws import as_draws, worth_seeing
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import SHORT_NUMBER, columns, label, numbers, small_multiples
from modelworks.plots._theme import BLUE, GREY

MOST_PARAMETERS = 24
WIDTH, HEIGHT = 200, 120

# The widest a panel gets, in widths of the posterior: beyond, the posterior would be a needle.
WIDEST = 10.0

PRIOR, POSTERIOR = "Prior", "Posterior"
COLOURS = {PRIOR: GREY, POSTERIOR: BLUE}


def draw(
    draws: Mapping[str, ArrayLike],
    prior_draws: Mapping[str, ArrayLike],
    *,
    parameters: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Before and after the data",
) -> Figure:
    """The density of each parameter's prior in grey and of its posterior in blue.

    Parameters
    ----------
    draws : mapping of parameter to float array, shape (chain, draw)
    prior_draws : mapping of parameter to float array, shape (draw,)
        A parameter without is drawn alone.
    parameters : names to draw, in order; where not given, all, or the 24 that mixed worst
    labels : name of a parameter to its title with unit
    """
    arrays = as_draws(draws)
    names, left_out = worth_seeing(arrays, parameters, MOST_PARAMETERS)
    panels, cropped = [], False
    for name in names:
        prior = np.ravel(np.asarray(prior_draws.get(name, ()), dtype=np.float64))
        posterior = arrays[name][np.isfinite(arrays[name])]
        if not posterior.size:
            fail("G202", f"`{name}` has no finite draws, so there is nothing to draw")
        low, high = extent(posterior)
        cropped = cropped or bool(prior.size and (prior.min() < low or prior.max() > high))
        panels.append(panel({PRIOR: prior, POSTERIOR: posterior}, low, high, label(name, labels)))
    caption = (
        "Where blue has become narrower than grey, the data taught us something; where both lie on each other, "
        "what comes out is what was assumed; where blue lies at the edge of grey, data and assumption disagree."
    )
    caption += " The far ends of wide priors are cut off." if cropped else ""
    return small_multiples("prior_posterior", title, caption + left_out, panels, per_row=3)


def extent(posterior: NDArray[np.float64]) -> tuple[float, float]:
    """How far to the left and right a panel goes at most: `WIDEST` widths of the posterior, it in the middle."""
    low, high = np.quantile(posterior, [0.005, 0.995])
    room = (WIDEST - 1) / 2 * (high - low)
    return float(min(low - room, posterior.min())), float(max(high + room, posterior.max()))


def panel(samples: Mapping[str, NDArray[np.float64]], low: float, high: float, title: str) -> Spec:
    """One parameter: an area for each sample that has draws between `low` and `high`."""
    curves = {
        name: density(sample, low, high)
        for name, sample in samples.items()
        if sample.size and sample.max() > low and sample.min() < high
    }
    data = columns(
        place=numbers(np.concatenate([places for places, _ in curves.values()])),
        height=numbers(np.concatenate([heights for _, heights in curves.values()])),
        kind=[name for name, (places, _) in curves.items() for _ in places],
    )
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": list(samples), "range": [COLOURS[name] for name in samples]},
        "legend": {"title": None} if len(samples) > 1 else None,
    }
    axis = {"title": None, "tickCount": 4, "labelExpr": SHORT_NUMBER}
    return {
        "title": title,
        "width": WIDTH,
        "height": HEIGHT,
        **data,
        "mark": {"type": "area", "line": {"strokeWidth": 1.6}, "fillOpacity": 0.25},
        "encoding": {
            "x": {"field": "place", "type": "quantitative", "scale": {"zero": False, "nice": False}, "axis": axis},
            # Heights have no unit a reader could use; the areas are both one.
            "y": {"field": "height", "type": "quantitative", "stack": None, "axis": None},
            "color": colour,
            "tooltip": [tooltip("kind", "Curve"), tooltip("place", title)],
        },
    }
