"""The same numbers from two runs or more, over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from modelworks.errors import fail
from modelworks.plots._bands import tooltip
from modelworks.plots._density import density
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._lines import legend
from modelworks.plots._panels import SHORT_NUMBER, columns, label, numbers, small_multiples
from modelworks.plots._theme import COLOURS, GREY

MOST = 24
CAPTION = "The draws of each number in each run: where the areas lie on each other, the change made no difference."


def draw(
    runs: Mapping[str, Mapping[str, ArrayLike]],
    *,
    names: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Side by side",
) -> Figure:
    """A panel for each number that all runs have, with the density of its draws in each; the first run is grey.

    Parameters
    ----------
    runs : mapping of a run's title to a mapping of a number's name to its draws (draw,)
    names : numbers to draw, in order; all that vary where not given
    labels : name of a number to its title with unit
    """
    first, *others = (dict(each) for each in runs.values())
    wanted = names or [name for name in first if all(name in each for each in others)]
    panels = []
    for name in wanted:
        samples = {run: np.ravel(np.asarray(each[name], dtype=np.float64)) for run, each in runs.items()}
        if all(np.ptp(sample) > 0 for sample in samples.values()):
            panels.append(panel(samples, label(name, labels)))
    if not panels:
        fail("G202", "there is no number that varies in all runs, so there is nothing to draw")
    return small_multiples("overlay", title, CAPTION, panels[:MOST])


def panel(samples: Mapping[str, np.ndarray], title: str) -> Spec:
    """The density of one number in each run, between the far ends of the middle 99%."""
    low = min(float(np.quantile(each, 0.005)) for each in samples.values())
    high = max(float(np.quantile(each, 0.995)) for each in samples.values())
    curves = {name: density(each, low, high) for name, each in samples.items()}
    data = columns(
        place=numbers(np.concatenate([places for places, _ in curves.values()])),
        height=numbers(np.concatenate([heights for _, heights in curves.values()])),
        kind=[name for name, (places, _) in curves.items() for _ in places],
    )
    shades = [GREY, *(COLOURS[k % len(COLOURS)] for k in range(len(samples) - 1))]
    colour = {"domain": list(samples), "range": shades}
    axis = {"title": None, "tickCount": 4, "labelExpr": SHORT_NUMBER}
    return {
        "title": title,
        **data,
        "mark": {"type": "area", "line": {"strokeWidth": 1.6}, "fillOpacity": 0.25},
        "encoding": {
            "x": {"field": "place", "type": "quantitative", "scale": {"zero": False, "nice": False}, "axis": axis},
            "y": {"field": "height", "type": "quantitative", "stack": None, "axis": None},
            "color": {"field": "kind", "type": "nominal", "scale": colour, "legend": legend(list(samples))},
            "tooltip": [tooltip("kind", "Run"), tooltip("place", title)],
        },
    }
