"""What the assumptions alone foresee, beside what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelworks.plots._figure import Figure
from modelworks.plots._panels import QUANTILES, chosen, label, need_columns, small_multiples
from modelworks.plots.fit import panel

if TYPE_CHECKING:
    import pandas as pd

CAPTION = (
    "Runs with draws of the priors, before the data were used. The points should lie between the dashed lines, where "
    "95% of new observations would fall; where they do not, the assumptions exclude what happened. Bands that are very "
    "much wider than the data allow epidemics that nobody believes in. Line: median; inner and outer band: 50% and 95%."
)


def draw(
    quantiles: pd.DataFrame,
    observed: pd.DataFrame,
    predictive: pd.DataFrame,
    *,
    targets: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Foreseen by the assumptions",
) -> Figure:
    """Each target's observations over what draws of the priors expect there.

    Parameters
    ----------
    quantiles : table with columns output, time, q025, q25, q50, q75, q975
        What is expected at each observation; `output` is the name of a target.
    observed : table with columns target, time, value, included
    predictive : table like `quantiles`
        Where new observations would fall, noise included.
    targets : names of the targets to draw, in order; all where not given
    labels : name of a target to its title with unit
    """
    need_columns(quantiles, ("output", "time", *QUANTILES), "the table of quantiles")
    need_columns(observed, ("target", "time", "value", "included"), "the table of observations")
    need_columns(predictive, ("output", "time", *QUANTILES), "the table of predictions")
    panels = []
    for index, name in enumerate(chosen(targets, observed["target"], "target")):
        expected, new = (table[table["output"] == name].sort_values("time") for table in (quantiles, predictive))
        panels.append(panel(expected, observed[observed["target"] == name], new, label(name, labels), index))
    return small_multiples("prior_predictive", title, CAPTION, panels)
