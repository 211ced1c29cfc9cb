"""What the model says about each output stratum by stratum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelworks.plots._figure import Figure, Spec
from modelworks.plots._lines import DASHES, Lines, lines_panel, look
from modelworks.plots._panels import QUANTILES, chosen, label, need_columns, small_multiples
from modelworks.plots._theme import COLOURS

if TYPE_CHECKING:
    import pandas as pd

# A panel for each line of so many colours; more can not be told apart.
MOST_LINES = len(COLOURS)
# More panels than this in one figure and nobody looks at any of them.
MOST_PANELS = 12


def draw(
    quantiles: pd.DataFrame,
    *,
    outputs: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Stratum by stratum",
) -> Figure:
    """Each output with a line for every stratum; with more strata than colours, a panel for each seven.

    Parameters
    ----------
    quantiles : table with columns output, stratum, time, q025, q25, q50, q75, q975
    outputs : names of the outputs to draw, in order; all where not given
    labels : name of an output to its title with unit
    """
    need_columns(quantiles, ("output", "stratum", "time", *QUANTILES), "the table of strata")
    parts = [
        (name, strata)
        for name in chosen(outputs, quantiles["output"], "output")
        for strata in in_parts(list(dict.fromkeys(quantiles.loc[quantiles["output"] == name, "stratum"])))
    ]
    panels = [
        panel(quantiles[quantiles["output"] == name], strata, label(name, labels), index)
        for index, (name, strata) in enumerate(parts[:MOST_PANELS])
    ]
    caption = "Lines: medians; bands: 95% of the draws."
    if len(parts) > MOST_PANELS:
        left_out = sum(len(strata) for _, strata in parts[MOST_PANELS:])
        caption += f" {left_out} more series are in the table of outputs in the folder of the run."
    return small_multiples("strata", title, caption, panels)


def in_parts(strata: Sequence[str]) -> list[list[str]]:
    """Strata in parts that one panel can hold.

    >>> [len(part) for part in in_parts([str(age) for age in range(16)])]
    [7, 7, 2]
    """
    return [list(strata[start : start + MOST_LINES]) for start in range(0, len(strata), MOST_LINES)]


def panel(rows: pd.DataFrame, strata: Sequence[str], title: str, index: int) -> Spec:
    """One output in some strata."""
    dashes = [DASHES[place % len(DASHES)] for place in range(len(strata))]
    drawn_as = look(strata, COLOURS[: len(strata)], dashes)
    return lines_panel(Lines.of(rows[rows["stratum"].isin(strata)], "stratum"), title, drawn_as, "stratum", index)
