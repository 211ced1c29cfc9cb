"""What is assumed about each parameter, before any data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from modelworks.plots._draws import as_draws, worth_seeing
from modelworks.plots._figure import Figure
from modelworks.plots._panels import label, small_multiples
from modelworks.plots.prior_posterior import MOST_PARAMETERS, PRIOR, panel

# So much is shown of a prior: of the tail of a Cauchy all would be the tail.
SHOWN = (0.005, 0.995)


def draw(
    prior_draws: Mapping[str, ArrayLike],
    *,
    parameters: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Before the data",
) -> Figure:
    """The density of each parameter's prior.

    Parameters
    ----------
    prior_draws : mapping of parameter to float array, shape (draw,)
    parameters : names to draw, in order; where not given, the first 24
    labels : name of a parameter to its title with unit
    """
    arrays = as_draws(prior_draws)
    names, _ = worth_seeing(arrays, list(arrays)[:MOST_PARAMETERS] if parameters is None else parameters, len(arrays))
    panels = []
    for name in names:
        values = arrays[name].reshape(-1)
        low, high = np.quantile(values, SHOWN)
        panels.append(panel({PRIOR: values}, float(low), float(high), label(name, labels)))
    caption = "Each value is as probable as the curve is high: look for one that you know to be impossible, or miss."
    left_out = f" The first {len(names)} of {len(arrays)} parameters." if len(names) < len(arrays) else ""
    return small_multiples("priors", title, caption + left_out, panels, per_row=3)
