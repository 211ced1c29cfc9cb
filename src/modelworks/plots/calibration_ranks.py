"""Whether the truth ranks evenly among draws: by how much the ranks' distribution function misses the diagonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from modelworks.plots._figure import Figure, Spec
from modelworks.plots._panels import chosen, columns, label, numbers, small_multiples, value_axis, with_level
from modelworks.plots._theme import BLUE, GREY

CAPTION = (
    "Even ranks stay within the grey band, all along, 19 times in 20. A line above it: draws that are too high; below: "
    "too low; up and then down: too narrow; down and then up: too wide."
)


class Ranked(Protocol):
    """Shares of the draws, the share of ranks below each, and the band that even ranks keep to: all (point,)."""

    @property
    def at(self) -> ArrayLike: ...
    @property
    def found(self) -> ArrayLike: ...
    @property
    def low(self) -> ArrayLike: ...
    @property
    def high(self) -> ArrayLike: ...


def draw(
    tests: Mapping[str, Ranked],
    *,
    parameters: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Ranks of the truth",
) -> Figure:
    """A panel for each parameter.

    Parameters
    ----------
    tests : mapping of parameter to what `calibration.uniformity` gives
    parameters : names to draw, in order; all where not given
    labels : name of a parameter to its title
    """
    names = chosen(parameters, tests, "parameter")
    return small_multiples(
        "calibration_ranks", title, CAPTION, [_panel(tests[name], label(name, labels)) for name in names]
    )


def _panel(test: Ranked, title: str) -> Spec:
    at = np.asarray(test.at)
    away: dict[str, Any] = {name: np.asarray(getattr(test, name)) - at for name in ("found", "low", "high")}
    x = {"field": "at", "type": "quantitative", "axis": {"title": "Share of the draws", "tickCount": 5}}
    y = value_axis("low", away["low"], away["high"], away["found"])
    band = {
        "mark": {"type": "area", "color": GREY, "opacity": 0.25},
        "encoding": {"x": x, "y": y, "y2": {"field": "high"}},
    }
    line = {
        "mark": {"type": "line", "color": BLUE, "interpolate": "step-after"},
        "encoding": {"x": x, "y": {**y, "field": "found"}},
    }
    data = columns(at=numbers(at), **{name: numbers(values) for name, values in away.items()})
    return with_level({"title": title, **data, "layer": [band, line]}, 0.0)
